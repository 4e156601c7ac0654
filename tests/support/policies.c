#include "tests/support/policies.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy_state.h"

#define RULES 16

static const struct {
	const char *prefix;
	enum policies_peer peer;
} peers[] = {
	{ "10.244.1.10/32", PEER_POD1 },
	{ "fd00:10:244:1::10/128", PEER_POD1 },
	{ "10.244.1.11/32", PEER_POD2 },
	{ "fd00:10:244:1::11/128", PEER_POD2 },
	{ "10.244.2.20/32", PEER_REMOTE },
	{ "fd00:10:244:2::20/128", PEER_REMOTE },
	{ "10.244.2.21/32", PEER_SIBLING },
	{ "fd00:10:244:2::21/128", PEER_SIBLING },
	{ "203.0.113.0/24", PEER_OUTSIDE },
	{ "2001:db8:9::/64", PEER_OUTSIDE },
	{ "2001:db8:ffff::/64", PEER_OUTSIDE },
	{ "10.244.1.1/32", PEER_NODE },
	{ "10.244.1.5/32", PEER_NODE },
	{ "192.0.2.1/32", PEER_NODE },
	{ "fd00:10:244:1::1/128", PEER_NODE },
	{ "fd00:10:244:1::5/128", PEER_NODE },
	{ "2001:db8::1/128", PEER_NODE },
};
#define N_PREFIXES (sizeof(peers) / sizeof(peers[0]))

static struct identity_table *
make_identities(void)
{
	struct identity_table *t = identity_table_new(N_PREFIXES);

	if (t == NULL)
		abort();
	for (unsigned i = 0; i < N_PREFIXES; i++) {
		struct ip_prefix p;

		if (!ip_prefix_parse(peers[i].prefix, &p))
			abort();
		identity_table_add(t, &p, (uint16_t)peers[i].peer);
	}
	return t;
}

static struct policy_table *
make_policies(void)
{
	struct policy_table *t = calloc(1, sizeof(*t) + FIXTURE_PORTS * sizeof(t->pods[0]));

	if (t == NULL)
		abort();
	t->identities = make_identities();
	memset(t->by_port, 0xff, sizeof(t->by_port));
	return t;
}

static struct policy_state *
make_state(void)
{
	const uint64_t key[2] = { 1, 2 };
	struct policy_state *s = aligned_alloc(CACHE_LINE, sizeof(*s));

	if (s == NULL)
		abort();
	memset(s, 0, sizeof(*s));
	policy_state_adopt(s, key);
	return s;
}

void
policies_add_state(struct fixture *f, enum fixture_port pod)
{
	struct endpoint *ep = &f->endpoints->endpoints[f->endpoints->by_port[pod]];

	if (ep->policy_state == NULL)
		ep->policy_state = make_state();
}

/* The policy of a pod, made when there is none yet. */
static struct pod_policy *
policy_of(struct fixture *f, enum fixture_port pod)
{
	const struct endpoint *ep = &f->endpoints->endpoints[f->endpoints->by_port[pod]];

	if (f->policies == NULL)
		f->tables.policies = f->policies = make_policies();
	if (f->policies->by_port[pod] == ENDPOINT_NONE) {
		policies_add_state(f, pod);
		f->policies->by_port[pod] = f->policies->n;
		f->policies->pods[f->policies->n++] =
			(struct pod_policy){ .state = ep->policy_state, .is_audit = f->is_policy_audit };
	}
	return &f->policies->pods[f->policies->by_port[pod]];
}

void
policies_isolate(struct fixture *f, enum fixture_port pod, enum policy_direction d, const struct allow *allow,
	unsigned n_rules)
{
	struct pod_policy *policy = policy_of(f, pod);
	struct rule_table *t;
	struct rule rules[RULES];
	struct rule_ports ports[RULES];
	uint64_t bits[RULES];

	for (unsigned i = 0; i < n_rules; i++) {
		bits[i] = UINT64_C(1) << allow[i].peer;
		ports[i] = (struct rule_ports){
			.proto = allow[i].proto,
			.first = allow[i].first,
			.last = allow[i].last != 0    ? allow[i].last
				: allow[i].first != 0 ? allow[i].first
						      : UINT16_MAX,
		};
		rules[i] = (struct rule){
			.peers = allow[i].peer == 0 ? NULL : &bits[i],
			.ports = &ports[i],
			.n_ports = allow[i].proto != 0,
			.id = 100 + i,
		};
	}
	if (n_rules > RULES || rule_table_new(&t, rules, n_rules, N_PEERS) < 0)
		abort();
	t->denied = 99;
	rule_table_free((struct rule_table *)policy->rules[d]);
	policy->rules[d] = t;
}

void
policies_deny(struct fixture *f, enum fixture_port pod, enum policy_direction d)
{
	policies_isolate(f, pod, d, NULL, 0);
}

void
policies_audit(struct fixture *f, enum fixture_port pod)
{
	policy_of(f, pod)->is_audit = true;
}

void
policies_enforce(struct fixture *f, enum fixture_port pod)
{
	policy_of(f, pod)->is_audit = false;
}

void
policies_close(struct fixture *f, enum fixture_port pod)
{
	struct pod_policy *policy = policy_of(f, pod);

	/* as the builder has it */
	for (unsigned d = 0; d < N_POLICY_DIRECTIONS; d++) {
		rule_table_free((struct rule_table *)policy->rules[d]);
		policy->rules[d] = NULL;
	}
	policy->is_closed = true;
}

struct policy_state *
policies_state(const struct fixture *f, enum fixture_port pod)
{
	return f->policies->pods[f->policies->by_port[pod]].state;
}

void
policies_free(struct fixture *f)
{
	for (unsigned i = 0; i < f->endpoints->n; i++)
		free(f->endpoints->endpoints[i].policy_state);
	if (f->policies == NULL)
		return;
	for (unsigned i = 0; i < f->policies->n; i++)
		for (unsigned d = 0; d < N_POLICY_DIRECTIONS; d++)
			rule_table_free((struct rule_table *)f->policies->pods[i].rules[d]);
	identity_table_free((struct identity_table *)f->policies->identities);
	free(f->policies);
}
