#include "control/admin/cni.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/view.h"
#include "control/daemon.h"
#include "control/node/attach.h"
#include "control/node/spool.h"
#include "dataplane/tables.h"

/* Of the specification's errors, those that are not attach.h's. */
enum {
	CODE_TRY_AGAIN = 11,
	CODE_UNAVAILABLE = 50,
	CODE_IMPAIRED = 51,
};

/* Offloads of the pod's end. A UDP_SEGMENT burst would arrive as one datagram; the others make frames longer than the
 * MTU, which is fine only while XDP runs in the driver (it makes the stack cut them). */
static const char *const features_off[] = { "tx-udp-segmentation" };
static const char *const features_off_single_frame[] = { "tx-tcp-segmentation", "tx-tcp6-segmentation",
	"tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-generic-segmentation" };

static const char *
mac_text(const struct mac_addr *mac, char buf[static 18])
{
	const uint8_t *b = mac->b;

	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return buf;
}

static void
sysctl_add(json_t *sysctls, const char *ifname, const char *key, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", ifname, key);
	json_object_set_new(sysctls, path, json_string(value));
}

static json_t *
sysctls_to_json(const struct attachment_record *r)
{
	json_t *sysctls = json_object();

	/* the range that leaves room for slots (DESIGN 5.2); it holds for both families */
	json_object_set_new(sysctls, "net/ipv4/ip_local_port_range", json_string("33792 49151"));
	if (ip_addr_is_none(&r->addrs[V6]))
		return sysctls;
	sysctl_add(sysctls, "lo", "disable_ipv6", "0");
	sysctl_add(sysctls, r->ifname, "disable_ipv6", "0");
	sysctl_add(sysctls, r->ifname, "accept_ra", "0");
	sysctl_add(sysctls, r->ifname, "autoconf", "0");
	sysctl_add(sysctls, r->ifname, "accept_dad", "0");
	return sysctls;
}

static json_t *
features_to_json(const struct attach *a)
{
	json_t *features = json_array();

	for (unsigned i = 0; i < sizeof(features_off) / sizeof(features_off[0]); i++)
		json_array_append_new(features, json_string(features_off[i]));
	for (unsigned i = 0;
		attach_is_single_frame(a) && i < sizeof(features_off_single_frame) / sizeof(char *); i++)
		json_array_append_new(features, json_string(features_off_single_frame[i]));
	return features;
}

static json_t *
pod_to_json(const struct attach *a, const struct attached *pod)
{
	static const char *const gateways[N_FAMILIES] = { GATEWAY_V4, GATEWAY_V6 };
	const struct attachment_record *r = &pod->record;
	json_t *addrs = json_array();
	char mac[18], node_mac[18], text[IP_ADDR_STRLEN];

	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (!ip_addr_is_none(&r->addrs[f]))
			json_array_append_new(
				addrs, json_pack("{s:s, s:s}", "address", ip_addr_format(&r->addrs[f], text),
					       "gateway", gateways[f]));
	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:b, s:I}", "link", r->link, "mac",
		mac_text(&r->mac, mac), "nodeMac", mac_text(&r->node_mac, node_mac), "mtu", (int)r->mtu,
		"addresses", addrs, "sysctls", sysctls_to_json(r), "featuresOff", features_to_json(a),
		"attached", r->phase == ATTACHMENT_COMMITTED && pod->port != NULL, "attempt",
		(json_int_t)pod->attempt);
}

/* A string of the body; "" when it is absent. */
static const char *
body_text(const struct admin_request *req, const char *key)
{
	const char *text = json_string_value(json_object_get(req->body, key));

	return text == NULL ? "" : text;
}

static bool
host_port_decode(const json_t *entry, struct host_port *out)
{
	const char *address, *protocol;
	int port, pod_port;

	if (json_unpack((json_t *)entry, "{s:s, s:i, s:i, s:s}", "hostAddress", &address, "hostPort", &port,
		    "podPort", &pod_port, "protocol", &protocol) < 0)
		return false;
	*out = (struct host_port){ .port = (uint16_t)port,
		.pod_port = (uint16_t)pod_port,
		.proto = strcmp(protocol, "tcp") == 0    ? PROTO_TCP
			 : strcmp(protocol, "udp") == 0  ? PROTO_UDP
			 : strcmp(protocol, "sctp") == 0 ? PROTO_SCTP
							 : 0 };
	if (*address != '\0' && !ip_addr_parse(address, &out->host_addr))
		return false;
	return port > 0 && port <= 65535 && pod_port > 0 && pod_port <= 65535 && out->proto != 0;
}

/* False with the reply made. */
static bool
host_ports_decode(const struct admin_request *req, struct host_port out[static HOST_PORTS_MAX], size_t *n,
	struct admin_reply *reply)
{
	const json_t *list = json_object_get(req->body, "hostPorts"), *entry;
	size_t i;

	*n = json_array_size(list);
	if (*n > HOST_PORTS_MAX) {
		admin_fail(reply, 400, NULL, "%zu host ports; a pod can have %d", *n, HOST_PORTS_MAX);
		return false;
	}
	json_array_foreach (list, i, entry)
		if (!host_port_decode(entry, &out[i])) {
			admin_fail(reply, 400, NULL, "hostPorts[%zu] is not a host port", i);
			return false;
		}
	return true;
}

static struct attach_request
request_decode(const struct admin_request *req)
{
	return (struct attach_request){
		.container_id = body_text(req, "containerId"),
		.ifname = body_text(req, "ifname"),
		.attempt = (uint64_t)json_integer_value(json_object_get(req->body, "attempt")),
		.netns = body_text(req, "netns"),
		.pod_ns = body_text(req, "podNamespace"),
		.pod = body_text(req, "podName"),
		.pod_uid = body_text(req, "podUid"),
	};
}

static void
refuse(struct admin_reply *reply, const struct attach_error *e)
{
	admin_fail(reply, e->status, e->hint[0] == '\0' ? NULL : e->hint, "%s", e->text);
	if (e->cni_code != 0)
		json_object_set_new(reply->json, "cniCode", json_integer(e->cni_code));
}

/* For who asks where the time goes. */
static json_t *
steps_to_json(const struct attach *a, const struct attached *pod)
{
	json_t *steps = json_object();

	for (unsigned i = 0; i < pod->steps.n; i++)
		json_object_set_new(
			steps, pod->steps.all[i].name, json_integer((json_int_t)pod->steps.all[i].ns));
	return json_pack("{s:o}", "steps", steps);
}

static void
serve(struct daemon *d, const struct admin_request *req, struct admin_reply *reply,
	int (*fn)(struct attach *a, const struct attach_request *req, const struct attached **out,
		struct attach_error *e),
	json_t *(*answer)(const struct attach *a, const struct attached *pod))
{
	struct attach_request request = request_decode(req);
	struct host_port host_ports[HOST_PORTS_MAX];
	const struct attached *pod = NULL;
	struct attach_error e = { 0 };

	if (!host_ports_decode(req, host_ports, &request.n_host_ports, reply))
		return;
	request.host_ports = host_ports;
	if (fn(d->attach, &request, &pod, &e) < 0)
		refuse(reply, &e);
	else
		reply->json = answer(d->attach, pod);
}

/* The daemon has found no pod attached, or was forced, and ends: one that came now would be cut off at once, after its runtime was
 * told that all is well. */
static bool
is_leaving(const struct daemon *d, struct admin_reply *reply)
{
	if (!d->is_uninstalled)
		return false;
	admin_fail(reply, 409,
		"The runtime makes the pod anew, with the network configuration that is first now.",
		"Ringway is being uninstalled on this node");
	json_object_set_new(reply->json, "cniCode", json_integer(CODE_TRY_AGAIN));
	return true;
}

void
cni_add(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	if (is_leaving(d, reply))
		return;
	/* a DEL of the same key that waits is older, and must not hit what is made now */
	if (spool_settle(d->spool, body_text(req, "containerId"), body_text(req, "ifname")) < 0) {
		admin_fail(reply, 503, "`ringway status` tells more.",
			"an earlier DEL of this container cannot be done: %s", spool_warning(d->spool));
		return;
	}
	serve(d, req, reply, attach_add, pod_to_json);
}

void
cni_commit(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	if (!is_leaving(d, reply))
		serve(d, req, reply, attach_commit, steps_to_json);
}

void
cni_check(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	serve(d, req, reply, attach_check, pod_to_json);
}

void
cni_del(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct attach_request request = request_decode(req);
	struct attach_error e = { 0 };

	if (attach_remove(d->attach, &request, &e) < 0)
		refuse(reply, &e);
}

void
cni_gc(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	const json_t *list = json_object_get(req->body, "valid"), *entry;
	struct attach_key *keys = calloc(json_array_size(list) + 1, sizeof(*keys));
	size_t i;

	if (!json_is_array(list) || keys == NULL) {
		admin_fail(reply, keys == NULL ? 500 : 400, NULL,
			keys == NULL ? "out of memory" : "\"valid\" is not a list");
		free(keys);
		return;
	}
	json_array_foreach (list, i, entry) {
		/* the specification has containerID; nothing is taken for gone because of an entry that is not understood */
		keys[i].container_id = json_string_value(json_object_get(entry, "containerID"));
		keys[i].ifname = json_string_value(json_object_get(entry, "ifname"));
		if (keys[i].container_id == NULL || keys[i].ifname == NULL) {
			admin_fail(reply, 400, "It has \"containerID\" and \"ifname\".",
				"attachment %zu of the list is not understood", i);
			free(keys);
			return;
		}
	}
	reply->json = json_pack("{s:i}", "removed", (int)attach_gc(d->attach, keys, json_array_size(list)));
	free(keys);
}

/* Pods that are here lose packets, too, by what keeps us from being ready: no worker, no way out, no tables. A pod that is cut off by
 * itself, or a node that is full, does not count: a runtime which is told 50 or 51 reports its node as not ready, and the pods that work
 * would be driven away. */
static bool
is_impaired(const struct view *v)
{
	bool is_any_dead = false;

	for (unsigned i = 0; i < v->n_workers; i++)
		is_any_dead |= !v->workers[i].is_alive;
	return v->n_pods != 0 &&
	       (is_any_dead || v->tables_version == 0 || (*v->uplink.interface != '\0' && !v->uplink.is_up));
}

void
cni_status(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v == NULL) {
		admin_fail(reply, 500, NULL, "out of memory");
	} else if (!v->is_ready) {
		admin_fail(reply, 409, "`ringway status` tells more.", "%s", v->not_ready);
		json_object_set_new(reply->json, "cniCode",
			json_integer(is_impaired(v) ? CODE_IMPAIRED : CODE_UNAVAILABLE));
	}
	view_free(v);
}
