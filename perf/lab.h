/* Network namespaces for the wire benchmark: a node's and one per pod, joined by veth pairs. They have no
 * name and hang on descriptors alone, and the file system is a private view with a /run of its own, so
 * that nothing is left behind however the process ends. Traffic never leaves them. One thread, which
 * lab_enter() moves. */
#ifndef RINGWAY_PERF_LAB_H
#define RINGWAY_PERF_LAB_H

#include "dataplane/net/headers.h"

#define LAB_PODS 2

struct lab {
	int home; /* namespace descriptors */
	int node;
	int pods[LAB_PODS];
	unsigned node_ifindex[LAB_PODS]; /* the node's end of each pod's pair: "pod0", "pod1" */
	unsigned pod_ifindex[LAB_PODS];  /* "eth0" in the pod */
};

/* Gives the process its private file-system view. Once, before anything else, in one thread. 0 or -errno. */
int lab_isolate(void);

/* Makes the namespaces and pairs; pod n's end gets macs[n]. The calling thread stays where it is. 0 or
 * -errno, with a message on standard error. */
int lab_new(struct lab *lab, unsigned mtu, const struct mac_addr macs[LAB_PODS]);
void lab_free(struct lab *lab);

/* Moves the calling thread into a namespace. 0 or -errno. */
int lab_enter(int ns);

#endif
