#include "control/own_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_options.h"
#include "control/build/nodes.h"
#include "control/build/publish.h"
#include "control/build/topology_build.h"
#include "control/daemon.h"
#include "control/log.h"
#include "control/node/attach.h"
#include "control/node/exposed.h"
#include "control/node/netdev.h"
#include "control/node/own_ports.h"
#include "control/node/own_ways.h"
#include "control/node/reserved_ports.h"
#include "control/node/underlay.h"
#include "control/node/uplink.h"

struct own_node {
	const struct daemon *d;
	struct uplink *uplink;
	struct netdev *netdev;
	struct exposed exposed; /* by the tables in force */
	struct own_ports *own_ports;
	struct own_ways *own_ways;
	struct reserved_ports *reserved_ports;
	const struct port_set *claim;
	const struct dns_options *dns;
	uint64_t generation; /* of the Node objects */
	bool is_dirty;       /* its underlay changed, or it is time to look */
	char uplink_warning[OWN_NODE_WARNING_SIZE], host_warning[OWN_NODE_WARNING_SIZE],
		exposed_warning[OWN_NODE_WARNING_SIZE], own_ports_warning[OWN_NODE_WARNING_SIZE],
		own_ways_warning[OWN_NODE_WARNING_SIZE], reserved_ports_warning[OWN_NODE_WARNING_SIZE],
		dns_warning[OWN_NODE_WARNING_SIZE];
};

static void
tell_underlay(struct own_node *o, const struct nodes *nodes)
{
	struct ip_addr *vteps = calloc(nodes->n + 1, sizeof(*vteps));

	if (vteps == NULL)
		return;
	for (size_t i = 0; i < nodes->n; i++)
		vteps[i] = nodes->remotes[i].vtep;
	underlay_set_node_addr(o->d->underlay, &nodes->vtep);
	if (underlay_set_vteps(o->d->underlay, vteps, nodes->n) < 0)
		log_error("out of memory: the ways to other nodes are not updated");
	free(vteps);
}

/* Notes what is wrong with a part, "" for nothing, and says it once. */
static void
set_warning(char warning[static OWN_NODE_WARNING_SIZE], const char *text)
{
	if (strcmp(text, warning) == 0)
		return;
	if (*text != '\0')
		log_warn("%s", text);
	snprintf(warning, OWN_NODE_WARNING_SIZE, "%s", text);
}

/* What is ours on the uplink. */
static struct xdp_uplink_config
steer_of(const struct own_node *o, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(o->d->underlay);
	struct xdp_uplink_config steer = {
		.vtep = nodes->vtep,
		.vxlan_port = (uint16_t)o->d->config.overlay.port,
		.ports = o->claim->bits,
	};

	for (unsigned family = 0; family < N_FAMILIES; family++)
		steer.masquerade[family] =
			masquerade_addr_of(nodes, underlay->addrs, underlay->n_addrs, family == V4);
	for (size_t i = 0; o->d->config.cluster.non_masquerade_cidrs.n != 0 && i < nodes->self->n_pod_cidrs;
		i++)
		steer.pods[ip_addr_is_v4(&nodes->self->pod_cidrs[i].addr) ? V4 : V6] =
			nodes->self->pod_cidrs[i];
	return steer;
}

static void
follow_uplink(struct own_node *o, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(o->d->underlay);
	const struct config *config = &o->d->config;
	const struct xdp_uplink_config steer = steer_of(o, nodes);
	char error[XDP_ERROR_SIZE] = "";
	bool changed;

	uplink_follow(o->uplink, underlay, &steer, &changed, error);
	if (changed)
		publisher_facts_changed(o->d->publisher);
	if (underlay->ifindex == 0)
		snprintf(error, sizeof(error), "there is no uplink: %s",
			config->uplink.interface[0] != '\0'
				? "no interface has that name; check uplink.interface"
				: "no interface has this node's address; set uplink.interface");
	set_warning(o->uplink_warning, error);
}

static_assert(OWN_WAYS_MORE_MAX >= DNS_LOCAL_MAX, "each of dns.localAddresses has a way");

static bool
is_own_addr(const struct own_node *o, const struct ip_addr *addr)
{
	const struct underlay_facts *underlay = underlay_facts(o->d->underlay);

	for (size_t i = 0; i < underlay->n_addrs; i++)
		if (ip_addr_eq(&underlay->addrs[i], addr))
			return true;
	return false;
}

/* Where DNS is answered here, unless the node itself has that address: then something of its own is to answer there. */
static void
choose_local(struct own_node *o, struct own_ways_more *out)
{
	char text[OWN_NODE_WARNING_SIZE] = "", taken[DNS_LOCAL_MAX * (IP_ADDR_STRLEN + 2)] = "",
	     addr[IP_ADDR_STRLEN];
	unsigned n_taken = 0;
	size_t len = 0;

	out->n = 0;
	for (unsigned i = 0; o->dns != NULL && i < o->dns->n_local; i++)
		if (!is_own_addr(o, &o->dns->local[i]))
			out->addrs[out->n++] = o->dns->local[i];
		else
			len += (size_t)snprintf(taken + len, sizeof(taken) - len, "%s%s",
				n_taken++ == 0 ? "" : ", ", ip_addr_format(&o->dns->local[i], addr));
	if (n_taken != 0)
		snprintf(text, sizeof(text),
			"dns.localAddresses: %s %s of this node itself, as where NodeLocal DNSCache runs: "
			"pods are answered by Ringway there, but this node's own processes by what listens "
			"there, if anything does",
			taken, n_taken == 1 ? "is an address" : "are addresses");
	set_warning(o->dns_warning, text);
}

/* is_due: also looks whether it still is. */
static void
expose(struct own_node *o, const struct tables *tables, bool is_due)
{
	char text[OWN_NODE_WARNING_SIZE] = "", error[OWN_NODE_WARNING_SIZE] = "";
	struct own_ways_more local;
	int result = exposed_follow(&o->exposed, tables);

	if (result == 0)
		result = uplink_expose(o->uplink, &o->exposed);
	if (result < 0)
		snprintf(text, sizeof(text), "services are not reachable from outside as they should be: %s",
			result == -E2BIG ? "there are more exposed addresses and ports than the uplink takes"
					 : strerror(-result));
	set_warning(o->exposed_warning, text);
	own_ports_follow(o->own_ports, &o->exposed, is_due, error);
	set_warning(o->own_ports_warning, error);
	*error = '\0';
	choose_local(o, &local);
	own_ways_follow(o->own_ways, &o->exposed, &local, attach_host(o->d->attach), is_due, error);
	set_warning(o->own_ways_warning, error);
	*error = '\0';
	reserved_ports_follow(o->reserved_ports, &o->exposed, is_due, error);
	set_warning(o->reserved_ports_warning, error);
}

const struct port_set *
own_node_exposed_ports(const struct own_node *o)
{
	return &o->exposed.own_ports;
}

void
own_node_expose(struct own_node *o, const struct tables *tables)
{
	expose(o, tables, false);
}

static void
follow_host(struct own_node *o, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(o->d->underlay);
	const struct config *config = &o->d->config;
	uint16_t pod_mtu = config->overlay.mtu != 0 ? (uint16_t)config->overlay.mtu
						    : pod_mtu_of(underlay->mtu, &nodes->vtep);
	char error[ATTACH_TEXT_SIZE] = "";

	if (underlay->ifindex != 0)
		attach_follow(o->d->attach, nodes->self, pod_mtu, error);
	set_warning(o->host_warning, error);
}

static void
follow_nodes(struct own_node *o)
{
	struct nodes nodes;

	if (nodes_collect(&nodes, o->d->store, o->d->config.node.name) < 0)
		return;
	if (nodes.self != NULL) {
		tell_underlay(o, &nodes);
		follow_uplink(o, &nodes);
		expose(o, publisher_tables(o->d->publisher), true);
		follow_host(o, &nodes);
	}
	nodes_free(&nodes);
	o->generation = store_generation(o->d->store, OBJECT_NODE);
	o->is_dirty = false;
}

struct own_node *
own_node_new(const struct daemon *d, struct uplink *uplink, const struct port_set *claim,
	const struct dns_options *dns)
{
	struct own_node *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	*o = (struct own_node){
		.d = d, .uplink = uplink, .claim = claim, .dns = dns, .netdev = netdev_open()
	};
	o->own_ports = own_ports_new(o->netdev);
	o->own_ways = own_ways_new(o->netdev);
	o->reserved_ports = reserved_ports_new(d->state);
	if (o->netdev == NULL || o->own_ports == NULL || o->own_ways == NULL || o->reserved_ports == NULL) {
		own_node_free(o);
		return NULL;
	}
	return o;
}

void
own_node_free(struct own_node *o)
{
	if (o == NULL)
		return;
	own_ports_free(o->own_ports);
	own_ways_free(o->own_ways);
	reserved_ports_free(o->reserved_ports);
	netdev_close(o->netdev);
	exposed_fini(&o->exposed);
	free(o);
}

void
own_node_mark(struct own_node *o)
{
	o->is_dirty = true;
}

void
own_node_follow(struct own_node *o)
{
	if (o->is_dirty || o->generation != store_generation(o->d->store, OBJECT_NODE))
		follow_nodes(o);
}

const char *
own_node_warning(const struct own_node *o, unsigned i)
{
	const char *const warnings[OWN_NODE_WARNINGS] = { o->uplink_warning, o->host_warning,
		o->exposed_warning, o->own_ports_warning, o->own_ways_warning, o->reserved_ports_warning,
		o->dns_warning };

	return warnings[i];
}
