/* When a worker asks control whether a port, from which a pod was seen to send, is to be the pod's own from now on
 * (roles.h). Each packet from such a port would ask; control hears of a port again after a while only, and of few at a
 * time, so that a pod which tries all its ports keeps control from nothing else. What is not asked now is asked by a
 * later packet. Worker threads. */
#ifndef RINGWAY_SERVICE_ROLE_ASKS_H
#define RINGWAY_SERVICE_ROLE_ASKS_H

#include "dataplane/net/flow_key.h"
#include "dataplane/service/slot.h"

#define ROLE_ASKS 64
#define ROLE_ASK_AGAIN_NS UINT64_C(200000000)
#define ROLE_ASK_INTERVAL_NS UINT64_C(500000) /* 2,000 per second */
#define ROLE_ASK_BURST 128

/* All zero is a valid one. */
struct role_asks {
	uint64_t spent_until_ns;
	struct {
		uint32_t key; /* 0: none */
		uint64_t at_ns;
	} recent[ROLE_ASKS];
};

/* Whether it matters whose the port is: in a slot's range, or one that exceptions are given. */
static inline bool
role_matters(uint16_t port)
{
	uint16_t client_port;

	return slot_decode(port, &client_port) > 0 ||
	       (port >= EXCEPTION_PORT_FIRST && port <= EXCEPTION_PORT_LAST);
}

/* Whether to ask now; if so it is noted. */
static inline bool
role_asks_take(
	struct role_asks *asks, const struct ip_addr *pod, uint8_t proto, uint16_t port, uint64_t now_ns)
{
	uint32_t key = addr_hash(pod, port, proto) | 1;
	unsigned i = (key >> 1) % ROLE_ASKS;
	uint64_t from = asks->spent_until_ns > now_ns ? asks->spent_until_ns : now_ns;

	if (asks->recent[i].key == key && now_ns - asks->recent[i].at_ns < ROLE_ASK_AGAIN_NS)
		return false;
	if (from - now_ns > (ROLE_ASK_BURST - 1) * ROLE_ASK_INTERVAL_NS)
		return false;
	asks->spent_until_ns = from + ROLE_ASK_INTERVAL_NS;
	asks->recent[i].key = key;
	asks->recent[i].at_ns = now_ns;
	return true;
}

#endif
