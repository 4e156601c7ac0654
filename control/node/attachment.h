/* A pod's attachment as plain data: what state.h keeps, attach.h lives by and the publisher reads. */
#ifndef RINGWAY_NODE_ATTACHMENT_H
#define RINGWAY_NODE_ATTACHMENT_H

#include <net/if.h>
#include <stdint.h>

#include "control/model/host_port.h"
#include "dataplane/endpoint_table.h"

#define CONTAINER_ID_SIZE 129 /* bytes with the terminator, as the others */
#define POD_NAME_SIZE 254     /* RFC 1123 subdomain */
#define POD_NS_SIZE 64        /* RFC 1123 label */
#define POD_UID_SIZE 64
#define NETNS_SIZE 256

/* The node's ends of pods, with 40 bits in hexadecimal; as a pattern of fnmatch(3) for who has no records. */
#define ATTACHMENT_LINK_FORMAT "rw%010llx"
#define ATTACHMENT_LINK_PATTERN \
	"rw[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]"

/* Each step is written before (intent) and after (committed) the kernel was changed, so that a crash in
 * between leaves a record of what to undo. */
enum attachment_phase {
	ATTACHMENT_INTENT,    /* addresses are taken; links may exist */
	ATTACHMENT_COMMITTED, /* the runtime was told that the pod is attached */
};

struct attachment_record {
	char container_id[CONTAINER_ID_SIZE]; /* with ifname: the key */
	char ifname[IF_NAMESIZE];             /* in the pod */
	enum attachment_phase phase;
	char pod_ns[POD_NS_SIZE], pod[POD_NAME_SIZE]; /* "" when the runtime did not say */
	char pod_uid[POD_UID_SIZE];                   /* likewise */
	char netns[NETNS_SIZE];                       /* path; to look at, not to rely on */
	char link[IF_NAMESIZE];                       /* the node's end */
	struct ip_addr addrs[N_FAMILIES];             /* none where the node lacks the family */
	struct mac_addr mac, node_mac;                /* of the pod's end and the node's */
	uint16_t mtu;
	int64_t since_s; /* CLOCK_REALTIME of the intent */
	size_t n_host_ports;
	struct host_port host_ports[HOST_PORTS_MAX]; /* none of them in conflict with another attachment's */
};

#endif
