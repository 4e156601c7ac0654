/* A scenario of the resolver is a script of what pods ask, what servers say, and what must come of it; commands end with ";".
 *
 *   ask POD NAME TYPE [xN] [+do] [+cd] [+search] [-opt] [size=N]   N different clients of the pod; in a name, "#" is 0, 1, 2, ...,
 *                                                        and "~" is .svc.cluster.local
 *   repeat                                               the last query again, as stub resolvers do
 *   prefetch NAME TYPE
 *   sent N [SERVER|-] [tcp] [NAME]                       so many queries went out since the last "sent", to that server, for that name
 *   reply N[-M] WHAT [TTL|xN]                            to the N-th query of all, or to the N-th to the M-th; so many times
 *   break N, down SERVER [local]                         its socket breaks; a server's host cannot be reached, or none has a socket for it
 *   full                                                 no more connections
 *   told N [SOURCE RCODE] [ttl=N] [ede=N] [tc] [answers=N] [to=NAME]   so many answers since the last "told", all of them so;
 *                                                        +search: completed with an alias of the name, or, with "-", not
 *   namespace POD NAME                                   of the pod, whose search is completed when it asks with +search
 *   shadow POD NAME TYPE, service LETTERS                a copy to compare; the DNS service's endpoints
 *   diverged N [KIND] [TIMES]                            so many divergences, all of them so
 *   wait MS, servers ZONE LETTERS, suffix NAME, alias NAME TARGET, count COUNTER N, under way N (look-ups),
 *   open N (sockets) */
#ifndef TESTS_SCENARIOS_RESOLVE_SCRIPT_H
#define TESTS_SCENARIOS_RESOLVE_SCRIPT_H

#include <stdint.h>

struct scenario {
	const char *name, *script;
	const char *servers;               /* NULL: a */
	uint32_t queries_per_s, in_flight; /* 0: 800, 64 */
};

/* In a world of its own; the test fails at the first command that finds something else. At its end nothing is under way, and each
 * query was answered once. */
void resolve_script_run(const struct scenario *s);

#endif
