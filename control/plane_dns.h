/* DNS on the node as part of the daemon, if it is on: rings between workers and the resolver, the cache, the resolver's thread.
 * Control thread only. */
#ifndef RINGWAY_PLANE_DNS_H
#define RINGWAY_PLANE_DNS_H

struct daemon;

/* d->dns_rings and d->dns_cache, for so many workers; d->snapshot has one reader more than that. 0 or -errno, with what there is
 * to be freed. */
int plane_dns_make(struct daemon *d, unsigned n_workers);

/* After the workers' and the resolver's end. */
void plane_dns_free(struct daemon *d);

/* d->resolver, for the list in main.c. It reads tables, so it stops before publication does. */
int plane_resolver_start(struct daemon *d);
void plane_resolver_stop(struct daemon *d);

#endif
