#include "dataplane/dns/dns_cut.h"

/* How many labels the name has before the suffix, and where the last of them is; 0: it is not below it. */
static unsigned
count_below(const struct dns_name_entry *suffix, const uint8_t *name, unsigned len, unsigned *last)
{
	unsigned end, at = 0, labels = 0;

	if (len <= suffix->len || suffix->labels == 0)
		return 0;
	end = len - suffix->len;
	if (memcmp(name + end, suffix->name, suffix->len) != 0)
		return 0;
	for (; at < end; at += 1 + name[at]) {
		*last = at;
		labels++;
	}
	return at == end ? labels : 0;
}

static bool
is_within(const struct dns_name_entry *zone, const uint8_t *name, unsigned len)
{
	unsigned at = 0;

	while (len - at > zone->len)
		at += 1u + name[at];
	return len - at == zone->len && memcmp(name + at, zone->name, zone->len) == 0;
}

/* Whether others are asked for the name than for the cut above it: what these do not know may be there. */
static bool
is_for_others(const struct dns_table *t, const uint8_t *name, unsigned len, unsigned cut)
{
	for (unsigned i = 0; i < t->n_forwards; i++) {
		const struct dns_name_entry *zone = &t->forwards[i].zone;

		if (zone->len > len - cut && is_within(zone, name, len))
			return true;
	}
	return false;
}

bool
dns_cut_above(
	const struct dns_table *t, const uint8_t *name, unsigned len, uint64_t seed, struct dns_cut *out)
{
	const struct dns_name_entry *longest = NULL;
	unsigned n_below = 0, cut = 0;

	for (unsigned i = 0; i < t->n_suffixes; i++) {
		const struct dns_name_entry *suffix = &t->suffixes[i];

		/* below the shorter of two suffixes is the longer one, and so something */
		if (longest == NULL || suffix->len > longest->len) {
			unsigned at = 0, n = count_below(suffix, name, len, &at);

			if (n > 0) {
				longest = suffix;
				n_below = n;
				cut = at;
			}
		}
	}
	if (n_below < 2 || is_for_others(t, name, len, cut))
		return false;
	*out = (struct dns_cut){ .key = { .type = DNS_TYPE_A, .len = (uint8_t)(len - cut) } };
	memcpy(out->name, name + cut, len - cut);
	out->key.name = out->name;
	out->key.hash = dns_name_hash(out->name, out->key.len, seed);
	return true;
}
