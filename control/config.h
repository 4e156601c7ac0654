/* The daemon's configuration: conf/options.def (config_options.h) as a struct, read from a YAML file and from --set; config_check.h
 * tells what no single option does. All that is wrong with it is reported at once, each line as "file:line: key: what is wrong";
 * unknown keys are errors, with the nearest key there is. Constant once read, log.level aside. Any thread may read it. */
#ifndef RINGWAY_CONFIG_H
#define RINGWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum dns_mode {
	DNS_MODE_ON,
	DNS_MODE_OFF,
	DNS_MODE_SHADOW,
};

enum dns_search_completion {
	DNS_SEARCH_COMPLETION_OFF,
	DNS_SEARCH_COMPLETION_ON,
};

struct string_list {
	size_t n;
	char **items;
};

/* One member per line of conf/options.def, which a compile-time check in config_options.c holds together. */
struct config {
	struct {
		char *name;
	} node;
	struct {
		char *dir;
	} run;
	struct {
		char *dir;
	} state;
	struct {
		char *manifests;
		char *api_server, *ca_file, *token_file, *kubeconfig;
		uint32_t api_idle, api_wait;
		uint32_t pods_grace;
		struct string_list pod_cidrs;
		struct string_list service_cidrs;
		struct string_list external_ip_ranges;
		struct string_list non_masquerade_cidrs;
	} cluster;
	struct {
		char *interface;
		uint32_t xdp; /* enum xdp_choice */
	} uplink;
	struct {
		uint32_t port;
		uint32_t vni;
		uint32_t mtu;
	} overlay;
	struct {
		uint32_t xdp; /* enum xdp_choice */
		uint32_t frames_per_shard;
		uint32_t per_shard;
		uint32_t max;
	} pods;
	struct {
		char *interface;
	} host;
	struct {
		char *conf_dir, *bin_dir;
	} cni;
	struct {
		struct string_list cpus;
	} workers;
	struct {
		uint32_t ring_size;
	} io;
	struct {
		uint32_t exceptions;
		uint32_t inbound, half_open;
		uint32_t exceptions_per_pod;
	} services;
	struct {
		char *ports;
		uint32_t flows;
		uint32_t flows_per_pod;
		uint32_t ports_per_pod;
	} masquerade;
	struct {
		uint32_t mode; /* enum policy_mode */
	} policy;
	struct {
		uint32_t mode; /* enum dns_mode */
		char *service, *zone;
		uint32_t ttl;
		uint32_t pod_records; /* enum dns_pod_records */
		struct string_list local_addresses;
		struct string_list upstreams;
		struct string_list stub_domains;
		struct string_list search_suffixes;
		uint32_t search_completion; /* enum dns_search_completion */
		uint32_t cache_memory, negative_share;
		uint32_t queries_per_second, in_flight_per_pod;
		uint32_t stale_max;
	} dns;
	struct {
		char *listen;
	} metrics;
	struct {
		uint32_t level; /* enum log_level */
	} log;
};

/* All defaults. 0 or -ENOMEM. */
int config_init(struct config *c);
void config_fini(struct config *c);

/* Reads a file over what is set. Returns how many errors were written, 0 when it is good; -errno when the file cannot be
 * read, which is written as well. */
int config_read(struct config *c, const char *path, FILE *errors);

/* The same for text in memory; name stands for the file's in messages. */
int config_read_text(struct config *c, const char *name, const char *text, size_t size, FILE *errors);

/* "overlay.vni=7"; lists as YAML: "workers.cpus=[2, 3]". */
int config_set(struct config *c, const char *assignment, FILE *errors);

/* Whether the cluster's state is to come from an API server, not from manifests. */
bool config_has_api_server(const struct config *c);

#endif
