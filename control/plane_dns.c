#include "control/plane_dns.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/daemon.h"
#include "control/log.h"
#include "control/resolve/resolver.h"
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/engine.h"

/* How long it may be believed that something does not exist, whatever its zone says: RFC 2308 section 5 wants hours at most, and
 * names of a cluster come and go faster than that. */
#define NEGATIVE_MAX_S 900

int
plane_dns_make(struct daemon *d, unsigned n_workers)
{
	const struct config *c = &d->config;
	struct dns_cache_config cache = {
		.memory_bytes = (size_t)c->dns.cache_memory << 20,
		.negative_percent = c->dns.negative_share,
		.snapshot = d->snapshot,
	};

	d->dns_fd = -1;
	if (c->dns.mode == DNS_MODE_OFF)
		return 0;
	if (c->dns.mode == DNS_MODE_SHADOW) /* nothing is kept in it */
		cache.memory_bytes = DNS_CACHE_MEMORY_MIN;
	if (getrandom(&cache.seed, sizeof(cache.seed), 0) != sizeof(cache.seed))
		return -errno;
	d->dns_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->dns_fd < 0)
		return -errno;
	d->dns_rings = dns_rings_new(n_workers, d->dns_fd);
	d->dns_cache = dns_cache_new(&cache);
	if (d->dns_rings == NULL || d->dns_cache == NULL) {
		log_error("dns.cacheMemory: there is no memory for %u MiB", c->dns.cache_memory);
		return -ENOMEM;
	}
	return 0;
}

void
plane_dns_free(struct daemon *d)
{
	dns_cache_free(d->dns_cache);
	dns_rings_free(d->dns_rings);
	if (d->dns_fd > 0)
		close(d->dns_fd);
	d->dns_cache = NULL;
	d->dns_rings = NULL;
	d->dns_fd = -1;
}

/* A thread has the priority of the one that makes it, which the daemon has raised until its workers run. */
static int
start_unhurried(struct daemon *d)
{
	int hurry = getpriority(PRIO_PROCESS, 0), result;

	setpriority(PRIO_PROCESS, 0, d->nice);
	result = resolver_start(d->resolver);
	setpriority(PRIO_PROCESS, 0, hurry);
	return result;
}

int
plane_resolver_start(struct daemon *d)
{
	const struct config *c = &d->config;
	unsigned n_workers = engine_n_workers(d->engine);
	const struct resolver_config config = {
		.snapshot = d->snapshot,
		.reader = n_workers,
		.n_workers = n_workers,
		.rings = d->dns_rings,
		.fd = d->dns_fd,
		.cache = d->dns_cache,
		.limits = { .negative_max_s = NEGATIVE_MAX_S, .stale_max_s = c->dns.stale_max },
		.queries_per_s = c->dns.queries_per_second,
		.in_flight_per_pod = c->dns.in_flight_per_pod,
	};
	int result;

	if (d->dns_cache == NULL)
		return 0;
	result = resolver_new(&d->resolver, &config);
	if (result == 0)
		result = start_unhurried(d);
	if (result < 0)
		log_error("names outside of the cluster cannot be looked up: %s", strerror(-result));
	return result;
}

void
plane_resolver_stop(struct daemon *d)
{
	resolver_stop(d->resolver);
	resolver_free(d->resolver);
	d->resolver = NULL;
}
