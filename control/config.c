#include "control/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_options.h"
#include "control/config_place.h"
#include "control/source/text_file.h"
#include "control/source/yaml.h"

#define CONFIG_SIZE_MAX (1 << 20)

static void
list_fini(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){ 0 };
}

static bool
list_append(struct string_list *list, const char *item)
{
	char **items = realloc(list->items, (list->n + 1) * sizeof(*items));

	if (items == NULL)
		return false;
	list->items = items;
	items[list->n] = strdup(item);
	return items[list->n] != NULL && ++list->n != 0;
}

/* A default, of words. */
static bool
list_init(struct string_list *list, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		char *word = strndup(text, n);
		bool ok = word != NULL && list_append(list, word);

		free(word);
		if (!ok)
			return false;
		text += n + strspn(text + n, " ");
	}
	return true;
}

int
config_init(struct config *c)
{
	*c = (struct config){ 0 };
	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++) {
		const struct config_option *o = &config_options[i];
		char **text;

		switch (o->type) {
		case OPTION_STRING:
			text = config_member(c, o);
			*text = strdup(o->text);
			if (*text == NULL) {
				config_fini(c);
				return -ENOMEM;
			}
			break;
		case OPTION_ENUM:
			*(uint32_t *)config_member(c, o) = (uint32_t)config_choice(o->unit, o->text);
			break;
		case OPTION_UINT:
		case OPTION_POW2:
			*(uint32_t *)config_member(c, o) = o->number;
			break;
		case OPTION_LIST:
			if (!list_init(config_member(c, o), o->text)) {
				config_fini(c);
				return -ENOMEM;
			}
			break;
		}
	}
	return 0;
}

void
config_fini(struct config *c)
{
	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++) {
		if (config_options[i].type == OPTION_STRING)
			free(*(char **)config_member(c, &config_options[i]));
		else if (config_options[i].type == OPTION_LIST)
			list_fini(config_member(c, &config_options[i]));
	}
	*c = (struct config){ 0 };
}

static void
set_string(char **member, const struct config_option *o, const json_t *value, struct config_place *p)
{
	char *copy;

	if (!json_is_string(value) || json_string_length(value) != strlen(json_string_value(value))) {
		config_complain(p, o->key, "must be text; quote it");
		return;
	}
	copy = strdup(json_string_value(value));
	if (copy == NULL) {
		config_complain(p, o->key, "out of memory");
		return;
	}
	free(*member);
	*member = copy;
}

static void
set_number(uint32_t *member, const struct config_option *o, const json_t *value, struct config_place *p)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value)) {
		config_complain(p, o->key, "must be a whole number from %u to %u", o->minimum, o->maximum);
	} else if (number < o->minimum || number > o->maximum) {
		config_complain(p, o->key, "is %lld, must be from %u to %u%s%s", (long long)number,
			o->minimum, o->maximum, *o->unit == '\0' ? "" : " ", o->unit);
	} else if (o->type == OPTION_POW2 && (number & (number - 1)) != 0) {
		uint32_t below = 1;

		while (below * 2ull < (unsigned long long)number)
			below *= 2;
		config_complain(p, o->key, "is %lld, must be a power of two, such as %u", (long long)number,
			below < o->minimum ? below * 2 : below);
	} else {
		*member = (uint32_t)number;
	}
}

static void
set_enum(uint32_t *member, const struct config_option *o, const json_t *value, struct config_place *p)
{
	/* "on" without quotes is what YAML 1.1 calls true */
	const char *word =
		json_is_boolean(value) ? (json_is_true(value) ? "on" : "off") : json_string_value(value);
	int choice = word == NULL ? -1 : config_choice(o->unit, word);

	if (choice < 0)
		config_complain(p, o->key, "must be one of: %s", o->unit);
	else
		*member = (uint32_t)choice;
}

static void
set_list(struct string_list *member, const struct config_option *o, const json_t *value,
	struct config_place *p)
{
	struct string_list list = { 0 };
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		config_complain(p, o->key, "must be a list, such as [a, b]");
		return;
	}
	json_array_foreach (value, i, item) {
		char number[32];
		const char *text = json_string_value(item);

		if (json_is_integer(item)) {
			snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(item));
			text = number;
		}
		if (text == NULL) {
			config_complain(p, o->key, "element %zu must be text or a whole number", i + 1);
			continue;
		}
		if (!list_append(&list, text))
			config_complain(p, o->key, "out of memory");
	}
	list_fini(member);
	*member = list;
}

static void
set_option(struct config *c, const struct config_option *o, const json_t *value, struct config_place *p)
{
	if (json_is_null(value))
		return; /* "key:" with nothing behind it: the default */
	switch (o->type) {
	case OPTION_STRING:
		set_string(config_member(c, o), o, value, p);
		break;
	case OPTION_UINT:
	case OPTION_POW2:
		set_number(config_member(c, o), o, value, p);
		break;
	case OPTION_ENUM:
		set_enum(config_member(c, o), o, value, p);
		break;
	case OPTION_LIST:
		set_list(config_member(c, o), o, value, p);
		break;
	}
}

static void
complain_unknown(struct config_place *p, const char *key)
{
	const char *nearest = config_option_nearest(key);

	if (nearest != NULL)
		config_complain(p, key, "no such option; is %s meant?", nearest);
	else
		config_complain(p, key, "no such option; ringwayd --help-config lists them");
}

/* Both "overlay: {vni: 1}" and "overlay.vni: 1" are understood. */
static void
read_section(struct config *c, const struct yaml_file *f, json_t *section, const char *prefix,
	struct config_place *p)
{
	const char *name;
	json_t *value;

	json_object_foreach (section, name, value) {
		const struct config_option *o;
		char key[128];

		snprintf(key, sizeof(key), "%s%s%.60s", prefix, *prefix == '\0' ? "" : ".", name);
		p->line = yaml_member_line(f, section, name);
		o = config_option_find(key);
		if (o != NULL)
			set_option(c, o, value, p);
		else if (!config_is_section(key))
			complain_unknown(p, key);
		else if (json_is_object(value))
			read_section(c, f, value, key, p);
		else if (!json_is_null(value))
			config_complain(p, key, "is a section: its options go below it, indented");
	}
}

int
config_read_text(struct config *c, const char *name, const char *text, size_t size, FILE *errors)
{
	struct config_place p = { .file = name, .errors = errors };
	struct yaml_error error;
	struct yaml_file *f;
	json_t *root;

	if (yaml_file_parse(&f, text, size, &error) < 0) {
		p.line = error.line;
		config_complain(&p, NULL, "%s", error.message);
		return p.n_errors;
	}
	root = yaml_n_documents(f) == 0 ? NULL : yaml_document(f, 0);
	if (yaml_n_documents(f) > 1) {
		p.line = yaml_document_line(f, 1);
		config_complain(&p, NULL, "a second document; the configuration is one");
	} else if (json_is_object(root)) {
		read_section(c, f, root, "", &p);
	} else if (root != NULL && !json_is_null(root)) {
		p.line = yaml_document_line(f, 0);
		config_complain(&p, NULL, "must be a mapping, such as \"overlay: {vni: 1}\"");
	}
	yaml_file_free(f);
	return p.n_errors;
}

int
config_read(struct config *c, const char *path, FILE *errors)
{
	char *text;
	size_t size;
	int result = text_file_read(path, CONFIG_SIZE_MAX, &text, &size);

	if (result < 0) {
		fprintf(errors, "%s: cannot be read: %s\n", path, strerror(-result));
		return result;
	}
	result = config_read_text(c, path, text, size, errors);
	free(text);
	return result;
}

int
config_set(struct config *c, const char *assignment, FILE *errors)
{
	struct config_place p = { .errors = errors };
	const char *equals = strchr(assignment, '=');
	const struct config_option *o;
	struct yaml_error error;
	struct yaml_file *f;
	char key[128];

	if (equals == NULL || equals - assignment >= (ptrdiff_t)sizeof(key)) {
		config_complain(&p, assignment, "must be KEY=VALUE");
		return p.n_errors;
	}
	snprintf(key, sizeof(key), "%.*s", (int)(equals - assignment), assignment);
	o = config_option_find(key);
	if (o == NULL) {
		complain_unknown(&p, key);
		return p.n_errors;
	}
	if (o->type == OPTION_STRING) {
		/* as it is: no quoting for ":9965" */
		json_t *text = json_string(equals + 1);

		set_option(c, o, text, &p);
		json_decref(text);
	} else if (yaml_file_parse(&f, equals + 1, strlen(equals + 1), &error) < 0) {
		config_complain(&p, key, "%s", error.message);
	} else {
		if (yaml_n_documents(f) == 1)
			set_option(c, o, yaml_document(f, 0), &p);
		else
			config_complain(&p, key, "must be one value");
		yaml_file_free(f);
	}
	return p.n_errors;
}

bool
config_has_api_server(const struct config *c)
{
	return *c->cluster.api_server != '\0' || *c->cluster.kubeconfig != '\0';
}
