/* The DNS servers that are asked, as they have proved: how fast each answers, and since when one does not. Who is asked next
 * follows from that.
 *
 *   fast      smoothed round trips as TCP has them (RFC 6298 section 2); of servers about as fast as the fastest one, any
 *   failing   no answer to three queries in a row for a second, or a port that refuses. Nobody waits for such a server while
 *             another one is left; now and then it is given a query that another one is given, too, to see whether it is back
 *
 * Time is given. The resolver's thread, alone. */
#ifndef RINGWAY_RESOLVE_UPSTREAM_H
#define RINGWAY_RESOLVE_UPSTREAM_H

#include "control/resolve/entropy.h"
#include "dataplane/dns/dns_table.h"

/* More than a node's configuration names; of those that are asked no more, the one whose last query is the longest ago gives way. */
#define UPSTREAMS_MAX 64

struct upstream {
	struct dns_server server;
	uint64_t srtt_ns, rttvar_ns; /* 0: no answer yet */
	unsigned n_silent;           /* queries without an answer, in a row */
	uint64_t answered_ns;        /* the last answer; 0: none */
	uint64_t asked_ns;           /* the last query */
	uint64_t silent_since_ns;    /* the first of the row of queries without an answer; 0: none */
	uint64_t failing_since_ns;   /* 0: it does not fail */
	uint64_t probe_at_ns, probe_wait_ns;
	uint64_t plain_until_ns; /* it does not know EDNS, so it is asked without till then */
	unsigned n_open;         /* tries that hold on to it */
	uint64_t n_tries, n_answers, n_silences, n_refusals;
};

struct upstreams {
	unsigned n;
	struct upstream all[UPSTREAMS_MAX];
};

/* The server's; made when there is none. NULL: all that there is room for have queries under way. */
struct upstream *upstreams_get(struct upstreams *u, const struct dns_server *server, uint64_t now_ns);

void upstream_answered(struct upstream *up, uint64_t rtt_ns, uint64_t now_ns);
void upstream_silent(struct upstream *up, uint64_t asked_ns, uint64_t now_ns);
void upstream_unreachable(struct upstream *up, uint64_t now_ns);

/* How long to wait for the answer to a first query. */
uint64_t upstream_patience_ns(const struct upstream *up);

/* Whom to ask: of the servers, one that is not among the n_avoided; NULL: there is none. */
struct upstream *upstreams_choose(struct upstreams *u, const struct dns_forward *forward,
	struct upstream *const *avoided, unsigned n_avoided, struct entropy *entropy, uint64_t now_ns);

/* One of the servers that fails and is to be looked at again, and the next look is later; NULL: there is none. */
struct upstream *upstreams_due(struct upstreams *u, const struct dns_forward *forward, uint64_t now_ns);

#endif
