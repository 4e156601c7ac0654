#include "dataplane/dns/dns_ring.h"

#include <errno.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/pkt.h"
#include "dataplane/spsc_ring.h"
#include "dataplane/tables.h"

/* Rings take whole words. */
static_assert(sizeof(struct dns_miss) % 4 == 0 && sizeof(struct dns_told) % 4 == 0, "elements of rings");

struct bell {
	int fd;      /* eventfd */
	int is_rung; /* atomic: whoever puts sets it, who takes clears it */
};

struct lane {
	struct rte_ring *misses, *told;
	struct bell miss_bell; /* its fd is all lanes' */
	struct bell told_bell;
	bool has_misses; /* the worker's own: since the last kick */

	/* How much of 'misses' is a port's: the difference, each with one writer. */
	_Alignas(CACHE_LINE) uint32_t n_put[PORTS_MAX];   /* the worker's own */
	_Alignas(CACHE_LINE) uint32_t n_taken[PORTS_MAX]; /* the resolver stores, the worker loads */
};

struct dns_rings {
	unsigned n;
	struct lane lanes[];
};

static bool
lane_init(struct lane *lane, int fd)
{
	lane->miss_bell.fd = fd;
	lane->told_bell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	lane->misses = spsc_ring_new("dns", sizeof(struct dns_miss), DNS_MISS_DEPTH);
	lane->told = spsc_ring_new("dns", sizeof(struct dns_told), DNS_TOLD_DEPTH);
	return lane->told_bell.fd >= 0 && lane->misses != NULL && lane->told != NULL;
}

struct dns_rings *
dns_rings_new(unsigned n_workers, int fd)
{
	size_t size = sizeof(struct dns_rings) + n_workers * sizeof(struct lane);
	struct dns_rings *r = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (r == NULL)
		return NULL;
	memset(r, 0, size);
	for (unsigned i = 0; i < n_workers; i++)
		r->lanes[i].told_bell.fd = -1;
	r->n = n_workers;
	for (unsigned i = 0; i < n_workers; i++) {
		if (!lane_init(&r->lanes[i], fd)) {
			dns_rings_free(r);
			return NULL;
		}
	}
	return r;
}

void
dns_rings_free(struct dns_rings *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->n; i++) {
		if (r->lanes[i].told_bell.fd >= 0)
			close(r->lanes[i].told_bell.fd);
		free(r->lanes[i].misses);
		free(r->lanes[i].told);
	}
	free(r);
}

/* After a put. Either we see that the consumer has not heard the last one yet, or it sees what was put. */
static void
bell_ring(struct bell *bell)
{
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&bell->is_rung, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	while (write(bell->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* The ring was empty: the next put shall ring again. Whoever calls looks at the ring once more. False: it was quiet. */
static bool
bell_still(struct bell *bell)
{
	if (!__atomic_load_n(&bell->is_rung, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&bell->is_rung, 0, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

bool
dns_miss_put(struct dns_rings *r, unsigned worker, const struct dns_miss *miss)
{
	struct lane *lane = &r->lanes[worker];
	uint16_t port = miss->client.port;

	if (lane->n_put[port] - __atomic_load_n(&lane->n_taken[port], __ATOMIC_RELAXED) >= DNS_MISS_SHARE)
		return false;
	if (rte_ring_sp_enqueue_elem(lane->misses, (void *)miss, sizeof(*miss)) != 0)
		return false;
	lane->n_put[port]++;
	lane->has_misses = true;
	return true;
}

void
dns_miss_kick(struct dns_rings *r, unsigned worker)
{
	struct lane *lane = &r->lanes[worker];

	if (!lane->has_misses)
		return;
	lane->has_misses = false;
	bell_ring(&lane->miss_bell);
}

static bool
take_miss(struct lane *lane, struct dns_miss *out)
{
	uint32_t *n_taken;

	if (rte_ring_sc_dequeue_elem(lane->misses, out, sizeof(*out)) != 0)
		return false;
	n_taken = &lane->n_taken[out->client.port];
	__atomic_store_n(n_taken, *n_taken + 1, __ATOMIC_RELAXED);
	return true;
}

bool
dns_miss_take(struct dns_rings *r, unsigned worker, struct dns_miss *out)
{
	struct lane *lane = &r->lanes[worker];

	return take_miss(lane, out) || (bell_still(&lane->miss_bell) && take_miss(lane, out));
}

bool
dns_told_put(struct dns_rings *r, unsigned worker, const struct dns_told *told)
{
	struct lane *lane = &r->lanes[worker];

	if (rte_ring_sp_enqueue_elem(lane->told, (void *)told, sizeof(*told)) != 0)
		return false;
	bell_ring(&lane->told_bell);
	return true;
}

static bool
take_told(struct lane *lane, struct dns_told *out)
{
	return rte_ring_sc_dequeue_elem(lane->told, out, sizeof(*out)) == 0;
}

bool
dns_told_take(struct dns_rings *r, unsigned worker, struct dns_told *out)
{
	struct lane *lane = &r->lanes[worker];
	uint64_t rings;
	ssize_t n;

	if (take_told(lane, out))
		return true;
	if (!__atomic_load_n(&lane->told_bell.is_rung, __ATOMIC_RELAXED))
		return false;
	do
		n = read(lane->told_bell.fd, &rings, sizeof(rings));
	while (n < 0 && errno == EINTR);
	/* It is about to be rung: then is the time to still it. If it was still before, nobody would read the descriptor, which keeps
	 * who waits for it awake. */
	if (n < 0)
		return false;
	return bell_still(&lane->told_bell) && take_told(lane, out);
}

int
dns_told_fd(const struct dns_rings *r, unsigned worker)
{
	return r->lanes[worker].told_bell.fd;
}
