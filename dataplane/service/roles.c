#include "dataplane/service/roles.h"

#include <string.h>

bool
roles_adopt(struct roles *r)
{
	if (r->version == ROLES_VERSION && r->size == sizeof(*r)) {
		r->n_learned = 0; /* a process that was killed may have miscounted */
		for (unsigned i = 0; i < 65536 / 64; i++)
			r->n_learned += (uint32_t)(__builtin_popcountll(r->learned[0][i]) +
						   __builtin_popcountll(r->learned[1][i]));
		return true;
	}
	roles_clear(r);
	return false;
}

void
roles_clear(struct roles *r)
{
	memset(r, 0, sizeof(*r));
	r->version = ROLES_VERSION;
	r->size = sizeof(*r);
}

static bool
is_learned(const struct roles *r, unsigned plane, unsigned i)
{
	return r->learned[plane][i / 64] >> i % 64 & 1;
}

/* Forgets how the bit came to be, not that it is set. */
static void
unmark(struct roles *r, unsigned plane, unsigned i)
{
	r->learned[plane][i / 64] &= ~(UINT64_C(1) << i % 64);
	r->n_learned--;
}

bool
roles_set(struct roles *r, uint8_t proto, uint16_t port)
{
	unsigned i = roles_index(port), group = i / ROLES_PER_SUMMARY, plane = proto == PROTO_UDP;

	if (is_learned(r, plane, i))
		unmark(r, plane, i);
	if (roles_has(r, proto, port))
		return false;
	r->bits[plane][i / 64] |= UINT64_C(1) << i % 64;
	r->summary[plane][group / 64] |= UINT64_C(1) << group % 64;
	return true;
}

bool
roles_learn(struct roles *r, uint8_t proto, uint16_t port)
{
	unsigned i = roles_index(port), plane = proto == PROTO_UDP;

	if (!roles_set(r, proto, port))
		return false;
	r->learned[plane][i / 64] |= UINT64_C(1) << i % 64;
	r->n_learned++;
	return true;
}

bool
roles_unlearn(struct roles *r, uint8_t proto, uint16_t port)
{
	unsigned i = roles_index(port), group = i / ROLES_PER_SUMMARY, plane = proto == PROTO_UDP;
	const uint64_t *words = &r->bits[plane][group * (ROLES_PER_SUMMARY / 64)];
	uint64_t left = 0;

	if (!is_learned(r, plane, i))
		return false;
	unmark(r, plane, i);
	r->bits[plane][i / 64] &= ~(UINT64_C(1) << i % 64);
	for (unsigned k = 0; k < ROLES_PER_SUMMARY / 64; k++)
		left |= words[k];
	if (left == 0)
		r->summary[plane][group / 64] &= ~(UINT64_C(1) << group % 64);
	return true;
}

void
roles_each_learned(const struct roles *r, void (*fn)(uint8_t proto, uint16_t port, void *arg), void *arg)
{
	for (unsigned plane = 0; plane < 2 && r->n_learned != 0; plane++)
		for (unsigned word = 0; word < 65536 / 64; word++)
			for (uint64_t left = r->learned[plane][word]; left != 0; left &= left - 1) {
				unsigned i = word * 64 + (unsigned)__builtin_ctzll(left);

				fn(plane ? PROTO_UDP : PROTO_TCP,
					(uint16_t)((i % SLOTS) << SLOT_SHIFT | i / SLOTS), arg);
			}
}
