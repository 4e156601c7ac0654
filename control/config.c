#include "control/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/build/dns_options.h"
#include "control/node/port_claim.h"
#include "control/source/text_file.h"
#include "control/source/yaml.h"
#include "dataplane/net/ip_addr.h"

#define CONFIG_SIZE_MAX (1 << 20)
#define MTU_MIN 1280u /* RFC 8200 section 5 */

enum option_type {
	OPTION_STRING,
	OPTION_UINT,
	OPTION_POW2,
	OPTION_ENUM,
	OPTION_LIST,
};

struct option {
	const char *key;
	enum option_type type;
	size_t offset; /* in struct config */
	const char *text;
	uint32_t number, minimum, maximum;
	const char *unit; /* of ENUM: the choices */
	const char *help;
};

/* The default column holds a string or a number, whichever the type wants. */
#define AS_TEXT(value) _Generic((value), char * : (value), default : NULL)
#define AS_NUMBER(value) _Generic((value), char * : 0, default : (value))

static const struct option options[] = {
#define OPTION(key, path, type, value, minimum, maximum, unit, help)                                    \
	{ key, OPTION_##type, offsetof(struct config, path), AS_TEXT(value), AS_NUMBER(value), minimum, \
		maximum, unit, help },
#include "conf/options.def"
#undef OPTION
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* Each option has a member of the type that goes with it. */
#define MEMBER_STRING char *
#define MEMBER_UINT uint32_t
#define MEMBER_POW2 uint32_t
#define MEMBER_ENUM uint32_t
#define MEMBER_LIST struct string_list
#define OPTION(key, path, type, ...)                                                        \
	static_assert(_Generic(((struct config *)0)->path, MEMBER_##type : 1, default : 0), \
		"struct config has another type for " key);
#include "conf/options.def"
#undef OPTION

/* Where a value is read from, for messages. */
struct place {
	const char *file; /* NULL: the command line */
	unsigned line;
	FILE *errors;
	int n_errors;
};

static void complain(struct place *p, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
complain(struct place *p, const char *key, const char *format, ...)
{
	va_list args;

	if (p->file == NULL)
		fputs("--set ", p->errors);
	else if (p->line == 0)
		fprintf(p->errors, "%s: ", p->file);
	else
		fprintf(p->errors, "%s:%u: ", p->file, p->line);
	if (key != NULL)
		fprintf(p->errors, "%s: ", key);
	va_start(args, format);
	vfprintf(p->errors, format, args);
	va_end(args);
	fputc('\n', p->errors);
	p->n_errors++;
}

static void *
member_of(struct config *c, const struct option *o)
{
	return (char *)c + o->offset;
}

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

/* Index of a word among the space-separated choices, or -1. */
static int
choice_index(const char *choices, const char *word)
{
	size_t len = strlen(word);

	for (int i = 0;; i++) {
		size_t n = strcspn(choices, " ");

		if (n == len && len != 0 && strncmp(choices, word, n) == 0)
			return i;
		if (choices[n] == '\0')
			return -1;
		choices += n + 1;
	}
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
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];
		char **text;

		switch (o->type) {
		case OPTION_STRING:
			text = member_of(c, o);
			*text = strdup(o->text);
			if (*text == NULL) {
				config_fini(c);
				return -ENOMEM;
			}
			break;
		case OPTION_ENUM:
			*(uint32_t *)member_of(c, o) = (uint32_t)choice_index(o->unit, o->text);
			break;
		case OPTION_UINT:
		case OPTION_POW2:
			*(uint32_t *)member_of(c, o) = o->number;
			break;
		case OPTION_LIST:
			if (!list_init(member_of(c, o), o->text)) {
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
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (options[i].type == OPTION_STRING)
			free(*(char **)member_of(c, &options[i]));
		else if (options[i].type == OPTION_LIST)
			list_fini(member_of(c, &options[i]));
	}
	*c = (struct config){ 0 };
}

static void
set_string(char **member, const struct option *o, const json_t *value, struct place *p)
{
	char *copy;

	if (!json_is_string(value) || json_string_length(value) != strlen(json_string_value(value))) {
		complain(p, o->key, "must be text; quote it");
		return;
	}
	copy = strdup(json_string_value(value));
	if (copy == NULL) {
		complain(p, o->key, "out of memory");
		return;
	}
	free(*member);
	*member = copy;
}

static void
set_number(uint32_t *member, const struct option *o, const json_t *value, struct place *p)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value)) {
		complain(p, o->key, "must be a whole number from %u to %u", o->minimum, o->maximum);
	} else if (number < o->minimum || number > o->maximum) {
		complain(p, o->key, "is %lld, must be from %u to %u%s%s", (long long)number, o->minimum,
			o->maximum, *o->unit == '\0' ? "" : " ", o->unit);
	} else if (o->type == OPTION_POW2 && (number & (number - 1)) != 0) {
		uint32_t below = 1;

		while (below * 2ull < (unsigned long long)number)
			below *= 2;
		complain(p, o->key, "is %lld, must be a power of two, such as %u", (long long)number,
			below < o->minimum ? below * 2 : below);
	} else {
		*member = (uint32_t)number;
	}
}

static void
set_enum(uint32_t *member, const struct option *o, const json_t *value, struct place *p)
{
	/* "on" without quotes is what YAML 1.1 calls true */
	const char *word =
		json_is_boolean(value) ? (json_is_true(value) ? "on" : "off") : json_string_value(value);
	int choice = word == NULL ? -1 : choice_index(o->unit, word);

	if (choice < 0)
		complain(p, o->key, "must be one of: %s", o->unit);
	else
		*member = (uint32_t)choice;
}

static void
set_list(struct string_list *member, const struct option *o, const json_t *value, struct place *p)
{
	struct string_list list = { 0 };
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		complain(p, o->key, "must be a list, such as [a, b]");
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
			complain(p, o->key, "element %zu must be text or a whole number", i + 1);
			continue;
		}
		if (!list_append(&list, text))
			complain(p, o->key, "out of memory");
	}
	list_fini(member);
	*member = list;
}

static void
set_option(struct config *c, const struct option *o, const json_t *value, struct place *p)
{
	if (json_is_null(value))
		return; /* "key:" with nothing behind it: the default */
	switch (o->type) {
	case OPTION_STRING:
		set_string(member_of(c, o), o, value, p);
		break;
	case OPTION_UINT:
	case OPTION_POW2:
		set_number(member_of(c, o), o, value, p);
		break;
	case OPTION_ENUM:
		set_enum(member_of(c, o), o, value, p);
		break;
	case OPTION_LIST:
		set_list(member_of(c, o), o, value, p);
		break;
	}
}

static const struct option *
find_option(const char *key)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

static bool
is_section(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strncmp(options[i].key, key, len) == 0 && options[i].key[len] == '.')
			return true;
	return false;
}

/* Levenshtein's distance, case aside; keys are short. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n >= 64)
		return UINT32_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (unsigned i = 1; *a != '\0'; a++, i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned substituted = diagonal + ((*a | 0x20) != (b[j - 1] | 0x20));
			unsigned inserted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = substituted < inserted ? substituted : inserted;
		}
	}
	return row[n];
}

static void
complain_unknown(struct place *p, const char *key)
{
	const char *nearest = NULL;
	unsigned best = 1 + (unsigned)strlen(key) / 3;

	for (size_t i = 0; i < N_OPTIONS; i++) {
		unsigned d = distance(key, options[i].key);

		if (d <= best && (nearest == NULL || d < best)) {
			best = d;
			nearest = options[i].key;
		}
	}
	if (nearest != NULL)
		complain(p, key, "no such option; is %s meant?", nearest);
	else
		complain(p, key, "no such option; ringwayd --help-config lists them");
}

/* Both "overlay: {vni: 1}" and "overlay.vni: 1" are understood. */
static void
read_section(
	struct config *c, const struct yaml_file *f, json_t *section, const char *prefix, struct place *p)
{
	const char *name;
	json_t *value;

	json_object_foreach (section, name, value) {
		const struct option *o;
		char key[128];

		snprintf(key, sizeof(key), "%s%s%.60s", prefix, *prefix == '\0' ? "" : ".", name);
		p->line = yaml_member_line(f, section, name);
		o = find_option(key);
		if (o != NULL)
			set_option(c, o, value, p);
		else if (!is_section(key))
			complain_unknown(p, key);
		else if (json_is_object(value))
			read_section(c, f, value, key, p);
		else if (!json_is_null(value))
			complain(p, key, "is a section: its options go below it, indented");
	}
}

int
config_read_text(struct config *c, const char *name, const char *text, size_t size, FILE *errors)
{
	struct place p = { .file = name, .errors = errors };
	struct yaml_error error;
	struct yaml_file *f;
	json_t *root;

	if (yaml_file_parse(&f, text, size, &error) < 0) {
		p.line = error.line;
		complain(&p, NULL, "%s", error.message);
		return p.n_errors;
	}
	root = yaml_n_documents(f) == 0 ? NULL : yaml_document(f, 0);
	if (yaml_n_documents(f) > 1) {
		p.line = yaml_document_line(f, 1);
		complain(&p, NULL, "a second document; the configuration is one");
	} else if (json_is_object(root)) {
		read_section(c, f, root, "", &p);
	} else if (root != NULL && !json_is_null(root)) {
		p.line = yaml_document_line(f, 0);
		complain(&p, NULL, "must be a mapping, such as \"overlay: {vni: 1}\"");
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
	struct place p = { .errors = errors };
	const char *equals = strchr(assignment, '=');
	const struct option *o;
	struct yaml_error error;
	struct yaml_file *f;
	char key[128];

	if (equals == NULL || equals - assignment >= (ptrdiff_t)sizeof(key)) {
		complain(&p, assignment, "must be KEY=VALUE");
		return p.n_errors;
	}
	snprintf(key, sizeof(key), "%.*s", (int)(equals - assignment), assignment);
	o = find_option(key);
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
		complain(&p, key, "%s", error.message);
	} else {
		if (yaml_n_documents(f) == 1)
			set_option(c, o, yaml_document(f, 0), &p);
		else
			complain(&p, key, "must be one value");
		yaml_file_free(f);
	}
	return p.n_errors;
}

static void
check_prefixes(const char *key, const struct string_list *list, struct place *p)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < list->n; i++)
		if (!ip_prefix_parse(list->items[i], &prefix))
			complain(p, key, "\"%s\" is not a network, such as 10.244.0.0/16 or fd00:10:244::/48",
				list->items[i]);
}

/* An address must be either a pod's or a service's. */
static void
check_overlap(const struct config *c, struct place *p)
{
	struct ip_prefix pods, services;

	for (size_t i = 0; i < c->cluster.pod_cidrs.n; i++)
		for (size_t j = 0; j < c->cluster.service_cidrs.n; j++)
			if (ip_prefix_parse(c->cluster.pod_cidrs.items[i], &pods) &&
				ip_prefix_parse(c->cluster.service_cidrs.items[j], &services) &&
				(ip_prefix_contains(&pods, &services.addr) ||
					ip_prefix_contains(&services, &pods.addr)))
				complain(p, "cluster.serviceCIDRs", "%s overlaps with %s of cluster.podCIDRs",
					c->cluster.service_cidrs.items[j], c->cluster.pod_cidrs.items[i]);
}

static void
check_cpus(const struct string_list *cpus, struct place *p)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (size_t i = 0; i < cpus->n; i++) {
		char *end;
		long cpu = strtol(cpus->items[i], &end, 10);

		if (*end != '\0' || end == cpus->items[i] || cpu < 0 || cpu >= n_cpus)
			complain(p, "workers.cpus", "\"%s\" is not a core of this machine: it has 0 to %ld",
				cpus->items[i], n_cpus - 1);
		for (size_t j = 0; j < i; j++)
			if (strcmp(cpus->items[i], cpus->items[j]) == 0)
				complain(p, "workers.cpus", "core %s is given twice", cpus->items[i]);
	}
}

static struct dns_text_list
texts_of(const struct string_list *list)
{
	return (struct dns_text_list){ list->n, list->items };
}

static int
read_dns(const struct config *c, struct dns_options *out,
	void (*fn)(const char *key, const char *text, void *arg), void *arg)
{
	const struct dns_texts texts = {
		.service = c->dns.service,
		.zone = c->dns.zone,
		.local = texts_of(&c->dns.local_addresses),
		.upstreams = texts_of(&c->dns.upstreams),
		.stubs = texts_of(&c->dns.stub_domains),
		.suffixes = texts_of(&c->dns.search_suffixes),
		.pod_cidrs = texts_of(&c->cluster.pod_cidrs),
		.service_cidrs = texts_of(&c->cluster.service_cidrs),
		.ttl_s = c->dns.ttl,
		.pods = (enum dns_pod_records)c->dns.pod_records,
		.completes_searches = c->dns.search_completion == DNS_SEARCH_COMPLETION_ON,
		.is_shadow = c->dns.mode == DNS_MODE_SHADOW,
	};

	return dns_options_read(out, &texts, fn, arg);
}

static void
complain_dns(const char *key, const char *text, void *arg)
{
	complain(arg, key, "%s", text);
}

static void
check_dns(const struct config *c, struct place *p)
{
	struct dns_options dns;

	if (read_dns(c, &dns, complain_dns, p) < 0)
		complain(p, "dns", "out of memory");
	dns_options_fini(&dns);
}

static void
ignore(const char *key, const char *text, void *arg)
{
}

int
config_dns(const struct config *c, struct dns_options *out)
{
	return read_dns(c, out, ignore, NULL);
}

bool
config_has_api_server(const struct config *c)
{
	return *c->cluster.api_server != '\0' || *c->cluster.kubeconfig != '\0';
}

int
config_check(struct config *c, FILE *errors)
{
	struct place p = { .file = "configuration", .errors = errors };
	uint16_t first, last;

	check_prefixes("cluster.podCIDRs", &c->cluster.pod_cidrs, &p);
	check_prefixes("cluster.serviceCIDRs", &c->cluster.service_cidrs, &p);
	check_prefixes("cluster.externalIPRanges", &c->cluster.external_ip_ranges, &p);
	check_prefixes("cluster.nonMasqueradeCIDRs", &c->cluster.non_masquerade_cidrs, &p);
	check_overlap(c, &p);
	if (*c->cluster.manifests != '\0' && config_has_api_server(c))
		complain(&p, "cluster.manifests",
			"and %s are both set; the cluster's state comes from one of them",
			*c->cluster.api_server != '\0' ? "cluster.apiServer" : "cluster.kubeconfig");
	check_cpus(&c->workers.cpus, &p);
	if (c->overlay.mtu != 0 && c->overlay.mtu < MTU_MIN)
		complain(&p, "overlay.mtu", "is %u, must be 0 or at least %u, which IPv6 needs",
			c->overlay.mtu, MTU_MIN);
	if (c->services.exceptions_per_pod > c->services.exceptions)
		complain(&p, "services.exceptionsPerPod", "is %u, above services.exceptions (%u)",
			c->services.exceptions_per_pod, c->services.exceptions);
	if (!port_claim_parse(c->masquerade.ports, &first, &last))
		complain(&p, "masquerade.ports",
			"\"%s\" is no range of ports with a whole block of 64, such as 16384-29951",
			c->masquerade.ports);
	if (c->masquerade.flows_per_pod > c->masquerade.flows)
		complain(&p, "masquerade.flowsPerPod", "is %u, above masquerade.flows (%u)",
			c->masquerade.flows_per_pod, c->masquerade.flows);
	check_dns(c, &p);
	if (*c->cni.conf_dir != '\0' && *c->cni.conf_dir != '/')
		complain(&p, "cni.confDir", "\"%s\" is no absolute path", c->cni.conf_dir);
	if (*c->cni.bin_dir != '\0' && *c->cni.bin_dir != '/')
		complain(&p, "cni.binDir", "\"%s\" is no absolute path", c->cni.bin_dir);
	if (strlen(c->host.interface) == 0 || strlen(c->host.interface) > 15)
		complain(&p, "host.interface", "must have 1 to 15 characters");
	else if (strpbrk(c->host.interface, "/: \t") != NULL)
		complain(&p, "host.interface", "\"%s\" is no name for an interface", c->host.interface);
	if (strlen(c->uplink.interface) > 15)
		complain(&p, "uplink.interface", "has more than 15 characters");
	if (*c->node.name == '\0') {
		char name[256] = "";

		gethostname(name, sizeof(name) - 1);
		free(c->node.name);
		c->node.name = strdup(name);
	}
	if (c->node.name == NULL || *c->node.name == '\0')
		complain(&p, "node.name", "is not set and the host has no name");
	return p.n_errors;
}

static void
format_limits(const struct option *o, char *out, size_t size)
{
	if (o->type == OPTION_UINT)
		snprintf(
			out, size, "%u-%u%s%s", o->minimum, o->maximum, *o->unit == '\0' ? "" : " ", o->unit);
	else if (o->type == OPTION_POW2)
		snprintf(out, size, "power of two, %u-%u %s", o->minimum, o->maximum, o->unit);
	else if (o->type == OPTION_ENUM)
		snprintf(out, size, "%s", o->unit);
	else
		snprintf(out, size, "%s", o->type == OPTION_LIST ? "list" : "text");
}

static void
format_default(const struct option *o, char *out, size_t size)
{
	if (o->type == OPTION_UINT || o->type == OPTION_POW2)
		snprintf(out, size, "%u", o->number);
	else if (o->type == OPTION_LIST)
		snprintf(out, size, "[%s]", o->text);
	else
		snprintf(out, size, "%s", *o->text == '\0' ? "\"\"" : o->text);
}

void
config_help(FILE *out)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char limits[96], value[64];

		format_limits(&options[i], limits, sizeof(limits));
		format_default(&options[i], value, sizeof(value));
		fprintf(out, "%-27s %s\n%-27s   %s; default: %s\n", options[i].key, options[i].help, "",
			limits, value);
	}
}

void
config_help_markdown(FILE *out)
{
	fputs("# Options\n\n"
	      "`ringwayd` reads `/etc/ringway/ringway.yaml`, or the file given with `--config`; `--set "
	      "KEY=VALUE` goes\n"
	      "above it. Keys may be nested or written with dots. An unknown key is an error. This page is "
	      "what\n"
	      "`ringwayd --help-config=markdown` prints.\n\n"
	      "| key | default | values | meaning |\n|---|---|---|---|\n",
		out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char limits[96], value[64];

		format_limits(&options[i], limits, sizeof(limits));
		format_default(&options[i], value, sizeof(value));
		fprintf(out, "| `%s` | `%s` | %s | %s |\n", options[i].key, value, limits, options[i].help);
	}
}
