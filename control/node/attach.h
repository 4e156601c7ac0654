/* Pods, and the host's stack, as ports of the dataplane. A pod comes in two steps, because the shim makes the
 * links: the daemon decides and notes the intent (addresses, names), the shim acts, the daemon puts the
 * program, the socket and the tables in place and commits; only then does the runtime hear that the pod is
 * attached. A crash anywhere in between leaves a record from which the next start completes or undoes. After
 * a restart all committed attachments come back from the state file, without the runtime.
 *
 * Every call may be repeated: runtimes do. Control thread only, in the node's network namespace. */
#ifndef RINGWAY_NODE_ATTACH_H
#define RINGWAY_NODE_ATTACH_H

#include "control/model/store.h"
#include "control/node/attachment.h"
#include "control/node/collect.h"
#include "control/node/ipam.h"
#include "control/node/steps.h"
#include "xdp/loader.h"

#define ATTACH_TEXT_SIZE 256

struct arena;
struct attach;
struct engine;
struct host;
struct policy_state;
struct port;
struct roles;
struct state;

struct attach_config {
	struct state *state;
	struct ipam *ipam;
	struct engine *engine;
	struct xdp *xdp;
	struct arena *arena;
	const char *host_interface;
	size_t n_pod_cidrs, n_service_cidrs; /* of the whole cluster; copied */
	const struct ip_prefix *pod_cidrs, *service_cidrs;
	unsigned pods_max;
	enum xdp_choice xdp_choice; /* of pods and the host port */

	/* Puts attach_endpoints() as they are now in force, and returns once no worker uses older tables. 0,
	 * or -errno: -EAGAIN while there is nothing to publish. Then older tables may stay in force. */
	int (*publish)(void *arg);
	void *publish_arg;
};

/* A pod's attachment and its port. */
struct attached {
	struct attachment_record record;
	int ifindex;         /* of the node's end; 0: not there */
	struct port *port;   /* NULL: not committed, or broken (see trouble) */
	enum xdp_mode mode;  /* how the program is attached */
	struct roles *roles; /* in the arena, as is the next */
	struct policy_state *policy_state;
	bool is_named;                  /* the tables in force may name its memory, though it has no port */
	char trouble[ATTACH_TEXT_SIZE]; /* why a committed one has no port; "" */
	struct collect_note collect;
	uint64_t attempt;      /* the last ADD's number; 0: of before the start */
	struct steps steps;    /* of attaching it */
	struct attached *next; /* of those that are gone */
};

/* Why a request was refused, for the shim. */
struct attach_error {
	unsigned status;   /* of HTTP: 503 means "ask again" */
	unsigned cni_code; /* 0: the shim's choice */
	char text[ATTACH_TEXT_SIZE], hint[ATTACH_TEXT_SIZE];
};

struct attach_request {
	const char *container_id, *ifname;
	uint64_t
		attempt; /* commit and remove, of the shim that makes the links: that of its ADD; 0: whichever is the last */
	const char *netns, *pod_ns, *pod, *pod_uid; /* ADD only, as what follows */
	size_t n_host_ports;                        /* at most HOST_PORTS_MAX */
	const struct host_port *host_ports;
};

/* The parts that the config names are the caller's and stay. Reads the state file and re-attaches what is
 * committed there; pods that cannot be are kept with their trouble, those whose links are gone are forgotten.
 * 0 or -errno with a message in error. */
int attach_new(struct attach **out, const struct attach_config *config, char error[static ATTACH_TEXT_SIZE]);

/* Forgets everything in memory. Links, programs and the state file stay, and pods with them. NULL is fine. */
void attach_free(struct attach *a);

/* Takes over this node's pod CIDRs and the pods' MTU from its Node object and the underlay, and sets up the
 * host port; to be called before tables are built whenever one of them may have changed, cheap when not.
 * Until it has succeeded once, requests are answered "not ready". 0 or -errno with a message in error, and
 * what was in force stays. */
int attach_follow(struct attach *a, const struct node_object *node, uint16_t pod_mtu,
	char error[static ATTACH_TEXT_SIZE]);

/* Requests of the shim. 0, or -1 with *e. Commit and check answer -1 with 404 when there is no such
 * attachment; remove answers 0. *out is valid until the next request. When an ADD is repeated while the shim of the
 * former one is still at work, the former one is void: it cannot commit, nor remove what the later one makes. */
int attach_add(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e);
int attach_commit(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e);
int attach_check(struct attach *a, const struct attach_request *req, const struct attached **out,
	struct attach_error *e);
int attach_remove(struct attach *a, const struct attach_request *req, struct attach_error *e);

/* A container and interface, of a list. */
struct attach_key {
	const char *container_id, *ifname;
};

/* A runtime's list of what it has: removes of the others those that are gone (collect.h). Returns how many. */
size_t attach_gc(struct attach *a, const struct attach_key *valid, size_t n);

/* To be called every few seconds: undoes intents that nobody committed, forgets pods whose links or namespaces are gone, tries
 * again to attach the broken ones, and to have tables without those that left. */
void attach_tick(struct attach *a);

/* What the publisher makes the endpoint table of: pods with a port and the host. Fills at most max, returns
 * how many there are. The generation changes with them. */
size_t attach_endpoints(const struct attach *a, struct endpoint *out, size_t max);
uint64_t attach_generation(const struct attach *a);

/* Who those of them are that are pods, likewise; names as below. */
struct local_pod;
size_t attach_local_pods(const struct attach *a, struct local_pod *out, size_t max);

/* The host ports of pods with a port, likewise; they change with the same generation. The names in them live until the next
 * request or tick. */
struct pod_host_port;
size_t attach_host_ports(const struct attach *a, struct pod_host_port *out, size_t max);

/* This node's reserved addresses; none of a family without a range. */
void attach_host_addrs(const struct attach *a, struct ip_addr out[N_FAMILIES][HOST_ADDRS]);
void attach_inbound_addrs(const struct attach *a, struct ip_addr out[N_FAMILIES]);

/* Of the pod with this address, connections stand whose sockets are not in its network namespace; nothing when there is no such
 * pod. What it opens from now on is remembered (struct endpoint), for as long as it is attached, restarts included. */
void attach_note_opaque(struct attach *a, const struct ip_addr *addr);

/* Whether that was noted. */
bool attached_is_opaque(const struct attached *pod);

/* Calls fn for each attachment, in no particular order. */
void attach_each(const struct attach *a, void (*fn)(const struct attached *pod, void *arg), void *arg);

/* NULL when all is well, else why pods cannot be attached now ("this node's Node object
 * is not known yet"). */
const char *attach_not_ready(const struct attach *a);

/* The host's port, or NULL; routes of the node that collide with pod or service
 * networks are told by host_conflicts(). */
const struct host *attach_host(const struct attach *a);

/* What the pod's end needs: see cni/wiring.h. */
bool attach_is_single_frame(const struct attach *a);

#endif
