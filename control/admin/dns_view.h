/* DNS on this node, gathered from its parts once per request, for GET /v1/dns and metrics. Control thread only. */
#ifndef RINGWAY_ADMIN_DNS_VIEW_H
#define RINGWAY_ADMIN_DNS_VIEW_H

#include "control/dns_book.h"
#include "control/resolve/shadow_book.h"

struct daemon;
struct dns_table;
struct upstream;

/* A pod whose policies do not let it ask. */
struct dns_denied_view {
	uint16_t port; /* id */
	char *text;    /* denied_dns_print() */
};

struct dns_cache_view {
	uint64_t memory_bytes;           /* 0: there is no cache */
	uint64_t entry_bytes;            /* of entries that can be found */
	uint64_t n_entries, n_negatives; /* the latter among the former */
	uint64_t n_put, n_evicted, n_refused;
};

/* Of the resolver. */
struct dns_counter_view {
	const char *label, *help;
	uint64_t n;
};

struct dns_upstream_view {
	struct ip_addr addr;
	uint16_t port;
	bool has_answered;
	double failing_s; /* 0: it does not */
	double rtt_ms;    /* 0: not known */
	uint64_t n_tries, n_answers, n_timeouts, n_refusals;
};

struct dns_divergence_view {
	struct shadow_divergence found;
	bool is_here; /* who asked still has that address */
};

struct dns_shadow_view {
	uint64_t by_kind[N_SHADOW_KINDS], n_skipped;
	unsigned n;
	struct dns_divergence_view all[SHADOW_DIVERGENCES]; /* the latest first */
};

#define DNS_COUNTERS_MAX 64
#define DNS_UPSTREAM_VIEWS_MAX 64

struct dns_view {
	bool is_on;          /* dns.mode: on */
	bool is_shadow;      /* shadow */
	bool completes;      /* dns.searchCompletion */
	const char *zone;    /* the configuration's */
	uint64_t zone_names; /* that are in force; 0: none yet, queries are passed on */
	uint64_t per_s;      /* what may be asked upstream: dns.queriesPerSecond */
	double window_s;     /* what is recent */
	uint64_t now_ns;

	const struct dns_book *book; /* the daemon's */
	size_t n_pods, n_names, n_denied;
	struct dns_book_pod *pods;
	struct dns_name_hitter *names;
	struct dns_denied_view *denied; /* by port */

	/* without a resolver there is nothing of these */
	struct dns_cache_view cache;
	unsigned n_counters, n_upstreams;
	struct dns_counter_view counters[DNS_COUNTERS_MAX];
	struct dns_upstream_view upstreams[DNS_UPSTREAM_VIEWS_MAX];
	struct dns_shadow_view shadow;
};

/* NULL if out of memory. What it points to is valid until the control thread does something else. */
struct dns_view *dns_view_new(struct daemon *d);
void dns_view_free(struct dns_view *v); /* NULL is fine */

/* The servers that are asked by this table, which may be NULL, with what is known of them if they are among the n that were asked.
 * Those that were, and are not any more, are nobody's trouble: a DNS pod that was replaced. */
void dns_view_take_upstreams(
	struct dns_view *v, const struct upstream *asked, unsigned n, const struct dns_table *t);

/* The pod behind that number, or NULL. */
const struct dns_book_pod *dns_view_pod(const struct dns_view *v, uint32_t number);

/* What was asked upstream, with or without success. */
uint64_t dns_upstream_queries(const struct dns_counts *counts);

/* Of all pods, those that went lately included. */
struct dns_book_figures dns_view_recent(const struct dns_view *v);

#endif
