#include "control/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/build/dns_options.h"
#include "control/build/host_ports.h"
#include "control/config_check.h"
#include "control/daemon.h"
#include "control/log.h"
#include "control/node/attach.h"
#include "control/node/path_mtu.h"
#include "control/node/port_claim.h"
#include "control/node/reserved_ports.h"
#include "control/node/resolv_conf.h"
#include "control/node/sockets.h"
#include "control/node/state.h"
#include "control/node/underlay.h"
#include "control/node/uplink.h"
#include "dataplane/dns/dns_cache.h"
#include "dataplane/engine.h"

struct gather {
	const struct daemon *d;
	const struct uplink *uplink;
	const struct path_mtus *path_mtus;
	size_t n_service_cidrs;
	struct ip_prefix *service_cidrs;
	size_t n_pod_cidrs;
	struct ip_prefix *pod_cidrs;
	size_t n_external_ranges;
	struct ip_prefix *external_ranges;
	struct dns_options dns;
	size_t n_non_masquerade_cidrs;
	struct ip_prefix *non_masquerade_cidrs;
	struct port_set masquerade_claim, /* at the start */
		unheld,                   /* less what sockets have taken since */
		masquerade_ports;         /* and less what is exposed */
	size_t n_ways_out;
	struct way_out ways_out[UNDERLAY_WAYS_OUT_MAX]; /* as the builders last saw them */
	size_t n_endpoints;
	struct endpoint endpoints[PORTS_MAX]; /* as the builders last saw them */
	size_t n_pods;
	struct local_pod pods[PORTS_MAX]; /* likewise */
	size_t n_host_ports, host_ports_room;
	struct pod_host_port *host_ports; /* likewise */
};

static struct mac_addr
next_hop_mac(const struct ip_addr *vtep, void *arg)
{
	const struct gather *g = arg;

	return underlay_next_hop(g->d->underlay, vtep).mac;
}

static uint16_t
known_path_mtu(const struct ip_addr *vtep, void *arg)
{
	const struct gather *g = arg;

	return path_mtu_of(g->path_mtus, vtep);
}

/* What does not fit for want of memory is served with the next build. */
static void
gather_host_ports(struct gather *g)
{
	size_t n = attach_host_ports(g->d->attach, g->host_ports, g->host_ports_room);

	if (n > g->host_ports_room) {
		struct pod_host_port *grown = realloc(g->host_ports, n * sizeof(*grown));

		if (grown != NULL) {
			g->host_ports = grown;
			g->host_ports_room = n;
			attach_host_ports(g->d->attach, g->host_ports, n);
		} else {
			log_error("out of memory: not all host ports are served");
		}
	}
	g->n_host_ports = n < g->host_ports_room ? n : g->host_ports_room;
}

void
gather_facts(struct gather *g, struct build_facts *facts)
{
	const struct config *config = &g->d->config;
	const struct underlay_facts *underlay = underlay_facts(g->d->underlay);

	g->n_endpoints = attach_endpoints(g->d->attach, g->endpoints, PORTS_MAX);
	g->n_pods = attach_local_pods(g->d->attach, g->pods, PORTS_MAX);
	g->n_ways_out = underlay_ways_out(g->d->underlay, g->ways_out, UNDERLAY_WAYS_OUT_MAX);
	gather_host_ports(g);
	*facts = (struct build_facts){
		.node_name = config->node.name,
		.vxlan_port = (uint16_t)config->overlay.port,
		.vni = config->overlay.vni,
		.pod_mtu = (uint16_t)config->overlay.mtu,
		.n_service_cidrs = g->n_service_cidrs,
		.service_cidrs = g->service_cidrs,
		.n_pod_cidrs = g->n_pod_cidrs,
		.pod_cidrs = g->pod_cidrs,
		.n_external_ranges = g->n_external_ranges,
		.external_ranges = g->external_ranges,
		.policy_mode = (enum policy_mode)config->policy.mode,
		.dns = gather_dns(g),
		.dns_cache = g->d->dns_cache,
		.dns_seed = g->d->dns_cache == NULL ? 0 : dns_cache_seed(g->d->dns_cache),
		.uplink_mac = underlay->mac,
		.uplink_mtu = underlay->mtu,
		.n_own_addrs = underlay->n_addrs,
		.own_addrs = underlay->addrs,
		.n_non_masquerade_cidrs = g->n_non_masquerade_cidrs,
		.non_masquerade_cidrs = g->non_masquerade_cidrs,
		.masquerade_ports = &g->masquerade_ports,
		.masquerade_claim = &g->masquerade_claim,
		.n_ways_out = g->n_ways_out,
		.ways_out = g->ways_out,
		.next_hop = next_hop_mac,
		.path_mtu = known_path_mtu,
		.arg = g,
		.n_workers = (uint8_t)engine_n_workers(g->d->engine),
		.n_endpoints = g->n_endpoints,
		.endpoints = g->endpoints,
		.n_pods = g->n_pods,
		.pods = g->pods,
		.n_host_ports = g->n_host_ports,
		.host_ports = g->host_ports,
	};
	facts->n_uplinks = uplink_queues(g->uplink, &facts->uplinks);
	attach_host_addrs(g->d->attach, facts->host_addrs);
	attach_inbound_addrs(g->d->attach, facts->inbound_addrs);
}

static int
read_prefixes(const struct string_list *list, struct ip_prefix **out, size_t *n)
{
	*out = calloc(list->n + 1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) /* config_check() has looked at them */
		*n += ip_prefix_parse(list->items[i], &(*out)[*n]);
	return 0;
}

static int
read_cidrs(struct gather *g)
{
	const struct config *c = &g->d->config;
	int result = read_prefixes(&c->cluster.service_cidrs, &g->service_cidrs, &g->n_service_cidrs);

	if (result == 0)
		result = read_prefixes(&c->cluster.pod_cidrs, &g->pod_cidrs, &g->n_pod_cidrs);
	if (result == 0)
		result = read_prefixes(
			&c->cluster.external_ip_ranges, &g->external_ranges, &g->n_external_ranges);
	if (result == 0)
		result = read_prefixes(&c->cluster.non_masquerade_cidrs, &g->non_masquerade_cidrs,
			&g->n_non_masquerade_cidrs);
	return result;
}

static void
add_suffix(const char *suffix, void *arg)
{
	if (!dns_options_add_suffix(arg, suffix))
		log_warn("\"%s\" in the node's search list is no name", suffix);
}

static int
read_dns(struct gather *g)
{
	const struct string_list *suffixes = &g->d->config.dns.search_suffixes;
	int result = config_dns(&g->d->config, &g->dns);

	for (size_t i = 0; i < suffixes->n; i++) {
		int rc = *suffixes->items[i] != '/'
				 ? 0
				 : resolv_conf_search(suffixes->items[i], add_suffix, &g->dns);

		if (rc < 0) {
			log_warn("dns.searchSuffixes: %s cannot be read: %s", suffixes->items[i],
				strerror(-rc));
			g->dns.completes_searches = false;
		}
	}
	if (g->d->config.dns.search_completion == DNS_SEARCH_COMPLETION_ON && !g->dns.completes_searches)
		log_warn("dns.searchCompletion: nothing is completed, since what pods have in their search "
			 "lists is not known: of dns.searchSuffixes something cannot be read, is in "
			 "dns.zone, follows the root, or is one too many (there may be %u)",
			DNS_SUFFIXES_MAX);
	return result;
}

const struct dns_options *
gather_dns(const struct gather *g)
{
	return g->d->config.dns.mode != DNS_MODE_OFF ? &g->dns : NULL;
}

static void
claim_ports(struct gather *g)
{
	struct port_set ours = { 0 };
	uint16_t first, last;
	unsigned n = 0;

	if (reserved_ports_read(g->d->state, &ours) < 0)
		log_error("which ports are reserved for services is not known: %s", state_error(g->d->state));
	if (port_claim_parse(
		    g->d->config.masquerade.ports, &first, &last)) /* config_check() has looked at it */
		n = port_claim_read(&g->masquerade_claim, first, last, &ours);
	g->unheld = g->masquerade_ports = g->masquerade_claim;
	if (n < FLOW_OWNER_BLOCK * engine_n_workers(g->d->engine))
		log_warn("masquerade.ports: of %s only %u ports are left, less than a block for each worker: "
			 "pods hardly "
			 "reach the outside; choose a range that is clear of net.ipv4.ip_local_port_range, "
			 "or list it "
			 "in net.ipv4.ip_local_reserved_ports",
			g->d->config.masquerade.ports, n);
}

bool
gather_follow_ports(struct gather *g, const struct port_set *exposed)
{
	struct port_set before = g->masquerade_ports;
	int view = sockets_open(NULL);

	if (view >= 0) {
		port_claim_exclude_sockets(&g->unheld, view);
		close(view);
	}
	g->masquerade_ports = g->unheld;
	port_claim_exclude_set(&g->masquerade_ports, exposed);
	return memcmp(&before, &g->masquerade_ports, sizeof(before)) != 0;
}

const struct port_set *
gather_masquerade_claim(const struct gather *g)
{
	return &g->masquerade_claim;
}

int
gather_new(struct gather **out, const struct daemon *d, const struct uplink *uplink,
	const struct path_mtus *path_mtus)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	g->d = d;
	g->uplink = uplink;
	g->path_mtus = path_mtus;
	if (read_cidrs(g) < 0 || read_dns(g) < 0) {
		gather_free(g);
		return -ENOMEM;
	}
	claim_ports(g);
	*out = g;
	return 0;
}

void
gather_free(struct gather *g)
{
	if (g == NULL)
		return;
	free(g->service_cidrs);
	free(g->pod_cidrs);
	free(g->external_ranges);
	free(g->non_masquerade_cidrs);
	free(g->host_ports);
	dns_options_fini(&g->dns);
	free(g);
}
