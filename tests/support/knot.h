/* libknot's view of a DNS message, for comparing ours with it: another author's reading of the same RFCs. Only tests link it (it is
 * GPL). */
#ifndef RINGWAY_TESTS_KNOT_H
#define RINGWAY_TESTS_KNOT_H

#include <libknot/libknot.h>

#include <stdint.h>
#include <stdlib.h>

/* A message that was read, or NULL: it is malformed, or there is something behind its end. knot_done(). The message is the
 * caller's. */
static inline knot_pkt_t *
knot_read(uint8_t *message, size_t size)
{
	knot_pkt_t *pkt = knot_pkt_new(message, (uint16_t)size, NULL);

	if (pkt == NULL)
		abort();
	if (knot_pkt_parse(pkt, 0) == KNOT_EOK && pkt->parsed == size)
		return pkt;
	knot_pkt_free(pkt);
	return NULL;
}

static inline void
knot_done(knot_pkt_t *pkt)
{
	knot_pkt_free(pkt);
}

static inline unsigned
knot_count(const knot_pkt_t *pkt, knot_section_t section)
{
	return knot_pkt_section(pkt, section)->count;
}

/* The first record of the section with this type, or NULL. */
static inline const knot_rrset_t *
knot_find(const knot_pkt_t *pkt, knot_section_t section, uint16_t type)
{
	const knot_pktsection_t *s = knot_pkt_section(pkt, section);

	for (unsigned i = 0; i < s->count; i++)
		if (knot_pkt_rr(s, (uint16_t)i)->type == type)
			return knot_pkt_rr(s, (uint16_t)i);
	return NULL;
}

#endif
