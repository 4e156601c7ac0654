#include "control/build/slots.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/service/slot.h"

#define NONE UINT32_MAX

/* A frontend that has a slot of the group's backend, or had. */
struct pair {
	struct ip_addr frontend;
	uint16_t port;
	bool is_used;       /* else all of it is void */
	bool is_asked;      /* by this process; else it was loaded */
	int64_t released_s; /* 0: it lives */
};

/* A backend; its pairs by slot - 1. */
struct group {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;      /* 0: free */
	uint32_t next_free; /* of free ones; NONE */
	struct pair pairs[SLOTS - 1];
};

struct change {
	struct slot_record record;
	bool is_forgotten;
};

/* A pair that rests, unless it is back. */
struct rest {
	uint32_t group;
	uint8_t pair;
	int64_t released_s;
};

struct slots {
	uint32_t n, room; /* groups; in use or free */
	struct group *groups;
	uint32_t free;
	uint32_t *index; /* open addressing: into groups; NONE */
	uint32_t mask;
	int64_t now_s;

	uint32_t n_rests, first_rest, rests_room; /* a ring, in order of release */
	struct rest *rests;

	uint32_t n_changes, changes_room;
	struct change *changes;
};

struct slots *
slots_new(void)
{
	struct slots *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->free = NONE;
	return s;
}

void
slots_free(struct slots *s)
{
	if (s == NULL)
		return;
	free(s->groups);
	free(s->index);
	free(s->rests);
	free(s->changes);
	free(s);
}

static uint32_t *
place_of(const struct slots *s, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	for (uint32_t i = addr_hash(addr, port, proto) & s->mask;; i = (i + 1) & s->mask) {
		const struct group *g = &s->groups[s->index[i]];

		if (s->index[i] == NONE ||
			(g->port == port && g->proto == proto && ip_addr_eq(&g->addr, addr)))
			return &s->index[i];
	}
}

static void
reindex(struct slots *s)
{
	memset(s->index, 0xff, ((size_t)s->mask + 1) * sizeof(*s->index));
	for (uint32_t i = 0; i < s->n; i++)
		if (s->groups[i].proto != 0)
			*place_of(s, &s->groups[i].addr, s->groups[i].port, s->groups[i].proto) = i;
}

static bool
grow(struct slots *s)
{
	uint32_t room = s->room == 0 ? 64 : s->room * 2;
	struct group *groups = realloc(s->groups, room * sizeof(*groups));
	uint32_t *index;

	if (groups == NULL)
		return false;
	s->groups = groups;
	index = realloc(s->index, (size_t)2 * room * sizeof(*index));
	if (index == NULL)
		return false;
	s->index = index;
	s->room = room;
	s->mask = 2 * room - 1;
	reindex(s);
	return true;
}

/* The backend's group, made if there is none; NULL if out of memory. */
static struct group *
group_of(struct slots *s, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t *place, i;

	if (s->free == NONE && s->n == s->room && !grow(s))
		return NULL;
	place = place_of(s, addr, port, proto);
	if (*place == NONE) {
		i = s->free != NONE ? s->free : s->n++;
		if (s->free != NONE)
			s->free = s->groups[i].next_free;
		*place = i;
		s->groups[i] = (struct group){ .addr = *addr, .port = port, .proto = proto };
	}
	return &s->groups[*place];
}

static struct group *
find_group(const struct slots *s, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t i = s->room == 0 ? NONE : *place_of(s, addr, port, proto);

	return i == NONE ? NULL : &s->groups[i];
}

static uint32_t
home_of(const struct slots *s, uint32_t group)
{
	const struct group *g = &s->groups[group];

	return addr_hash(&g->addr, g->port, g->proto) & s->mask;
}

/* Frees a group that has no pair left. */
static void
remove_group(struct slots *s, struct group *g)
{
	uint32_t hole = (uint32_t)(place_of(s, &g->addr, g->port, g->proto) - s->index);

	for (uint32_t i = (hole + 1) & s->mask; s->index[i] != NONE; i = (i + 1) & s->mask) {
		if (((i - home_of(s, s->index[i])) & s->mask) < ((i - hole) & s->mask))
			continue; /* it would come before its home */
		s->index[hole] = s->index[i];
		hole = i;
	}
	s->index[hole] = NONE;
	*g = (struct group){ .next_free = s->free };
	s->free = (uint32_t)(g - s->groups);
}

static struct slot_record
record_of(const struct group *g, unsigned i)
{
	return (struct slot_record){
		.backend_addr = g->addr,
		.backend_port = g->port,
		.proto = g->proto,
		.frontend_addr = g->pairs[i].frontend,
		.frontend_port = g->pairs[i].port,
		.slot = (uint8_t)(i + 1),
		.released_s = g->pairs[i].released_s,
	};
}

/* Out of memory, a change is not written down: the next process may give the pair another slot. */
static void
note_change(struct slots *s, const struct group *g, unsigned i, bool is_forgotten)
{
	if (s->n_changes == s->changes_room) {
		uint32_t room = s->changes_room == 0 ? 64 : s->changes_room * 2;
		struct change *changes = realloc(s->changes, room * sizeof(*changes));

		if (changes == NULL)
			return;
		s->changes = changes;
		s->changes_room = room;
	}
	s->changes[s->n_changes++] = (struct change){ record_of(g, i), is_forgotten };
}

static struct pair *
find_pair(struct group *g, const struct ip_addr *frontend, uint16_t port)
{
	for (unsigned i = 0; i < SLOTS - 1; i++) {
		struct pair *p = &g->pairs[i];

		if (p->is_used && p->port == port && ip_addr_eq(&p->frontend, frontend))
			return p;
	}
	return NULL;
}

/* Out of memory, a pair rests until the process ends. */
static void
note_rest(struct slots *s, const struct group *g, unsigned i)
{
	if (s->n_rests == s->rests_room) {
		uint32_t room = s->rests_room == 0 ? 64 : s->rests_room * 2;
		struct rest *rests = calloc(room, sizeof(*rests));

		if (rests == NULL)
			return;
		for (uint32_t k = 0; k < s->n_rests; k++)
			rests[k] = s->rests[(s->first_rest + k) % s->rests_room];
		free(s->rests);
		s->rests = rests;
		s->rests_room = room;
		s->first_rest = 0;
	}
	s->rests[(s->first_rest + s->n_rests++) % s->rests_room] =
		(struct rest){ (uint32_t)(g - s->groups), (uint8_t)i, g->pairs[i].released_s };
}

int
slots_load(struct slots *s, const struct slot_record *r)
{
	struct group *g = group_of(s, &r->backend_addr, r->backend_port, r->proto);

	if (g == NULL)
		return -ENOMEM;
	if (r->slot < 1 || r->slot >= SLOTS || g->pairs[r->slot - 1].is_used ||
		find_pair(g, &r->frontend_addr, r->frontend_port) != NULL)
		return 0;
	g->pairs[r->slot - 1] = (struct pair){
		.frontend = r->frontend_addr,
		.port = r->frontend_port,
		.is_used = true,
		.released_s = r->released_s,
	};
	if (r->released_s != 0)
		note_rest(s, g, r->slot - 1u);
	return 0;
}

static bool
is_void(const struct group *g)
{
	bool has_any = false;

	for (unsigned i = 0; i < SLOTS - 1; i++)
		has_any |= g->pairs[i].is_used;
	return !has_any;
}

/* Forgets a pair that has rested; false if it came back meanwhile. */
static bool
end_rest(struct slots *s, const struct rest *rest)
{
	struct group *g = &s->groups[rest->group];
	struct pair *p = &g->pairs[rest->pair];

	if (g->proto == 0 || !p->is_used || p->released_s != rest->released_s)
		return false;
	note_change(s, g, rest->pair, true);
	p->is_used = false;
	if (is_void(g))
		remove_group(s, g);
	return true;
}

uint32_t
slots_begin(struct slots *s, uint64_t now_ns)
{
	uint32_t n = 0;

	s->now_s = (int64_t)(now_ns / 1000000000u);
	while (s->n_rests != 0) {
		const struct rest *rest = &s->rests[s->first_rest];

		if (s->now_s - rest->released_s < SLOT_REST_S)
			break;
		n += end_rest(s, rest);
		s->first_rest = (s->first_rest + 1) % s->rests_room;
		s->n_rests--;
	}
	return n;
}

uint8_t
slots_assign(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port, uint8_t proto,
	const struct ip_addr *frontend_addr, uint16_t frontend_port)
{
	struct group *g = group_of(s, backend_addr, backend_port, proto);
	struct pair *p;
	bool is_news;

	if (g == NULL)
		return 0;
	p = find_pair(g, frontend_addr, frontend_port);
	is_news = p == NULL || p->released_s != 0;
	for (unsigned i = 0; p == NULL && i < SLOTS - 1; i++) {
		if (!g->pairs[i].is_used) {
			p = &g->pairs[i];
			*p = (struct pair){
				.frontend = *frontend_addr, .port = frontend_port, .is_used = true
			};
		}
	}
	if (p == NULL)
		return 0;
	p->is_asked = true;
	p->released_s = 0; /* back before anybody else had the slot: its flows are its own still */
	if (is_news)
		note_change(s, g, (unsigned)(p - g->pairs), false);
	return (uint8_t)(p - g->pairs + 1);
}

static void
release(struct slots *s, struct group *g, struct pair *p)
{
	if (p->released_s != 0)
		return;
	p->released_s = s->now_s > 0 ? s->now_s : 1;
	note_change(s, g, (unsigned)(p - g->pairs), false);
	note_rest(s, g, (unsigned)(p - g->pairs));
}

void
slots_release(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port, uint8_t proto,
	const struct ip_addr *frontend_addr, uint16_t frontend_port)
{
	struct group *g = find_group(s, backend_addr, backend_port, proto);
	struct pair *p = g == NULL ? NULL : find_pair(g, frontend_addr, frontend_port);

	if (p != NULL)
		release(s, g, p);
}

void
slots_touch(struct slots *s, const struct ip_addr *backend_addr, uint16_t backend_port, uint8_t proto,
	const struct ip_addr *frontend_addr, uint16_t frontend_port, uint64_t now_ns)
{
	struct group *g = find_group(s, backend_addr, backend_port, proto);
	struct pair *p = g == NULL ? NULL : find_pair(g, frontend_addr, frontend_port);

	s->now_s = (int64_t)(now_ns / 1000000000u);
	/* not each time: it is written down */
	if (p == NULL || p->released_s == 0 || s->now_s - p->released_s < SLOT_REST_S / 4)
		return;
	p->released_s = 0;
	release(s, g, p);
}

void
slots_release_unasked(struct slots *s)
{
	for (uint32_t n = 0; n < s->n; n++)
		for (unsigned i = 0; s->groups[n].proto != 0 && i < SLOTS - 1; i++) {
			struct pair *p = &s->groups[n].pairs[i];

			if (p->is_used && !p->is_asked)
				release(s, &s->groups[n], p);
		}
}

void
slots_each(const struct slots *s, void (*fn)(const struct slot_record *record, void *arg), void *arg)
{
	for (uint32_t n = 0; n < s->n; n++)
		for (unsigned i = 0; i < SLOTS - 1; i++)
			if (s->groups[n].proto != 0 && s->groups[n].pairs[i].is_used) {
				struct slot_record record = record_of(&s->groups[n], i);

				fn(&record, arg);
			}
}

bool
slots_are_written(const struct slots *s)
{
	return s->n_changes == 0;
}

void
slots_each_change(const struct slots *s,
	void (*fn)(const struct slot_record *record, bool is_forgotten, void *arg), void *arg)
{
	for (uint32_t i = 0; i < s->n_changes; i++)
		fn(&s->changes[i].record, s->changes[i].is_forgotten, arg);
}

void
slots_changes_written(struct slots *s)
{
	free(s->changes);
	s->changes = NULL;
	s->n_changes = s->changes_room = 0;
}
