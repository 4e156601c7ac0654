/* Who the two ends of a case are. Pure; one thread. */
#ifndef RINGWAY_OFFLINE_ENDS_H
#define RINGWAY_OFFLINE_ENDS_H

#include "control/offline/cases.h"
#include "control/offline/census.h"

#define ENDS_ERROR_SIZE 256

enum end_kind {
	END_POD,     /* with addresses of its own */
	END_NODE,    /* a node, or a pod on its network */
	END_SERVICE, /* only to */
	END_ADDRESS, /* nobody's that is known */
};

struct end {
	enum end_kind kind;
	size_t pod;                           /* END_POD: its number */
	const struct service_object *service; /* END_SERVICE */
	const struct pod_object *object;      /* the pod, also one on its node's network; may be NULL */
	const char *node;                     /* END_NODE; "": which is not known */
	struct ip_addr addrs[N_FAMILIES];     /* none of a family that it lacks */
	enum family_index first;              /* the family to prefer */
};

/* A case with everything looked up. */
struct connection {
	struct end from, to;
	struct ip_addr src, dst; /* of the first family that both have; of a service its own address */
	uint16_t port;           /* 0: the protocol has none */
	uint8_t proto;           /* PROTO_ICMPV6 where it is so */
};

/* False with what is wrong: a name that is unknown, or means nothing here. */
bool ends_find(const struct census *all, const struct policy_case *c, struct connection *out,
	char error[static ENDS_ERROR_SIZE]);

#endif
