#include "dataplane/policy/policy_judge.h"

#include "dataplane/trace.h"
#include "dataplane/worker.h"

#define INLINE static inline __attribute__((always_inline))

#define DNS_PORT 53
#define DNS_TELL_NS UINT64_C(1000000000) /* how often control hears of one pod */

static const enum drop_reason reasons[N_POLICY_DIRECTIONS] = {
	[POLICY_INGRESS] = DROP_POLICY_INGRESS,
	[POLICY_EGRESS] = DROP_POLICY_EGRESS,
};

static const enum counter would_drop[N_DROP_REASONS] = {
	[DROP_POLICY_INGRESS] = COUNT_POLICY_WOULD_DROP_INGRESS,
	[DROP_POLICY_EGRESS] = COUNT_POLICY_WOULD_DROP_EGRESS,
	[DROP_POLICY_CLOSED] = COUNT_POLICY_WOULD_DROP_CLOSED,
};

static void
note_judgement(struct burst *b, const struct policy_flow *f, enum policy_direction d, bool is_reply, int bit)
{
	const struct rule_table *rules = f->pod->rules[d];
	struct trace_policy judged = {
		.peer = *f->peer,
		.pod_port = f->pod_port,
		.direction = (uint8_t)d,
		.proto = f->proto,
		.server_port = policy_server_port(f, d),
		.identity = f->identity,
		.is_reply = is_reply,
		.is_allowed = bit >= 0 || !policy_is_isolated(f, d) || (f->is_node && d == POLICY_INGRESS),
		.is_closed = f->pod->is_closed,
		.is_audit = f->pod->is_audit,
	};
	const char *direction = d == POLICY_INGRESS ? "ingress" : "egress";
	const char *reply = is_reply ? ", of which this may be a reply" : "";
	char peer[IP_ADDR_STRLEN];

	if (rules != NULL)
		judged.number = bit >= 0 ? rules->ids[bit] : rules->denied;
	trace_policy(b->trace, &judged);
	ip_addr_format(f->peer, peer);
	if (f->is_node && d == POLICY_INGRESS)
		TRACE(b, "policy", "ingress from this node itself%s: always allowed", reply);
	else if (f->pod->is_closed)
		TRACE(b, "policy",
			"%s%s: the pod is closed, since not all of its policies are known and compiled",
			direction, reply);
	else if (rules == NULL)
		TRACE(b, "policy", "%s%s: no policy isolates the pod in this direction", direction, reply);
	else if (bit >= 0)
		TRACE(b, "policy", "%s, peer %s, port %u%s: allowed by rule %u", direction, peer,
			judged.server_port, reply, judged.number);
	else
		TRACE(b, "policy", "%s, peer %s, port %u%s: no rule allows it", direction, peer,
			judged.server_port, reply);
}

int
policy_find_rule(const struct policy_flow *f, enum policy_direction d)
{
	const struct rule_table *rules = f->pod->rules[d];

	return rules == NULL ? -1 : rule_table_match(rules, f->identity, f->proto, policy_server_port(f, d));
}

int
policy_find_hit(struct worker *w, const struct policy_flow *f, enum policy_direction d)
{
	int bit = policy_find_rule(f, d);

	if (bit >= 0)
		policy_hit(w->policy_hits, f->pod->rules[d]->ids[bit]);
	return bit;
}

INLINE bool
allows(struct burst *b, const struct policy_flow *f, enum policy_direction d, int bit, bool is_reply)
{
	if (__builtin_expect(b->trace != NULL, 0) && is_reply)
		note_judgement(b, f, d, true, bit);
	if (f->is_node && d == POLICY_INGRESS)
		return true;
	return bit >= 0 || !policy_is_isolated(f, d);
}

bool
policy_allows(struct burst *b, const struct policy_flow *f, enum policy_direction d, bool is_reply)
{
	return allows(b, f, d, policy_find_rule(f, d), is_reply);
}

/* Whether the direction in which the packet does not travel allows the flow. */
INLINE bool
other_allows(struct burst *b, struct candidate *c, bool is_reply)
{
	enum policy_direction other = policy_opposite(c->own);

	if (c->other_bit == POLICY_NOT_LOOKED)
		c->other_bit = policy_find_rule(&c->flow, other);
	return allows(b, &c->flow, other, c->other_bit, is_reply);
}

/* Answers to these pass by the port's role. */
INLINE bool
has_no_answers(const struct policy_flow *f, enum policy_direction own)
{
	return f->kind == POLICY_TCP &&
	       (own == POLICY_EGRESS || !policy_is_server(f->pod->state, f->local_port));
}

/* Whether the answers need an entry to pass. */
INLINE bool
needs_entry(struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	const struct policy_state *s = f->pod->state;
	enum policy_direction own = c->own;

	if (f->is_error || has_no_answers(f, own) || !policy_is_isolated(f, policy_opposite(own)))
		return false;
	if (f->kind == POLICY_OPENING && own == POLICY_EGRESS && !policy_is_server(s, f->local_port))
		return false;
	return !other_allows(b, c, false);
}

static inline void
take_tag(struct candidate *c)
{
	const struct policy_flow *f = &c->flow;

	c->tag = reply_tag(f->pod->state, f->remote, f->remote_port, f->local_port, f->proto);
}

/* First all tags, which are work, then all lines, which are waits for the TLB. */
void
policy_fetch_replies(struct candidate *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (c[i].step != STEP_NONE)
			take_tag(&c[i]);
	for (unsigned i = 0; i < n; i++)
		if (c[i].step != STEP_NONE)
			reply_prefetch(c[i].flow.pod->state, c[i].tag);
}

/* Has the answers known, where they need that, of a packet that goes on. */
INLINE void
let_pass(struct burst *b, struct candidate *c)
{
	c->is_allowed = true;
	c->step = STEP_NONE;
	if (!(c->pkt->flags & PKT_DRY_RUN) && needs_entry(b, c))
		c->step = STEP_WRITE;
}

/* What follows from a packet that may go on. */
INLINE void
allow(struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;

	if (f->kind == POLICY_OPENING && c->own == POLICY_INGRESS && !(c->pkt->flags & PKT_DRY_RUN))
		policy_learn_server(f->pod->state, f->local_port);
	let_pass(b, c);
}

bool
policy_judge(struct burst *b, struct candidate *c, int bit)
{
	const struct policy_flow *f = &c->flow;

	c->step = STEP_NONE;
	c->is_allowed = false;
	if (__builtin_expect(b->trace != NULL, 0))
		note_judgement(b, f, c->own, false, bit);
	if (bit >= 0 || (f->is_node && c->own == POLICY_INGRESS) || !policy_is_isolated(f, c->own))
		allow(b, c);
	else if (f->kind == POLICY_TCP && c->own == POLICY_INGRESS &&
		 !policy_is_server(f->pod->state, f->local_port))
		c->is_allowed = other_allows(b, c, true);
	else if (f->kind != POLICY_OPENING)
		c->step = STEP_FIND;
	return !c->is_allowed || c->step != STEP_NONE;
}

/* Which direction denies: of what arrives for no server, the one in which the pod would have asked for it. */
static enum policy_direction
denier(const struct candidate *c)
{
	const struct policy_flow *f = &c->flow;

	if (c->own == POLICY_INGRESS && f->kind == POLICY_TCP &&
		!policy_is_server(f->pod->state, f->local_port))
		return POLICY_EGRESS;
	return c->own;
}

/* A server's part of a connection may have been quiet for longer than entries live. And a connection that the pod opened may
 * come from what counts as a server's port: somebody was once let in there, though nobody listened. Control can tell. */
static void
ask_about(struct worker *w, struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	struct event event = {
		.kind = c->own == POLICY_EGRESS ? EVENT_REPLY_UNKNOWN : EVENT_CONNECTION_UNKNOWN,
		.value = (uint32_t)f->local_port << 16 | f->remote_port,
		.addr = *f->remote,
		.port = f->pod_port,
	};
	enum policy_ask ask;

	if (f->kind != POLICY_TCP || f->is_error || (c->pkt->flags & PKT_DRY_RUN) ||
		!policy_is_server(f->pod->state, f->local_port))
		return;
	/* there is nothing to know about what may not be asked or answered; but whom this answers, only its owner knows */
	if (!c->is_answer && !other_allows(b, c, true))
		return;
	ask = policy_asks_take(&w->policy_asks, &f->pod->state->asks_spent_until_ns, c->tag, w->now_ns);
	if (ask == POLICY_ASK_NOW)
		events_put(w->events, &event);
	else if (ask == POLICY_ASK_TOO_MANY)
		count(&w->counters, COUNT_POLICY_ASKS_REFUSED);
}

bool
policy_deny(struct worker *w, struct burst *b, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction d)
{
	enum drop_reason reason = pod->is_closed ? DROP_POLICY_CLOSED : reasons[d];

	if (pod->rules[d] != NULL)
		policy_hit(w->policy_hits, pod->rules[d]->denied);
	if (!pod->is_audit) {
		pkt_drop(p, reason);
		return true;
	}
	TRACE(b, "policy", "would be dropped (policy.mode: audit) as %s, and goes on",
		drop_reason_label(reason));
	if (p->would_drop == DROP_NONE) {
		count(&w->counters, would_drop[reason]);
		p->would_drop = (uint8_t)reason;
	}
	return false;
}

/* That policies forgot DNS is what people think of last: control names the pod at once. */
static __attribute__((noinline, cold)) void
tell_of_dns(struct worker *w, const struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	struct policy_state *s = f->pod->state;
	struct event event = {
		.kind = EVENT_DNS_DENIED,
		.value = (uint32_t)f->proto << 16 | f->remote_port,
		.addr = *f->peer,
		.port = f->pod_port,
	};

	if ((f->remote_port != DNS_PORT && c->pkt->dport != DNS_PORT) || c->own != POLICY_EGRESS ||
		(f->proto != PROTO_UDP && f->kind != POLICY_OPENING) || f->is_error ||
		(c->pkt->flags & PKT_DRY_RUN))
		return;
	if (s->dns_told_ns != 0 && w->now_ns - s->dns_told_ns < DNS_TELL_NS)
		return;
	s->dns_told_ns = w->now_ns;
	events_put(w->events, &event);
}

INLINE void
write_entry(struct worker *w, const struct candidate *c)
{
	if (!reply_write(c->flow.pod->state, c->tag, w->now_ns))
		count(&w->counters, COUNT_REPLY_SET_FULL);
}

/* A connection that the pod opened from a server's port goes on for as long as packets arrive for it; an answer to a datagram,
 * on the other hand, keeps nothing alive. */
static void
find_entry(struct worker *w, struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;

	c->is_allowed = false;
	if (!reply_find(f->pod->state, c->tag, w->now_ns)) {
		TRACE(b, "policy", "nor is it known as a reply");
		ask_about(w, b, c);
		return;
	}
	/* who the client outside is, only its flow's owner knows, and judges by that; a closed pod has no rules to judge by */
	c->is_allowed = (c->is_answer && !f->pod->is_closed) || other_allows(b, c, true);
	if (c->is_allowed && f->kind == POLICY_TCP && c->own == POLICY_INGRESS && !f->is_error &&
		!(c->pkt->flags & PKT_DRY_RUN))
		write_entry(w, c);
}

void
policy_settle(struct worker *w, struct burst *b, struct candidate *c)
{
	if (c->step == STEP_FIND)
		find_entry(w, b, c);
	if (!c->is_allowed)
		tell_of_dns(w, c);
	/* no port is a server's by what is not allowed */
	if (!c->is_allowed && !policy_deny(w, b, c->pkt, c->flow.pod, denier(c))) {
		let_pass(b, c);
		take_tag(c); /* it may have had none, as it had no step */
	}
	if (c->step == STEP_WRITE)
		write_entry(w, c);
}

bool
policy_lets_send(const struct policy_table *t, struct pkt *p, const struct ip_addr *server, uint16_t port,
	struct policy_opinion *out)
{
	const struct pod_policy *pod =
		t == NULL || p->origin != ORIGIN_POD ? NULL : policy_of_port(t, p->in_port);
	struct candidate *c = &out->candidate;
	struct policy_flow *f = &c->flow;

	f->pod = pod;
	if (pod == NULL || !policy_is_isolated(f, POLICY_EGRESS) || ip_addr_eq(server, &p->src)) {
		f->pod = NULL;
		return true;
	}
	policy_flow_leaving(f, p);
	f->peer = f->remote = server;
	f->remote_port = port;
	f->pod_port = p->in_port;
	f->is_node = false;
	f->identity = identity_of(t->identities, server);
	c->pkt = p;
	c->own = POLICY_EGRESS;
	out->bit = policy_find_rule(f, POLICY_EGRESS);
	return out->bit >= 0 || pod->is_audit;
}

void
policy_note_sent(struct worker *w, struct burst *b, const struct policy_opinion *opinion)
{
	const struct candidate *c = &opinion->candidate;
	const struct pod_policy *pod = c->flow.pod;

	if (pod == NULL)
		return;
	if (opinion->bit >= 0) {
		policy_hit(w->policy_hits, pod->rules[POLICY_EGRESS]->ids[opinion->bit]);
		return;
	}
	tell_of_dns(w, c);
	policy_deny(w, b, c->pkt, pod, POLICY_EGRESS);
}
