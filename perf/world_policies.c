#include "perf/world_policies.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy_state.h"

#define RULES_PER_IDENTITY 3
#define SERVER_PORT_LAST 32767 /* what arrives for others belongs to connections of the pod's own */

struct world_policies {
	struct policy_table *table;
	struct identity_table *identities;
	struct rule_table *rules[WORLD_WORKLOADS][N_POLICY_DIRECTIONS];
	struct policy_state *states; /* [n_pods] */
};

static uint16_t
identity_of_pod(uint32_t node, uint32_t pod, unsigned n_identities)
{
	return (uint16_t)(1 + (node * CLUSTER_PODS + pod) % (n_identities - 1));
}

static bool
make_identities(struct world_policies *p, const struct cluster *c, unsigned n_identities)
{
	p->identities = identity_table_new(c->n_nodes * CLUSTER_PODS);
	if (p->identities == NULL)
		return false;
	for (uint32_t node = 0; node < c->n_nodes; node++)
		for (uint32_t pod = 0; pod < CLUSTER_PODS; pod++)
			identity_table_add(p->identities,
				&(struct ip_prefix){ cluster_pod_addr(c, node, pod), 128 },
				identity_of_pod(node, pod, n_identities));
	return true;
}

/* Ranges that begin or end with each rule, so that all of them take part in the search for a port. */
static void
make_rules(const struct cluster *c, enum policy_direction d, unsigned n_rules, unsigned n_identities,
	struct rule *rules, struct rule_ports *ports, uint64_t *peers)
{
	bool has_low_ports = d == POLICY_INGRESS && !c->shape.local_backends;
	uint16_t last = has_low_ports ? SERVER_PORT_LAST : UINT16_MAX;
	unsigned n_words = (n_identities + 63) / 64;

	memset(peers, 0, (size_t)n_rules * n_words * sizeof(*peers));
	for (unsigned i = 0; i < n_rules; i++) {
		ports[i] = (struct rule_ports){ c->proto, 1, last };
		if (i % 2 == 0)
			ports[i].first = (uint16_t)(1 + i);
		else
			ports[i].last = (uint16_t)(last - i);
		rules[i] = (struct rule){ &peers[(size_t)i * n_words], &ports[i], 1, 1 + i };
	}
	for (unsigned identity = 1; identity < n_identities; identity++)
		for (unsigned n = 0; n < RULES_PER_IDENTITY; n++) {
			unsigned rule = (identity * (n + 1) + n) % n_rules;

			peers[(size_t)rule * n_words + identity / 64] |= UINT64_C(1) << identity % 64;
		}
}

static bool
make_rule_tables(struct world_policies *p, const struct cluster *c, unsigned n_rules, unsigned n_identities)
{
	struct rule *rules = malloc(n_rules * sizeof(*rules));
	struct rule_ports *ports = malloc(n_rules * sizeof(*ports));
	uint64_t *peers = malloc((size_t)n_rules * ((n_identities + 63) / 64) * sizeof(*peers));
	bool ok = rules != NULL && ports != NULL && peers != NULL;

	for (unsigned d = 0; ok && d < N_POLICY_DIRECTIONS; d++) {
		make_rules(c, d, n_rules, n_identities, rules, ports, peers);
		for (unsigned i = 0; ok && i < WORLD_WORKLOADS; i++)
			ok = rule_table_new(&p->rules[i][d], rules, n_rules, n_identities) == 0;
	}
	free(rules);
	free(ports);
	free(peers);
	return ok;
}

static bool
make_pods(
	struct world_policies *p, const struct cluster *c, struct endpoint *endpoints, const uint16_t *ports)
{
	uint32_t n_pods = c->shape.n_pods;

	p->states = aligned_alloc(CACHE_LINE, n_pods * sizeof(*p->states));
	p->table = malloc(sizeof(*p->table) + n_pods * sizeof(p->table->pods[0]));
	if (p->states == NULL || p->table == NULL)
		return false;
	memset(p->states, 0, n_pods * sizeof(*p->states));
	p->table->identities = p->identities;
	p->table->n = (uint16_t)n_pods;
	memset(p->table->by_port, 0xff, sizeof(p->table->by_port));
	for (uint32_t pod = 0; pod < n_pods; pod++) {
		const uint64_t key[2] = { pod, ~(uint64_t)pod };

		policy_state_adopt(&p->states[pod], key);
		policy_declare_server(&p->states[pod], L3_PORT);
		endpoints[pod].policy_state = &p->states[pod];
		p->table->by_port[ports[pod]] = (uint16_t)pod;
		p->table->pods[pod] = (struct pod_policy){ .state = &p->states[pod] };
		for (unsigned d = 0; d < N_POLICY_DIRECTIONS; d++)
			p->table->pods[pod].rules[d] = p->rules[pod % WORLD_WORKLOADS][d];
	}
	return true;
}

struct world_policies *
world_policies_new(const struct cluster *c, unsigned n_rules, unsigned n_identities,
	struct endpoint *endpoints, const uint16_t *ports)
{
	struct world_policies *p = calloc(1, sizeof(*p));

	if (p != NULL && make_identities(p, c, n_identities) &&
		make_rule_tables(p, c, n_rules, n_identities) && make_pods(p, c, endpoints, ports))
		return p;
	world_policies_free(p);
	return NULL;
}

void
world_policies_free(struct world_policies *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < WORLD_WORKLOADS; i++)
		for (unsigned d = 0; d < N_POLICY_DIRECTIONS; d++)
			rule_table_free(p->rules[i][d]);
	identity_table_free(p->identities);
	free(p->table);
	free(p->states);
	free(p);
}

const struct policy_table *
world_policies_table(const struct world_policies *p)
{
	return p->table;
}
