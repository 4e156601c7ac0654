/* How a packet's journey ends. Every received packet ends in exactly one of forward, reply, punt, drop and asked:
 * received = the sum of the five, over all workers, but for what is under way or waits. */
#ifndef RINGWAY_VERDICT_H
#define RINGWAY_VERDICT_H

#include <stdint.h>

enum verdict {
	VERDICT_CONTINUE, /* undecided: the only packets that stages look at */
	VERDICT_FORWARD,  /* to a pod or to another node */
	VERDICT_REPLY,    /* answered: ARP, neighbour discovery, echo, ICMP error, DNS */
	VERDICT_PUNT,     /* to the host's stack */
	VERDICT_DROP,
	VERDICT_ASKED,   /* a DNS query that the resolver answers later; the packet ends here */
	VERDICT_CROSSED, /* another worker goes on with it and counts its end */
	VERDICT_HELD, /* a fragment that waits for its first: it goes on, or is dropped, within half a second */
	N_VERDICTS,
};

enum drop_reason {
	DROP_NONE,
#define DROP(symbol, label, help) DROP_##symbol,
#include "dataplane/drop_reasons.def"
#undef DROP
	N_DROP_REASONS,
};

/* Metric labels ("forward", "spoofed_source") and help texts; static storage. Any thread. */
const char *verdict_label(enum verdict verdict);
const char *drop_reason_label(enum drop_reason reason);
const char *drop_reason_help(enum drop_reason reason);

#endif
