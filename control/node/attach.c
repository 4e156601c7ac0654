#include "control/node/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/facts.h"
#include "control/log.h"
#include "control/model/reserved_addrs.h"
#include "control/node/attach_internal.h"
#include "control/node/pod_port.h"
#include "control/node/state.h"
#include "dataplane/io/port.h"

#define INTENT_S 60 /* a shim needs 30 s at most; what is not committed by then never will be */

/* --- start */

static int
record_load(const struct attachment_record *record, void *arg)
{
	return attach_append(arg, record) == NULL ? -ENOMEM : 0;
}

static int
lease_load(const struct lease_record *lease, void *arg)
{
	struct attach *a = arg;

	ipam_release(a->config.ipam, &lease->addr, lease->released_s);
	return 0;
}

/* What the state file knows, into ranges that are new to IPAM. */
static void
addrs_claim(struct attach *a)
{
	char addr[IP_ADDR_STRLEN], name[POD_TEXT_SIZE];

	state_each_lease(a->config.state, lease_load, a);
	for (size_t i = 0; i < a->n_pods; i++)
		for (unsigned f = 0; f < N_FAMILIES; f++) {
			const struct ip_addr *claimed = &a->pods[i]->record.addrs[f];

			if (!ip_addr_is_none(claimed) && ipam_claim(a->config.ipam, claimed) == -ERANGE)
				log_warn("%s has the address %s, which is not in this node's pod CIDR: other "
					 "nodes "
					 "will not find it until it is restarted",
					attach_pod_text(a->pods[i], name), ip_addr_format(claimed, addr));
		}
}

/* Puts the program and a new socket on the links of pods that were attached before. */
static void
pods_restore(struct attach *a)
{
	char name[POD_TEXT_SIZE];
	struct attach_error e;

	for (size_t i = a->n_pods; i-- > 0;) {
		struct attached *pod = a->pods[i];
		int rc;

		if (pod->record.phase != ATTACHMENT_COMMITTED)
			continue; /* its shim may still be at work: attach_tick() decides */
		rc = pod_port_open(pod, &a->config, a->netdev);
		if (rc == -ENODEV) {
			log_info("%s is gone: its interface %s went while no daemon ran",
				attach_pod_text(pod, name), pod->record.link);
			if (attach_destroy(a, pod, &e) < 0)
				log_error("%s", e.text);
		} else if (rc < 0) {
			log_error("%s: %s", attach_pod_text(pod, name), pod->trouble);
		}
	}
}

int
attach_new(struct attach **out, const struct attach_config *config, char error[static ATTACH_TEXT_SIZE])
{
	struct attach *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return -ENOMEM;
	if (config->n_pod_cidrs > ATTACH_CIDRS_MAX || config->n_service_cidrs > ATTACH_CIDRS_MAX) {
		snprintf(error, ATTACH_TEXT_SIZE, "more than %d pod or service CIDRs", ATTACH_CIDRS_MAX);
		free(a);
		return -E2BIG;
	}
	a->config = *config;
	for (size_t i = 0; i < config->n_pod_cidrs; i++)
		a->pod_cidrs[i] = config->pod_cidrs[i];
	for (size_t i = 0; i < config->n_service_cidrs; i++)
		a->service_cidrs[i] = config->service_cidrs[i];
	a->host_config = (struct host_config){
		.interface = config->host_interface,
		.n_pod_cidrs = config->n_pod_cidrs,
		.n_service_cidrs = config->n_service_cidrs,
		.pod_cidrs = a->pod_cidrs,
		.service_cidrs = a->service_cidrs,
		.engine = config->engine,
		.xdp = config->xdp,
		.xdp_choice = config->xdp_choice,
	};
	a->generation = 1;
	a->attempt = (uint64_t)attach_now_s() << 20;
	snprintf(a->not_ready, sizeof(a->not_ready), "this node's Node object is not known yet");
	a->netdev = netdev_open();
	if (a->netdev == NULL) {
		snprintf(error, ATTACH_TEXT_SIZE, "netlink: %s", strerror(errno));
		attach_free(a);
		return -ENOMEM;
	}
	rc = state_each_attachment(config->state, record_load, a);
	if (rc < 0) {
		snprintf(error, ATTACH_TEXT_SIZE, "the state file: %s", state_error(config->state));
		attach_free(a);
		return rc;
	}
	pod_memory_release_others(a->pods, a->n_pods, config->arena);
	pods_restore(a);
	*out = a;
	return 0;
}

void
attach_free(struct attach *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n_pods; i++)
		free(a->pods[i]);
	while (a->gone != NULL) {
		struct attached *pod = a->gone;

		a->gone = pod->next;
		free(pod);
	}
	free(a->pods);
	netdev_close(a->netdev);
	free(a);
}

/* The range that the Node object gives for a family, or NULL. */
static const struct ip_prefix *
node_range(const struct node_object *node, enum family_index family)
{
	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		if (ip_addr_is_v4(&node->pod_cidrs[i].addr) == (family == V4))
			return &node->pod_cidrs[i];
	return NULL;
}

static bool
is_same_range(const struct ip_prefix *a, const struct ip_prefix *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->len == b->len && ip_addr_eq(&a->addr, &b->addr);
}

/* Gives IPAM the ranges of the Node object. *changed tells whether they are new. */
static int
ranges_follow(
	struct attach *a, const struct node_object *node, bool *changed, char error[static ATTACH_TEXT_SIZE])
{
	char range[IP_PREFIX_STRLEN];

	*changed = false;
	for (unsigned f = 0; f < N_FAMILIES; f++) {
		const struct ip_prefix *wanted = node_range(node, (enum family_index)f);
		int rc;

		if (is_same_range(wanted, ipam_range(a->config.ipam, (enum family_index)f)))
			continue;
		rc = ipam_set_range(a->config.ipam, (enum family_index)f, wanted);
		if (rc < 0) {
			snprintf(error, ATTACH_TEXT_SIZE, "Node %s: pod CIDR %s: %s", node->object.name,
				ip_prefix_format(wanted, range),
				rc == -EINVAL ? "has no room for pods (8 addresses are the node's own)"
					      : strerror(-rc));
			return rc;
		}
		*changed = true;
	}
	return 0;
}

static int
not_ready(struct attach *a, int rc, const char *error)
{
	/* once ready, it stays so with what was in force */
	if (a->pod_mtu == 0)
		snprintf(a->not_ready, sizeof(a->not_ready), "%s", error);
	return rc;
}

int
attach_follow(struct attach *a, const struct node_object *node, uint16_t pod_mtu,
	char error[static ATTACH_TEXT_SIZE])
{
	struct ip_addr addrs[N_FAMILIES] = { 0 };
	bool changed;
	int rc;

	error[0] = '\0';
	if (node == NULL) {
		snprintf(error, ATTACH_TEXT_SIZE, "this node's Node object is not known yet");
		return not_ready(a, -ENOENT, error);
	}
	if (node->n_pod_cidrs == 0 || pod_mtu == 0) {
		snprintf(error, ATTACH_TEXT_SIZE, "Node %s %s", node->object.name,
			pod_mtu == 0 ? "has no uplink yet" : "has no podCIDRs");
		return not_ready(a, -ENOENT, error);
	}
	rc = ranges_follow(a, node, &changed, error);
	if (changed) {
		addrs_claim(a);
		a->is_host_set_up = false;
	}
	if (rc < 0)
		return not_ready(a, rc, error);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (ipam_range(a->config.ipam, (enum family_index)f) != NULL)
			addrs[f] = reserved_host_addr(ipam_range(a->config.ipam, (enum family_index)f), 0);
	if (a->is_host_set_up && a->pod_mtu == pod_mtu && a->host.port != NULL)
		return 0;
	rc = host_setup(&a->host, &a->host_config, a->netdev, addrs, pod_mtu, error);
	a->generation++;
	if (rc < 0)
		return not_ready(a, rc, error);
	a->is_host_set_up = true;
	a->pod_mtu = pod_mtu;
	a->not_ready[0] = '\0';
	return 0;
}

/* --- time passes */

/* Why the pod is to be forgotten, or NULL. */
static const char *
why_dead(struct attach *a, struct attached *pod)
{
	struct netdev_link link;
	int rc;

	if (pod->record.phase == ATTACHMENT_INTENT)
		return attach_now_s() - pod->record.since_s > INTENT_S ? "its ADD was never finished" : NULL;
	rc = netdev_get(a->netdev, pod->record.link, &link);
	/* whatever else keeps the kernel from answering says nothing of the link */
	if (rc == -ENODEV || (rc == 0 && pod->ifindex != 0 && link.ifindex != pod->ifindex))
		return "its interface was removed";
	if (pod->collect.netns_ino == 0)
		attach_note_netns(a, pod); /* since the start */
	return collect_look(&pod->collect, pod->record.netns, collect_now_s())
		       ? "its network namespace was removed"
		       : NULL;
}

static void
forget(struct attach *a, struct attached *pod, const char *why)
{
	char name[POD_TEXT_SIZE];
	struct attach_error e;

	log_info("%s is gone: %s", attach_pod_text(pod, name), why);
	attach_withdraw(a, pod);
	if (attach_destroy(a, pod, &e) < 0)
		log_warn("%s: %s", name, e.text);
}

static bool
is_listed(const struct attached *pod, const struct attach_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pod->record.container_id, keys[i].container_id) == 0 &&
			strcmp(pod->record.ifname, keys[i].ifname) == 0)
			return true;
	return false;
}

size_t
attach_gc(struct attach *a, const struct attach_key *valid, size_t n)
{
	size_t removed = 0;

	for (size_t i = a->n_pods; i-- > 0;) {
		struct attached *pod = a->pods[i];

		if (pod->record.phase != ATTACHMENT_COMMITTED)
			continue; /* of an ADD that is under way */
		if (is_listed(pod, valid, n)) {
			collect_note_listed(&pod->collect, pod->record.netns);
		} else if (collect_look_unlisted(&pod->collect, pod->record.netns, collect_now_s())) {
			forget(a, pod, "its runtime does not list it, and nothing is left in it");
			removed++;
		}
	}
	return removed;
}

void
attach_tick(struct attach *a)
{
	char name[POD_TEXT_SIZE], error[ATTACH_TEXT_SIZE];
	bool changed = false;

	for (size_t i = a->n_pods; i-- > 0;) {
		struct attached *pod = a->pods[i];
		const char *why = why_dead(a, pod);

		if (why != NULL) {
			forget(a, pod, why);
		} else if (pod->record.phase == ATTACHMENT_COMMITTED && pod->port == NULL &&
			   pod_port_open(pod, &a->config, a->netdev) == 0) {
			log_info("%s is attached again", attach_pod_text(pod, name));
			changed = true;
		}
	}
	if (a->pod_mtu != 0 && !host_is_intact(&a->host)) {
		struct ip_addr addrs[N_FAMILIES] = { a->host.addrs[V4], a->host.addrs[V6] };

		if (host_setup(&a->host, &a->host_config, a->netdev, addrs, a->pod_mtu, error) < 0)
			log_error("%s", error);
		changed = true;
	}
	if (changed || a->gone != NULL)
		attach_publish(a);
}

/* --- views */

static void
endpoint_of(const struct attached *pod, struct endpoint *out)
{
	*out = (struct endpoint){
		.addrs = { pod->record.addrs[V4], pod->record.addrs[V6] },
		.mac = pod->record.mac,
		.port = pod->port->id,
		.mtu = pod->record.mtu,
		.owner = pod->port->owner,
		.is_opaque = attached_is_opaque(pod),
		.roles = pod->roles,
		.policy_state = pod->policy_state,
	};
}

size_t
attach_endpoints(const struct attach *a, struct endpoint *out, size_t max)
{
	size_t n = 0;

	if (a->host.port != NULL) {
		if (n < max)
			out[n] = (struct endpoint){
				.addrs = { a->host.addrs[V4], a->host.addrs[V6] },
				.mac = a->host.mac,
				.port = a->host.port->id,
				.mtu = a->host.mtu,
				.owner = a->host.port->owner,
				.is_host = true,
			};
		n++;
	}
	for (size_t i = 0; i < a->n_pods; i++) {
		if (a->pods[i]->port == NULL)
			continue;
		if (n < max)
			endpoint_of(a->pods[i], &out[n]);
		n++;
	}
	return n;
}

size_t
attach_local_pods(const struct attach *a, struct local_pod *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_pods; i++) {
		const struct attachment_record *r = &a->pods[i]->record;

		if (a->pods[i]->port == NULL)
			continue;
		if (n < max)
			out[n] = (struct local_pod){ .port = a->pods[i]->port->id,
				.addrs = { r->addrs[V4], r->addrs[V6] },
				.ns = r->pod_ns,
				.name = r->pod,
				.uid = pod_uid_digest(r->pod_uid) };
		n++;
	}
	return n;
}

size_t
attach_host_ports(const struct attach *a, struct pod_host_port *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_pods; i++) {
		const struct attachment_record *r = &a->pods[i]->record;

		for (size_t k = 0; a->pods[i]->port != NULL && k < r->n_host_ports; k++, n++)
			if (n < max)
				out[n] = (struct pod_host_port){ .map = r->host_ports[k],
					.addrs = { r->addrs[V4], r->addrs[V6] },
					.pod_ns = r->pod_ns,
					.pod = r->pod };
	}
	return n;
}

uint64_t
attach_generation(const struct attach *a)
{
	return a->generation;
}

void
attach_host_addrs(const struct attach *a, struct ip_addr out[N_FAMILIES][HOST_ADDRS])
{
	for (unsigned f = 0; f < N_FAMILIES; f++) {
		const struct ip_prefix *range = ipam_range(a->config.ipam, (enum family_index)f);

		for (unsigned i = 0; i < HOST_ADDRS; i++)
			out[f][i] = range == NULL ? (struct ip_addr){ 0 } : reserved_host_addr(range, i);
	}
}

void
attach_inbound_addrs(const struct attach *a, struct ip_addr out[N_FAMILIES])
{
	for (unsigned f = 0; f < N_FAMILIES; f++) {
		const struct ip_prefix *range = ipam_range(a->config.ipam, (enum family_index)f);

		out[f] = range == NULL ? (struct ip_addr){ 0 } : reserved_inbound_addr(range);
	}
}

void
attach_each(const struct attach *a, void (*fn)(const struct attached *pod, void *arg), void *arg)
{
	for (size_t i = 0; i < a->n_pods; i++)
		fn(a->pods[i], arg);
}

const char *
attach_not_ready(const struct attach *a)
{
	return a->not_ready[0] == '\0' ? NULL : a->not_ready;
}

const struct host *
attach_host(const struct attach *a)
{
	return a->host.port == NULL ? NULL : &a->host;
}

bool
attach_is_single_frame(const struct attach *a)
{
	return a->config.xdp_choice == XDP_CHOICE_SKB ||
	       (a->host.port != NULL && a->host.mode == XDP_MODE_SKB);
}
