/* Where a value of the configuration is read from, and what is said of one that is wrong: "file:line: key: what is wrong". */
#ifndef RINGWAY_CONFIG_PLACE_H
#define RINGWAY_CONFIG_PLACE_H

#include <stdio.h>

struct config_place {
	const char *file; /* NULL: the command line */
	unsigned line;    /* 0: none */
	FILE *errors;
	int n_errors; /* so many were said */
};

/* key NULL: the file is wrong, not a value of it. */
void config_complain(struct config_place *p, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
