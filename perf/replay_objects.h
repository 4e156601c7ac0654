/* The objects of a made-up cluster as an API server writes them, with all that real ones carry and nobody here reads: managed
 * fields, heartbeats, images, containers. All is arithmetic: an object is its number. Pure; any thread. */
#ifndef RINGWAY_PERF_REPLAY_OBJECTS_H
#define RINGWAY_PERF_REPLAY_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_NODE "node-0"    /* this node */
#define REPLAY_NODE_PODS 250    /* at most, of each node */
#define REPLAY_SLICE 100        /* endpoints of a slice, as the controller has it by default */
#define REPLAY_OBJECT_MAX 65536 /* bytes of an object */

enum replay_kind {
	REPLAY_NODES,
	REPLAY_NAMESPACES,
	REPLAY_PODS,
	REPLAY_SERVICES,
	REPLAY_SLICES,
	REPLAY_POLICIES,
	N_REPLAY_KINDS,
};

struct replay_shape {
	uint32_t n_nodes, n_services, n_endpoints;
	uint32_t n_pods; /* with a policy for which all nodes' pods are watched; 0: none */
};

/* A text that grows; what does not fit is left out, which the sizes above preclude. */
struct replay_text {
	size_t n;
	char bytes[REPLAY_OBJECT_MAX];
};

/* 0, or -EINVAL when there are more endpoints or pods than nodes have addresses for. */
int replay_check(const struct replay_shape *shape);

/* How many objects there are of a kind. */
uint32_t replay_count(const struct replay_shape *shape, enum replay_kind kind);

/* "Node", "v1", "/api/v1/nodes"; static storage. */
const char *replay_kind_name(enum replay_kind kind);
const char *replay_kind_version(enum replay_kind kind);
const char *replay_kind_path(enum replay_kind kind);

/* Whether a pod is on this node. */
bool replay_is_local(const struct replay_shape *shape, uint32_t pod);

/* Writes the object behind what the text holds: in a list without its kind and version. toggle: another value gives another state
 * of something in it: of a node its heartbeats, of a slice whether its first endpoint is ready. */
void replay_object(struct replay_text *out, const struct replay_shape *shape, enum replay_kind kind,
	uint32_t number, uint64_t version, bool is_in_list, uint32_t toggle);

void replay_print(struct replay_text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
