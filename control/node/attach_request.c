/* Requests of the shim: which addresses and names, what is noted when, and what is undone when a step fails. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/log.h"
#include "control/node/attach_internal.h"
#include "control/node/pod_port.h"
#include "control/node/state.h"
#include "dataplane/tables.h"

/* FNV-1a with a finish that spreads; the name must be the same at each repetition and no more. */
static uint64_t
key_hash(const struct attach_request *req, unsigned salt)
{
	const char *const parts[] = { req->container_id, "/", req->ifname };
	uint64_t h = 0xcbf29ce484222325ull + salt;

	for (unsigned i = 0; i < 3; i++)
		for (const char *c = parts[i]; *c != '\0'; c++)
			h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

static bool
is_link_taken(const struct attach *a, const char *link)
{
	struct netdev_link stranger;

	for (size_t i = 0; i < a->n_pods; i++)
		if (strcmp(a->pods[i]->record.link, link) == 0)
			return true;
	for (const struct attached *pod = a->gone; pod != NULL; pod = pod->next)
		if (strcmp(pod->record.link, link) == 0)
			return true; /* so does its memory have that name */
	return netdev_get(a->netdev, link, &stranger) == 0;
}

/* Names of the links: 40 bits of hash, so a collision is rare; it, and a name that somebody else has
 * taken, is settled by another salt. */
static void
names_choose(const struct attach *a, const struct attach_request *req, struct attachment_record *record)
{
	static const struct mac_addr gateway_mac = GATEWAY_MAC;
	unsigned salt = 0;
	uint64_t h;

	do {
		h = key_hash(req, salt++);
		snprintf(record->link, sizeof(record->link), ATTACHMENT_LINK_FORMAT,
			(unsigned long long)(h & 0xffffffffffull));
	} while (is_link_taken(a, record->link));
	/* locally administered, unicast; the address alone tells pods apart, so the rest of the hash will do */
	record->mac.b[0] = 0x02;
	for (unsigned i = 1; i < 6; i++)
		record->mac.b[i] = (uint8_t)(h >> (8 * i + 8));
	record->node_mac = gateway_mac;
}

static int
request_check(const struct attach_request *req, struct attach_error *e)
{
	if (req->container_id == NULL || req->container_id[0] == '\0' ||
		strlen(req->container_id) >= CONTAINER_ID_SIZE)
		return attach_refuse(e, STATUS_BAD_REQUEST, 0, "",
			"containerId is missing or longer than %d characters", CONTAINER_ID_SIZE - 1);
	if (req->ifname == NULL || req->ifname[0] == '\0' || strlen(req->ifname) >= IF_NAMESIZE)
		return attach_refuse(e, STATUS_BAD_REQUEST, 0, "",
			"ifname is missing or longer than %d characters", IF_NAMESIZE - 1);
	if ((req->pod_ns != NULL && strlen(req->pod_ns) >= POD_NS_SIZE) ||
		(req->pod != NULL && strlen(req->pod) >= POD_NAME_SIZE) ||
		(req->pod_uid != NULL && strlen(req->pod_uid) >= POD_UID_SIZE) ||
		(req->netns != NULL && strlen(req->netns) >= NETNS_SIZE))
		return attach_refuse(
			e, STATUS_BAD_REQUEST, 0, "", "podNamespace, podName, podUid or netns is too long");
	return 0;
}

/* The other attachment that has this port, or NULL. */
static const struct attached *
host_port_holder(const struct attach *a, const struct attach_request *req, const struct host_port *wanted)
{
	const struct attached *own = attach_find(a, req->container_id, req->ifname);

	for (size_t i = 0; i < a->n_pods; i++)
		for (size_t k = 0; a->pods[i] != own && k < a->pods[i]->record.n_host_ports; k++)
			if (host_port_conflicts(wanted, &a->pods[i]->record.host_ports[k]))
				return a->pods[i];
	return NULL;
}

/* Of two pods, or of a request with itself. */
static int
host_ports_check(const struct attach *a, const struct attach_request *req, struct attach_error *e)
{
	char name[POD_TEXT_SIZE];

	for (size_t i = 0; i < req->n_host_ports; i++) {
		const struct host_port *wanted = &req->host_ports[i];
		const struct attached *other;

		for (size_t k = 0; k < i; k++)
			if (host_port_conflicts(wanted, &req->host_ports[k]))
				return attach_refuse(e, STATUS_BAD_REQUEST, CODE_BAD_CONFIG, "",
					"host port %u is asked for twice", wanted->port);
		other = host_port_holder(a, req, wanted);
		if (other != NULL)
			return attach_refuse(e, STATUS_CONFLICT, CODE_PORT_TAKEN,
				"Give one of them another hostPort, or let the scheduler place them on "
				"different nodes.",
				"host port %u belongs to pod %s on this node", wanted->port,
				attach_pod_text(other, name));
	}
	return 0;
}

static void
request_note(const struct attach_request *req, struct attachment_record *record)
{
	snprintf(record->netns, sizeof(record->netns), "%s", req->netns == NULL ? "" : req->netns);
	snprintf(record->pod_ns, sizeof(record->pod_ns), "%s", req->pod_ns == NULL ? "" : req->pod_ns);
	snprintf(record->pod, sizeof(record->pod), "%s", req->pod == NULL ? "" : req->pod);
	snprintf(record->pod_uid, sizeof(record->pod_uid), "%s", req->pod_uid == NULL ? "" : req->pod_uid);
	record->since_s = attach_now_s();
	record->n_host_ports = req->n_host_ports;
	for (size_t i = 0; i < req->n_host_ports; i++)
		record->host_ports[i] = req->host_ports[i];
}

/* ADD again: 1 when *pod serves it, 0 when it was cleared away for a new start, -1 with *e. */
static int
add_again(struct attach *a, const struct attach_request *req, struct attached *pod, struct attach_error *e)
{
	struct netdev_link link;
	bool exists = netdev_get(a->netdev, pod->record.link, &link) == 0;

	if (pod->record.phase == ATTACHMENT_COMMITTED && exists && link.ifindex == pod->ifindex &&
		pod->port != NULL)
		return 1;
	if (pod->record.phase == ATTACHMENT_COMMITTED)
		return attach_remove(a, req, e);
	/* a shim that died left its links behind, or not; the new one makes them afresh */
	attach_withdraw(a, pod);
	if (exists && netdev_delete(a->netdev, pod->record.link) < 0)
		return attach_refuse(e, STATUS_FAILED, 0, "",
			"cannot remove the interface %s of an earlier attempt", pod->record.link);
	request_note(req, &pod->record);
	pod->attempt = ++a->attempt;
	pod->record.mtu = a->pod_mtu;
	return attach_save(a, &pod->record) < 0 ? attach_state_trouble(a, e) : 1;
}

int
attach_add(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e)
{
	struct attachment_record record = { .phase = ATTACHMENT_INTENT, .mtu = a->pod_mtu };
	struct attached *pod;
	int rc;

	if (request_check(req, e) < 0)
		return -1;
	if (a->not_ready[0] != '\0')
		return attach_refuse(e, STATUS_NOT_READY, CODE_TRY_AGAIN, "`ringway status` tells more.",
			"%s", a->not_ready);
	if (host_ports_check(a, req, e) < 0)
		return -1;
	pod = attach_find(a, req->container_id, req->ifname);
	if (pod != NULL && (rc = add_again(a, req, pod, e)) != 0) {
		*out = pod;
		return rc < 0 ? -1 : 0;
	}
	if (a->n_pods >= a->config.pods_max)
		return attach_refuse(e, STATUS_CONFLICT, CODE_NO_ADDRESS,
			"Raise pods.max, or let the scheduler place fewer pods here.",
			"this node takes at most %u pods", a->config.pods_max);
	snprintf(record.container_id, sizeof(record.container_id), "%s", req->container_id);
	snprintf(record.ifname, sizeof(record.ifname), "%s", req->ifname);
	request_note(req, &record);
	names_choose(a, req, &record);
	if (attach_take_addrs(a, &record, e) < 0)
		return -1;
	if (attach_save(a, &record) < 0) {
		attach_release_addrs(a, &record);
		return attach_state_trouble(a, e);
	}
	pod = attach_append(a, &record);
	if (pod == NULL) {
		attach_forget(a, &record);
		attach_release_addrs(a, &record);
		return attach_refuse(e, STATUS_FAILED, 0, "", "out of memory");
	}
	pod->attempt = ++a->attempt;
	*out = pod;
	return 0;
}

/* Of a shim whose ADD was repeated since. */
static bool
is_void(const struct attach_request *req, const struct attached *pod)
{
	return req->attempt != 0 && pod->attempt != 0 && req->attempt != pod->attempt;
}

static int
unknown(const struct attach_request *req, struct attach_error *e)
{
	return attach_refuse(e, STATUS_NOT_FOUND, CODE_UNKNOWN_CONTAINER,
		"It was removed, or the node was restarted since.",
		"container %.64s has no attachment %.15s on this node", req->container_id, req->ifname);
}

int
attach_commit(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e)
{
	struct attachment_record committed;
	struct attached *pod;
	int rc;

	if (request_check(req, e) < 0)
		return -1;
	pod = attach_find(a, req->container_id, req->ifname);
	if (pod == NULL)
		return unknown(req, e);
	if (is_void(req, pod))
		return attach_refuse(e, STATUS_CONFLICT, CODE_TRY_AGAIN, "",
			"container %.64s was added once more while this ADD was at work", req->container_id);
	*out = pod;
	if (pod->record.phase == ATTACHMENT_COMMITTED && pod->port != NULL)
		return 0;
	steps_begin(&pod->steps);
	if (pod->port == NULL && pod_port_open(pod, &a->config, a->netdev) < 0)
		return attach_refuse(e, STATUS_FAILED, 0,
			"`ringway doctor --preflight` tells what this node lacks.", "%s", pod->trouble);
	rc = attach_publish(a);
	steps_end(&pod->steps, "publish");
	if (rc == -EAGAIN)
		return attach_refuse(
			e, STATUS_NOT_READY, CODE_TRY_AGAIN, "", "the first tables are still being built");
	if (rc < 0) {
		pod_port_close(pod, &a->config);
		a->generation++;
		return attach_refuse(e, STATUS_FAILED, 0, "`ringway status` tells which table.",
			"building tables failed: %s", strerror(-rc));
	}
	committed = pod->record;
	committed.phase = ATTACHMENT_COMMITTED;
	if (attach_save(a, &committed) < 0)
		return attach_state_trouble(a, e); /* the shim gives up and removes it */
	steps_end(&pod->steps, "record");
	pod->record = committed;
	attach_note_netns(a, pod);
	return 0;
}

int
attach_check(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e)
{
	struct netdev_link link;
	struct attached *pod;

	if (request_check(req, e) < 0)
		return -1;
	pod = attach_find(a, req->container_id, req->ifname);
	if (pod == NULL)
		return unknown(req, e);
	*out = pod;
	if (pod->record.phase != ATTACHMENT_COMMITTED)
		return attach_refuse(
			e, STATUS_CONFLICT, CODE_CHECK_MISMATCH, "", "its ADD was never finished");
	if (pod->port == NULL)
		return attach_refuse(e, STATUS_CONFLICT, CODE_CHECK_MISMATCH, "", "%s", pod->trouble);
	if (netdev_get(a->netdev, pod->record.link, &link) < 0 || link.ifindex != pod->ifindex)
		return attach_refuse(e, STATUS_CONFLICT, CODE_CHECK_MISMATCH, "",
			"the node's interface %s is gone", pod->record.link);
	if (!link.is_up)
		return attach_refuse(e, STATUS_CONFLICT, CODE_CHECK_MISMATCH, "",
			"the node's interface %s is down", pod->record.link);
	return 0;
}

int
attach_remove(struct attach *a, const struct attach_request *req, struct attach_error *e)
{
	struct attached *pod;

	if (request_check(req, e) < 0)
		return -1;
	pod = attach_find(a, req->container_id, req->ifname);
	if (pod == NULL || is_void(req, pod))
		return 0;
	attach_withdraw(a, pod);
	return attach_destroy(a, pod, e);
}
