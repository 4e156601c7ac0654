/* The last divergences that shadow mode found, as many as there is room for. First give way those to which there was no answer, so that
 * a DNS service that is silent for a while hides nothing; then those of whoever has the most, so that no pod's names push out others';
 * of these, the one that was seen the longest ago. The resolver's thread, alone; others get copies of what has changed. */
#ifndef RINGWAY_RESOLVE_SHADOW_BOOK_H
#define RINGWAY_RESOLVE_SHADOW_BOOK_H

#include "control/resolve/shadow_compare.h"
#include "control/resolve/shadow_text.h"
#include "dataplane/dns/dns_ring.h"

#define SHADOW_DIVERGENCES 64

/* A question to which answers differ, in one way. */
struct shadow_divergence {
	uint64_t n; /* how often; 0: there is none here */
	uint64_t first_ns, last_ns;
	uint8_t kind; /* enum shadow_kind */
	uint8_t name_len;
	uint16_t type;
	struct dns_client client;    /* who asked last */
	uint8_t name[DNS_NAME_MAX];  /* in small letters */
	char ours[SHADOW_TEXT_SIZE]; /* the last time */
	char theirs[SHADOW_TEXT_SIZE];
};

/* All zero at first. */
struct shadow_book {
	uint64_t changed; /* a bit for each divergence */
	struct shadow_divergence all[SHADOW_DIVERGENCES];
};

/* Notes what d says but for n and first_ns: one more of the same name, type and kind, or a new one. */
void shadow_book_note(struct shadow_book *b, const struct shadow_divergence *d);

/* Brings a copy, all zero at first, up to date. */
void shadow_book_copy(struct shadow_book *from, struct shadow_divergence to[static SHADOW_DIVERGENCES]);

/* Whether answers diverged at that time or later, as far as these n tell; it does not count that there was none. */
bool shadow_diverged_since(const struct shadow_divergence *all, unsigned n, uint64_t since_ns);

#endif
