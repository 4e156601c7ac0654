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
 * Always allowed: what a pod sends itself, what this node's own stack sends to a pod, and the answers to that. */
#include "dataplane/policy/policy_flow.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

enum reply_step {
	STEP_NONE,
	STEP_WRITE,
	STEP_FIND,
};

struct candidate {
	struct pkt *pkt;
	struct policy_flow flow;
	const uint64_t *peer_rules, *port_rules; /* of the own direction; NULL: not isolated in it */
	uint64_t tag;
	uint8_t own;  /* enum policy_direction: in which it travels */
	uint8_t step; /* enum reply_step */
	bool is_allowed;
	bool is_answer; /* to a client outside, by a reserved address: judge_answer() */
};

static const enum drop_reason reasons[N_POLICY_DIRECTIONS] = {
	[POLICY_INGRESS] = DROP_POLICY_INGRESS,
	[POLICY_EGRESS] = DROP_POLICY_EGRESS,
};

static inline enum policy_direction
opposite(enum policy_direction d)
{
	return d == POLICY_INGRESS ? POLICY_EGRESS : POLICY_INGRESS;
}

static inline uint16_t
server_port(const struct policy_flow *f, enum policy_direction d)
{
	return d == POLICY_INGRESS ? f->local_port : f->remote_port;
}

static inline bool
is_isolated(const struct policy_flow *f, enum policy_direction d)
{
	return f->pod->rules[d] != NULL || f->pod->is_closed;
}

static void
note_judgement(struct burst *b, const struct policy_flow *f, enum policy_direction d, bool is_reply, int bit)
{
	const struct rule_table *rules = f->pod->rules[d];
	struct trace_policy judged = {
		.peer = *f->peer,
		.pod_port = f->pod_port,
		.direction = (uint8_t)d,
		.proto = f->proto,
		.server_port = server_port(f, d),
		.identity = f->identity,
		.is_reply = is_reply,
		.is_allowed = bit >= 0 || !is_isolated(f, d) || (f->is_node && d == POLICY_INGRESS),
		.is_closed = f->pod->is_closed,
		.is_audit = rules != NULL && (rules->flags & RULES_AUDIT),
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
		TRACE(b, "policy", "%s%s: the pod is closed, since its policies could not be compiled",
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

/* Whether the direction, which need not be the one in which the packet travels, allows the flow. */
static bool
allows(struct burst *b, const struct policy_flow *f, enum policy_direction d, bool is_reply)
{
	const struct rule_table *rules = f->pod->rules[d];
	int bit = -1;

	if (rules != NULL)
		bit = rule_table_match(rules, f->identity, f->proto, server_port(f, d));
	if (__builtin_expect(b->trace != NULL, 0) && is_reply)
		note_judgement(b, f, d, true, bit);
	if (f->is_node && d == POLICY_INGRESS)
		return true;
	return bit >= 0 || !is_isolated(f, d);
}

/* Whether neither its own direction nor the other has anything to say about a packet. */
static inline bool
is_indifferent(const struct policy_flow *f, enum policy_direction own)
{
	if (is_isolated(f, own) || f->is_error)
		return false;
	if (f->kind == POLICY_DATAGRAM || (f->kind == POLICY_OPENING && own == POLICY_INGRESS))
		return false;
	if (f->kind == POLICY_TCP && own == POLICY_EGRESS)
		return true;
	return !policy_is_server(f->pod->state, f->local_port);
}

/* Whether the answers need an entry to pass. */
static bool
needs_entry(struct burst *b, const struct policy_flow *f, enum policy_direction own)
{
	const struct policy_state *s = f->pod->state;

	if (f->is_error || !is_isolated(f, opposite(own)))
		return false;
	if (f->kind == POLICY_TCP && (own == POLICY_EGRESS || !policy_is_server(s, f->local_port)))
		return false;
	if (f->kind == POLICY_OPENING && own == POLICY_EGRESS && !policy_is_server(s, f->local_port))
		return false;
	return !allows(b, f, opposite(own), false);
}

static void
take_tag(struct candidate *c, enum reply_step step)
{
	const struct policy_flow *f = &c->flow;

	c->tag = reply_tag(f->pod->state, f->remote, f->remote_port, f->local_port, f->proto);
	c->step = (uint8_t)step;
	reply_prefetch(f->pod->state, c->tag);
}

/* What follows from a packet that may go on. */
static void
let_pass(struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;

	c->is_allowed = true;
	if (c->pkt->flags & PKT_DRY_RUN)
		return;
	if (f->kind == POLICY_OPENING && c->own == POLICY_INGRESS)
		policy_learn_server(f->pod->state, f->local_port);
	if (needs_entry(b, f, c->own))
		take_tag(c, STEP_WRITE);
}

static void
count_number(struct worker *w, uint32_t number)
{
	if (w->policy_hits != NULL)
		counter_add(&w->policy_hits->counts[(uint16_t)number], 1);
}

/* First by the direction in which the packet travels; then what the reply set is to be asked, if anything. */
static void
judge(struct worker *w, struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	const struct rule_table *rules = f->pod->rules[c->own];
	int bit = c->peer_rules == NULL ? -1 : rule_table_meet(rules, c->peer_rules, c->port_rules);

	if (__builtin_expect(b->trace != NULL, 0))
		note_judgement(b, f, c->own, false, bit);
	if (bit >= 0)
		count_number(w, rules->ids[bit]);
	if (bit >= 0 || (f->is_node && c->own == POLICY_INGRESS) || !is_isolated(f, c->own))
		let_pass(b, c);
	else if (f->kind == POLICY_OPENING)
		return;
	else if (f->kind == POLICY_TCP && c->own == POLICY_INGRESS &&
		 !policy_is_server(f->pod->state, f->local_port))
		c->is_allowed = allows(b, f, POLICY_EGRESS, true);
	else
		take_tag(c, STEP_FIND);
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

/* A server's part of a connection may have been quiet for longer than entries live: control can tell. */
static void
ask_about(struct worker *w, const struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	struct event event = {
		.kind = EVENT_REPLY_UNKNOWN,
		.value = (uint32_t)f->local_port << 16 | f->remote_port,
		.addr = *f->remote,
		.port = f->pod_port,
	};

	if (c->own != POLICY_EGRESS || f->kind != POLICY_TCP || f->is_error || (c->pkt->flags & PKT_DRY_RUN))
		return;
	if (!policy_is_server(f->pod->state, f->local_port) ||
		!policy_asks_take(&w->policy_asks, c->tag, w->now_ns))
		return;
	events_put(w->events, &event);
}

static void
deny(struct worker *w, struct burst *b, struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	enum policy_direction d = denier(c);
	const struct rule_table *rules = f->pod->rules[d];

	ask_about(w, c);
	if (rules != NULL)
		count_number(w, rules->denied);
	if (f->pod->is_closed) {
		pkt_drop(c->pkt, DROP_POLICY_CLOSED);
	} else if (rules != NULL && (rules->flags & RULES_AUDIT)) {
		count(&w->counters, COUNT_POLICY_WOULD_DROP);
		TRACE(b, "policy", "audit: it would be dropped, and passes");
		c->step = STEP_NONE;
		let_pass(b, c);
	} else {
		pkt_drop(c->pkt, reasons[d]);
	}
}

static void
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

	if (!reply_find(f->pod->state, c->tag, w->now_ns)) {
		TRACE(b, "policy", "nor is it known as a reply");
		return;
	}
	/* who the client outside is, only its flow's owner knows: judge_answer() */
	c->is_allowed = c->is_answer || allows(b, f, opposite(c->own), true);
	if (c->is_allowed && f->kind == POLICY_TCP && c->own == POLICY_INGRESS && !f->is_error &&
		!(c->pkt->flags & PKT_DRY_RUN))
		write_entry(w, c);
}

static void
settle(struct worker *w, struct burst *b, struct candidate *c)
{
	if (c->step == STEP_FIND)
		find_entry(w, b, c);
	if (!c->is_allowed)
		deny(w, b, c);
	if (c->step == STEP_WRITE)
		write_entry(w, c);
}

static void
fetch_rules(struct candidate *c)
{
	const struct policy_flow *f = &c->flow;
	const struct rule_table *rules = f->pod->rules[c->own];

	if (rules == NULL || (f->is_node && c->own == POLICY_INGRESS)) {
		c->peer_rules = NULL;
		return;
	}
	c->peer_rules = rule_table_peer_rules(rules, f->identity);
	c->port_rules = rule_table_port_rules(rules, f->proto, server_port(f, c->own));
	__builtin_prefetch(c->peer_rules);
	__builtin_prefetch(c->port_rules);
}

/* The tables are larger than the cache, so the burst goes through each step together. */
static void
judge_all(const struct policy_table *t, struct worker *w, struct burst *b, struct candidate *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct rule_table *rules = c[i].flow.pod->rules[c[i].own];

		c[i].flow.identity = identity_of(t->identities, c[i].flow.peer);
		if (rules != NULL)
			rule_table_prefetch_peer(rules, c[i].flow.identity);
	}
	for (unsigned i = 0; i < n; i++)
		fetch_rules(&c[i]);
	for (unsigned i = 0; i < n; i++)
		judge(w, b, &c[i]);
	for (unsigned i = 0; i < n; i++)
		settle(w, b, &c[i]);
}

/* Errors are few: each by itself. */
static void
judge_error(const struct policy_table *t, struct worker *w, struct burst *b, struct candidate *c)
{
	struct ip_addr addr;

	c->flow.is_error = c->own == POLICY_EGRESS ? policy_error_leaving(&c->flow, c->pkt, &addr)
						   : policy_error_arriving(&c->flow, c->pkt, &addr);
	judge_all(t, w, b, c, 1);
}

/* Begins the next candidate; false if there is nothing to judge. */
static inline bool
begin(const struct tables *t, struct candidate *c, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction own, uint16_t host_port)
{
	if (pod == NULL || (p->flags & PKT_HAIRPIN) || p->in_port == p->out_port)
		return false;
	c->pkt = p;
	c->own = (uint8_t)own;
	c->step = STEP_NONE;
	c->is_allowed = c->is_answer = false;
	c->flow.pod = pod;
	c->flow.pod_port = own == POLICY_EGRESS ? p->in_port : p->out_port;
	if (own == POLICY_EGRESS) {
		policy_flow_leaving(&c->flow, p);
		c->flow.is_node = p->out_port == host_port;
		c->is_answer =
			(p->flags & PKT_INBOUND) && endpoint_is_inbound_addr(t->endpoints, &p->new_dst);
	} else {
		policy_flow_arriving(&c->flow, p);
		c->flow.is_node = p->origin == ORIGIN_HOST && !(p->flags & PKT_INBOUND);
	}
	return true;
}

/* The port of this node's own stack. */
static uint16_t
host_port_of(const struct endpoint_table *t)
{
	return t->host == ENDPOINT_NONE ? PORTS_MAX : t->endpoints[t->host].port;
}

void
policy_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	const struct policy_table *policies = t->policies;
	struct candidate c[BURST_MAX];
	uint16_t host_port;
	unsigned n = 0;

	if (policies == NULL || !(b->seen & BURST_POD))
		return;
	host_port = host_port_of(t->endpoints);
	BURST_FOREACH_UNDECIDED (b, p) {
		if (p->origin != ORIGIN_POD ||
			!begin(t, &c[n], p, policy_of_port(policies, p->in_port), POLICY_EGRESS, host_port))
			continue;
		if (p->flags & PKT_ICMP_ERROR) {
			judge_error(policies, w, b, &c[n]);
		} else if (!is_indifferent(&c[n].flow, POLICY_EGRESS)) {
			identity_prefetch(policies->identities, c[n].flow.peer);
			n++;
		}
	}
	judge_all(policies, w, b, c, n);
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
	if (allows(b, &f, POLICY_INGRESS, true))
		return;
	f.peer = &p->dst;
	f.identity = identity_of(t->policies->identities, f.peer);
	f.remote_port = p->dport;
	if (allows(b, &f, POLICY_EGRESS, true))
		return;
	if (pod->rules[POLICY_EGRESS]->flags & RULES_AUDIT)
		count(&w->counters, COUNT_POLICY_WOULD_DROP);
	else
		pkt_drop(p, DROP_POLICY_EGRESS);
}

void
policy_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	const struct policy_table *policies = t->policies;
	struct candidate c[BURST_MAX];
	unsigned n = 0;

	if (policies == NULL || !(b->seen & BURST_PORT))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!begin(t, &c[n], p, policy_of_port(policies, p->out_port), POLICY_INGRESS, PORTS_MAX)) {
			if (p->vtep == FDB_NONE && p->origin == ORIGIN_POD)
				judge_answer(t, w, b, p);
			continue;
		}
		if (p->flags & PKT_ICMP_ERROR) {
			judge_error(policies, w, b, &c[n]);
		} else if (!is_indifferent(&c[n].flow, POLICY_INGRESS)) {
			identity_prefetch(policies->identities, c[n].flow.peer);
			n++;
		}
	}
	judge_all(policies, w, b, c, n);
}
