/* A packet as policy sees it: from the local pod's side, with the other end as that really is (DESIGN section 6: pod
 * addresses, after service translation). One reading for both halves: what leaves a pod is read before masquerade, what
 * arrives after its reply has found its frontend. Worker threads. */
#ifndef RINGWAY_POLICY_POLICY_FLOW_H
#define RINGWAY_POLICY_POLICY_FLOW_H

#include "dataplane/pkt.h"
#include "dataplane/policy/policy_table.h"
#include "dataplane/service/translate.h"

enum policy_kind {
	POLICY_OPENING,  /* TCP without ACK and RST: SYN whatever else it carries, NULL, FIN, XMAS */
	POLICY_TCP,      /* other TCP: of a connection, if it is of one */
	POLICY_DATAGRAM, /* all else */
};

struct policy_flow {
	const struct pod_policy *pod;
	const struct ip_addr *peer; /* whose identity counts */
	const struct ip_addr
		*remote; /* the other end as the pod's packets have it: the peer but for clients outside that
					 come by a reserved address */
	uint16_t pod_port;                /* port id */
	uint16_t local_port, remote_port; /* without ports: 0; of an echo: the identifier, and 0 */
	uint8_t proto;
	uint8_t kind;      /* enum policy_kind */
	bool is_node;      /* the other end is this node's own stack */
	bool is_error;     /* an ICMP error, which stands for the packet that it quotes */
	uint16_t identity; /* of the peer */
};

static inline enum policy_kind
policy_kind_of(const struct pkt *p)
{
	if (p->proto != PROTO_TCP)
		return POLICY_DATAGRAM;
	return p->tcp_flags & (TCP_ACK | TCP_RST) ? POLICY_TCP : POLICY_OPENING;
}

/* What a pod sends. pod and is_node are the caller's. */
static inline void
policy_flow_leaving(struct policy_flow *f, const struct pkt *p)
{
	f->peer = f->remote = &p->new_dst;
	f->local_port = p->sport;
	f->remote_port = translate_is_transport(p->proto) ? p->new_dport : 0;
	f->proto = p->proto;
	f->kind = policy_kind_of(p);
	f->is_error = false;
}

/* What arrives at a pod. Where the destination was translated here, on the way to this pod, the pod knows its peer by the
 * translated source; a reply's source, on the other hand, was translated for the pod's stack, and the packets that it answers
 * were judged on the real one. Answers to what was masqueraded have both. */
static inline bool
policy_is_source_real(const struct pkt *p)
{
	return ip_addr_eq(&p->dst, &p->new_dst) || pkt_is_to_masquerade(p);
}

static inline void
policy_flow_arriving(struct policy_flow *f, const struct pkt *p)
{
	bool is_real = policy_is_source_real(p);

	f->peer = &p->src;
	f->remote = is_real ? &p->src : &p->new_src;
	f->local_port = p->new_dport;
	f->remote_port = !translate_is_transport(p->proto) ? 0 : is_real ? p->sport : p->new_sport;
	f->proto = p->proto;
	f->kind = policy_kind_of(p);
	f->is_error = false;
}

/* The same for ICMP errors, which are judged like another packet, on the same way, of the flow that they quote. *addr holds
 * the address that the flow refers to. False when the quote tells no flow of this pod: then the error is to be judged like
 * any datagram. */
bool policy_error_leaving(struct policy_flow *f, const struct pkt *p, struct ip_addr *addr);
bool policy_error_arriving(struct policy_flow *f, const struct pkt *p, struct ip_addr *addr);

#endif
