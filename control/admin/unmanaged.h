/* Pods of this node that another network attached: they run with an address, and not in the node's own network, but no runtime
 * asked us to attach them. Most ran before Ringway was installed. Control thread only. */
#ifndef RINGWAY_ADMIN_UNMANAGED_H
#define RINGWAY_ADMIN_UNMANAGED_H

#include <jansson.h>
#include <stddef.h>

struct attach;
struct daemon;
struct pod_object;
struct store;

#define UNMANAGED_PROBLEM "another network attached it: make it anew"

/* Calls fn for each, in no particular order; attach may be NULL: nothing is attached. */
void unmanaged_each(const struct store *store, const char *node_name, const struct attach *attach,
	void (*fn)(const struct pod_object *pod, void *arg), void *arg);

size_t unmanaged_count(const struct daemon *d);

/* For `ringway pods`: [{"namespace", "name", "addresses", "problem"}]. */
json_t *unmanaged_json(const struct daemon *d);

/* For status and doctor, as texts: one for all, or none. */
json_t *unmanaged_texts(const struct daemon *d);

#endif
