/* NetworkPolicy without connection tracking (DESIGN section 6). What leaves a local pod is judged in the send half, what
 * arrives at one in the receive half, each by the worker that owns the pod's port.
 *
 * A packet passes if the direction it travels in allows its peer. If not, it may belong to a flow of the other direction,
 * which then must be allowed now, so that a policy which is revoked ends what it allowed at once:
 *
 *   opening TCP       (no ACK, no RST) belongs to no other flow
 *   other TCP, in     belongs to a connection of the pod's own, unless the port is a server's: then only with a reply entry
 *   other TCP, out    only with a reply entry
 *   datagrams         only with a reply entry
 *   ICMP errors       are judged as the packet that would answer what they quote
 *
 * What is allowed writes a reply entry, if the other direction would not allow the answers by itself: connections that open,
 * what arrives for a server's port, datagrams. So a pod that is not isolated in one direction, or that may talk to a peer
 * either way, costs no entries.
 *
 * Always allowed: what a pod sends itself, what this node's own stack sends to a pod, and the answers to that.
 *
 * The tables are larger than the cache, so the burst goes through each step together. */
#include "dataplane/policy/policy_judge.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"

#define INLINE static inline __attribute__((always_inline))

/* A packet on the short way: by its own direction's rules. What these do not settle goes through policy_judge.c. */
struct quick {
	struct pkt *pkt;
	const struct pod_policy *pod;
	const struct rule_table *rules;    /* of its own direction; NULL: the pod is not isolated in it */
	const struct identity_entry *slot; /* where the peer's identity begins to be looked for */
	const uint64_t *port_rules, *peer_rules;
	uint16_t identity;
};

INLINE const struct ip_addr *
peer_of(const struct pkt *p, enum policy_direction own)
{
	return own == POLICY_EGRESS ? &p->new_dst : &p->src;
}

/* Whether nothing follows from it, once it is allowed: answers to these pass by the port's role. */
INLINE bool
has_no_answers(const struct pkt *p, const struct pod_policy *pod, enum policy_direction own)
{
	return policy_kind_of(p) == POLICY_TCP &&
	       (own == POLICY_EGRESS || !policy_is_server(pod->state, p->new_dport));
}

/* Whether neither its own direction nor the other has anything to say about a packet. */
INLINE bool
is_indifferent(const struct pkt *p, const struct pod_policy *pod, enum policy_direction own)
{
	if (pod->rules[own] != NULL || pod->is_closed || (p->flags & PKT_ICMP_ERROR))
		return false;
	return has_no_answers(p, pod, own) || (policy_kind_of(p) == POLICY_OPENING && own == POLICY_EGRESS &&
						      !policy_is_server(pod->state, p->sport));
}

INLINE void
begin(const struct policy_table *t, struct quick *q, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction own)
{
	const struct rule_table *rules = pod->rules[own];

	q->pkt = p;
	q->pod = pod;
	q->rules = rules;
	q->slot = identity_first(t->identities, peer_of(p, own));
	__builtin_prefetch(q->slot);
	if (rules == NULL)
		return;
	/* both ports are those of the pod's side and of the server's, after translation */
	q->port_rules = rule_table_port_rules(rules, p->proto, p->new_dport);
	__builtin_prefetch(q->port_rules);
}

INLINE void
fetch(const struct policy_table *t, struct quick *q, enum policy_direction own)
{
	const struct rule_table *rules = q->rules;

	q->identity = identity_from(t->identities, q->slot, peer_of(q->pkt, own));
	if (rules != NULL)
		__builtin_prefetch(rule_table_peer(rules, q->identity));
}

INLINE void
fetch_peer(struct quick *q)
{
	const struct rule_table *rules = q->rules;

	if (rules == NULL)
		return;
	q->peer_rules = rule_table_peer_rules(rules, q->identity);
	__builtin_prefetch(q->peer_rules);
}

/* Makes a candidate, all but its identity. */
static void
read_flow(const struct tables *t, struct candidate *c, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction own)
{
	const struct endpoint_table *e = t->endpoints;

	c->pkt = p;
	c->own = (uint8_t)own;
	c->flow.pod = pod;
	c->is_answer = false;
	if (own == POLICY_EGRESS) {
		policy_flow_leaving(&c->flow, p);
		c->flow.pod_port = p->in_port;
		c->flow.is_node = e->host != ENDPOINT_NONE && p->out_port == e->endpoints[e->host].port;
		c->is_answer = (p->flags & PKT_INBOUND) && endpoint_is_inbound_addr(e, &p->new_dst);
	} else {
		policy_flow_arriving(&c->flow, p);
		c->flow.pod_port = p->out_port;
		c->flow.is_node = p->origin == ORIGIN_HOST && !(p->flags & PKT_INBOUND);
	}
}

/* Returns whether there is more to do than the rules say, in the candidate then. */
INLINE bool
judge(const struct tables *t, struct worker *w, struct burst *b, const struct quick *q, struct candidate *c,
	enum policy_direction own)
{
	const struct rule_table *rules = q->rules;
	int bit = rules == NULL ? -1 : rule_table_meet(rules, q->peer_rules, q->port_rules);

	if (bit >= 0) {
		policy_hit(w->policy_hits, rules->ids[bit]);
		if (has_no_answers(q->pkt, q->pod, own) && b->trace == NULL)
			return false;
	}
	read_flow(t, c, q->pkt, q->pod, own);
	c->flow.identity = q->identity;
	return policy_judge(b, c, bit);
}

INLINE void
judge_all(const struct tables *t, struct worker *w, struct burst *b, struct quick *q, unsigned n,
	enum policy_direction own)
{
	struct candidate c[BURST_MAX];
	unsigned n_left = 0;

	for (unsigned i = 0; i < n; i++)
		fetch(t->policies, &q[i], own);
	for (unsigned i = 0; i < n; i++)
		fetch_peer(&q[i]);
	for (unsigned i = 0; i < n; i++)
		n_left += judge(t, w, b, &q[i], &c[n_left], own);
	for (unsigned i = 0; i < n_left; i++)
		policy_settle(w, b, &c[i]);
}

/* Errors are few: each by itself. */
static void
judge_error(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p,
	const struct pod_policy *pod, enum policy_direction own)
{
	const struct rule_table *rules = pod->rules[own];
	struct candidate c;
	struct policy_flow *f = &c.flow;
	struct ip_addr addr;
	int bit = -1;

	read_flow(t, &c, p, pod, own);
	f->is_error =
		own == POLICY_EGRESS ? policy_error_leaving(f, p, &addr) : policy_error_arriving(f, p, &addr);
	f->identity = identity_of(t->policies->identities, f->peer);
	if (rules != NULL)
		bit = rule_table_match(rules, f->identity, f->proto, policy_server_port(f, own));
	if (bit >= 0)
		policy_hit(w->policy_hits, rules->ids[bit]);
	if (policy_judge(b, &c, bit))
		policy_settle(w, b, &c);
}

INLINE bool
is_to_itself(const struct pkt *p)
{
	return (p->flags & PKT_HAIRPIN) || p->in_port == p->out_port;
}

/* Returns how many more there are to judge. */
INLINE unsigned
take(const struct tables *t, struct worker *w, struct burst *b, struct quick *q, struct pkt *p,
	const struct pod_policy *pod, enum policy_direction own)
{
	if (is_to_itself(p) || is_indifferent(p, pod, own))
		return 0;
	if (__builtin_expect(p->flags & PKT_ICMP_ERROR, 0)) {
		judge_error(t, w, b, p, pod, own);
		return 0;
	}
	begin(t->policies, q, p, pod, own);
	return 1;
}

void
policy_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct quick q[BURST_MAX];
	unsigned n = 0;

	if (t->policies == NULL || !(b->seen & BURST_POD))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct pod_policy *pod = policy_of_port(t->policies, p->in_port);

		if (pod != NULL && p->origin == ORIGIN_POD)
			n += take(t, w, b, &q[n], p, pod, POLICY_EGRESS);
	}
	judge_all(t, w, b, q, n, POLICY_EGRESS);
}

/* What a pod answers to a client outside that it knows by a reserved address: the send half has found it to be a reply, but
 * not to whom. Here the flow's owner has found the client, and need not be the owner of the pod's port: rules can be read
 * by anybody. */
static void
judge_answer(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	const struct pod_policy *pod = policy_of_port(t->policies, p->in_port);
	struct policy_flow f = { .pod = pod, .pod_port = p->in_port };

	if (pod == NULL || pod->rules[POLICY_EGRESS] == NULL || (p->flags & PKT_ICMP_ERROR) ||
		!endpoint_is_inbound_addr(t->endpoints, &p->dst))
		return;
	policy_flow_leaving(&f, p);
	f.identity = identity_of(t->policies->identities, f.peer);
	if (policy_allows(b, &f, POLICY_INGRESS, true))
		return;
	f.peer = &p->dst;
	f.identity = identity_of(t->policies->identities, f.peer);
	f.remote_port = p->dport;
	if (policy_allows(b, &f, POLICY_EGRESS, true))
		return;
	policy_deny(w, b, p, pod, POLICY_EGRESS);
}

void
policy_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct quick q[BURST_MAX];
	unsigned n = 0;

	if (t->policies == NULL || !(b->seen & BURST_PORT))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct pod_policy *pod = policy_of_port(t->policies, p->out_port);

		if (pod != NULL)
			n += take(t, w, b, &q[n], p, pod, POLICY_INGRESS);
		else if (p->vtep == FDB_NONE && p->origin == ORIGIN_POD)
			judge_answer(t, w, b, p);
	}
	judge_all(t, w, b, q, n, POLICY_INGRESS);
}
