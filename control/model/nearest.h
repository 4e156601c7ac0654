/* What somebody probably meant who wrote a label that nobody has. Pure; any thread. */
#ifndef RINGWAY_MODEL_NEAREST_H
#define RINGWAY_MODEL_NEAREST_H

#include "control/model/object.h"

/* Typing errors that are worth a guess. */
#define NEAREST_MAX 3

/* How many letters must be put in, left out or changed, or change places with the next, to make one word the other. Of what
 * needs more than NEAREST_MAX, or is too long, perhaps UINT32_MAX: a cluster has millions of pairs of words. */
unsigned nearest_distance(const char *a, const char *b);

/* The best guess so far; all zero: none. */
struct nearest {
	bool is_found;
	unsigned distance;
	char text[160]; /* "app=web" */
};

/* Looks whether these labels have what was wanted but for typing errors in its value, or in its key. */
void nearest_label(struct nearest *n, const char *key, const char *value, const struct labels *labels);

/* The same of words by themselves. */
void nearest_word(struct nearest *n, const char *wanted, const char *word);

#endif
