/* One Kubernetes object, as JSON, to one object of the store. Only the fields that Ringway uses are looked at, and those
 * strictly. A kind that it does not use, and another API group's kind of the same name, is no error; but a NetworkPolicy of
 * another group or version is, since pods would silently be open without it. Pure; any thread. */
#ifndef RINGWAY_SOURCE_DECODE_H
#define RINGWAY_SOURCE_DECODE_H

#include "control/model/store.h"
#include "control/source/field.h"

struct network_policy_object;
struct selector;

/* file: for lines in errors; NULL: there are none. 0 with *out, which is NULL for what Ringway does not use (*ignored then
 * says what it is; static or in the value), or -EINVAL with the error. origin as in struct object, copied. */
int object_decode(const struct yaml_file *file, json_t *value, unsigned line, const char *origin,
	struct object **out, const char **ignored, struct decode_error *error);

/* The same for objects that no API server has seen: a service may lack its ClusterIP (it has no cluster_ips then) and its
 * node ports (0). */
int object_decode_draft(const struct yaml_file *file, json_t *value, unsigned line, const char *origin,
	struct object **out, const char **ignored, struct decode_error *error);

/* The kinds; each fills what follows struct object in zeroed memory, and object_free() takes it from any state. False:
 * an object without use here. */
bool node_decode(const struct field *root, struct node_object *node);
bool namespace_decode(const struct field *root, struct namespace_object *namespace);
bool pod_decode(const struct field *root, struct pod_object *pod);
bool service_decode(const struct field *root, struct service_object *service);
bool slice_decode(const struct field *root, struct slice_object *slice);
bool service_cidr_decode(const struct field *root, struct service_cidr_object *object);
bool policy_decode(const struct field *root, struct network_policy_object *policy);

/* Of a policy that has errors: whom it selects. Everybody, if that cannot be told. */
void policy_decode_pods(const struct field *root, struct selector *pods);

/* A part of service_decode(): what concerns the outside. Type and policies are known. */
void exposure_decode(const struct field *root, struct service_object *service);

/* A mapping of text to text. */
void labels_decode(const struct field *mapping, struct labels *out);

#endif
