#include "dataplane/policy/policy_state.h"

#include <string.h>

/* Of memory that is all zero, and stays so but for this line: a pod that needs none of the rest uses no memory for it. */
static void
state_begin(struct policy_state *s, const uint64_t key[2])
{
	s->version = POLICY_STATE_VERSION;
	s->size = sizeof(*s);
	s->key[0] = key[0];
	s->key[1] = key[1];
}

void
policy_state_clear(struct policy_state *s, const uint64_t key[2])
{
	memset(s, 0, sizeof(*s));
	state_begin(s, key);
}

bool
policy_state_adopt(struct policy_state *s, const uint64_t key[2])
{
	if (s->version == 0 && s->size == 0) {
		state_begin(s, key);
		return false;
	}
	if (s->version != POLICY_STATE_VERSION || s->size != sizeof(*s)) {
		policy_state_clear(s, key);
		return false;
	}
	s->asks_spent_until_ns = 0; /* of a clock that may have been another */
	s->dns_told_ns = 0;
	s->n_learned = 0; /* a process that was killed may have miscounted */
	for (unsigned i = 0; i < 65536 / 64; i++)
		s->n_learned += (uint32_t)__builtin_popcountll(s->learned[i]);
	return true;
}

static bool
set_server(struct policy_state *s, uint16_t port)
{
	unsigned group = port / SERVERS_PER_SUMMARY;

	if (policy_is_server(s, port))
		return false;
	s->servers[port / 64] |= UINT64_C(1) << port % 64;
	s->summary[group / 64] |= UINT64_C(1) << group % 64;
	return true;
}

/* Forgets how the bit came to be, not that it is set. */
static void
unmark(struct policy_state *s, uint16_t port)
{
	uint64_t bit = UINT64_C(1) << port % 64;

	if ((s->learned[port / 64] & bit) == 0)
		return;
	s->learned[port / 64] &= ~bit;
	s->n_learned--;
}

bool
policy_declare_server(struct policy_state *s, uint16_t port)
{
	unmark(s, port);
	return set_server(s, port);
}

bool
policy_learn_server(struct policy_state *s, uint16_t port)
{
	if (!set_server(s, port))
		return false;
	s->learned[port / 64] |= UINT64_C(1) << port % 64;
	s->n_learned++;
	return true;
}

bool
policy_forget_server(struct policy_state *s, uint16_t port)
{
	unsigned group = port / SERVERS_PER_SUMMARY;
	const uint64_t *words = &s->servers[group * (SERVERS_PER_SUMMARY / 64)];
	uint64_t left = 0;

	if (!policy_is_server(s, port))
		return false;
	unmark(s, port);
	s->servers[port / 64] &= ~(UINT64_C(1) << port % 64);
	for (unsigned i = 0; i < SERVERS_PER_SUMMARY / 64; i++)
		left |= words[i];
	if (left == 0)
		s->summary[group / 64] &= ~(UINT64_C(1) << group % 64);
	return true;
}

/* Where a line's new first entry comes from: the tag's own former place, one without a living entry, or none: REPLY_WAYS. */
static unsigned
find_place(const uint64_t *line, unsigned places, uint16_t age)
{
	if (places != 0)
		return (unsigned)__builtin_ctz(places);
	for (unsigned i = 0; i < REPLY_WAYS; i++)
		if (!reply_is_alive(line[i], age))
			return i;
	return REPLY_WAYS;
}

/* Entries before the place move back by one, so that a line is in the order in which it was written. */
bool
reply_renew(struct policy_state *s, uint64_t *line, uint64_t entry, unsigned places)
{
	unsigned place = find_place(line, places, (uint16_t)entry);

	if (place == REPLY_WAYS)
		s->n_displaced++;
	memmove(line + 1, line, (place < REPLY_WAYS ? place : REPLY_WAYS - 1) * sizeof(*line));
	line[0] = entry;
	return place < REPLY_WAYS;
}

void
reply_forget(struct policy_state *s, uint64_t tag)
{
	uint64_t *line = s->replies[tag % REPLY_LINES];

	for (unsigned i = 0; i < REPLY_WAYS; i++)
		if ((line[i] ^ tag) >> 16 == 0)
			line[i] = 0;
}
