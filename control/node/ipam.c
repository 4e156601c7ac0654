#include "control/node/ipam.h"

#include <errno.h>
#include <stdlib.h>

#include "control/model/reserved_addrs.h"

#define NOBODY UINT32_MAX

enum use {
	USE_NEVER,
	USE_POD,
	USE_COOLING,
};

struct place {
	int64_t released_s;
	uint32_t next; /* among the cooling, by time of release */
	uint8_t use;
};

/* One family's range. Places are numbered from the range's first address. */
struct range {
	struct ip_prefix prefix;
	uint32_t end;            /* places from IPAM_RESERVED to here are for pods; 0: no range */
	uint32_t fresh;          /* all places below were used once */
	uint32_t oldest, newest; /* ends of the list of cooling places; NOBODY when it is empty */
	struct ipam_counts counts;
	struct place *places;
};

struct ipam {
	int64_t cooldown_s;
	struct range ranges[N_FAMILIES];
};

struct ipam *
ipam_new(int64_t cooldown_s)
{
	struct ipam *ipam = calloc(1, sizeof(*ipam));

	if (ipam != NULL)
		ipam->cooldown_s = cooldown_s;
	return ipam;
}

void
ipam_free(struct ipam *ipam)
{
	if (ipam == NULL)
		return;
	for (unsigned f = 0; f < N_FAMILIES; f++)
		free(ipam->ranges[f].places);
	free(ipam);
}

int
ipam_set_range(struct ipam *ipam, enum family_index family, const struct ip_prefix *prefix)
{
	struct range *r = &ipam->ranges[family];
	struct range made = { .oldest = NOBODY, .newest = NOBODY, .fresh = IPAM_RESERVED };
	unsigned bits;

	if (prefix == NULL) {
		free(r->places);
		*r = (struct range){ .oldest = NOBODY, .newest = NOBODY };
		return 0;
	}
	if (ip_addr_is_v4(&prefix->addr) != (family == V4) || prefix->len > 128)
		return -EINVAL;
	bits = 128 - prefix->len;
	made.prefix = *prefix;
	made.end = bits > 31 || (1u << bits) > IPAM_RANGE_MAX ? IPAM_RANGE_MAX : 1u << bits;
	if (family == V4 && made.end == 1u << bits)
		made.end--;
	if (made.end <= IPAM_RESERVED)
		return -EINVAL;
	made.counts.total = made.end - IPAM_RESERVED;
	made.places = calloc(made.end, sizeof(*made.places));
	if (made.places == NULL)
		return -ENOMEM;
	free(r->places);
	*r = made;
	return 0;
}

const struct ip_prefix *
ipam_range(const struct ipam *ipam, enum family_index family)
{
	const struct range *r = &ipam->ranges[family];

	return r->end == 0 ? NULL : &r->prefix;
}

/* The place of an address, with its range in *out; NOBODY when it is not for pods. */
static uint32_t
place_find(struct ipam *ipam, const struct ip_addr *addr, struct range **out)
{
	struct range *r = &ipam->ranges[ip_addr_is_v4(addr) ? V4 : V6];
	struct ip_addr rebuilt;
	uint32_t n;

	*out = r;
	if (r->end == 0 || !ip_prefix_contains(&r->prefix, addr))
		return NOBODY;
	n = be32_host((be32){ addr->d[3] }) - be32_host((be32){ r->prefix.addr.d[3] });
	rebuilt = reserved_range_addr(&r->prefix, n);
	/* in a range wider than 32 bits the upper ones may differ */
	return n < IPAM_RESERVED || n >= r->end || !ip_addr_eq(&rebuilt, addr) ? NOBODY : n;
}

static void
cooling_append(struct range *r, uint32_t n, int64_t now_s)
{
	r->places[n] = (struct place){ .use = USE_COOLING, .released_s = now_s, .next = NOBODY };
	if (r->newest == NOBODY)
		r->oldest = n;
	else
		r->places[r->newest].next = n;
	r->newest = n;
	r->counts.cooling++;
}

static void
cooling_remove(struct range *r, uint32_t n)
{
	uint32_t before = NOBODY;

	for (uint32_t at = r->oldest; at != n; at = r->places[at].next)
		before = at;
	if (before == NOBODY)
		r->oldest = r->places[n].next;
	else
		r->places[before].next = r->places[n].next;
	if (r->newest == n)
		r->newest = before;
	r->counts.cooling--;
}

static void
place_use(struct range *r, uint32_t n)
{
	r->places[n].use = USE_POD;
	r->counts.used++;
}

int
ipam_take(struct ipam *ipam, enum family_index family, int64_t now_s, struct ip_addr *out)
{
	struct range *r = &ipam->ranges[family];
	uint32_t n;

	if (r->end == 0)
		return -ENOENT;
	while (r->fresh < r->end && r->places[r->fresh].use != USE_NEVER)
		r->fresh++;
	/* a wall clock that was set back must not lock addresses away until it has caught up */
	if (r->oldest != NOBODY && r->places[r->oldest].released_s > now_s)
		r->places[r->oldest].released_s = now_s;
	if (r->fresh < r->end) {
		n = r->fresh++;
	} else if (ipam_next_free_s(ipam, family, now_s) == 0) {
		n = r->oldest;
		cooling_remove(r, n);
	} else {
		return -ENOSPC;
	}
	place_use(r, n);
	*out = reserved_range_addr(&r->prefix, n);
	return 0;
}

int
ipam_claim(struct ipam *ipam, const struct ip_addr *addr)
{
	struct range *r;
	uint32_t n = place_find(ipam, addr, &r);

	if (n == NOBODY)
		return -ERANGE;
	if (r->places[n].use == USE_POD)
		return -EEXIST;
	if (r->places[n].use == USE_COOLING)
		cooling_remove(r, n);
	place_use(r, n);
	return 0;
}

void
ipam_release(struct ipam *ipam, const struct ip_addr *addr, int64_t now_s)
{
	struct range *r;
	uint32_t n = place_find(ipam, addr, &r);

	if (n == NOBODY || r->places[n].use == USE_COOLING)
		return;
	if (r->places[n].use == USE_POD)
		r->counts.used--;
	cooling_append(r, n, now_s);
}

struct ipam_counts
ipam_count(const struct ipam *ipam, enum family_index family)
{
	return ipam->ranges[family].counts;
}

int64_t
ipam_next_free_s(const struct ipam *ipam, enum family_index family, int64_t now_s)
{
	const struct range *r = &ipam->ranges[family];
	int64_t wait_s;

	if (r->end == 0 || r->oldest == NOBODY)
		return -1;
	wait_s = r->places[r->oldest].released_s + ipam->cooldown_s - now_s;
	return wait_s < 0 ? 0 : wait_s;
}

bool
ipam_is_short(const struct ipam_counts *counts)
{
	return counts->total > 0 &&
	       (uint64_t)counts->used * 100 >= (uint64_t)counts->total * IPAM_WARN_PERCENT;
}
