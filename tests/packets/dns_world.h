/* Pods, and the host, that ask for names over several packets and moments, and what the resolver and upstream servers do about it.
 * A test of it is run in worlds of one worker and of two, of both families, with clients that know EDNS and others that do not.
 *
 * pod1 is in the namespace shop. What fails ends the test. */
#ifndef TESTS_PACKETS_DNS_WORLD_H
#define TESTS_PACKETS_DNS_WORLD_H

#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "tests/support/dns_messages.h"
#include "tests/support/fixtures.h"

#define S UINT64_C(1000000000)
#define START (1000 * S) /* the workers' clock at first */
#define CLIENT_PORT 40000

struct dns_world {
	struct fixture *f;
	enum family_index family;
	const char *server, *pod, *host; /* addresses: of the DNS service, of pod1 */
	unsigned headers;                /* bytes in front of a message */
	bool has_opt;                    /* clients know EDNS, and want DNSSEC's records */
	unsigned n_was[N_DNS_SOURCES];
};

void world_set_time(struct dns_world *x, uint64_t now_ns);

/* A query, and what the workers make of it. */
void world_ask(struct dns_world *x, enum fixture_port from, const char *name, uint16_t type);

/* The one message that was sent there, which is void after the next clear; its size. */
const uint8_t *world_answer(struct dns_world *x, enum fixture_port to, unsigned *size);

/* Of an answer. */
unsigned message_rcode(const uint8_t *message);
unsigned message_n_answers(const uint8_t *message);

/* So many more queries than the last time were answered from there. */
unsigned world_counted(struct dns_world *x, enum dns_source source);

/* What the resolver is asked next; false: nothing. */
bool world_take(struct dns_world *x, struct dns_miss *out);

/* The resolver is asked once, for the A of this name. */
struct dns_miss world_expect_miss(struct dns_world *x, const char *name, enum dns_miss_kind kind);

/* As if upstream had said that; one address of example.com, for 300 s; that there is no such name. */
void world_put(struct dns_world *x, struct message *m, uint64_t now_ns);
void world_put_example(struct dns_world *x, uint64_t now_ns);
void world_deny(struct dns_world *x, const char *name, const char *zone, uint32_t ttl_s);

/* What there is of example.com may be served until then though it has expired. */
void world_mark_example_stale(struct dns_world *x, uint64_t until_ns);

/* corp.test is a suffix of the node's search list; and this name below it, for which the resolver asks as for any cut, without
 * DNSSEC, is not there. */
void world_corp_suffix(struct dns_world *x);
void world_put_cut(struct dns_world *x, const char *name, uint32_t ttl_s);

/* Runs the test in each kind of world, and checks that no frame is lost in any. */
void world_each(void (*test)(struct dns_world *x));

/* The same as a cmocka test of the name NAME_in_each. */
#define IN_EACH_WORLD(name)                      \
	static void name##_in_each(void **state) \
	{                                        \
		(void)state;                     \
		world_each(name);                \
	}

#endif
