/* How names are looked up, on a fake clock; resolve_script.h tells what the scripts say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/scenarios/resolve_script.h"

/* clang-format off */
static const struct scenario scenarios[] = {
	{ "a name is asked for once, answered, and answered from the cache from then on",
		"ask 1 www.example.com A; sent 1 a - www.example.com.; told 0; reply 1 address 300; "
		"told 1 upstream 0 ttl=300 answers=1; wait 100000; ask 2 www.example.com A; sent 0; "
		"told 1 hit 0 ttl=200 answers=1; under way 0" },
	{ "over IPv6 as well, and for AAAA",
		"ask 1 www.example.com AAAA; sent 1 h; reply 1 address 60; told 1 upstream 0 ttl=60", .servers = "h" },
	{ "all who ask for the same wait for one query, each with his id and letters",
		"ask 1 www.example.com A x40; ask 2 www.example.com A x40 -opt; sent 1 a; "
		"reply 1 address 300; told 80 upstream 0; count coalesced 79; count tries 1" },
	{ "other types, DO and CD are other questions",
		"ask 1 a.example A; ask 1 a.example AAAA; ask 1 a.example A +do; ask 1 a.example A +cd; "
		"sent 4" },
	{ "a client that asks again while it waits gets one answer",
		"ask 1 www.example.com A; repeat; repeat; sent 1; count repeated 2; reply 1 address 300; "
		"told 1 upstream 0" },
	{ "NXDOMAIN and NODATA are answers, and are kept",
		"ask 1 no.example A; ask 1 half.example AAAA; sent 2; reply 1 nxdomain 60; "
		"told 1 upstream 3; reply 2 nodata 60; told 1 upstream 0 answers=0; ask 2 no.example A; "
		"ask 2 half.example AAAA; sent 0; told 2 hit -" },
	{ "TTL 0 is for those who wait",
		"ask 1 now.example A x3; sent 1; reply 1 address 0; "
		"told 3 upstream 0 ttl=0 ede=-1; count stale 0; ask 1 now.example A; sent 1" },
	{ "an alias comes with what it leads to",
		"ask 1 www.example.com A; sent 1; reply 1 alias 60; told 1 upstream 0 answers=2" },

	/* tries */
	{ "silence: again after 400 ms, then twice as long each time, and SERVFAIL after 4.5 s",
		"ask 1 www.example.com A; sent 1; wait 399; sent 0; wait 2; sent 1; wait 797; sent 0; "
		"wait 4; sent 1; wait 1600; sent 1; told 0; wait 1698; told 1 failed 2 ede=22; "
		"count timeouts 3; wait 10000; under way 0" },
	{ "a late answer counts",
		"ask 1 www.example.com A; wait 500; sent 2; reply 1 address 300; told 1 upstream 0; "
		"under way 0" },
	{ "another server is asked when one is silent",
		"servers . a; ask 1 www.example.com A; sent 1 a; servers . ab; wait 401; sent 1 b; "
		"count failovers 1; reply 2 address 300; told 1 upstream 0", .servers = "ab" },
	{ "SERVFAIL and REFUSED are no verdicts while another server is left",
		"ask 1 www.example.com A; sent 1; reply 1 servfail; sent 1; reply 2 refused; sent 1; "
		"told 0; reply 3 address 300; told 1 upstream 0; count refusals 2; count failovers 2", .servers = "abc" },
	{ "all servers fail: SERVFAIL at once, with the reason",
		"ask 1 www.example.com A; reply 1 servfail; reply 2 refused; sent 2; "
		"told 1 failed 2 ede=0; under way 0; wait 1000; ask 1 www.example.com A; sent 1", .servers = "ab" },
	{ "a client without EDNS gets SERVFAIL without a reason",
		"ask 1 www.example.com A -opt; reply 1 servfail; told 1 failed 2" },
	{ "who came during a try does not share its failure",
		"ask 1 www.example.com A; sent 1; ask 2 www.example.com A; sent 0; reply 1 servfail; "
		"told 1 failed 2; sent 1; reply 2 address 300; told 1 upstream 0" },
	{ "a socket that breaks is a failure at once",
		"ask 1 www.example.com A; sent 1; break 1; sent 1; break 2; told 1 failed 2 ede=23; "
		"count unreachable 2", .servers = "ab" },
	{ "a server whose host is not reachable is passed over",
		"down a; ask 1 w.example A; sent 1 b; reply 1 address 300; told 1 upstream 0; "
		"ask 1 x.example A; sent 1 b", .servers = "ab" },
	{ "no server to ask",
		"ask 1 www.example.com A; sent 0; told 1 failed 2 ede=22; under way 0", .servers = "-" },
	{ "a referral is no answer",
		"ask 1 www.example.com A; reply 1 referral 60; sent 2; reply 2 address 60; "
		"told 1 upstream 0", .servers = "ab" },
	{ "rubbish in answer to what was asked is a failure of that server",
		"ask 1 www.example.com A; reply 1 garbage; sent 2; count malformed 1; reply 2 address 60; "
		"told 1 upstream 0", .servers = "ab" },
	{ "the longest zone says who is asked",
		"servers corp.example b; servers lab.corp.example c; ask 1 x.example A; sent 1 a; "
		"ask 1 x.corp.example A; sent 1 b; ask 1 corp.example A; sent 1 b; "
		"ask 1 x.lab.corp.example A; sent 1 c; ask 1 xcorp.example A; sent 1 a; ask 1 . NS; "
		"sent 1 a", .servers = "a" },

	/* shadow */
	{ "what the DNS service says is compared, and neither told nor kept",
		"service c; shadow 1 no.shop~ A; sent 1 c - no.shop~.; "
		"reply 1 zone; told 0; open 0; count shadow_same 1; diverged 0; "
		"shadow 1 no.shop~ A; sent 1 c; reply 2 zone; count shadow_same 2; count lookups 0" },
	{ "another result code, other records, nothing to compare",
		"service c; shadow 1 a.shop~ A; reply 1 servfail; count shadow_rcode 1; diverged 1 rcode 1; "
		"shadow 1 a.shop~ A; reply 2 address; diverged 1 rcode 2; "
		"shadow 1 b.shop~ A; reply 3 nxdomain; count shadow_missing 1; diverged 2; "
		"shadow 1 c.shop~ A; reply 4 garbage; count shadow_no_answer 1; diverged 3; open 0" },
	{ "of an alias that leads out, only the alias is compared",
		"alias out www.example.com; service c; shadow 1 out.shop~ A; reply 1 zone; "
		"count shadow_same 1; shadow 1 out.shop~ A; reply 2 address 5; count shadow_extra 1; "
		"shadow 1 out.shop~ A; reply 3 servfail; count shadow_no_answer 1; told 0" },
	{ "what came into the zone while the service was asked is no divergence",
		"service c; shadow 1 late.shop~ A; alias late www.example.com; reply 1 zone; "
		"count shadow_same 1; diverged 0" },
	{ "a silent endpoint: another one, and in the end that there was no answer",
		"service bc; shadow 1 a.shop~ A; sent 1; wait 401; sent 1; open 1; reply 2 zone; "
		"count shadow_same 1; count timeouts 1; shadow 1 a.shop~ A; wait 5000; "
		"count shadow_no_answer 1; open 0; diverged 1 no_answer 1" },
	{ "one that is silent, and alone, is asked again: datagrams are lost",
		"service c; shadow 1 a.shop.svc.cluster.local A; sent 1 c; wait 401; sent 1 c; open 1; reply 2 zone; "
		"count shadow_same 1; count shadow_no_answer 0; diverged 0" },
	{ "endpoints of both families are asked",
		"service ch; down c; shadow 1 a.shop.svc.cluster.local A; sent 1 h; reply 1 zone; count shadow_same 1; "
		"service c; down h; shadow 1 a.shop.svc.cluster.local A; sent 1 c; reply 2 zone; count shadow_same 2" },
	{ "it is asked three times at most, over TCP at last",
		"service bcdef; shadow 1 a.shop.svc.cluster.local A; sent 1; wait 401; sent 1; wait 801; sent 1; reply 3 truncated; "
		"sent 1; break 4; sent 0; open 0; count shadow_no_answer 1" },
	{ "a node that cannot send has compared nothing",
		"service c; down c local; shadow 1 a.shop.svc.cluster.local A; sent 0; count shadow_skipped 1; "
		"count shadow_no_answer 0; diverged 0" },
	{ "one that breaks, and one that cannot be reached",
		"service bc; shadow 1 a.shop~ A; break 1; break 2; count shadow_no_answer 1; open 0; "
		"service d; down d; shadow 1 a.shop~ A; count shadow_no_answer 2; "
		"service -; shadow 1 a.shop~ A; count shadow_no_answer 3; diverged 1 no_answer 3" },
	{ "TC: over TCP",
		"service c; shadow 1 a.shop~ A; reply 1 truncated; sent 2; open 1; reply 2 zone; "
		"count shadow_same 1; count tcp 1; full; shadow 1 a.shop~ A; reply 3 truncated; "
		"count shadow_no_answer 1" },
	{ "who guesses is ignored, and gets no more than a few guesses",
		"service c; shadow 1 a.shop~ A; reply 1 wrong-id; reply 1 wrong-name; count mismatched 2; "
		"reply 1 zone; count shadow_same 1; diverged 0" },
	{ "what is compared at a time is bounded, of a pod and by the budget",
		"service c; shadow 1 x#.shop~ A x40; sent 16; count shadow_skipped 24; "
		"shadow 2 y#.shop~ A x40; sent 16; shadow 3 y0.shop~ A; sent 0; "
		"count shadow_skipped 48" },
	{ "without tokens nothing is compared",
		"service c; shadow 1 x#.shop~ A x10; sent 1; count shadow_skipped 9", .queries_per_s = 10 },
	{ "of more divergences than there is room for, the last ones are kept",
		"service -; shadow 1 x#.shop~ A x80; diverged 64 no_answer 1; count shadow_no_answer 80" },

	/* servers */
	{ "one that is silent for long is left alone, and probed",
		"ask 1 a.example A; wait 5000; told 1 failed 2; servers . ab; sent 4 a; ask 1 b.example A; sent 2; "
		"count probes 1; reply 5 address 5; told 1 upstream 0; ask 1 c.example A; sent 1 b; reply 7 address 5; "
		"told 1 upstream 0; wait 2010; ask 1 d.example A; sent 2; count probes 2; told 0; reply 8 address 5; "
		"told 1 upstream 0; ask 1 e.example A; sent 1 b" },
	{ "one that is left alone is not asked because the only other one was silent once",
		"ask 1 a.example A; wait 5000; told 1 failed 2; servers . ab; sent 4; ask 1 b.example A; "
		"sent 2; count probes 1; wait 401; sent 1 b; reply 7 address 5; told 1 upstream 0" },
	{ "a probe's answer is an answer, and ends it",
		"ask 1 a.example A; wait 5000; told 1 failed 2; count timeouts 4; servers . ab; wait 2000; "
		"count timeouts 4; ask 1 d.example A; count probes 1; open 2; reply 6 address 5; "
		"told 1 upstream 0; open 0; wait 5000; count timeouts 4" },
	{ "all servers of a zone and those that take their place say no",
		"ask 1 w.example A; reply 1-7 refused; ask 2 w.example A; reply 8 refused; "
		"told 1 failed 2; reply 9-15 refused; wait 1000; ask 3 w.example A; servers . q; down q; "
		"reply 16 refused; told 2 failed 2", .servers = "abcdefghijklmnop" },
	{ "a probe that is answered brings the server back, also when its look-up is over",
		"ask 1 a.example A; wait 5000; told 1 failed 2; servers . ab; wait 2000; "
		"ask 1 d.example A; sent 6; reply 6 address 5; told 1 upstream 0; count probes 1", .servers = "a" },

	/* forgeries */
	{ "what has another id or question is ignored and counted",
		"ask 1 www.example.com A; reply 1 wrong-id 300; reply 1 wrong-name 300; "
		"reply 1 wrong-id 300; told 0; count mismatched 3; reply 1 address 300; told 1 upstream 0; "
		"sent 1" },
	{ "who guesses on and on has the query go over TCP",
		"ask 1 www.example.com A; sent 1; reply 1 wrong-id x7; sent 0; "
		"reply 1 wrong-id; sent 1 a tcp; reply 2 address 300; told 1 upstream 0" },
	{ "who guesses on and on an answer that is late has no more guesses",
		"ask 1 www.example.com A; wait 401; sent 2; open 2; reply 1 wrong-id x7; "
		"open 2; reply 1 wrong-id; open 1; sent 0; reply 2 address 300; told 1 upstream 0" },
	{ "a name that is asked for again and again has no more and more sockets at which to guess",
		"ask 1 www.example.com A; wait 2000; ask 2 www.example.com A; wait 2000; "
		"ask 1 www.example.com A; wait 2000; ask 2 www.example.com A; wait 2000; "
		"ask 1 www.example.com A; wait 2000; open 4; told 3 failed 2; sent 7" },

	/* size */
	{ "TC: the same server over TCP",
		"ask 1 big.example A; sent 1; reply 1 truncated; sent 1 - tcp; count tcp 1; "
		"reply 2 address 300; told 1 upstream 0 answers=1", .servers = "ab" },
	{ "what fits no datagram is answered with TC, also from the cache",
		"ask 1 big.example A; reply 1 truncated; reply 2 many 300; told 1 upstream 0 tc; "
		"ask 2 big.example A; told 1 hit 0 tc; sent 2" },
	{ "no connection to spare: clients are to ask over TCP themselves",
		"full; ask 1 big.example A; sent 1; reply 1 truncated; sent 0; told 1 upstream 0 tc; under way 0" },
	{ "silence over TCP is a failure, too",
		"ask 1 big.example A; reply 1 truncated; sent 2; wait 2001; sent 1 - -; "
		"reply 3 address 300; told 1 upstream 0", .servers = "ab" },
	{ "a server that does not know EDNS is asked without",
		"ask 1 www.example.com A; reply 1 formerr; sent 2; reply 2 address 300; told 1 upstream 0; "
		"ask 1 x.example A; sent 1; reply 3 formerr; told 1 failed 2" },
	{ "what a server does not take with EDNS or without says nothing of what it knows",
		"ask 1 odd.example A; reply 1 formerr; sent 2; reply 2 formerr; told 1 failed 2; "
		"ask 1 x.example A; sent 1; reply 3 formerr; sent 1; reply 4 address 300; told 1 upstream 0" },
	{ "also when it says so without the question",
		"ask 1 www.example.com A; reply 1 bare-formerr; sent 2; reply 2 address 300; "
		"told 1 upstream 0" },

	/* stale */
	{ "stale data after 1.8 s, and at once for 30 s more; the server is asked again after that",
		"ask 1 www.example.com A; reply 1 address 60; told 1 upstream 0; wait 61000; sent 1; "
		"ask 1 www.example.com A; sent 1; wait 1799; told 0; wait 2; "
		"told 1 stale 0 ttl=30 ede=3 answers=1; wait 5000; under way 0; ask 2 www.example.com A; "
		"told 1 stale 0 ttl=30 ede=3; wait 26000; ask 1 www.example.com A; told 0; wait 1801; "
		"told 1 stale 0; count stale 3" },
	{ "stale at once when all servers say no",
		"ask 1 www.example.com A; reply 1 address 60; told 1 upstream 0; wait 61000; "
		"ask 1 www.example.com A; reply 2 servfail; told 0; reply 3 refused; "
		"told 1 stale 0 ttl=30 ede=3; ask 2 www.example.com A; sent 3; told 1 stale 0 ede=3; "
		"count failed_again 0", .servers = "ab" },
	{ "an NXDOMAIN may be stale",
		"ask 1 no.example A; reply 1 nxdomain 60; told 1 upstream 3; wait 61000; "
		"ask 1 no.example A; reply 2 servfail; told 1 stale 3 ede=19" },
	{ "nothing is served beyond dns.staleMax",
		"ask 1 www.example.com A; reply 1 address 60; told 1 upstream 0; wait 86461000; "
		"ask 1 www.example.com A; reply 2 servfail; told 1 failed 2 ede=0" },
	{ "what a newer answer that is not kept has made untrue is not served stale",
		"ask 1 w.example A; reply 1 address 60; told 1 upstream 0; wait 61000; ask 1 w.example A; "
		"reply 2 address 0; told 1 upstream 0 ttl=0; ask 1 w.example A; reply 3 servfail; "
		"told 1 failed 2" },
	{ "the answer that comes after stale data is kept",
		"ask 1 www.example.com A; reply 1 address 60; told 1 upstream 0; wait 61000; "
		"ask 1 www.example.com A; wait 1801; told 1 stale 0; reply 3 address 60; told 0; "
		"ask 1 www.example.com A; told 1 hit 0 ttl=60" },

	/* failures, remembered */
	{ "what servers failed to answer is not asked again for a second; other questions are",
		"ask 1 w.example A; reply 1 servfail; sent 1; told 1 failed 2 ede=0; ask 1 w.example A; ask 2 w.example A x3; "
		"sent 0; told 4 failed 2 ede=13; count failed_again 4; count failed 5; ask 1 w.example AAAA; "
		"ask 1 w.example A +do; ask 1 x.example A; sent 3; wait 999; ask 2 w.example A -opt; "
		"told 1 failed 2; wait 1; ask 2 w.example A; told 0; under way 4" },
	{ "nor is what they were silent about; an answer that comes after all is told from then on",
		"ask 1 w.example A; wait 4500; sent 4; told 1 failed 2 ede=22; ask 2 w.example A; sent 0; "
		"told 1 failed 2 ede=13; reply 4 address 60; ask 2 w.example A; told 1 hit 0" },
	{ "even one that is not kept",
		"ask 1 w.example A; wait 4500; sent 4; told 1 failed 2; ask 2 w.example A; told 1 failed 2 ede=13; "
		"reply 4 address 0; ask 2 w.example A; sent 1; told 0" },
	{ "nor what nobody could be sent",
		"down a; ask 1 w.example A; told 1 failed 2 ede=23; ask 1 w.example A; told 1 failed 2 ede=13; count unreachable 1" },
	{ "where there is no server there is nothing to remember",
		"ask 1 w.example A; told 1 failed 2 ede=22; servers . a; ask 1 w.example A; sent 1; told 0", .servers = "-" },
	{ "who waits already waits on when it is remembered for others",
		"ask 1 w.example A; ask 2 w.example A; reply 1 servfail; told 1 failed 2; sent 2; ask 3 w.example A; "
		"told 1 failed 2 ede=13; reply 2 address 60; told 1 upstream 0; "
		"ask 3 w.example A; told 1 hit 0; sent 0" },
	{ "a pod's share is nobody else's",
		"ask 1 x.example A; ask 1 w.example A; told 1 limited 2; ask 2 w.example A; sent 2; told 0", .in_flight = 1 },
	{ "nor is a budget that leaves a name no time for all of its tries",
		"ask 1 n#.example A x50; wait 4500; told 50 - 2; ask 2 n0.example A; told 0; count failed_again 0", .queries_per_s = 8 },
	{ "nor a lack of room on this node",
		"full; ask 1 w.example A; reply 1 wrong-id x8; told 1 failed 2; "
		"ask 2 w.example A; sent 2; told 0" },
	{ "a prefetch that fails has failed nobody",
		"prefetch w.example A; reply 1 servfail; under way 0; ask 1 w.example A; sent 2; told 0" },
	{ "of an alias it is what is outside that failed",
		"alias out www.example.com; ask 1 out.shop~ A; reply 1 servfail; told 1 failed 2 ede=0; "
		"ask 1 www.example.com A; ask 1 out.shop~ A; sent 1; told 2 failed 2 ede=13 answers=0" },
	{ "a search that comes to what has failed is left to the client, and what it has no time for has not failed",
		"namespace 1 shop; ask 1 www.example.com A; reply 1 servfail; sent 1; told 1 failed 2; "
		"ask 1 www.example.com.shop~ A +search; sent 0; told 1 authority 3 to=-; count uncompleted 1; "
		"wait 1000; ask 1 www.example.com.shop~ A +search; wait 1801; told 1 upstream 3 to=-; "
		"ask 1 www.example.com A; told 0; count failed_again 1" },

	/* limits */
	{ "the budget: a burst of an eighth, then one by one",
		"ask 1 n#.example A x40; sent 10; wait 100; sent 8; wait 100; sent 8", .queries_per_s = 80 },
	{ "who gets no token in the time a client waits is limited",
		"ask 1 n#.example A x50; sent 1; wait 4499; reply 1 address 60; told 1 upstream 0; wait 2; "
		"told 49 - 2; count limited_budget 14", .queries_per_s = 8 },
	{ "pods take turns: a flood delays nobody else by more than one turn",
		"ask 1 n#.example A x60; sent 10; ask 2 www.example.com A; ask 3 web.example.com A; "
		"sent 0; wait 40; sent 3; count limited_budget 0; reply 12 address 60; told 1 upstream 0", .queries_per_s = 80 },
	{ "a pod has its share under way; more is limited, others are not",
		"ask 1 n#.example A x8; sent 5; told 3 limited 2 ede=0; count limited_in_flight 3; "
		"ask 2 www.example.com A; sent 1; reply 1 address 60; told 1 upstream 0; "
		"ask 1 m.example A; sent 1", .in_flight = 5 },
	{ "limited: stale data if there are any, and for nobody else",
		"ask 1 w.example A; reply 1 address 60; told 1 upstream 0; wait 61000; ask 1 x.example A; "
		"sent 2; ask 1 w.example A; told 1 limited 0 ttl=30 ede=3; wait 1; ask 2 w.example A; "
		"told 0; sent 1", .in_flight = 1 },
	{ "answers from the cache are never limited",
		"ask 1 w.example A; reply 1 address 60; told 1 upstream 0; ask 1 x.example A; "
		"ask 1 w.example A; told 1 hit 0", .in_flight = 1 },
	{ "room for all queries together has an end, and comes back",
		"ask 1 n#.example A x1100; sent 1024; ask 2 m#.example A x3100; count limited_memory 104; "
		"told 104 limited 2; wait 10000; under way 0; ask 1 w.example A; sent -1", .queries_per_s = 1000000, .in_flight = 65535 },

	/* prefetch */
	{ "a prefetch renews an entry, and tells nobody",
		"prefetch w.example A; sent 1; reply 1 address 60; told 0; count prefetched 1; "
		"ask 1 w.example A; told 1 hit 0" },
	{ "prefetches get what is to spare only",
		"ask 1 n#.example A x6; sent 6; prefetch w.example A; sent 0; count prefetch_skipped 1; "
		"wait 1000; prefetch w.example A; count prefetched 1", .queries_per_s = 80 },
	{ "a client joins a prefetch",
		"prefetch w.example A; ask 1 w.example A; sent 1; reply 1 address 60; told 1 upstream 0" },
	{ "a prefetch that fails is tried again, but not for ever",
		"prefetch w.example A; wait 20000; sent 4; told 0; under way 0" },

	/* cuts */
	{ "junk below a node's suffix: the label below the suffix is asked for first, and settles all",
		"suffix corp.internal; ask 1 www.example.com.corp.internal AAAA; "
		"sent 1 a - com.corp.internal.; count cuts 1; reply 1 nxdomain 60; "
		"told 1 upstream 3 answers=0; sent 0; under way 0; ask 2 www.other.com.corp.internal A; "
		"sent 0; told 1 hit 3; count cut_answers 2" },
	{ "all that wait for the same cut are settled by it",
		"suffix corp.internal; ask 1 a.com.corp.internal A; ask 1 a.com.corp.internal AAAA; "
		"ask 2 b.com.corp.internal A; sent 1; reply 1 nxdomain 60; told 3 upstream 3; sent 0; "
		"under way 0" },
	{ "a cut that exists costs one query more, once",
		"suffix corp.internal; ask 1 www.lab.corp.internal A; sent 1 a - lab.corp.internal.; "
		"reply 1 nodata 60; told 0; sent 1 a - www.lab.corp.internal.; reply 2 address 60; "
		"told 1 upstream 0; ask 1 db.lab.corp.internal A; sent 1 a - db.lab.corp.internal." },
	{ "of an alias that is too large for a datagram and leads nowhere nothing is known below it",
		"suffix corp.internal; ask 1 x.lab.corp.internal A; sent 1 a - lab.corp.internal.; "
		"reply 1 lost 60; told 0; sent 1 a - x.lab.corp.internal.; reply 2 address 60; "
		"told 1 upstream 0; ask 1 y.lab.corp.internal A; sent 1 a - y.lab.corp.internal." },
	{ "one label below a suffix is asked for as it is",
		"suffix corp.internal; ask 1 www.corp.internal A; sent 1 a - www.corp.internal.; "
		"count cuts 0" },
	{ "of two suffixes the longer one counts",
		"suffix internal; suffix corp.internal; ask 1 w.com.corp.internal A; "
		"sent 1 a - com.corp.internal." },
	{ "a zone below a suffix that has servers of its own is no business of others",
		"suffix corp.internal; servers lab.dev.corp.internal b; ask 1 x.lab.dev.corp.internal A; "
		"sent 1 b - x.lab.dev.corp.internal.; ask 1 lab.dev.corp.internal A; sent 1 b; "
		"ask 1 x.other.corp.internal A; sent 1 a - other.corp.internal.; "
		"ask 1 x.dev.corp.internal A; sent 1 a - dev.corp.internal.; reply 4 nxdomain 60; "
		"told 1 upstream 3; ask 1 y.lab.dev.corp.internal A; "
		"sent 1 b - y.lab.dev.corp.internal.; reply 5 address 60; told 1 upstream 0" },
	{ "when a suffix has servers of its own, they are asked for the cut",
		"suffix corp.internal; servers corp.internal b; ask 1 x.com.corp.internal A; "
		"sent 1 b - com.corp.internal.; ask 1 x.lab.corp.internal A; sent 1 b - lab.corp.internal." },
	{ "a cut that fails holds nobody up",
		"suffix corp.internal; ask 1 w.com.corp.internal A; sent 1; reply 1 servfail; "
		"sent 1 a - w.com.corp.internal.; reply 2 nxdomain 60; told 1 upstream 3" },
	{ "nor does one that is silent",
		"suffix corp.internal; ask 1 w.com.corp.internal A; sent 1; wait 401; sent 2; reply 3 address 60; "
		"told 1 upstream 0" },

	/* chains */
	{ "a cluster name that leads outside: its CNAME, and what is there",
		"alias out www.example.com; ask 1 out.shop~ A; "
		"sent 1 a - www.example.com.; count chained 1; reply 1 address 60; "
		"told 1 upstream 0 answers=2; ask 1 out.shop~ A; sent 0; "
		"told 1 hit 0 answers=2; ask 1 www.example.com A; told 1 hit 0 answers=1" },
	{ "nothing is there: the result code is the last name's",
		"alias out www.example.com; ask 1 out.shop~ A; reply 1 nxdomain 60; "
		"told 1 upstream 3 answers=1" },
	{ "who asks for the cluster's name and who asks for the other one wait together",
		"alias out www.example.com; ask 1 www.example.com A; ask 1 out.shop~ A; "
		"sent 1; reply 1 address 60; told 2 upstream 0" },
	{ "a chain that fails is SERVFAIL as a whole",
		"alias out www.example.com; ask 1 out.shop~ A; reply 1 servfail; "
		"told 1 failed 2 ede=0 answers=0" },
	{ "other names of the zone are answered, should they come",
		"alias out www.example.com; ask 1 no.shop~ A; sent 0; told 1 authority 3" },
	/* search lists, completed */
	{ "the last name of a search is asked for at once, and the first one becomes its alias",
		"namespace 1 shop; ask 1 www.example.com.shop~ A +search; sent 1 a - www.example.com.; told 0; reply 1 address 20; "
		"told 1 upstream 0 ttl=20 answers=2 to=www.example.com.; count completions 1; "
		"ask 1 www.example.com A; sent 0; told 1 hit 0 ttl=20 answers=1" },
	{ "over IPv6 as well, for AAAA, without EDNS, with the zone's TTL for what has a longer one",
		"namespace 1 shop; ask 1 www.example.com.shop~ AAAA +search -opt; sent 1 h; reply 1 address 300; "
		"told 1 upstream 0 ttl=30 answers=2 to=www.example.com.", .servers = "h" },
	{ "the cut of a node's suffix is asked first, and below it then nothing",
		"namespace 1 shop; suffix corp.example; ask 1 www.example.com.shop~ A +search; "
		"sent 1 a - com.corp.example.; reply 1 nxdomain 60; sent 1 a - www.example.com.; "
		"reply 2 address 300; told 1 upstream 0 ttl=30 answers=2 to=www.example.com.; "
		"ask 1 ftp.example.com.shop~ A +search; sent 1 a - ftp.example.com." },
	{ "the names below suffixes are asked for one after the other, and the least TTL counts",
		"namespace 1 shop; suffix corp.example; suffix lan.example; ask 1 www.example.com.shop~ A +search; "
		"sent 1 a - com.corp.example.; reply 1 nodata 60; sent 1 a - www.example.com.corp.example.; "
		"reply 2 nxdomain 10; sent 1 a - com.lan.example.; reply 3 nxdomain 60; "
		"sent 1 a - www.example.com.; reply 4 address 300; "
		"told 1 upstream 0 ttl=10 answers=2 to=www.example.com.; under way 0" },
	{ "the first name that exists ends the search",
		"namespace 1 shop; suffix corp.example; ask 1 db.lab.shop~ A +search; "
		"sent 1 a - lab.corp.example.; reply 1 nodata 60; sent 1 a - db.lab.corp.example.; reply 2 address 300; "
		"told 1 upstream 0 answers=2 to=db.lab.corp.example.; under way 0" },
	{ "even without data",
		"namespace 1 shop; suffix corp.example; ask 1 db.lab.shop~ AAAA +search; "
		"sent 1 a - lab.corp.example.; reply 1 nodata 60; sent 1 a - db.lab.corp.example.; reply 2 nodata 300; "
		"told 1 upstream 0 answers=1 to=db.lab.corp.example.; under way 0" },
	{ "a name that exists for the other type is not passed over, whatever its server says of this one",
		"namespace 1 shop; suffix corp.example; ask 3 lab.corp.example A; reply 1 nodata 600; told 1; sent 1; ask 1 db.lab.shop~ AAAA +search; "
		"ask 1 db.lab.shop~ A +search; sent 2 a - db.lab.corp.example.; reply 3 address 300; "
		"told 1 upstream 0 to=db.lab.corp.example.; reply 2 nxdomain 60; told 1 upstream 3 to=-; under way 0; "
		"ask 1 db.lab.shop~ AAAA +search; told 1 authority 3 to=-" },
	{ "not even when that is known last",
		"namespace 1 shop; suffix corp.example; ask 3 lab.corp.example A; reply 1 nodata 600; told 1; sent 1; ask 1 db.lab.shop~ AAAA +search; "
		"ask 1 db.lab.shop~ A +search; sent 2 a - db.lab.corp.example.; reply 2 nxdomain 60; "
		"sent 1 a - db.lab.; reply 3 address 300; told 1 upstream 0 to=db.lab.corp.example.; reply 4 address 300; "
		"told 1 upstream 3 to=-; under way 0" },
	{ "nor does a cut deny what is known to be below it",
		"namespace 1 shop; ask 1 x.db.corp.example AAAA; reply 1 address 300; suffix corp.example; "
		"ask 1 x.db.shop~ A +search; sent 2; reply 2 nxdomain 60; sent 0; told 2; under way 0" },
	{ "what the cache knows of the last name is no hit for one who has waited for those before",
		"namespace 1 shop; suffix corp.example; ask 2 www.example.com A; reply 1 address 300; told 1 upstream; "
		"ask 1 www.example.com.shop~ A +search; sent 2; reply 2 nxdomain 60; "
		"told 1 upstream 0 to=www.example.com.; ask 1 www.example.com.shop~ A +search; told 1 hit 0 to=www.example.com." },
	{ "when addresses of one kind are stale, those of the other do not come alone",
		"namespace 1 shop; ask 1 www.example.com A; reply 1 address 60; ask 1 www.example.com AAAA; "
		"reply 2 address 300; told 2; wait 100000; ask 1 www.example.com.shop~ A +search; wait 1801; "
		"told 1 upstream 3 to=-; ask 1 www.example.com.shop~ AAAA +search; told 1 authority 3 to=-; "
		"ask 1 www.example.com A; told 1 stale 0; ask 1 www.example.com AAAA; told 1 hit 0" },
	{ "nor when those fit no datagram",
		"namespace 1 shop; ask 1 www.example.com A; reply 1 many 60; told 1 upstream 0 tc; ask 1 www.example.com AAAA; "
		"reply 2 address 300; told 1; ask 1 www.example.com.shop~ AAAA +search; told 1 authority 3 to=-" },
	{ "when nothing exists, the first name does not",
		"namespace 1 shop; suffix corp.example; ask 1 www.example.com.shop~ A +search; reply 1 nxdomain 60; "
		"reply 2 nxdomain 60; told 1 upstream 3 answers=0 to=-; sent 2; count uncompleted 0; "
		"ask 1 www.example.com.shop~ A +search; sent 0; told 1 authority 3 to=-" },
	{ "SERVFAIL on the way: the rest is the client's",
		"namespace 1 shop; suffix corp.example; ask 1 www.example.com.shop~ A +search; reply 1 nxdomain 60; "
		"reply 2 servfail; told 1 upstream 3 answers=0 to=-; count uncompleted 1; count failed 0; "
		"under way 0" },
	{ "and so it is after 1.8 s, in all",
		"namespace 1 shop; ask 1 www.example.com.shop~ A +search; wait 1799; told 0; wait 2; told 1 upstream 3 to=-; "
		"count uncompleted 1" },
	{ "with all steps together",
		"namespace 1 shop; suffix corp.example; suffix lan.example; ask 3 lab.corp.example A; reply 1 nodata 600; "
		"ask 3 lab.lan.example A; reply 2 nodata 600; told 2; ask 1 db.lab.shop~ A +search; "
		"wait 1790; reply 3 nxdomain 60; sent -1 a - db.lab.lan.example.; wait 9; told 0; wait 2; told 1 upstream 3 to=-; "
		"count uncompleted 1; reply 6 nxdomain 60; told 0; under way 0" },
	{ "and whoever waits for the same keeps his own time",
		"namespace 1 shop; suffix corp.example; ask 3 lab.corp.example A; reply 1 nodata 600; told 1; sent 1; ask 1 db.lab.shop~ A +search; wait 1000; "
		"ask 1 db.lab.shop~ A +search; reply 2 nxdomain 60; wait 799; told 0; wait 2; told 1 upstream 3 to=-; "
		"ask 2 db.lab A; wait 997; told 0; wait 3; told 1 upstream 3 to=-; reply 4 address 60; told 1 upstream 0 to=-; under way 0" },
	{ "TTL 0 is for those who wait, and proves nothing",
		"namespace 1 shop; ask 1 www.example.com.shop~ A +search x3; sent 1; reply 1 address 0; "
		"told 3 upstream 0 ttl=0 answers=2 to=www.example.com.; ask 1 www.example.com.shop~ A +search; sent 1; "
		"reply 2 nxdomain 0; told 1 upstream 3 to=-" },
	{ "what fits no datagram is not completed",
		"namespace 1 shop; ask 1 www.example.com.shop~ A +search; reply 1 many 60; told 1 upstream 3 to=-; "
		"ask 1 www.example.com.shop~ A +search; told 1 authority 3 to=-" },
	{ "nor what there is no room for",
		"namespace 1 shop; ask 1 www.example.com A; ask 1 www.example.com.shop~ A +search; "
		"told 1 authority 3 to=-; count limited_in_flight 1", .in_flight = 1 },
	{ "a pod of another namespace goes on itself",
		"namespace 1 shop; namespace 2 bank; ask 2 www.example.com.shop~ A +search; ask 3 www.example.com.shop~ A +search; sent 0; "
		"told 2 authority 3 to=-" },
	{ "the search may end in the zone again, and lead out of it",
		"namespace 1 shop; suffix corp.example; alias out www.example.com; "
		"ask 1 out.shop~.shop~ A +search; "
		"sent 1 a - local.corp.example.; reply 1 nxdomain 60; sent 1 a - www.example.com.; "
		"reply 2 address 300; told 1 upstream 0 ttl=30 answers=3 to=out.shop~." },
	{ "one who asks again on the way gets one answer",
		"namespace 1 shop; suffix corp.example; ask 1 www.example.com.shop~ A +search; repeat; reply 1 nxdomain 60; repeat; "
		"reply 2 address 60; told 1 upstream 0 to=www.example.com.; count repeated 2" },
	{ "those who wait for a step go different ways from it",
		"namespace 1 shop; suffix corp.example; ask 3 lab.corp.example A; reply 1 nodata 600; told 1; sent 1; ask 1 db.lab.shop~ A +search; "
		"ask 2 db.lab.corp.example A; sent 1; reply 2 nxdomain 60; told 1 upstream 3; "
		"sent 1 a - db.lab.; reply 3 address 60; told 1 upstream 0 to=db.lab." },
	{ "what may be a later try of a search for a name of the cluster is not completed",
		"namespace 1 shop; suffix corp.example; alias out www.example.com; ask 1 db.shop~ A +search; "
		"ask 1 x.out.shop~ A +search; sent 0; told 2 authority 3 to=-" },
};
/* clang-format on */

static void
test_scenario(void **state)
{
	resolve_script_run(*state);
}

int
main(void)
{
	enum { N = sizeof(scenarios) / sizeof(scenarios[0]) };
	static struct CMUnitTest tests[N];

	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = test_scenario,
			.initial_state = (void *)(uintptr_t)&scenarios[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
