#include "dataplane/service/inbound_proof.h"

#include "dataplane/net/headers.h"
#include "dataplane/service/translate.h"

/* What a client may have sent that its backend did not acknowledge yet, bytes. A stranger's guess is right one time in
 * 4,096. */
#define AHEAD_MAX (UINT32_C(1) << 20)

/* RFC 9260 section 3.2; the latter two begin their packets (3.3.11, 3.3.12) */
enum {
	SCTP_INIT = 1,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11,
};

static const struct tcp_hdr *
tcp_of(const struct pkt *p)
{
	return (const struct tcp_hdr *)(p->data + p->l4_off);
}

/* A later fragment has the first one's flags, but no header. */
static bool
has_tcp_flags(const struct pkt *p, uint8_t mask, uint8_t flags)
{
	return p->proto == PROTO_TCP && !(p->flags & PKT_LATER_FRAGMENT) && (p->tcp_flags & mask) == flags;
}

static const struct sctp_hdr *
sctp_of(const struct pkt *p)
{
	return (const struct sctp_hdr *)(p->data + p->l4_off);
}

static bool
begins_with_chunk(const struct pkt *p, uint8_t type)
{
	return p->proto == PROTO_SCTP && p->l4_len > sizeof(struct sctp_hdr) &&
	       p->data[p->l4_off + sizeof(struct sctp_hdr)] == type;
}

bool
inbound_is_beginning(const struct pkt *p)
{
	if (p->proto == PROTO_TCP)
		return translate_is_opening(p);
	return p->proto != PROTO_SCTP || begins_with_chunk(p, SCTP_INIT);
}

void
inbound_note_question(const struct pkt *p, struct nat_flow *x)
{
	if (begins_with_chunk(p, SCTP_COOKIE_ECHO))
		x->seq = be32_host(sctp_of(p)->tag);
}

void
inbound_note_answer(const struct pkt *p, struct nat_flow *x)
{
	const uint8_t both = TCP_SYN | TCP_ACK;

	if (p->proto == PROTO_UDP || begins_with_chunk(p, SCTP_COOKIE_ACK)) {
		x->flags |= NAT_FLOW_ANSWERED;
	} else if (has_tcp_flags(p, both | TCP_RST, both)) {
		x->flags |= NAT_FLOW_ANSWERED;
		x->seq = be32_host(tcp_of(p)->seq) + 1;
	}
}

bool
inbound_is_confirmed(const struct pkt *p, const struct nat_flow *x)
{
	if (!(x->flags & NAT_FLOW_ANSWERED))
		return false;
	if (p->proto != PROTO_TCP)
		return true;
	return has_tcp_flags(p, TCP_ACK | TCP_SYN | TCP_RST, TCP_ACK) && be32_host(tcp_of(p)->ack) == x->seq;
}

void
inbound_note_start(const struct pkt *p, struct nat_flow *x)
{
	if (p->proto == PROTO_TCP)
		x->seq = be32_host(tcp_of(p)->seq);
}

void
inbound_note_progress(const struct pkt *p, struct nat_flow *x)
{
	if (has_tcp_flags(p, TCP_ACK, TCP_ACK))
		x->seq = be32_host(tcp_of(p)->ack);
}

/* The client's own reset has the number that the backend expects, or one ahead of it by what is under way (RFC 5961 section
 * 3.2). */
uint8_t
inbound_believed_flags(const struct pkt *p, const struct nat_flow *x, bool is_confirmed)
{
	if (p->proto != PROTO_TCP || !(p->tcp_flags & TCP_RST))
		return p->tcp_flags;
	if (is_confirmed && has_tcp_flags(p, TCP_RST, TCP_RST) &&
		be32_host(tcp_of(p)->seq) - x->seq < AHEAD_MAX)
		return p->tcp_flags;
	return p->tcp_flags & (uint8_t)~TCP_RST;
}

/* A segment that asks whether the other end is still there has the number before the one that is expected. */
bool
inbound_is_clients_own(const struct pkt *p, const struct nat_flow *x, bool is_confirmed)
{
	if (p->proto == PROTO_UDP)
		return true;
	if (!is_confirmed)
		return false;
	if (p->proto == PROTO_SCTP)
		return be32_host(sctp_of(p)->tag) == x->seq;
	return has_tcp_flags(p, TCP_SYN, 0) && be32_host(tcp_of(p)->seq) + 1 - x->seq <= AHEAD_MAX;
}
