/* The no-decode bitmap of a pod: on which ports what arrives is the pod's own, and never a service's reply in
 * a slot (slot.h). A server that listens on a port in a slot's range keeps working because of it. TCP and UDP;
 * other protocols have no slots.
 *
 * A bit is declared (endpoints and container ports, for good) or learned: the worker tells control that the pod sends
 * from the port (role_asks.h), control sees to the connections that live in the slot, and sets the bit; when no
 * socket has the port any more it clears it again.
 *
 * Lives in memory that the caller gives and that outlives the process: fixed layout, no pointers, all zero is
 * a valid empty one. Read by the worker that owns the pod's port; written by control, through worker_call(). It has no
 * say in policy, since a pod may cause its bits. */
#ifndef RINGWAY_SERVICE_ROLES_H
#define RINGWAY_SERVICE_ROLES_H

#include <stddef.h>

#include "dataplane/net/headers.h"
#include "dataplane/service/slot.h"

#define ROLES_VERSION 2u /* of the layout */

#define ROLES_PER_SUMMARY 128

struct roles {
	uint32_t version; /* 0: empty and never used */
	uint32_t size;    /* sizeof(struct roles) */
	uint32_t n_learned;
	uint32_t is_opaque; /* control's alone: struct endpoint has it for the worker */
	uint64_t pad[6];
	/* TCP, UDP. A bit of the summary for every so many of the bitmap: as most are clear, the summary's single
	 * line answers for most packets, and the bitmaps of a node's pods need not be in the cache. */
	uint64_t summary[2][65536 / ROLES_PER_SUMMARY / 64];
	uint64_t bits[2][65536 / 64];
	uint64_t learned[2][65536 / 64]; /* which of them are; no packet asks */
};
static_assert(sizeof(((struct roles *)NULL)->summary[0]) == 64, "one line per protocol");

/* Takes over memory of sizeof(struct roles) bytes. What a former process left there is kept, true; anything
 * else is emptied, false. */
bool roles_adopt(struct roles *r);

/* Forgets everything: for a pod with another's former memory. */
void roles_clear(struct roles *r);

/* The four ports that differ in nothing but the slot are neighbours in the bitmap, and share a bit of the summary. */
static inline unsigned
roles_index(uint16_t port)
{
	return (port & ((1u << SLOT_SHIFT) - 1)) * SLOTS + (port >> SLOT_SHIFT);
}

/* What to prefetch. */
static inline const void *
roles_line(const struct roles *r, uint8_t proto)
{
	return r->summary[proto == PROTO_UDP];
}

/* Whether what arrives for this port is the pod's own. TCP or UDP. */
static inline bool
roles_has(const struct roles *r, uint8_t proto, uint16_t port)
{
	unsigned i = roles_index(port), group = i / ROLES_PER_SUMMARY, plane = proto == PROTO_UDP;

	return (r->summary[plane][group / 64] >> group % 64 & 1) && (r->bits[plane][i / 64] >> i % 64 & 1);
}

/* Notes that it is declared to be; true when that is news. TCP or UDP, as below. */
bool roles_set(struct roles *r, uint8_t proto, uint16_t port);

/* Notes that it is, as learned; true when that is news. */
bool roles_learn(struct roles *r, uint8_t proto, uint16_t port);

/* Ends a learned one; false when it is none. */
bool roles_unlearn(struct roles *r, uint8_t proto, uint16_t port);

/* Calls fn for each learned one. */
void roles_each_learned(
	const struct roles *r, void (*fn)(uint8_t proto, uint16_t port, void *arg), void *arg);

#endif
