/* What a client outside has to show before it is taken for who it says it is, and which of its packets are taken for its own
 * from then on: source addresses are anybody's word. What there is to remember is in its entry's 'seq'. Worker threads, on the
 * flow's owner. */
#ifndef RINGWAY_SERVICE_INBOUND_PROOF_H
#define RINGWAY_SERVICE_INBOUND_PROOF_H

#include "dataplane/pkt.h"
#include "dataplane/service/nat_flows.h"

/* Whether a packet may begin a flow. */
bool inbound_is_beginning(const struct pkt *p);

/* Notes what a client's packet, and what an answer tells of a half-open flow. */
void inbound_note_question(const struct pkt *p, struct nat_flow *x);
void inbound_note_answer(const struct pkt *p, struct nat_flow *x);

/* Whether a packet of a half-open flow shows that its client got the answer: TCP by the number of the SYN+ACK, a datagram by
 * being the second one; SCTP when the backend has acknowledged its cookie (RFC 9260 section 5.1), which may be this packet. */
bool inbound_is_confirmed(const struct pkt *p, const struct nat_flow *x);

/* Notes where a confirmed flow's client stands: by the packet that confirmed it, and by each answer. */
void inbound_note_start(const struct pkt *p, struct nat_flow *x);
void inbound_note_progress(const struct pkt *p, struct nat_flow *x);

/* A client's packet's flags, without a reset that may be anybody's. */
uint8_t inbound_believed_flags(const struct pkt *p, const struct nat_flow *x, bool is_confirmed);

/* Whether a client's packet may show another way back to it than the one that is known: it is of a confirmed flow, and has a
 * number or a tag that only its client knows, or a backend. Datagrams have none, so there any will do. */
bool inbound_is_clients_own(const struct pkt *p, const struct nat_flow *x, bool is_confirmed);

#endif
