#include "dataplane/service/translate_error.h"

#include "dataplane/net/flow_key.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp_quote.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* The quoted packet, if the error is for its sender. */
static bool
read_quote(const struct pkt *p, struct icmp_quote *q)
{
	return icmp_quote_read(p, q) && ip_addr_eq(&q->src, &p->dst);
}

/* Makes the burst's only packet the answer to the quoted one. */
static struct pkt *
make_answer(struct burst *answers, const struct burst *b, const struct pkt *p, const struct icmp_quote *q)
{
	struct pkt *a = &answers->pkts[0];

	answers->n = 1;
	answers->seen = b->seen;
	answers->trace = b->trace;
	*a = *p;
	a->flags = PKT_DRY_RUN | (p->flags & PKT_DECAPPED);
	a->proto = q->proto;
	a->tcp_flags = q->proto == PROTO_TCP ? TCP_ACK : 0;
	a->src = a->new_src = q->dst;
	a->dst = a->new_dst = q->src;
	a->sport = a->new_sport = q->dport;
	a->dport = a->new_dport = q->sport;
	a->hash = flow_hash(&a->src, &a->dst, a->sport, a->dport, a->proto);
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
	struct icmp_quote q;
	struct pkt *answer;

	if (!read_quote(p, &q) || !ip_addr_eq(&q.dst, &p->src))
		return;
	answer = make_answer(&w->answers, b, p, &q);
	translate_send_burst(t, w, &w->answers);
	take_over(w, b, p, answer);
}

void
translate_error_receive(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	struct icmp_quote q;
	struct pkt *answer;

	if (pkt_is_translated(p) || !read_quote(p, &q))
		return;
	if (p->origin == ORIGIN_POD && !ip_addr_eq(&q.dst, &p->src))
		return;
	answer = make_answer(&w->answers, b, p, &q);
	translate_receive_burst(t, w, &w->answers);
	take_over(w, b, p, answer);
}
