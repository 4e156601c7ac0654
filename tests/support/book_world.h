/* A dns_book, and workers that count and sample what they answer pods: web, db, and the host. What fails ends the test. */
#ifndef RINGWAY_TESTS_BOOK_WORLD_H
#define RINGWAY_TESTS_BOOK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/build/dns_wire.h"
#include "control/dns_book.h"
#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_query.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

#define HOST 0 /* ports */
#define WEB 7
#define DB 8

#define NX DNS_RCODE_NXDOMAIN
#define OK DNS_RCODE_NOERROR
#define SERVFAIL 2

struct book_world {
	struct dns_book *book;
	struct dns_counts counts[PORTS_MAX];
	const char *ids[PORTS_MAX]; /* of the pods there are */
	uint64_t now_ns;
};

static inline void
book_read_counts(uint16_t port, struct dns_counts *sum, void *arg)
{
	const struct book_world *f = arg;

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		sum->by_source[i] += f->counts[port].by_source[i];
	sum->nxdomain += f->counts[port].nxdomain;
	sum->completed += f->counts[port].completed;
}

/* The pods there are now. */
static inline void
book_look(struct book_world *f)
{
	dns_book_begin(f->book);
	for (uint16_t port = 0; port < PORTS_MAX; port++)
		if (f->ids[port] != NULL)
			assert_true(dns_book_client(f->book, &(struct dns_book_client){ .port = port,
								     .is_host = port == HOST,
								     .id = f->ids[port],
								     .ns = port == HOST ? "" : "shop",
								     .name = port == HOST  ? ""
									     : port == WEB ? "web"
											   : "db" }));
	dns_book_end(f->book, f->now_ns);
}

/* An empty book; all else of f is 0. book_setup() makes it known web, db and the host, and the suffixes of their search lists. */
static inline void
book_init(struct book_world *f, uint64_t now_ns)
{
	f->now_ns = now_ns;
	f->book = dns_book_new(now_ns, book_read_counts, f);
	assert_non_null(f->book);
}

static inline int
book_setup(void **state)
{
	struct book_world *f = calloc(1, sizeof(*f));
	struct dns_wire zone, suffix;

	book_init(f, 1000 * SECOND);
	f->ids[WEB] = "c1";
	f->ids[DB] = "c2";
	f->ids[HOST] = "";
	assert_true(dns_wire_parse("cluster.local", &zone));
	assert_true(dns_wire_parse("corp.example", &suffix));
	dns_book_search(f->book, &zone, &suffix, 1);
	book_look(f);
	*state = f;
	return 0;
}

static inline int
book_teardown(void **state)
{
	struct book_world *f = *state;

	dns_book_free(f->book);
	free(f);
	return 0;
}

/* A worker answers after some time, and the client takes a millisecond to go on. */
static inline void
book_answer_weighted(struct book_world *f, uint16_t port, const char *name, uint16_t type,
	enum dns_source source, uint8_t rcode, uint64_t took_ns, uint32_t weight)
{
	struct dns_sample s = { .port = port,
		.type = type,
		.source = (uint8_t)source,
		.rcode = rcode,
		.weight = weight,
		.received_ns = f->now_ns,
		.answered_ns = f->now_ns + took_ns };
	struct dns_wire wire;

	assert_true(dns_wire_parse(name, &wire));
	s.name_len = (uint8_t)wire.len;
	memcpy(s.name, wire.bytes, wire.len);
	f->counts[port].by_source[source] += weight;
	f->counts[port].nxdomain += rcode == NX ? weight : 0;
	f->now_ns = s.answered_ns + MS;
	dns_book_note(f->book, &s);
}

/* After 4 ms, to a query for an A. */
static inline void
book_answer(struct book_world *f, uint16_t port, const char *name, enum dns_source source, uint8_t rcode)
{
	book_answer_weighted(f, port, name, DNS_TYPE_A, source, rcode, 4 * MS, 1);
}

static inline void
book_keep_pod(const struct dns_book_pod *pod, void *arg)
{
	struct dns_book_pod *out = arg;

	if (pod->port == out->port && pod->is_gone == out->is_gone)
		*out = *pod;
}

/* What is known of the pod that has the port now. */
static inline struct dns_book_pod
book_pod(struct book_world *f, uint16_t port)
{
	struct dns_book_pod pod = { .port = port };

	book_look(f);
	dns_book_each_pod(f->book, book_keep_pod, &pod);
	assert_non_null(pod.name);
	return pod;
}

struct wanted_name {
	const char *text;
	struct dns_name_hitter found;
};

static inline void
book_keep_name(const struct dns_name_hitter *name, void *arg)
{
	struct wanted_name *wanted = arg;
	char text[DNS_TEXT_SIZE];

	if (strcmp(dns_wire_format(name->name, text), wanted->text) == 0) {
		assert_int_equal(wanted->found.len, 0); /* once only */
		wanted->found = *name;
	}
}

/* Of that name, which somebody asked for. */
static inline struct dns_name_hitter
book_name(const struct book_world *f, const char *text)
{
	struct wanted_name wanted = { text, { .len = 0 } };

	dns_book_each_name(f->book, book_keep_name, &wanted);
	if (wanted.found.len == 0)
		fail_msg("nobody asked for %s", text);
	return wanted.found;
}

#endif
