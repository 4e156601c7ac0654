#include "dataplane/service/translate_error.h"

#include "dataplane/net/flow_key.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp_quote.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/translate_forward.h"
#include "dataplane/service/translate_reply.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* The quoted packet, if the error is for its sender. */
static bool
read_quote(const struct pkt *p, struct icmp_quote *q)
{
	return icmp_quote_read(p, q) && ip_addr_eq(&q->src, &p->dst);
}

/* What would answer the quoted packet. */
static struct pkt
make_answer(const struct pkt *p, const struct icmp_quote *q)
{
	struct pkt a = *p;

	a.flags = PKT_DRY_RUN | (p->flags & PKT_DECAPPED);
	a.proto = q->proto;
	a.tcp_flags = q->proto == PROTO_TCP ? TCP_ACK : 0;
	a.src = a.new_src = q->dst;
	a.dst = a.new_dst = q->src;
	a.sport = a.new_sport = q->dport;
	a.dport = a.new_dport = q->sport;
	a.hash = flow_hash(&a.src, &a.dst, a.sport, a.dport, a.proto);
	return a;
}

static void
take_over(struct worker *w, struct burst *b, struct pkt *p, const struct pkt *answer)
{
	if (answer->verdict != VERDICT_CONTINUE) {
		pkt_drop(p, (enum drop_reason)answer->drop_reason);
		return;
	}
	if (!pkt_is_translated(answer))
		return;
	p->sport = answer->sport;
	p->dport = answer->dport;
	p->new_src = answer->new_src;
	p->new_dst = answer->new_dst;
	p->new_sport = answer->new_sport;
	p->new_dport = answer->new_dport;
	p->flags |= answer->flags & PKT_HAIRPIN;
	if (!ip_addr_eq(&p->src, &answer->src))
		p->flags |= PKT_KEEP_SOURCE;
	count(&w->counters, COUNT_ERRORS_TRANSLATED);
	TRACE(b, "translate", "an ICMP error, translated as the answer to the packet that it quotes");
}

void
translate_error_send(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	struct translate_forward c;
	struct icmp_quote q;
	struct pkt answer;

	if (!read_quote(p, &q) || !ip_addr_eq(&q.dst, &p->src))
		return;
	answer = make_answer(p, &q);
	if (!translate_is_transport(answer.proto))
		return;
	translate_forward_read(t, &answer, &c);
	translate_forward(t, w, b, &c, 1);
	take_over(w, b, p, &answer);
}

void
translate_error_receive(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	const struct endpoint *receiver = endpoint_of_port(t->endpoints, p->out_port);
	struct translate_reply c;
	struct icmp_quote q;
	struct pkt answer;

	if (pkt_is_translated(p) || !read_quote(p, &q))
		return;
	if (p->origin == ORIGIN_POD && !ip_addr_eq(&q.dst, &p->src))
		return;
	answer = make_answer(p, &q);
	if (receiver == NULL || !translate_may_be_reply(&answer) ||
		!translate_reply_read(t, receiver, !nat_flows_is_empty(w->exceptions), &answer, &c))
		return;
	translate_reply(t, w, b, &c, 1);
	take_over(w, b, p, &answer);
}
