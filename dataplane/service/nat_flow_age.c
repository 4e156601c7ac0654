#include "dataplane/service/nat_flow_layout.h"

#define SECOND_NS UINT64_C(1000000000)

/* Entries looked at by one nat_flows_expire_some(). */
#define EXPIRE_SLICE 16

/* A reset may be a stranger's, who guessed ports but no sequence number; then the other end, which was not closed by it,
 * goes on, or says where the connection stands (RFC 5961 section 3.2). */
static void
note_reset(struct nat_flow *x, uint8_t tcp_flags)
{
	const uint8_t both = NAT_FLOW_FIN_FORWARD | NAT_FLOW_FIN_REVERSE;

	if (tcp_flags & TCP_RST)
		x->flags |= NAT_FLOW_CLOSED;
	else if ((x->flags & both) != both)
		x->flags &= (uint8_t)~NAT_FLOW_CLOSED;
}

static void
note_debt(struct nat_flow *x, bool is_forward, uint64_t now_ns)
{
	if (!is_forward)
		x->seq = 0;
	else if (x->seq == 0)
		x->seq = (uint32_t)(now_ns / SECOND_NS) + 1;
}

/* What an entry says of the client's end. */
static void
note_client(struct nat_flow *x, uint8_t tcp_flags)
{
	if (tcp_flags & TCP_SYN)
		x->flags &= (uint8_t) ~(NAT_FLOW_STANDS | NAT_FLOW_SOCKET | NAT_FLOW_HEARD);
	else if (!(tcp_flags & TCP_RST))
		x->flags |= NAT_FLOW_STANDS;
}

bool
nat_flow_is_unanswered(const struct nat_flow *x, uint64_t now_ns)
{
	return x->seq != 0 && (uint32_t)(now_ns / SECOND_NS) + 1 - x->seq >= NAT_FLOW_ANSWER_NS / SECOND_NS;
}

void
nat_flow_seen(struct nat_flow *x, bool is_forward, uint8_t tcp_flags, uint64_t now_ns)
{
	const uint8_t both = NAT_FLOW_FIN_FORWARD | NAT_FLOW_FIN_REVERSE;

	x->last_seen_ns = now_ns;
	if (x->flags & NAT_FLOW_CONNECTED)
		note_debt(x, is_forward, now_ns);
	if (x->proto != PROTO_TCP)
		return;
	if (is_forward)
		note_client(x, tcp_flags);
	else
		x->flags |= NAT_FLOW_HEARD;
	/* on the ports of one that was closed, the backend has taken up another connection */
	if (!is_forward && (tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		x->flags &= (uint8_t) ~(both | NAT_FLOW_CLOSED);
	if ((tcp_flags & TCP_RST) || (!is_forward && (x->flags & NAT_FLOW_CLOSED)))
		note_reset(x, tcp_flags);
	if (tcp_flags & TCP_FIN)
		x->flags |= is_forward ? NAT_FLOW_FIN_FORWARD : NAT_FLOW_FIN_REVERSE;
	if ((x->flags & both) == both)
		x->flags |= NAT_FLOW_CLOSED;
}

static uint64_t
idle_limit(const struct nat_flows *e, const struct nat_flow *x)
{
	if (x->proto == PROTO_TCP) {
		if (x->flags & NAT_FLOW_CLOSED)
			return NAT_FLOW_CLOSED_IDLE_NS;
		return e->tcp_idle_ns != 0 ? e->tcp_idle_ns : UINT64_MAX;
	}
	if (x->flags & NAT_FLOW_CONNECTED)
		return UINT64_MAX;
	if (e->datagram_idle_ns != 0)
		return e->datagram_idle_ns;
	if (is_echo(x))
		return NAT_FLOW_ECHO_IDLE_NS;
	return x->proto == PROTO_UDP ? NAT_FLOW_UDP_IDLE_NS : NAT_FLOW_SCTP_IDLE_NS;
}

static bool
has_aged(const struct nat_flows *e, const struct nat_flow *x, uint64_t now_ns)
{
	return now_ns - x->last_seen_ns >= idle_limit(e, x);
}

void
nat_flows_expire_some(struct nat_flows *e, uint64_t now_ns)
{
	if (nat_flows_is_empty(e))
		return;
	for (unsigned i = 0; i < EXPIRE_SLICE; i++) {
		struct nat_flow *x = &entries(e)[e->cursor];

		if (x->proto != 0 && has_aged(e, x, now_ns))
			nat_flows_remove(e, x);
		e->cursor = (e->cursor + 1) & (e->capacity - 1);
	}
}
