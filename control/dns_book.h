/* Who asks for which names on this node, how long answers take, and what asks in vain: what workers counted (dns_tally.h), put
 * together by pod and by name. It tells why names resolve slowly for a pod, who floods, and whose queries use up what may be asked
 * upstream.
 *
 * What is told by source and of NXDOMAIN is counted, query by query. All else comes from samples, of which a flood gives few that
 * stand for many: estimates then (is_estimated), off by a few percent. Since a pod came, or recently: of the current turn and the one
 * before, so of the last DNS_BOOK_TURN_NS to twice as long.
 *
 * Memory is bounded: names and look-ups by their tables (dns_book_names.h, dns_book_lookups.h), some 1.8 MiB; a pod takes 4 KiB and,
 * for each kind of answer that it gets, 3 KiB of latencies; there are no more pods than ports, and DNS_BOOK_GONE_MAX of them that are
 * gone. A pod is known by its container, so that who gets its port later inherits nothing.
 *
 * Pure: the caller brings pods, counts and the time. Control thread only. */
#ifndef RINGWAY_DNS_BOOK_H
#define RINGWAY_DNS_BOOK_H

#include <stdbool.h>

#include "control/dns_book_latency.h"
#include "control/dns_book_names.h"
#include "dataplane/dns/dns_tally.h"

#define DNS_BOOK_TURN_NS UINT64_C(150000000000)
#define DNS_BOOK_GONE_NS UINT64_C(600000000000) /* a pod that went is shown for so long */
#define DNS_BOOK_GONE_MAX 64

struct dns_book;
struct dns_wire;

/* read: adds what all workers counted for the port to *sum. NULL if out of memory. */
struct dns_book *dns_book_new(
	uint64_t now_ns, void (*read)(uint16_t port, struct dns_counts *sum, void *arg), void *arg);
void dns_book_free(struct dns_book *b); /* NULL is fine */

/* What resolvers append to names: NAMESPACE.svc.ZONE, svc.ZONE, ZONE (in pods; NULL or empty: there is none) and the node's own
 * suffixes, of which DNS_SUFFIXES_MAX are taken. Names on the wire, in lower case. */
void dns_book_search(struct dns_book *b, const struct dns_wire *zone, const struct dns_wire *suffixes,
	unsigned n_suffixes);

/* --- what is noted */

/* Who may ask. */
struct dns_book_client {
	uint16_t port;         /* id */
	bool is_host;          /* the host's stack: it has no names */
	const char *id;        /* of the container: another one is another pod */
	const char *ns, *name; /* of the pod; "" when not known */
};

/* All clients that there are, one by one between begin and end; who is not among them has gone. Time goes on with it: to be called
 * several times a second, before the samples of that time are noted. False: out of memory, the client is tried again next time. */
void dns_book_begin(struct dns_book *b);
bool dns_book_client(struct dns_book *b, const struct dns_book_client *client);
void dns_book_end(struct dns_book *b, uint64_t now_ns);

/* A query that was answered. */
void dns_book_note(struct dns_book *b, const struct dns_sample *sample);

/* --- what is told */

struct dns_book_figures {
	struct dns_counts counts;
	uint64_t sampled;  /* of them, those that samples stand for, of which: */
	uint64_t upstream; /* asked of upstream servers, or in vain */
	uint64_t wasted;   /* look-ups along a search list that had to go on */
	uint64_t lookups;  /* the others, which ended one, or asked again for want of an answer */
};

struct dns_book_pod {
	uint32_t number; /* as names have it */
	uint16_t port;
	bool is_host;
	bool is_gone;
	const char *ns, *name;
	struct dns_book_figures total; /* since it came */
	struct dns_book_figures recent;
	bool is_estimated;                 /* the latter's wasted and lookups */
	const struct dns_latency *latency; /* of answers, by enum dns_source */
	const struct dns_latency *final;   /* from the first query to the final answer */
};

/* By all sources. */
uint64_t dns_book_queries(const struct dns_counts *counts);

/* For how long there are recent figures. */
double dns_book_window_s(const struct dns_book *b, uint64_t now_ns);

/* Calls fn for each pod, by port; those that are gone last. */
void dns_book_each_pod(
	const struct dns_book *b, void (*fn)(const struct dns_book_pod *pod, void *arg), void *arg);

/* False: it is forgotten. */
bool dns_book_find_pod(const struct dns_book *b, uint32_t number, struct dns_book_pod *out);

/* Calls fn for each name that is known to have been asked for recently. Under load the rare ones are missing. */
void dns_book_each_name(
	const struct dns_book *b, void (*fn)(const struct dns_name_hitter *name, void *arg), void *arg);

/* Of all pods since the start, those that were forgotten included. */
const struct dns_book_figures *dns_book_total(const struct dns_book *b);
const struct dns_latency *dns_book_latency(const struct dns_book *b, enum dns_source source);
const struct dns_latency *dns_book_final(const struct dns_book *b);

#endif
