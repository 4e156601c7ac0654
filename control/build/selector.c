#include "control/build/selector.h"

static bool
is_among(const struct selector_expression *e, const char *value)
{
	for (size_t i = 0; i < e->n_values; i++)
		if (strcmp(e->values[i], value) == 0)
			return true;
	return false;
}

static bool
is_met(const struct selector_expression *e, const struct labels *labels)
{
	const char *value = labels_get(labels, e->key);

	switch (e->op) {
	case SELECTOR_IN:
		return value != NULL && is_among(e, value);
	case SELECTOR_NOT_IN:
		return value == NULL || !is_among(e, value);
	case SELECTOR_EXISTS:
		return value != NULL;
	case SELECTOR_DOES_NOT_EXIST:
		return value == NULL;
	}
	return false;
}

bool
selector_matches(const struct selector *s, const struct labels *labels)
{
	for (size_t i = 0; i < s->match_labels.n; i++) {
		const struct label *wanted = &s->match_labels.items[i];
		const char *value = labels_get(labels, wanted->key);

		if (value == NULL || strcmp(value, wanted->value) != 0)
			return false;
	}
	for (size_t i = 0; i < s->n_expressions; i++)
		if (!is_met(&s->expressions[i], labels))
			return false;
	return true;
}

bool
selector_is_empty(const struct selector *s)
{
	return s->match_labels.n == 0 && s->n_expressions == 0;
}
