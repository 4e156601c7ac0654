/* Who has which slot (dataplane/service/slot.h): of the frontends of one backend address, port and protocol, three
 * have one, in the order of their coming. A pair of backend and frontend keeps its slot from build to build and,
 * through the node's state, from process to process, since the flows in it are in nobody's memory. A slot that
 * becomes free rests for a while, so that no late packet of its former flows is taken for one of the next. Pure
 * memory; one thread. */
#ifndef RINGWAY_BUILD_SLOTS_H
#define RINGWAY_BUILD_SLOTS_H

#include "dataplane/net/ip_addr.h"

/* How long a slot rests. */
#define SLOT_REST_S 120

/* The slot of a (backend, frontend) pair. */
struct slot_record {
	struct ip_addr backend_addr, frontend_addr;
	uint16_t backend_port, frontend_port;
	uint8_t proto;
	uint8_t slot;
	int64_t released_s; /* when the pair ended, on the clock of slots_begin(); 0: it lives */
};

struct slots;

/* NULL if out of memory. */
struct slots *slots_new(void);
void slots_free(struct slots *s);

/* Takes over what a former process knew. One that contradicts another is left out. 0 or -ENOMEM. */
int slots_load(struct slots *s, const struct slot_record *record);

/* Notes the time, and forgets the pairs whose rest is over, of which it returns how many: before each build. The clock must
 * go on over a restart of the process: CLOCK_MONOTONIC does, until the next boot. */
uint32_t slots_begin(struct slots *s, uint64_t now_ns);

/* The slot of a pair, 1..3; 0 when others have all three, or when out of memory. */
uint8_t slots_assign(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port,
	uint8_t proto, const struct ip_addr *frontend_addr, uint16_t frontend_port);

/* The pair is no more: its slot rests. Nothing happens when it has none. */
void slots_release(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port, uint8_t proto,
	const struct ip_addr *frontend_addr, uint16_t frontend_port);

/* A flow is seen that uses the pair's slot: when it rests, its rest begins anew. */
void slots_touch(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port, uint8_t proto,
	const struct ip_addr *frontend_addr, uint16_t frontend_port, uint64_t now_ns);

/* After a process's first build: releases all pairs that were loaded and not asked for. */
void slots_release_unasked(struct slots *s);

/* Calls fn for every pair that has a slot or rests. */
void slots_each(const struct slots *s, void (*fn)(const struct slot_record *record, void *arg), void *arg);

/* Whether nothing changed that is not written down yet. */
bool slots_are_written(const struct slots *s);

/* Calls fn for what changed and is not written down yet, in order: to be written, or to be forgotten. */
void slots_each_change(const struct slots *s,
	void (*fn)(const struct slot_record *record, bool is_forgotten, void *arg), void *arg);

/* All changes so far are written down. Whoever builds calls both after each build. */
void slots_changes_written(struct slots *s);

#endif
