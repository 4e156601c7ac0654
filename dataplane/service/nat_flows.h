/* Two-way entries of translated flows, for those that need state of their own. Each worker has several such tables:
 *
 *   exceptions  service flows of pods and of the host that fit no slot: clients with a source port of their own choice, the
 *               fourth frontend of a backend, SCTP, flows whose port in the slot is one of the pod's own. An entry keeps the
 *               client's port, or when that is taken towards its backend, has one of 16384-17407.
 *   half_open   from outside the cluster, nothing confirmed yet: strangers fill it as they like, so when it is full a random
 *               entry makes room.
 *   inbound     from outside, confirmed by the client. Nothing evicts these.
 *   outbound    of pods and of the host to the outside, where they are known by the node's own address and a port of it
 *               (port_blocks.h).
 *
 * Only the worker that owns the flows touches a table; control through worker_call(). It is bounded, and may be bounded per
 * client too, so that neither a pod nor a client outside uses it up. It lives in memory that the caller gives and that outlives the process: fixed
 * layout, indices instead of pointers. Whatever a killed process left half-written, nat_flows_adopt() makes whole from the
 * entries alone.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds. Ports in host byte order. */
#ifndef RINGWAY_SERVICE_NAT_FLOWS_H
#define RINGWAY_SERVICE_NAT_FLOWS_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"
#include "dataplane/service/slot.h"

#define EXCEPTIONS_DEFAULT 16384      /* entries per worker */
#define EXCEPTIONS_QUOTA_DEFAULT 2048 /* of them for one client address */

/* Datagrams without a successor for this long end an entry; the usual value for a two-way UDP mapping (RFC
 * 4787 section 4.3 wants at least 2 minutes). */
#define NAT_FLOW_UDP_IDLE_NS (180 * UINT64_C(1000000000))
/* SCTP sends heartbeats every 30 s by default (RFC 9260 section 16). */
#define NAT_FLOW_SCTP_IDLE_NS (900 * UINT64_C(1000000000))
/* An echo, whose two ports are its identifier. */
#define NAT_FLOW_ECHO_IDLE_NS (60 * UINT64_C(1000000000))
/* A connected socket's datagrams, once their backend serves no more and has owed an answer for this long, go elsewhere. */
#define NAT_FLOW_ANSWER_NS (10 * UINT64_C(1000000000))
/* TCP, after both ends said FIN or one said RST: longer than TIME-WAIT. */
#define NAT_FLOW_CLOSED_IDLE_NS (120 * UINT64_C(1000000000))
/* TCP whose socket nobody can see: a connection that stands, and one of which an end said FIN or the backend said nothing (RFC
 * 5382 REQ-5). */
#define NAT_FLOW_UNSEEN_IDLE_NS (7440 * UINT64_C(1000000000))
#define NAT_FLOW_UNSEEN_TRANSITORY_IDLE_NS (240 * UINT64_C(1000000000))

enum nat_flow_flag {
	NAT_FLOW_FIN_FORWARD = 1 << 0,
	NAT_FLOW_FIN_REVERSE = 1 << 1,
	NAT_FLOW_CLOSED = 1 << 2,
	NAT_FLOW_ANSWERED =
		1
		<< 3, /* the backend has answered; TCP: with the SYN+ACK whose number is in seq, SCTP: to a cookie */
	NAT_FLOW_CONNECTED = 1 << 4, /* datagrams of a connected socket: lives as long as that, as TCP's do */
	NAT_FLOW_STANDS =
		1 << 5, /* TCP: the client went on after its SYN, which it does once it was answered */
	NAT_FLOW_SOCKET = 1 << 6, /* TCP: control has seen the client's socket, so it will see its end, too */
	NAT_FLOW_HEARD =
		1
		<< 7, /* TCP: the backend has sent something since the entry was made, or since the client's SYN */
};

/* Forward: (client, client_port) to (frontend, frontend_port) becomes (wire, wire_port) to (backend,
 * backend_port); the reverse likewise. */
struct nat_flow {
	struct ip_addr client, frontend, backend;
	struct ip_addr wire; /* the client as the backend sees it: itself, or a reserved or hairpin address */
	uint16_t client_port, frontend_port, backend_port, wire_port;
	uint8_t proto;              /* 0: not in use; written last */
	uint8_t flags;              /* enum nat_flow_flag */
	struct mac_addr return_mac; /* from outside: whom the client's packets came from */
	uint64_t last_seen_ns;
	uint32_t next[2]; /* in the chain of its forward and of its reverse key; next[0] also of free ones */
	uint32_t quota;   /* index of the client's account; only where there are quotas */
	uint32_t
		seq; /* half-open TCP: what a client that got the SYN+ACK acknowledges; inbound: what its backend
			     acknowledged last; SCTP from outside: the tag in the client's packets; datagrams of a connected socket: a second after that since which the backend
			     owes an answer, 0: it owes none */
	uint32_t generation; /* of the backend; 0: not known */
	uint64_t pod;        /* likewise */
	bool has_block;      /* the wire port is the node's own address's, of a block (port_blocks.h) */
	uint8_t pad[7];
};
static_assert(sizeof(struct nat_flow) == 128, "two cache lines per entry");

/* Chains for each entry and direction. They keep chains short, and, since there is a bit for each chain that is not empty, so
 * many of the packets without an entry from being looked for: with a full table one in nine. */
#define NAT_FLOWS_HEADS 8

/* What kind of table it is. */
struct nat_flows_config {
	uint32_t capacity; /* entries, a power of two */
	uint32_t quota;    /* entries of one client; 0: no bound */
	bool by_network;   /* an IPv6 client is all of a /64, of which one machine has any address it likes */
	bool evicts;       /* when full, a random entry makes room for a new one */
	uint64_t
		tcp_idle_ns; /* a quiet connection's entry ends after this; 0: never, since quiet is not dead, and
				      control deletes those whose socket is gone */
	uint64_t datagram_idle_ns; /* and another after this; 0: as usual for its protocol */
};

/* Opaque, but for what nat_flows_is_empty() and statistics need. */
struct nat_flows {
	uint32_t version;
	uint32_t capacity; /* a power of two */
	uint32_t n;
	uint32_t quota;
	/* for status; counted since the table was made */
	uint64_t n_refused_full, n_refused_quota, n_evicted;
	uint64_t tcp_idle_ns, datagram_idle_ns;
	uint32_t free_entry, free_account;
	uint32_t cursor;
	uint32_t random; /* state of the generator that picks victims; 0: nothing is evicted */
	uint32_t
		summary; /* where in 'memory' a bit for each chain begins that has an entry: by forward, then by reverse key */
	uint32_t by_network;
	uint64_t refused_ns; /* see nat_flows_refused() */
	struct ip_addr refused;
	uint8_t pad[24];
	_Alignas(64) uint8_t memory[];
};
static_assert(sizeof(struct nat_flows) == 128, "the arrays begin on a cache line");

/* Bytes for a table of that many entries (a power of two). */
size_t nat_flows_size(uint32_t capacity);

/* Makes a table in memory of nat_flows_size(capacity) bytes, aligned to a cache line: one that takes over
 * what a former process left there, or an empty one when that is of another version or size. Entries that
 * contradict themselves or another are left out. Returns how many were kept. */
uint32_t nat_flows_adopt(struct nat_flows *e, const struct nat_flows_config *config, uint64_t now_ns);

static inline bool
nat_flows_is_empty(const struct nat_flows *e)
{
	return e == NULL || e->n == 0;
}

static inline bool
nat_flows_is_full(const struct nat_flows *e)
{
	return e->n == e->capacity;
}

static inline bool
nat_flows_is_half_full(const struct nat_flows *e)
{
	return e->n >= e->capacity / 2;
}

/* Whether there may be an entry for the flow_hash() of a packet from a client, or from a backend. Most packets have none,
 * and the bits, unlike the entries, are in the nearest cache. NULL is fine. */
static inline bool
nat_flows_may_have(const struct nat_flows *e, bool is_forward, uint32_t hash)
{
	uint32_t n, i;

	if (nat_flows_is_empty(e))
		return false;
	n = NAT_FLOWS_HEADS * e->capacity;
	i = (is_forward ? 0 : (n + 63) / 64 * 64) + (hash & (n - 1));
	return ((const uint64_t *)(e->memory + e->summary))[i / 64] >> i % 64 & 1;
}

/* The entry of a client's flow towards a frontend, or NULL. */
struct nat_flow *nat_flows_find_forward(struct nat_flows *e, const struct ip_addr *client,
	uint16_t client_port, const struct ip_addr *frontend, uint16_t frontend_port, uint8_t proto);

/* The entry of what a backend sends to a client, or NULL. */
struct nat_flow *nat_flows_find_reverse(struct nat_flows *e, const struct ip_addr *backend,
	uint16_t backend_port, const struct ip_addr *wire, uint16_t wire_port, uint8_t proto);

/* Which ports entries may get instead of the one wished for. */
struct nat_ports {
	uint16_t first, last;      /* whole blocks of FLOW_OWNER_BLOCK ports; last 0: none */
	uint8_t worker, n_workers; /* only this worker's (flow_owner.h); n_workers 0: all */
	bool (*is_usable)(const void *arg, uint16_t port); /* NULL: all are */
	const void *arg;
	struct nat_flows *also; /* what this table has taken is taken, too, even if wished for; may be NULL */
};

/* Those of exceptions, which no slot makes of a client's port. */
#define NAT_PORTS_EXCEPTIONS                                               \
	{                                                                  \
		.first = EXCEPTION_PORT_FIRST, .last = EXCEPTION_PORT_LAST \
	}

/* Adds a flow: *flow with its addresses, ports and protocol, wire_port the one wished for (0: none). When that is taken
 * towards this backend, the entry gets one of 'ports'; NULL: only the one wished for will do.
 * NULL: no room, the client's quota is used up, or no port is left. A table that evicts has always room, and takes a port
 * from another of its entries rather than have none of 'ports'. */
struct nat_flow *nat_flows_add(
	struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports, uint64_t now_ns);

/* Moves an entry of one table to another, as it is. Returns the new one; when there is no room for it, x, which then
 * stays where it was. */
struct nat_flow *nat_flows_move(
	struct nat_flows *to, struct nat_flows *from, struct nat_flow *x, uint64_t now_ns);

/* How many entries with a block (has_block) have this one, whose number is the port's by FLOW_OWNER_BLOCK. */
uint32_t nat_flows_block_uses(const struct nat_flows *e, unsigned block);

/* Whether nat_flows_add() would find room for another flow of this client. */
bool nat_flows_has_room(const struct nat_flows *e, const struct ip_addr *client);

/* Whether that is so because this client has as many entries as one may have. */
bool nat_flows_is_over_quota(const struct nat_flows *e, const struct ip_addr *client);

/* Whether there is room for one that this client can do without: neither it nor all of them have half of what they may. */
bool nat_flows_has_room_to_spare(const struct nat_flows *e, const struct ip_addr *client);

/* Why nat_flows_add() found no room for a flow, with the port it wished for: whether what its client has itself is in the
 * way. That is its quota, its port, or that most of a chain which takes no more is its own; else it is what others have. */
bool nat_flows_is_own_fault(struct nat_flows *e, const struct nat_flow *flow);

/* How many entries a client has; where there are no quotas, 0. */
uint32_t nat_flows_count_of(const struct nat_flows *e, const struct ip_addr *client);

/* Notes that a client was refused another entry for its quota. nat_flows_add() does it by itself. */
void nat_flows_refuse(struct nat_flows *e, const struct ip_addr *client, uint64_t now_ns);

/* The last client that was, and when (CLOCK_MONOTONIC); false: none ever. NULL is fine. Any thread: what it tells is meant for
 * people. */
bool nat_flows_refused(const struct nat_flows *e, struct ip_addr *client, uint64_t *when_ns);

/* Notes a packet of the entry's flow. A client's SYN begins anew: nothing is known of the connection that it opens. */
void nat_flow_seen(struct nat_flow *x, bool is_forward, uint8_t tcp_flags, uint64_t now_ns);

/* Of a connected socket's datagrams: whether their backend has owed an answer for NAT_FLOW_ANSWER_NS. */
bool nat_flow_is_unanswered(const struct nat_flow *x, uint64_t now_ns);

/* Ends an entry that this table returned. */
void nat_flows_remove(struct nat_flows *e, struct nat_flow *x);

/* Of a table that evicts: the next of its random numbers (xorshift, Marsaglia), unforeseen by who only sees that entries
 * vanish. */
static inline uint32_t
nat_flows_random(struct nat_flows *e)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 17;
	e->random ^= e->random << 5;
	return e->random;
}

/* Ends an entry to make room where there is none: in the whole table, where every entry is as likely, in a chain, or of
 * ports. */
void nat_flows_evict(struct nat_flows *e, struct nat_flow *victim);

/* Looks at the next few entries and ends those that have aged. Cheap; the worker's loop calls it always. NULL is fine. */
void nat_flows_expire_some(struct nat_flows *e, uint64_t now_ns);

/* For control, which compares entries with the pods' sockets outside the worker: copies up to max entries in use from *cursor
 * on (0 at first) and moves it; *n are copied, which may be none, since no more than NAT_FLOWS_LOOK places are looked at. False
 * at the end. */
#define NAT_FLOWS_LOOK 4096
bool nat_flows_copy_some(
	const struct nat_flows *e, uint32_t *cursor, struct nat_flow *out, unsigned max, unsigned *n);

/* Notes that the client of the copy's flow has a socket for it (NAT_FLOW_SOCKET). */
void nat_flows_note_socket(struct nat_flows *e, const struct nat_flow *copy);

/* Ends the entry with the copy's flow, unless it was used after the copy was made. True if it did. */
bool nat_flows_delete(struct nat_flows *e, const struct nat_flow *copy);

/* Ends all entries of a client, or towards a backend, whose pod is gone. */
void nat_flows_delete_client(struct nat_flows *e, const struct ip_addr *client);
void nat_flows_delete_backend(struct nat_flows *e, const struct ip_addr *backend);

/* A backend that is no more. */
struct backend_end {
	uint64_t pod;        /* all of this pod; 0: what had an address and port before */
	struct ip_addr addr; /* that backend's */
	uint16_t port;
	uint32_t generation; /* its successor's */
};

/* Ends entries towards any of n such backends, among the next max entries from *cursor on (0 at first). False at the end. */
bool nat_flows_delete_ended(
	struct nat_flows *e, uint32_t *cursor, uint32_t max, const struct backend_end *ends, unsigned n);

#endif
