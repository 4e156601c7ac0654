/* START HERE. The journey of a burst of packets. Between two pods of a node, the first half runs on the
 * sender's worker and the second on the receiver's, so that all that is known about a pod has one writer.
 * Towards another node or out of the cluster there is only the first half, and from one only the second has much to say. A
 * flow that the outside knows belongs to a worker, too, which follows from the packet (service/flow_owner.h): what another
 * one received is steered there and begins anew, and answers do their second half there.
 *
 * Decide first, write once: the stages up to rewrite note in the descriptor what shall become of a packet. So
 * an error that we originate quotes the packet as it was sent, and explain is this very code without the last
 * steps. The one exception is a DNS answer: it settles the packet, so the stage writes it over the query, whose headers stay. */
#include "dataplane/pipeline.h"

#include "dataplane/stages.h"

void
pipeline_send_half(struct worker *w, const struct tables *t, struct burst *b)
{
	parse_burst(b);                    /* what is it */
	fragments_underlay_burst(w, b);    /* later parts of a datagram: with the ports of the first */
	decap_burst(t, w, b);              /* from another node: out of the tunnel */
	steer_burst(t, w, b);              /* from outside, a flow of another worker: it begins anew there */
	antispoof_burst(t, b);             /* is the sender who it says it is */
	gateway_burst(t, b);               /* questions to the pods' gateway: answered */
	fragments_send_burst(t, w, b);     /* later parts of what was sent here */
	dns_burst(t, w, b);                /* a name that this node knows: answered */
	inbound_send_burst(t, w, b);       /* from outside: to a backend, as a flow to remember */
	masquerade_receive_burst(t, w, b); /* an answer from outside: to the pod that asked */
	translate_send_burst(t, w, b);     /* frontend to backend: decided, not yet written */
	route_burst(t, w, b);              /* next hop, egress port, MTU */
	policy_send_burst(t, w, b);        /* may the pod send it there */
	masquerade_send_burst(t, w, b);    /* leaves the cluster: as the node's own */
	mtu_burst(t, w, b);                /* too big: an error to the sender, or cut later */
	cross_burst(t, w, b);              /* another worker's port or flow: it goes on from here */
}

void
pipeline_receive_half(struct worker *w, const struct tables *t, struct burst *b)
{
	fragments_receive_burst(w, b);    /* the same for what came out of a tunnel */
	translate_receive_burst(t, w, b); /* a backend's reply: back to its frontend */
	inbound_receive_burst(t, w, b);   /* an answer to the outside: back to its client */
	policy_receive_burst(t, w, b);    /* may the pod get it */
	rewrite_burst(t, w, b);           /* the only writer of headers */
	segment_burst(t, w, b);           /* cut what the way ahead takes only in pieces */
	encap_burst(t, w, b);             /* to another node: into the tunnel */
}
