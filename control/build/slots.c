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
	uint32_t build;     /* that asked for it last */
	int64_t released_s; /* 0: it lives */
};

/* A backend; its pairs by slot - 1. */
struct group {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
	struct pair pairs[SLOTS - 1];
};

struct change {
	struct slot_record record;
	bool is_forgotten;
};

struct slots {
	uint32_t n, room;
	struct group *groups;
	uint32_t *index; /* open addressing: into groups; NONE */
	uint32_t mask;
	uint32_t build;
	int64_t now_s;

	uint32_t n_changes, changes_room;
	struct change *changes;
};

struct slots *
slots_new(void)
{
	return calloc(1, sizeof(struct slots));
}

void
slots_free(struct slots *s)
{
	if (s == NULL)
		return;
	free(s->groups);
	free(s->index);
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
	uint32_t *place;

	if (s->n == s->room && !grow(s))
		return NULL;
	place = place_of(s, addr, port, proto);
	if (*place == NONE) {
		*place = s->n;
		s->groups[s->n++] = (struct group){ .addr = *addr, .port = port, .proto = proto };
	}
	return &s->groups[*place];
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
	return 0;
}

/* Whether a pair's slot may go to another. */
static bool
has_rested(const struct slots *s, const struct pair *p)
{
	return p->released_s != 0 && s->now_s - p->released_s >= SLOT_REST_S;
}

void
slots_begin(struct slots *s, uint64_t now_ns)
{
	s->now_s = (int64_t)(now_ns / 1000000000u);
	s->build++;
	for (uint32_t n = 0; n < s->n; n++) {
		struct group *g = &s->groups[n];

		for (unsigned i = 0; i < SLOTS - 1; i++) {
			if (g->pairs[i].is_used && has_rested(s, &g->pairs[i])) {
				note_change(s, g, i, true);
				g->pairs[i].is_used = false;
			}
		}
	}
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
	p->build = s->build;
	p->released_s = 0; /* back before anybody else had the slot: its flows are its own still */
	if (is_news)
		note_change(s, g, (unsigned)(p - g->pairs), false);
	return (uint8_t)(p - g->pairs + 1);
}

/* Releases what the build did not ask for; whether the group has any pair left. */
static bool
release_unasked(struct slots *s, struct group *g)
{
	bool has_any = false;

	for (unsigned i = 0; i < SLOTS - 1; i++) {
		struct pair *p = &g->pairs[i];

		if (!p->is_used)
			continue;
		has_any = true;
		if (p->build != s->build && p->released_s == 0) {
			p->released_s = s->now_s > 0 ? s->now_s : 1;
			note_change(s, g, i, false);
		}
	}
	return has_any;
}

void
slots_end(struct slots *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (release_unasked(s, &s->groups[i]))
			s->groups[kept++] = s->groups[i];
	if (kept == s->n)
		return;
	s->n = kept;
	reindex(s);
}

void
slots_each(const struct slots *s, void (*fn)(const struct slot_record *record, void *arg), void *arg)
{
	for (uint32_t n = 0; n < s->n; n++)
		for (unsigned i = 0; i < SLOTS - 1; i++)
			if (s->groups[n].pairs[i].is_used) {
				struct slot_record record = record_of(&s->groups[n], i);

				fn(&record, arg);
			}
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
