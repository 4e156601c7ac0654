#include "control/config_options.h"

#include <assert.h>
#include <string.h>

#include "control/config.h"

/* The default column holds a string or a number, whichever the type wants. */
#define AS_TEXT(value) _Generic((value), char * : (value), default : NULL)
#define AS_NUMBER(value) _Generic((value), char * : 0, default : (value))

const struct config_option config_options[CONFIG_N_OPTIONS] = {
#define OPTION(key, path, type, value, minimum, maximum, unit, help)                                    \
	{ key, OPTION_##type, offsetof(struct config, path), AS_TEXT(value), AS_NUMBER(value), minimum, \
		maximum, unit, help },
#include "conf/options.def"
#undef OPTION
};

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

void *
config_member(struct config *c, const struct config_option *o)
{
	return (char *)c + o->offset;
}

int
config_choice(const char *choices, const char *word)
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

const struct config_option *
config_option_find(const char *key)
{
	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++)
		if (strcmp(config_options[i].key, key) == 0)
			return &config_options[i];
	return NULL;
}

bool
config_is_section(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++)
		if (strncmp(config_options[i].key, key, len) == 0 && config_options[i].key[len] == '.')
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

const char *
config_option_nearest(const char *key)
{
	const char *nearest = NULL;
	unsigned best = 1 + (unsigned)strlen(key) / 3;

	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++) {
		unsigned d = distance(key, config_options[i].key);

		if (d <= best && (nearest == NULL || d < best)) {
			best = d;
			nearest = config_options[i].key;
		}
	}
	return nearest;
}

static void
format_limits(const struct config_option *o, char *out, size_t size)
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
format_default(const struct config_option *o, char *out, size_t size)
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
	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++) {
		char limits[96], value[64];

		format_limits(&config_options[i], limits, sizeof(limits));
		format_default(&config_options[i], value, sizeof(value));
		fprintf(out, "%-27s %s\n%-27s   %s; default: %s\n", config_options[i].key,
			config_options[i].help, "", limits, value);
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
	for (size_t i = 0; i < CONFIG_N_OPTIONS; i++) {
		char limits[96], value[64];

		format_limits(&config_options[i], limits, sizeof(limits));
		format_default(&config_options[i], value, sizeof(value));
		fprintf(out, "| `%s` | `%s` | %s | %s |\n", config_options[i].key, value, limits,
			config_options[i].help);
	}
}
