/* Verified pod records (Kubernetes DNS specification 1.1 section 2.6): ADDRESS.NS.pod.ZONE exists for addresses that a pod of
 * the namespace has. Pods of one node's network share theirs, so a name counts who wants it. What changed is noted, put into a
 * coming version of the zone, and then settled or noted again. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_PODS_H
#define RINGWAY_BUILD_DNS_PODS_H

#include "control/build/dns_node.h"
#include "control/model/store.h"

struct dns_pod;

struct dns_pods {
	void *by_name; /* tsearch: struct dns_pod */
	size_t n_dirty, dirty_room;
	size_t n_built; /* of the dirty ones, in the coming version */
	struct dns_pod **dirty;
};

void dns_pods_fini(struct dns_pods *p);

/* False if out of memory. */
bool dns_pods_touch(struct dns_pods *p, const char *ns, const char *name);
bool dns_pods_touch_namespace(struct dns_pods *p, const char *ns); /* NULL: all of them */

/* A version begins, without any of them; then they come into it, so many with a call. 0; -EAGAIN: there are more; -ENOMEM. */
void dns_pods_begin(struct dns_pods *p);
int dns_pods_build(struct dns_pods *p, const struct store *store, struct dns_making *m, unsigned n);

/* That version is in force. Pods that are gone are forgotten. */
void dns_pods_settle(struct dns_pods *p, const struct store *store);

/* Whether the namespace's names exist: that of its services does. */
bool dns_namespace_is_known(const struct dns_zone *z, const char *ns);

/* NS.svc.ZONE, or another label in place of svc. False: too long. */
bool dns_namespace_name(const struct dns_zone *z, const char *ns, const char *label, struct dns_wire *out);

#endif
