/* The resolver's core on a fake clock, with upstream servers that say what a script has them say. Real are the core, the cache, the
 * zone; made up are time, sockets, and the workers.
 *
 * Servers have letters: "a" to "g" are 192.0.2.1 to 192.0.2.7, "h" is 2001:db8::8. Queries that went to them are numbered from 1. */
#ifndef TESTS_SCENARIOS_RESOLVE_WORLD_H
#define TESTS_SCENARIOS_RESOLVE_WORLD_H

#include "control/resolve/resolve.h"
#include "dataplane/dns/dns_table.h"
#include "dataplane/dns/dns_tally.h"

#define WORLD_SENT_MAX 8192
#define WORLD_TOLD_MAX 8192
#define WORLD_ASKED_MAX 8192
#define WORLD_REPLY_MAX 8192
#define WORLD_MS UINT64_C(1000000)

struct dns_builder;
struct snapshot;
struct store;

struct world_sent {
	struct try *x;
	bool is_open, is_tcp;
	struct dns_server server;
	uint16_t size;
	uint8_t message[320];
};

struct world_asked {
	struct dns_miss miss;
	unsigned n_told;
};

struct resolve_world {
	uint64_t now_ns;
	struct snapshot *snapshot;
	struct dns_cache *cache;
	struct dns_table *table;
	struct resolve *resolve;
	struct store *store;
	struct dns_builder *builder;
	struct dns_zone *zone;
	struct dns_namespace namespaces[PORTS_MAX];
	int send_error; /* of all sends to server_down; 0: as usual */
	char server_down;
	bool is_tcp_full;
	const struct world_sent *arrives_at; /* the socket whose message is being taken; NULL: none */
	uint8_t arrives[WORLD_REPLY_MAX];
	unsigned n_sent, n_told, n_asked;
	struct world_sent sent[WORLD_SENT_MAX];
	struct dns_told told[WORLD_TOLD_MAX];
	struct world_asked asked[WORLD_ASKED_MAX];
};

/* servers: letters of those for all names. */
struct resolve_world *world_new(uint32_t queries_per_s, uint32_t in_flight_per_pod, const char *servers);

/* All sockets are closed by then. */
void world_free(struct resolve_world *w);

/* Has other servers asked: for a zone, or, with ".", for all other names; "-": none. */
void world_servers(struct resolve_world *w, const char *zone, const char *servers);
void world_suffix(struct resolve_world *w, const char *suffix);

/* The pod of that port id is in this namespace. */
void world_namespace(struct resolve_world *w, uint16_t pod, const char *ns);

/* Has names of the zone answered, and these servers as the DNS service's endpoints. */
void world_service(struct resolve_world *w, const char *servers);

/* An ExternalName service NAME.shop.svc.cluster.local. */
void world_alias(struct resolve_world *w, const char *name, const char *target);

struct world_question {
	const char *name;
	uint16_t type;
	bool is_prefetch, is_completion, is_shadow, no_opt, dnssec, checking_disabled;
	uint16_t udp_size;
};

/* A pod's query, which the worker hands on; a new one each time, from a port of its own. */
void world_ask(struct resolve_world *w, uint16_t pod, const struct world_question *q);

/* The last one again. */
void world_repeat(struct resolve_world *w);

/* Time passes; what is due is done when it is. */
void world_wait(struct resolve_world *w, uint64_t ms);

enum world_reply {
	REPLY_ADDRESS,  /* one of the type that was asked for */
	REPLY_ALIAS,    /* a CNAME, and an address there */
	REPLY_MANY,     /* more addresses than a datagram holds */
	REPLY_NODATA,   /* with SOA */
	REPLY_NXDOMAIN, /* with SOA */
	REPLY_SERVFAIL,
	REPLY_REFUSED,
	REPLY_FORMERR,
	REPLY_BARE_FORMERR, /* a header alone */
	REPLY_TRUNCATED,
	REPLY_REFERRAL,
	REPLY_WRONG_ID,
	REPLY_WRONG_NAME,
	REPLY_GARBAGE, /* the right id and question, then rubbish */
	REPLY_LOST,    /* more CNAMEs than a datagram holds, and nothing where they lead */
	REPLY_ZONE,    /* as the zone has it */
	N_WORLD_REPLIES,
};

/* A server's reply to query n. */
void world_reply(struct resolve_world *w, unsigned n, enum world_reply reply, uint32_t ttl_s);

/* Its socket breaks. */
void world_break(struct resolve_world *w, unsigned n);

/* The name that query n asks for, as text. */
const char *world_sent_name(const struct resolve_world *w, unsigned n, char *buf);

uint64_t world_counter(const struct resolve_world *w, const char *label);

#endif
