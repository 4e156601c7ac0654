/* What the options dns.* ask for, as builders and the resolver take it. Pure, but for the suffixes' file, which the caller reads. */
#ifndef RINGWAY_BUILD_DNS_OPTIONS_H
#define RINGWAY_BUILD_DNS_OPTIONS_H

#include <stddef.h>

#include "control/build/dns_wire.h"
#include "dataplane/dns/dns_table.h"

#define DNS_PORT 53
#define DNS_LOCAL_MAX 8
#define DNS_STUBS_MAX 64

/* What there is below pod.ZONE; as the option has its choices. */
enum dns_pod_records {
	DNS_PODS_INSECURE, /* any address, in each namespace that exists */
	DNS_PODS_VERIFIED, /* those of the namespace's pods, which are to be in the store */
	DNS_PODS_DISABLED, /* nothing */
	N_DNS_POD_RECORDS,
};

#define DNS_TTL_DEFAULT_S 30
#define DNS_ZONE_DEFAULT "cluster.local"

/* The options as they were written. */
struct dns_texts {
	const char *service, *zone;
	struct dns_text_list {
		size_t n;
		char *const *items;
	} local, upstreams, stubs, suffixes;
	struct dns_text_list pod_cidrs, service_cidrs; /* of the whole cluster */
	uint32_t ttl_s;
	enum dns_pod_records pods;
	bool completes_searches;
	bool is_shadow;
};

struct dns_options {
	char *service_ns, *service;
	char *zone_text;
	struct dns_wire zone; /* len 0: it is wrong */
	uint32_t ttl_s;
	enum dns_pod_records pods;
	bool completes_searches; /* of pods: tables have their namespaces. Not when suffixes are left out that pods have */
	bool has_root_suffix; /* left out, too: a search list ends with the root anyway */
	bool is_shadow;       /* nothing is answered, and there are no local addresses */
	unsigned n_local;
	struct ip_addr local[DNS_LOCAL_MAX];
	unsigned n_upstreams; /* 0: the service's endpoints */
	struct dns_server upstreams[DNS_UPSTREAMS_MAX];
	unsigned n_stubs;
	struct dns_forward *stubs;
	unsigned n_suffixes;
	struct dns_name_entry suffixes[DNS_SUFFIXES_MAX];
};

/* Calls complain for each thing that is wrong, with the key of its option, and leaves that out. 0 or -ENOMEM; dns_options_fini()
 * in either case. */
int dns_options_read(struct dns_options *out, const struct dns_texts *texts,
	void (*complain)(const char *key, const char *text, void *arg), void *arg);
void dns_options_fini(struct dns_options *o);

/* A search suffix, unless it is the root, in the zone, there already, or one too many. False: it is none of these, but no name.
 * Where pods have another list with it than this node knows, their searches are not completed. */
bool dns_options_add_suffix(struct dns_options *o, const char *text);

/* "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353". False: it is none of these. */
bool dns_server_parse(const char *text, struct dns_server *out);

/* As it is parsed, without the usual port. Returns buf. */
#define DNS_SERVER_STRLEN (IP_ADDR_STRLEN + 8)
const char *dns_server_format(const struct dns_server *s, char buf[static DNS_SERVER_STRLEN]);

#endif
