/* Addresses and headers that the tables share; see tests/support/fixtures.h. */
#ifndef TESTS_PACKETS_NAMES_H
#define TESTS_PACKETS_NAMES_H

#define POD1_V4 "10.244.1.10"
#define POD1_V6 "fd00:10:244:1::10"
#define POD2_V4 "10.244.1.11"
#define POD2_V6 "fd00:10:244:1::11"
#define HOST_V4 "10.244.1.1"
#define HOST_V6 "fd00:10:244:1::1"
#define REMOTE_V4 "10.244.2.20"
#define REMOTE_V6 "fd00:10:244:2::20"
#define NODE_V4 "192.0.2.1"
#define NODE_V6 "2001:db8::1"
#define PEER_V4 "192.0.2.2"
#define PEER_V6 "2001:db8::2"

#define FROM_POD1 ETH("pod1", "gw")
#define TO_POD1 ETH("gw", "pod1")
#define TO_POD2 ETH("gw", "pod2")
#define FROM_HOST ETH("host", "gw")
#define TO_HOST ETH("gw", "host")

/* The outer headers of what we send, and of what we are sent; the inner frame's Ethernet header follows. */
#define OUTER_OUT_V4 \
	ETH("uplink", "peer"), IP(NODE_V4, PEER_V4, .df = true), UDP(0, 4789, .sum = SUM_NONE), VXLAN(1)
#define OUTER_OUT_V6 ETH("uplink", "peer"), IP(NODE_V6, PEER_V6), UDP(0, 4789), VXLAN(1)
#define OUTER_IN_V4 \
	ETH("peer", "uplink"), IP(PEER_V4, NODE_V4, .df = true), UDP(50000, 4789, .sum = SUM_NONE), VXLAN(1)
#define OUTER_IN_V6 ETH("peer", "uplink"), IP(PEER_V6, NODE_V6), UDP(50000, 4789), VXLAN(1)
#define INNER_OUT ETH("tunnel", "peer-tunnel")
#define INNER_IN ETH("peer-tunnel", "tunnel")

#endif
