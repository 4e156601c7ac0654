/* The stages, in the order in which pipeline.c runs them. Each looks only at undecided packets, settles a
 * packet's fate at most once, never calls another stage, and never allocates, locks or blocks. Until rewrite,
 * none changes a byte of a packet that goes on: what they decide is noted in the descriptor. Worker threads only. */
#ifndef RINGWAY_STAGES_H
#define RINGWAY_STAGES_H

#include "dataplane/burst.h"
#include "dataplane/tables.h"

struct worker;

/* The sender's half, on the worker that received the packet. */

/* net/parse.c: reads the headers, with every length checked, into the descriptor. */
void parse_burst(struct burst *b);

/* overlay/decap_stage.c: checks what the underlay sent, strips the outer headers (moves pkt.data) and parses
 * again. */
void decap_burst(const struct tables *t, struct worker *w, struct burst *b);

/* crossing.c: what is from outside the cluster, of a flow that another worker owns, goes there and begins anew. */
void steer_burst(const struct tables *t, struct worker *w, struct burst *b);

/* antispoof_stage.c: is the sender who it says it is. */
void antispoof_burst(const struct tables *t, struct burst *b);

/* gateway_stage.c: all that is addressed to the pods' link: ARP, neighbour discovery and echo to the gateway
 * are answered, the rest ends there. */
void gateway_burst(const struct tables *t, struct burst *b);

/* fragment_stage.c: a datagram's later fragments get the ports of its first. In the send half of what the underlay sent
 * as it is, and of what was sent here; in the receive half of what came out of a tunnel. */
void fragments_underlay_burst(struct worker *w, struct burst *b);
void fragments_send_burst(const struct tables *t, struct worker *w, struct burst *b);
void fragments_receive_burst(struct worker *w, struct burst *b);

/* dns/dns_stage.c: DNS queries of pods and the host: what this node can answer, it does, in the query's place. */
void dns_burst(const struct tables *t, struct worker *w, struct burst *b);

/* service/inbound_stage.c: from a client outside the cluster to a backend, on the flow's owner. Keeps its flows. */
void inbound_send_burst(const struct tables *t, struct worker *w, struct burst *b);

/* service/masquerade_stage.c: answers from outside to masqueraded flows, on the flow's owner. */
void masquerade_receive_burst(const struct tables *t, struct worker *w, struct burst *b);

/* service/translate_send_stage.c: frontend to backend, in the clients' node. Learns roles, creates exceptions. */
void translate_send_burst(const struct tables *t, struct worker *w, struct burst *b);

/* route/route_stage.c: next hop, egress port, MTU of the way ahead, TTL. */
void route_burst(const struct tables *t, struct worker *w, struct burst *b);

/* policy/policy_stage.c: NetworkPolicy. In the send half what leaves a pod, before masquerade, so that its peer is whom it
 * really goes to; in the receive half what arrives at one, after its reply has found its frontend, and what a pod answered to a
 * client outside whom the stage before has found. */
void policy_send_burst(const struct tables *t, struct worker *w, struct burst *b);
void policy_receive_burst(const struct tables *t, struct worker *w, struct burst *b);

/* service/masquerade_stage.c: what leaves the cluster goes as the node's own. Keeps its flows. */
void masquerade_send_burst(const struct tables *t, struct worker *w, struct burst *b);

/* mtu_stage.c: too big for the way ahead: an error to the sender, or to be cut by segment_burst(). */
void mtu_burst(const struct tables *t, struct worker *w, struct burst *b);

/* crossing.c: packets whose flow or egress port belongs to another worker go there. */
void cross_burst(const struct tables *t, struct worker *w, struct burst *b);

/* The receiver's half, on the worker that owns the egress port. */

/* service/translate_receive_stage.c: a backend's reply to its frontend. */
void translate_receive_burst(const struct tables *t, struct worker *w, struct burst *b);

/* service/inbound_stage.c: a backend's answer to a client outside the cluster, on the flow's owner. It leaves by an uplink,
 * and goes on there when that is another worker's. */
void inbound_receive_burst(const struct tables *t, struct worker *w, struct burst *b);

/* net/rewrite_stage.c: the only writer of headers: addresses, ports, TTL, checksums, MSS, Ethernet; and
 * replies, built in the packet's own frame. Turns CONTINUE into FORWARD or PUNT. */
void rewrite_burst(const struct tables *t, struct worker *w, struct burst *b);

/* segment_stage.c: cuts what is larger than the way ahead and may be cut. All pieces but the last go to the
 * worker's list of pieces; the packet itself becomes the last one and stands for all of them in the books. */
void segment_burst(const struct tables *t, struct worker *w, struct burst *b);

/* overlay/encap_stage.c: VXLAN in front of what goes to another node, pieces included. */
void encap_burst(const struct tables *t, struct worker *w, struct burst *b);

#endif
