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

#define EPHEMERAL_FIRST 32768 /* Linux's default: from there on, ports are hardly servers' */

/* How the rules alone settle a packet; what else may become of it, policy_judge.c knows. */
enum plan {
	PLAN_OWN, /* if its own direction allows it, nothing follows from it */
	PLAN_OTHER, /* if the other direction does, it may be an answer to what the pod sent, and passes as that */
	PLAN_BOTH, /* if both do, its answers pass as well */
};

/* A packet on the short way: by the rules. What these do not settle goes through policy_judge.c. */
struct quick {
	struct pkt *pkt;
	const struct pod_policy *pod;
	const struct rule_table
		*rules; /* of the direction to ask first: PLAN_OTHER's is the other one; NULL: none */
	const struct identity_entry *slot; /* where the peer's identity begins to be looked for */
	const uint64_t *port_rules, *peer_rules;
	uint16_t identity;
	uint8_t plan;                /* enum plan */
	const struct second *second; /* NULL: none was begun */
};

/* The same packet's look-up in the other direction. */
struct second {
	const struct rule_table *rules;
	const uint64_t *port_rules, *peer_rules;
	const struct quick *quick; /* whose */
};

/* What one half has to judge of a burst. */
struct judging {
	struct quick *quick_end;
	struct second *seconds_end;
	struct quick quick[BURST_MAX];
	struct second seconds[BURST_MAX];
};

INLINE const struct ip_addr *
peer_of(const struct pkt *p, enum policy_direction own)
{
	return own == POLICY_EGRESS ? &p->new_dst : &p->src;
}

/* The server's port after translation, if the connection was opened in the direction in which the packet travels, and
 * if it was in the other. */
INLINE uint16_t
port_of_own(const struct pkt *p)
{
	return p->new_dport;
}

INLINE uint16_t
port_of_other(const struct pkt *p, enum policy_direction own)
{
	return own == POLICY_EGRESS || policy_is_source_real(p) ? p->sport : p->new_sport;
}

/* Whether the pod is not isolated in the direction. */
INLINE bool
is_open(const struct pod_policy *pod, enum policy_direction d)
{
	return pod->rules[d] == NULL && !pod->is_closed;
}

INLINE enum plan
plan_of(const struct pkt *p, const struct pod_policy *pod, enum policy_direction own)
{
	enum policy_kind kind = policy_kind_of(p);

	if (own == POLICY_INGRESS)
		return kind == POLICY_TCP && !policy_is_server(pod->state, p->new_dport) ? PLAN_OTHER
											 : PLAN_BOTH;
	if (kind == POLICY_TCP || (kind == POLICY_OPENING && !policy_is_server(pod->state, p->sport)))
		return PLAN_OWN;
	return PLAN_BOTH;
}

/* Whether the second look-up will be needed: a server that is isolated both ways may not send by its own rules. */
INLINE bool
is_second_likely(const struct pkt *p, enum plan plan)
{
	return plan == PLAN_BOTH || (plan == PLAN_OWN && p->sport < EPHEMERAL_FIRST);
}

INLINE const uint64_t *
begin_look(const struct rule_table *rules, const struct pkt *p, uint16_t port)
{
	const uint64_t *port_rules = rule_table_port_rules(rules, p->proto, port);

	__builtin_prefetch(port_rules);
	return port_rules;
}

INLINE void
begin_second(struct judging *j, struct quick *q, const struct rule_table *rules, enum policy_direction own)
{
	struct second *s = j->seconds_end++;

	s->rules = rules;
	s->quick = q;
	s->port_rules = begin_look(rules, q->pkt, port_of_other(q->pkt, own));
	q->second = s;
	__builtin_prefetch(q->pod->state); /* of a reply's entry the key */
}

INLINE void
begin(struct judging *j, const struct policy_table *t, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction own, bool is_traced)
{
	enum policy_direction other = policy_opposite(own);
	enum plan plan = plan_of(p, pod, own);
	struct quick *q = j->quick_end;

	if (plan != PLAN_BOTH && is_open(pod, own))
		return;
	if (is_traced)
		plan = PLAN_BOTH; /* explain shows each direction that is asked */
	if (plan == PLAN_OTHER && is_open(pod, other))
		return;
	q->pkt = p;
	q->pod = pod;
	q->plan = (uint8_t)plan;
	q->second = NULL;
	q->rules = pod->rules[plan == PLAN_OTHER ? other : own];
	q->slot = identity_first(t->identities, peer_of(p, own));
	__builtin_prefetch(q->slot);
	if (q->rules != NULL)
		q->port_rules =
			begin_look(q->rules, p, plan == PLAN_OTHER ? port_of_other(p, own) : port_of_own(p));
	if (pod->rules[other] != NULL && is_second_likely(p, plan))
		begin_second(j, q, pod->rules[other], own);
	j->quick_end++;
}

INLINE void
fetch(struct judging *j, const struct policy_table *t, enum policy_direction own)
{
	for (struct quick *q = j->quick; q < j->quick_end; q++) {
		q->identity = identity_from(t->identities, q->slot, peer_of(q->pkt, own));
		if (q->rules != NULL)
			__builtin_prefetch(rule_table_peer(q->rules, q->identity));
	}
	for (const struct second *s = j->seconds; s < j->seconds_end; s++)
		__builtin_prefetch(rule_table_peer(s->rules, s->quick->identity));
}

INLINE void
fetch_peers(struct judging *j)
{
	for (struct quick *q = j->quick; q < j->quick_end; q++) {
		if (q->rules == NULL)
			continue;
		q->peer_rules = rule_table_peer_rules(q->rules, q->identity);
		__builtin_prefetch(q->peer_rules);
	}
	for (struct second *s = j->seconds; s < j->seconds_end; s++) {
		s->peer_rules = rule_table_peer_rules(s->rules, s->quick->identity);
		__builtin_prefetch(s->peer_rules);
	}
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

/* What the other direction's rules say, if they were looked up. */
INLINE int
other_bit_of(const struct second *s)
{
	return s == NULL ? POLICY_NOT_LOOKED : rule_table_meet(s->rules, s->peer_rules, s->port_rules);
}

/* Of a packet that both directions have a say in. An opening may show a server. */
INLINE bool
is_settled(const struct burst *b, const struct quick *q, int bit, int other_bit, enum policy_direction own)
{
	return (bit >= 0 || is_open(q->pod, own)) &&
	       (other_bit >= 0 || is_open(q->pod, policy_opposite(own))) &&
	       policy_kind_of(q->pkt) != POLICY_OPENING && b->trace == NULL;
}

/* Returns whether there is more to do than the rules say, in the candidate then. */
INLINE bool
judge(const struct tables *t, struct worker *w, struct burst *b, const struct quick *q, struct candidate *c,
	enum policy_direction own)
{
	int bit = -1, other_bit;

	if (q->rules != NULL)
		bit = rule_table_meet(q->rules, q->peer_rules, q->port_rules);
	if (q->plan == PLAN_OTHER) {
		if (bit >= 0)
			return false;
		other_bit = bit;
	} else {
		if (bit >= 0)
			policy_hit(w->policy_hits, q->rules->ids[bit]);
		if (bit >= 0 && q->plan == PLAN_OWN)
			return false;
		other_bit = other_bit_of(q->second);
	}
	if (q->plan == PLAN_BOTH && is_settled(b, q, bit, other_bit, own))
		return false;
	read_flow(t, c, q->pkt, q->pod, own);
	c->flow.identity = q->identity;
	c->other_bit = other_bit;
	if (q->plan == PLAN_OTHER)
		bit = policy_find_hit(w, &c->flow, own);
	return policy_judge(b, c, bit);
}

INLINE void
judge_all(const struct tables *t, struct worker *w, struct burst *b, struct judging *j,
	enum policy_direction own)
{
	struct candidate c[BURST_MAX];
	unsigned n_left = 0;

	fetch(j, t->policies, own);
	fetch_peers(j);
	for (const struct quick *q = j->quick; q < j->quick_end; q++)
		n_left += judge(t, w, b, q, &c[n_left], own);
	policy_fetch_replies(c, n_left);
	for (unsigned i = 0; i < n_left; i++)
		policy_settle(w, b, &c[i]);
}

/* Errors are few: each by itself. */
static void
judge_error(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p,
	const struct pod_policy *pod, enum policy_direction own)
{
	struct candidate c;
	struct policy_flow *f = &c.flow;
	struct ip_addr addr;

	read_flow(t, &c, p, pod, own);
	f->is_error =
		own == POLICY_EGRESS ? policy_error_leaving(f, p, &addr) : policy_error_arriving(f, p, &addr);
	f->identity = identity_of(t->policies->identities, f->peer);
	c.other_bit = POLICY_NOT_LOOKED;
	if (!policy_judge(b, &c, policy_find_hit(w, f, own)))
		return;
	policy_fetch_replies(&c, 1);
	policy_settle(w, b, &c);
}

INLINE bool
is_to_itself(const struct pkt *p)
{
	return (p->flags & PKT_HAIRPIN) || p->in_port == p->out_port;
}

INLINE void
take(const struct tables *t, struct worker *w, struct burst *b, struct judging *j, struct pkt *p,
	const struct pod_policy *pod, enum policy_direction own)
{
	if (is_to_itself(p))
		return;
	if (__builtin_expect(p->flags & PKT_ICMP_ERROR, 0))
		judge_error(t, w, b, p, pod, own);
	else
		begin(j, t->policies, p, pod, own, b->trace != NULL);
}

void
policy_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct judging j;

	if (t->policies == NULL || !(b->seen & BURST_POD))
		return;
	j.quick_end = j.quick;
	j.seconds_end = j.seconds;
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct pod_policy *pod = policy_of_port(t->policies, p->in_port);

		if (pod != NULL && p->origin == ORIGIN_POD)
			take(t, w, b, &j, p, pod, POLICY_EGRESS);
	}
	judge_all(t, w, b, &j, POLICY_EGRESS);
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
	struct judging j;

	if (t->policies == NULL || !(b->seen & BURST_PORT))
		return;
	j.quick_end = j.quick;
	j.seconds_end = j.seconds;
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct pod_policy *pod = policy_of_port(t->policies, p->out_port);

		if (pod != NULL)
			take(t, w, b, &j, p, pod, POLICY_INGRESS);
		else if (p->vtep == FDB_NONE && p->origin == ORIGIN_POD)
			judge_answer(t, w, b, p);
	}
	judge_all(t, w, b, &j, POLICY_INGRESS);
}
