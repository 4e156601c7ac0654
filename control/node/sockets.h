/* Which sockets exist in a network namespace, as the kernel tells (sock_diag(7)). Control thread only: a look into
 * another namespace moves the calling thread there for a moment. */
#ifndef RINGWAY_NODE_SOCKETS_H
#define RINGWAY_NODE_SOCKETS_H

#include "dataplane/net/ip_addr.h"

/* Opens a view of the namespace that the path names; NULL: our own. A descriptor for the function below, the caller's to
 * close, or -errno. */
int sockets_open(const char *netns);

/* States of TCP, as the kernel numbers them; a connected UDP socket is ESTABLISHED, another CLOSE. */
enum socket_state {
	SOCKET_ESTABLISHED = 1,
	SOCKET_SYN_SENT = 2,
	SOCKET_TIME_WAIT = 6,
	SOCKET_CLOSE = 7,
	SOCKET_LISTEN = 10,
};

/* The state (enum socket_state) of the TCP socket between these ends, ports in host order; 0 when there is none, or -errno. */
int sockets_tcp_state(int view, const struct ip_addr *local, uint16_t local_port,
	const struct ip_addr *remote, uint16_t remote_port);

/* Sets of states, as 1 << state: connections in which something may still come or go, and those that accept. */
#define SOCKETS_LIVE (~(1u << SOCKET_TIME_WAIT | 1u << SOCKET_CLOSE | 1u << SOCKET_LISTEN))
#define SOCKETS_ALL (~0u)

/* A socket. An IPv6 socket between v4-mapped addresses is IPv4; one that is bound to no address has "::" (none), which
 * may stand for either family. */
struct socket_seen {
	struct ip_addr local, remote; /* remote: none if not connected */
	uint16_t local_port, remote_port;
	uint8_t proto;
	uint8_t state; /* enum socket_state */
};

struct sockets_wanted {
	uint8_t proto;       /* TCP or UDP */
	uint32_t states;     /* set */
	uint16_t local_port; /* 0: any */
};

/* Calls fn for each socket of both families, as they come from the kernel: nothing is gathered, so a pod with a million
 * sockets costs time alone. 0 or -errno, with some sockets told already. */
int sockets_each(int view, const struct sockets_wanted *wanted,
	void (*fn)(const struct socket_seen *socket, void *arg), void *arg);

#endif
