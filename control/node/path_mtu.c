#include "control/node/path_mtu.h"

#include <stdlib.h>

/* More tunnels than this with a smaller MTU at once: the newest news replaces the oldest. */
#define PATHS_MAX 1024

struct path {
	struct ip_addr vtep;
	uint64_t until_ns;
	uint16_t mtu;
};

struct path_mtus {
	size_t n;
	struct path paths[PATHS_MAX];
};

struct path_mtus *
path_mtus_new(void)
{
	return calloc(1, sizeof(struct path_mtus));
}

void
path_mtus_free(struct path_mtus *p)
{
	free(p);
}

static size_t
find(const struct path_mtus *p, const struct ip_addr *vtep)
{
	size_t i = 0;

	while (i < p->n && !ip_addr_eq(&p->paths[i].vtep, vtep))
		i++;
	return i;
}

static size_t
find_oldest(const struct path_mtus *p)
{
	size_t oldest = 0;

	for (size_t i = 1; i < p->n; i++)
		if (p->paths[i].until_ns < p->paths[oldest].until_ns)
			oldest = i;
	return oldest;
}

bool
path_mtu_learn(struct path_mtus *p, const struct ip_addr *vtep, uint16_t mtu, uint64_t now_ns)
{
	size_t i = find(p, vtep);

	if (i < p->n && p->paths[i].mtu <= mtu)
		return false;
	if (i == PATHS_MAX)
		i = find_oldest(p);
	else if (i == p->n)
		p->n++;
	p->paths[i] = (struct path){ .vtep = *vtep, .until_ns = now_ns + PATH_MTU_LIFETIME_NS, .mtu = mtu };
	return true;
}

uint16_t
path_mtu_of(const struct path_mtus *p, const struct ip_addr *vtep)
{
	size_t i = find(p, vtep);

	return i == p->n ? 0 : p->paths[i].mtu;
}

bool
path_mtus_expire(struct path_mtus *p, uint64_t now_ns)
{
	size_t before = p->n;

	for (size_t i = 0; i < p->n;)
		if (p->paths[i].until_ns <= now_ns)
			p->paths[i] = p->paths[--p->n];
		else
			i++;
	return p->n != before;
}
