/* Finds out what workers could not answer: names that are neither the cluster's nor in the cache. It asks upstream servers, keeps
 * what they say in the cache, whose one writer it is, and answers the clients that wait.
 *
 *   together  all who ask for the same name and type wait for one look-up; each gets the answer under his own id, in his own
 *             letters, in his own size. A failure ends the wait of those for whom a try was made, and of nobody who came later
 *   tries     each with a random id from a socket of its own, and so a random port (RFC 5452); about 400 ms for the first answer,
 *             or what the server usually takes; then another server, and twice as long. Late answers count. TC: over TCP,
 *             or, without a connection to spare, clients are told TC, too
 *   servers   upstream.h; those of the longest zone in the table that the name is in
 *   failures  what servers failed to answer somebody is not asked for a second (failures.h, RFC 9520), and is answered as failed at once.
 *             Failures of this node, and those that one who asks brings on himself by his limits, are nobody else's. Who waits already
 *             waits on; prefetches, which tell nobody, cuts, which hold nobody up, and comparisons neither ask nor are remembered
 *   stale     from 1.8 s on, clients take what the cache still has (RFC 8767 section 5), and for 30 s more readers of the cache serve
 *             it at once
 *   budget    a token bucket for all queries to servers; pods take turns at it. Prefetches get only what nobody will miss
 *   share     so many queries per pod may be under way
 *   cuts      a name two labels or more below a node's search suffix: whether there is anything at the label right below the suffix
 *             is asked first, and if not, that is the answer for all that is below (RFC 8020). Kept as an A question without DO and CD
 *   search    a name of a pod's search list that the zone denies: those behind it are asked for one after the other, until one exists
 *             (dns_complete.h). After 1.8 s, or when servers fail, the client is told of the first one alone
 *   shadow    copies of what the DNS service is asked for names of the cluster: it is asked once more, what it says is compared with
 *             what we would have said, and nothing is kept or told (shadow.h)
 *   chains    a cluster name that is an alias of an outside one: the zone's part first, then what is found
 *
 * Limited or failed: stale data, or SERVFAIL with an extended error that says why (RFC 8914); never REFUSED, at which resolvers
 * give up.
 *
 * Nobody waits longer than 4.5 s, nor shorter while servers are silent and nothing is stale. Longer would be in vain: after 5 s musl gives
 * up and glibc asks again. Shorter would make failures of slow answers: behind a server there are others, for which it waits
 * itself (CoreDNS's forward 5 s in all). Both ask again on SERVFAIL, too, and are answered at once then, because that is remembered.
 *
 * No clock and no sockets in here: time is given, and so is what to send with. One thread. */
#ifndef RINGWAY_RESOLVE_RESOLVE_H
#define RINGWAY_RESOLVE_RESOLVE_H

#include "control/resolve/resolve_config.h"
#include "control/resolve/resolver_counters.h"
#include "control/resolve/shadow_book.h"
#include "control/resolve/upstream.h"

struct resolve;

/* NULL if out of memory. */
struct resolve *resolve_new(const struct resolve_config *config);

/* Closes sockets; clients that wait are not told. NULL is fine. */
void resolve_free(struct resolve *r);

/* The table in force, from now until the next call; NULL: none. Before anything else in a round. */
void resolve_use(struct resolve *r, const struct dns_table *table);

/* A query, a prefetch, or a copy to compare, of a worker. */
void resolve_miss(struct resolve *r, const struct dns_miss *miss, uint64_t now_ns);

/* What came on a socket; over TCP without the length. It may be anybody's. The try may be over afterwards. */
void resolve_received(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns);

/* The socket says that the server cannot be reached. The try is over afterwards. */
void resolve_broken(struct resolve *r, struct try *x, uint64_t now_ns);

/* Whether anybody waits for an answer, and when resolve_run() has something to do (UINT64_MAX: never). */
uint64_t resolve_due_ns(const struct resolve *r, uint64_t now_ns);

/* Does what is due: turns, and those whose time is up. After misses and answers, and when it is due. */
void resolve_run(struct resolve *r, uint64_t now_ns);

/* What was counted; the array is N_RESOLVER_COUNTERS long, and may be read with atomic loads by any thread. */
const uint64_t *resolve_counters(const struct resolve *r);

const struct upstreams *resolve_upstreams(const struct resolve *r);

/* What comparisons found; the caller takes what has changed. */
struct shadow_book *resolve_shadow_book(struct resolve *r);

struct resolve_books {
	unsigned n_lookups, n_waiters, n_tries; /* under way */
};

struct resolve_books resolve_books(const struct resolve *r);

#endif
