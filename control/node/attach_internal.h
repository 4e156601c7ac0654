/* What attach.c (start, following the node), attach_request.c (the shim's requests) and attach_pods.c (the pods there are)
 * share; nobody else includes it. */
#ifndef RINGWAY_NODE_ATTACH_INTERNAL_H
#define RINGWAY_NODE_ATTACH_INTERNAL_H

#include "control/node/attach.h"
#include "control/node/host.h"
#include "control/node/netdev.h"

/* Statuses of HTTP, in one place: this file knows nothing else of it. */
enum {
	STATUS_BAD_REQUEST = 400,
	STATUS_NOT_FOUND = 404,
	STATUS_CONFLICT = 409,
	STATUS_FAILED = 500,
	STATUS_NOT_READY = 503,
};

/* Codes of the CNI specification, and ours (cni/netconf.h). */
enum {
	CODE_UNKNOWN_CONTAINER = 3,
	CODE_BAD_CONFIG = 7,
	CODE_TRY_AGAIN = 11,
	CODE_NO_ADDRESS = 101,
	CODE_CHECK_MISMATCH = 102,
	CODE_PORT_TAKEN = 103,
};

#define ATTACH_CIDRS_MAX 16 /* of a kind, for the whole cluster */
#define POD_TEXT_SIZE (POD_NS_SIZE + POD_NAME_SIZE + 1)

struct attach {
	struct attach_config config;
	struct host_config host_config;
	struct host host;
	struct netdev *netdev;
	struct ip_prefix pod_cidrs[ATTACH_CIDRS_MAX], service_cidrs[ATTACH_CIDRS_MAX];
	uint16_t pod_mtu;
	bool is_host_set_up; /* for the ranges as they are */
	uint64_t generation;
	uint64_t
		attempt; /* the last number given; above those of former processes, whose shims may still be at work */
	size_t n_pods, capacity;
	struct attached **pods;
	struct attached *gone;     /* pods whose memory waits until no tables in force can name it */
	bool is_short[N_FAMILIES]; /* and it was told */
	char not_ready[ATTACH_TEXT_SIZE];
};

/* The pod of a container and interface, or NULL. */
struct attached *attach_find(const struct attach *a, const char *container_id, const char *ifname);

/* A pod with this record at the end of the list, or NULL when out of memory; and its end. */
struct attached *attach_append(struct attach *a, const struct attachment_record *record);
void attach_drop(struct attach *a, struct attached *pod);

/* "shop/web-1", or the container's id. */
const char *attach_pod_text(const struct attached *pod, char buf[static POD_TEXT_SIZE]);

/* Has collect.h begin with the pod's namespace, if its path means that to us, too. */
void attach_note_netns(struct attach *a, struct attached *pod);

/* The endpoints changed: has the new ones put in force. 0 or -errno. */
int attach_publish(struct attach *a);

/* Takes a pod's port out of the tables, and then closes it, so that no worker sends to a port that closes. When there cannot be
 * tables without it, it is closed all the same, and is_named. */
void attach_withdraw(struct attach *a, struct attached *pod);

/* Takes a withdrawn pod away: link, program, record, the pod itself, and its memory, with the next tables if it is_named. 0, or
 * -1 with *e. */
int attach_destroy(struct attach *a, struct attached *pod, struct attach_error *e);

/* Fills in why a request is refused; hint may be "". Returns -1. */
int attach_refuse(struct attach_error *e, unsigned status, unsigned cni_code, const char *hint,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
int attach_state_trouble(const struct attach *a, struct attach_error *e);

/* One address of each family that the node has, all or none: 0, or -1 with *e; and back again, to cool down. */
int attach_take_addrs(struct attach *a, struct attachment_record *record, struct attach_error *e);
void attach_release_addrs(struct attach *a, const struct attachment_record *record);

/* Writes a pod's record down, with its addresses as taken; or out, with its addresses as released. 0 or -errno. */
int attach_save(struct attach *a, const struct attachment_record *record);
int attach_forget(struct attach *a, const struct attachment_record *record);

/* CLOCK_REALTIME, since it is compared with what the state file has. */
int64_t attach_now_s(void);

#endif
