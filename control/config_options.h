/* conf/options.def as a table: what each option is called, is by default, and may be. config.c reads values by it; to people it is
 * shown as it is. Any thread. */
#ifndef RINGWAY_CONFIG_OPTIONS_H
#define RINGWAY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config;

enum option_type {
	OPTION_STRING,
	OPTION_UINT,
	OPTION_POW2,
	OPTION_ENUM,
	OPTION_LIST,
};

struct config_option {
	const char *key;
	enum option_type type;
	size_t offset; /* in struct config */
	const char *text;
	uint32_t number, minimum, maximum;
	const char *unit; /* of ENUM: the choices */
	const char *help;
};

enum {
#define OPTION(key, ...) +1
	CONFIG_N_OPTIONS = 0
#include "conf/options.def"
#undef OPTION
};

extern const struct config_option config_options[CONFIG_N_OPTIONS];

/* Its member of struct config: a char *, uint32_t or struct string_list, as its type wants. */
void *config_member(struct config *c, const struct config_option *o);

/* Index of a word among the space-separated choices, or -1. */
int config_choice(const char *choices, const char *word);

/* NULL: there is no such option. */
const struct config_option *config_option_find(const char *key);

/* The key that is most like one that there is not; NULL: none is. */
const char *config_option_nearest(const char *key);

/* Whether there are options below it: "overlay". */
bool config_is_section(const char *key);

/* The table of options for people, or as conf/OPTIONS.md. */
void config_help(FILE *out);
void config_help_markdown(FILE *out);

#endif
