#include "control/admin/explain.h"

/* Reasons that speak for themselves have none. */
const char *
explain_hint(enum drop_reason reason)
{
	static const char *const hints[N_DROP_REASONS] = {
		[DROP_MULTI_BUFFER] =
			"in the pod: ethtool -K eth0 tso off gso off; `ringway doctor` finds such pods",
		[DROP_SPOOFED_SOURCE] =
			"a pod may send only from the addresses that `ringway pods` shows for it",
		[DROP_TUNNEL_FROM_POD] = "pods may not speak VXLAN to nodes; choose another port",
		[DROP_MULTICAST] = "there is no multicast between pods; use unicast",
		[DROP_LINK_LOCAL] = "link-local addresses reach only the pod's gateway; use the pod's or "
				    "service's address",
		[DROP_UNKNOWN_VTEP] = "`ringway nodes` lists the nodes that are known: is the sender's Node "
				      "object there, with this address?",
		[DROP_WRONG_VNI] = "do all nodes have the same overlay.vni?",
		[DROP_WRONG_INNER_MAC] = "does the sender's node know this node's tunnel MAC (annotation "
					 "ringway.io/tunnel-mac)?",
		[DROP_TUNNEL_SOURCE] = "is the sender's address in the pod CIDRs of its Node object? "
				       "`ringway nodes` shows them",
		[DROP_TUNNEL_DESTINATION] = "services are translated on the sender's node: ask there; for a "
					    "pod, see whether `ringway pods` has it",
		[DROP_NO_SERVICE] = "`ringway services` lists every service's address, ports and protocols",
		[DROP_NO_BACKEND] =
			"`ringway services NAMESPACE/NAME` shows the backends and why none is ready",
		[DROP_NO_LOCAL_BACKEND] =
			"`ringway services NAMESPACE/NAME` shows where its backends are; ask one of their "
			"nodes, or choose the traffic policy Cluster",
		[DROP_SOURCE_RANGE] = "is the client meant to be in spec.loadBalancerSourceRanges?",
		[DROP_NO_FLOW] =
			"connections begin with a SYN at the node that is to know them: does the way "
			"there change between nodes?",
		[DROP_INBOUND_FULL] = "too many clients outside have flows to one backend at once: add "
				      "backends, or where it "
				      "is outside the pod networks, ports (masquerade.ports)",
		[DROP_SLOT_MISMATCH] = "the backend was not chosen for this client and service: is somebody "
				       "forging replies?",
		[DROP_EXCEPTIONS_FULL] =
			"`ringway pods` shows who uses them; raise services.exceptions or exceptionsPerPod",
		[DROP_NO_ROUTE] = "`ringway pods` and `ringway nodes` show which addresses and pod networks "
				  "are known; only these "
				  "and services can be reached",
		[DROP_OTHER_INTERFACE] =
			"`ip route get` on the node shows the interface; pods leave the cluster by "
			"the uplink only",
		[DROP_MASQUERADE_PROTOCOL] = "TCP, UDP, SCTP and echo requests leave the cluster under the "
					     "node's address; for others, "
					     "is the destination meant to be in cluster.nonMasqueradeCIDRs?",
		[DROP_MASQUERADE_FULL] =
			"has the node an address of this family on its uplink? Otherwise its flows "
			"out of the cluster, or its ports for them, are all in use",
		[DROP_NO_NEIGHBOUR] = "`ringway nodes` shows the next hop: is it up, and does it answer ARP "
				      "or neighbour discovery?",
		[DROP_PORT_GONE] = "the pod is being removed",
		[DROP_POLICY_INGRESS] = "which policies isolate the pod is told above: a rule of theirs, or "
					"of another one, has to allow it; of a packet that opens a flow, "
					"explain writes one",
		[DROP_POLICY_EGRESS] =
			"which policies isolate the pod is told above: a rule of theirs, or "
			"of another one, has to allow it; of a packet that opens a flow, "
			"explain writes one; names need port 53 of the cluster's DNS, udp and tcp",
		[DROP_POLICY_CLOSED] =
			"why is told above; `ringway status` tells whether tables can be built",
		[DROP_TTL] = "do packets go in a circle?",
		[DROP_TOO_BIG] = "lower the sender's MTU, or its --size",
	};

	return hints[reason];
}
