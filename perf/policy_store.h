/* A made-up cluster's policies, pods and namespaces as objects, for measuring how soon a change of them is in force. Control
 * thread. */
#ifndef RINGWAY_PERF_POLICY_STORE_H
#define RINGWAY_PERF_POLICY_STORE_H

#include "control/build/facts.h"
#include "control/model/store.h"

#define POLICY_APPS 5u /* kinds of pods in each namespace */

struct policy_shape {
	unsigned n_policies, n_pods, n_locals, n_namespaces;
};

/* Pods go round the namespaces and, in each, the apps; the first n_locals are this node's, so that with as many as there are
 * namespaces and apps each policy selects one of them. A policy selects the pods of an app; it lets in two other apps, pods of
 * namespaces with a label, and a network with an exception, and lets out to two. NULL if out of memory. */
struct store *policy_store_new(const struct policy_shape *shape);

/* One object, another than before with each 'version', for store_put(). */
struct object *policy_store_policy(const struct policy_shape *shape, unsigned i, unsigned version);
struct object *policy_store_pod_labels(const struct policy_shape *shape, unsigned i, unsigned version);
struct object *policy_store_pod_addr(const struct policy_shape *shape, unsigned i, unsigned version);
struct object *policy_store_namespace(const struct policy_shape *shape, unsigned i, unsigned version);

/* A pod of this node, as it is attached; its names are written into 'names'. */
struct local_pod policy_store_local(const struct policy_shape *shape, unsigned i, char names[static 2][24]);

#endif
