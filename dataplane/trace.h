/* Notes that stages leave about a packet, for explain. Only scratch bursts carry a trace, so the cost to a
 * worker is one test per stage and packet. A trace belongs to one thread. */
#ifndef RINGWAY_TRACE_H
#define RINGWAY_TRACE_H

#include "dataplane/burst.h"

#define TRACE_MAX 32

struct trace {
	unsigned n;
	struct {
		const char *stage; /* static string: "route" */
		char text[192];
	} notes[TRACE_MAX];
};

void trace_note(struct trace *t, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Arguments are evaluated only when somebody listens. */
#define TRACE(b, stage, ...)                                        \
	do {                                                        \
		if (__builtin_expect((b)->trace != NULL, 0))        \
			trace_note((b)->trace, stage, __VA_ARGS__); \
	} while (0)

/* At the end of a stage, for what it let pass, at the price of one test per burst; condition and arguments may use 'p'. */
#define TRACE_PASSED(b, stage, condition, ...)                                      \
	do {                                                                        \
		if (__builtin_expect((b)->trace != NULL, 0))                        \
			BURST_FOREACH_UNDECIDED (b, p)                              \
				if (condition)                                      \
					trace_note((b)->trace, stage, __VA_ARGS__); \
	} while (0)

#endif
