/* Tables of packets: what is given, what comes in, how its journey ends and what goes out. Each case runs
 * through worker_round() with real tables on mem ports, once with one worker and once with two, and on both
 * kinds of underlay unless it names one. After each, every packet has its end, every frame its place, and what
 * was sent has valid checksums. */
#ifndef TESTS_PACKETS_PACKET_CASE_H
#define TESTS_PACKETS_PACKET_CASE_H

#include "tests/support/fixtures.h"
#include "tests/support/pkt_build.h"

#define CASE_OUT_MAX 4

enum underlay {
	UNDERLAY_BOTH,
	UNDERLAY_V4,
	UNDERLAY_V6,
};

struct packet_case {
	const char *name; /* a rule of the product */
	enum underlay underlay;
	void (*given)(struct fixture *f); /* NULL: the fixture as it is */

	enum fixture_port from;
	const struct layer *before; /* what came first; its end is not looked at. NULL: nothing */
	const struct layer *in;

	enum verdict verdict;
	enum drop_reason drop; /* with VERDICT_DROP */

	enum fixture_port to;
	const struct layer *out[CASE_OUT_MAX];

	enum counter counts;   /* has grown, when not COUNT_RECEIVED */
	uint32_t event_value;  /* the worker told control this; 0: nothing */
	uint8_t dns;           /* 1 + enum dns_source of the one query that was counted; 0: none was */
	bool has_bad_checksum; /* what is sent is known to be wrong: it came so */
};

/* Runs them all, prints what fails; the number of failures. */
unsigned packet_cases_run(const struct packet_case *cases, unsigned n);

/* Which reasons the cases run so far have produced. */
bool packet_cases_produced(enum drop_reason reason);
void packet_cases_note(const struct fixture *f);

/* The tables of this directory: each file NAME.c defines 'const struct packet_case NAME[]' and 'n_NAME'. */
#define PACKET_TABLES(X)    \
	X(dns_cases)        \
	X(fragment_cases)   \
	X(gateway_cases)    \
	X(inbound_cases)    \
	X(masquerade_cases) \
	X(outbound_cases)   \
	X(overlay_cases)    \
	X(parse_cases)      \
	X(policy_cases)     \
	X(quote_cases)      \
	X(refuse_cases)     \
	X(relay_cases)      \
	X(rewrite_cases)    \
	X(route_cases)      \
	X(safety_cases)     \
	X(service_cases)

#define PACKET_TABLE_DECLARE(name)              \
	extern const struct packet_case name[]; \
	extern const unsigned n_##name;
PACKET_TABLES(PACKET_TABLE_DECLARE)

#endif
