/* What NetworkPolicies say, slowly: nothing is compiled, remembered or shared, and every rule is read as it was written. What
 * the tables say is compared with it. */
#ifndef RINGWAY_TESTS_POLICY_ORACLE_H
#define RINGWAY_TESTS_POLICY_ORACLE_H

#include "control/build/facts.h"
#include "control/model/network_policy.h"
#include "control/model/store.h"
#include "dataplane/policy/rule_table.h"

struct oracle_cluster {
	const struct store *store;
	size_t n_pods; /* of this node */
	const struct local_pod *pods;
	enum policy_mode mode; /* of the cluster */
};

struct oracle_verdict {
	bool is_closed, is_isolated, is_allowed;    /* what is closed or isolated only if nothing allows it */
	const struct network_policy_object *policy; /* that allows, by the first rule that does; NULL: none */
	size_t rule;
	bool is_audit; /* what is not allowed passes */
};

/* The pod that an address stands for to policies; NULL: none. */
const struct pod_object *oracle_pod(const struct oracle_cluster *c, const struct ip_addr *addr);

/* One direction alone: port is the server's. */
struct oracle_verdict oracle_judge(const struct oracle_cluster *c, const struct local_pod *pod,
	enum policy_direction direction, const struct ip_addr *remote, uint8_t proto, uint16_t port);

#endif
