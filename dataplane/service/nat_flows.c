#include "dataplane/service/nat_flows.h"

#include "dataplane/net/flow_key.h"
#include "dataplane/service/flow_owner.h"

#define SECOND_NS UINT64_C(1000000000)
#define LAYOUT_VERSION 4u
#define NONE UINT32_MAX

/* Keys are what pods and strangers choose, and the hash is known: a chain that is this long takes no more. */
#define CHAIN_MAX 32

/* Blocks of wire ports. */
#define BLOCKS (65536 / FLOW_OWNER_BLOCK)

/* Entries looked at by one nat_flows_expire_some(). */
#define EXPIRE_SLICE 16

/* Ports tried when the client's own is taken. */
#define PORT_TRIES 32

enum direction {
	FORWARD,
	REVERSE,
};

/* How many entries a client has. */
struct account {
	struct ip_addr client;
	uint32_t n;
	uint32_t next; /* in its chain, or of free ones */
};

/* Clients are a node's pods and its own addresses, so there are fewer than entries. */
static uint32_t
n_accounts(uint32_t capacity)
{
	return capacity;
}

static struct nat_flow *
entries(const struct nat_flows *e)
{
	return (struct nat_flow *)e->memory;
}

static struct account *
accounts(const struct nat_flows *e)
{
	return (struct account *)(entries(e) + e->capacity);
}

static uint32_t *
account_heads(const struct nat_flows *e)
{
	return (uint32_t *)(accounts(e) + n_accounts(e->capacity));
}

/* Two heads per entry and direction keep chains short. */
static uint32_t *
heads(const struct nat_flows *e, enum direction d)
{
	return account_heads(e) + n_accounts(e->capacity) + (size_t)d * 2 * e->capacity;
}

static size_t
summary_words(uint32_t capacity)
{
	return ((size_t)2 * capacity + 63) / 64;
}

static uint64_t *
summary(const struct nat_flows *e, enum direction d)
{
	return (uint64_t *)(e->memory + e->summary) + d * summary_words(e->capacity);
}

/* After a chain's head changed. */
static void
summarize(struct nat_flows *e, enum direction d, const uint32_t *head)
{
	size_t i = (size_t)(head - heads(e, d));
	uint64_t bit = UINT64_C(1) << i % 64, *word = &summary(e, d)[i / 64];

	*word = *head == NONE ? *word & ~bit : *word | bit;
}

/* How many entries' wire ports each block has. */
static uint32_t *
block_uses(const struct nat_flows *e)
{
	return (uint32_t *)(summary(e, FORWARD) + 2 * summary_words(e->capacity));
}

uint32_t
nat_flows_block_uses(const struct nat_flows *e, unsigned block)
{
	return block_uses(e)[block];
}

size_t
nat_flows_size(uint32_t capacity)
{
	size_t size = sizeof(struct nat_flows) + capacity * sizeof(struct nat_flow) +
		      n_accounts(capacity) * (sizeof(struct account) + sizeof(uint32_t)) +
		      (size_t)4 * capacity * sizeof(uint32_t);

	size = (size + 7) / 8 * 8 + 2 * summary_words(capacity) * sizeof(uint64_t);
	size += BLOCKS * sizeof(uint32_t);
	return (size + 63) / 64 * 64;
}

static uint32_t *
forward_head(const struct nat_flows *e, const struct ip_addr *client, uint16_t client_port,
	const struct ip_addr *frontend, uint16_t frontend_port, uint8_t proto)
{
	uint32_t h = flow_hash(client, frontend, client_port, frontend_port, proto);

	return &heads(e, FORWARD)[h & (2 * e->capacity - 1)];
}

static uint32_t *
reverse_head(const struct nat_flows *e, const struct ip_addr *backend, uint16_t backend_port,
	const struct ip_addr *wire, uint16_t wire_port, uint8_t proto)
{
	uint32_t h = flow_hash(backend, wire, backend_port, wire_port, proto);

	return &heads(e, REVERSE)[h & (2 * e->capacity - 1)];
}

static uint32_t *
head_of(const struct nat_flows *e, const struct nat_flow *x, enum direction d)
{
	if (d == FORWARD)
		return forward_head(e, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto);
	return reverse_head(e, &x->backend, x->backend_port, &x->wire, x->wire_port, x->proto);
}

struct nat_flow *
nat_flows_find_forward(struct nat_flows *e, const struct ip_addr *client, uint16_t client_port,
	const struct ip_addr *frontend, uint16_t frontend_port, uint8_t proto)
{
	uint32_t i = *forward_head(e, client, client_port, frontend, frontend_port, proto);

	for (struct nat_flow *x; i != NONE; i = x->next[FORWARD]) {
		x = &entries(e)[i];
		if (x->client_port == client_port && x->frontend_port == frontend_port && x->proto == proto &&
			ip_addr_eq(&x->client, client) && ip_addr_eq(&x->frontend, frontend))
			return x;
	}
	return NULL;
}

struct nat_flow *
nat_flows_find_reverse(struct nat_flows *e, const struct ip_addr *backend, uint16_t backend_port,
	const struct ip_addr *wire, uint16_t wire_port, uint8_t proto)
{
	uint32_t i = *reverse_head(e, backend, backend_port, wire, wire_port, proto);

	for (struct nat_flow *x; i != NONE; i = x->next[REVERSE]) {
		x = &entries(e)[i];
		if (x->wire_port == wire_port && x->backend_port == backend_port && x->proto == proto &&
			ip_addr_eq(&x->wire, wire) && ip_addr_eq(&x->backend, backend))
			return x;
	}
	return NULL;
}

static uint32_t *
account_head(const struct nat_flows *e, const struct ip_addr *client)
{
	return &account_heads(e)[addr_hash(client, 0, 0) & (n_accounts(e->capacity) - 1)];
}

static struct account *
account_find(const struct nat_flows *e, const struct ip_addr *client)
{
	uint32_t i = *account_head(e, client);

	for (struct account *a; i != NONE; i = a->next) {
		a = &accounts(e)[i];
		if (ip_addr_eq(&a->client, client))
			return a;
	}
	return NULL;
}

/* There are as many accounts as entries, so there is one for each new entry. */
static uint32_t
account_charge(struct nat_flows *e, const struct ip_addr *client)
{
	struct account *a = account_find(e, client);
	uint32_t *head;

	if (a == NULL) {
		head = account_head(e, client);
		a = &accounts(e)[e->free_account];
		e->free_account = a->next;
		a->client = *client;
		a->n = 0;
		a->next = *head;
		*head = (uint32_t)(a - accounts(e));
	}
	a->n++;
	return (uint32_t)(a - accounts(e));
}

static void
account_refund(struct nat_flows *e, uint32_t i)
{
	struct account *a = &accounts(e)[i];
	uint32_t *link = account_head(e, &a->client);

	if (--a->n > 0)
		return;
	while (*link != i)
		link = &accounts(e)[*link].next;
	*link = a->next;
	a->next = e->free_account;
	e->free_account = i;
}

static unsigned
chain_len(const struct nat_flows *e, uint32_t i, enum direction d)
{
	unsigned n = 0;

	for (; i != NONE && n < CHAIN_MAX; i = entries(e)[i].next[d])
		n++;
	return n;
}

static void
link_entry(struct nat_flows *e, struct nat_flow *x)
{
	for (enum direction d = FORWARD; d <= REVERSE; d++) {
		uint32_t *head = head_of(e, x, d);

		x->next[d] = *head;
		*head = (uint32_t)(x - entries(e));
		summarize(e, d, head);
	}
	block_uses(e)[x->wire_port / FLOW_OWNER_BLOCK]++;
	x->quota = e->quota != 0 ? account_charge(e, &x->client) : NONE;
	e->n++;
}

void
nat_flows_remove(struct nat_flows *e, struct nat_flow *x)
{
	uint32_t i = (uint32_t)(x - entries(e));

	for (enum direction d = FORWARD; d <= REVERSE; d++) {
		uint32_t *head = head_of(e, x, d), *link = head;

		while (*link != i)
			link = &entries(e)[*link].next[d];
		*link = x->next[d];
		summarize(e, d, head);
	}
	if (x->quota != NONE)
		account_refund(e, x->quota);
	block_uses(e)[x->wire_port / FLOW_OWNER_BLOCK]--;
	__atomic_store_n(&x->proto, 0, __ATOMIC_RELEASE);
	x->next[FORWARD] = e->free_entry;
	e->free_entry = i;
	e->n--;
}

bool
nat_flows_is_over_quota(const struct nat_flows *e, const struct ip_addr *client)
{
	const struct account *a = e->quota != 0 ? account_find(e, client) : NULL;

	return a != NULL && a->n >= e->quota;
}

bool
nat_flows_has_room(const struct nat_flows *e, const struct ip_addr *client)
{
	return e != NULL && (e->free_entry != NONE || e->random != 0) && !nat_flows_is_over_quota(e, client);
}

static bool
is_port_free(struct nat_flows *e, const struct nat_flow *flow, uint16_t port)
{
	return nat_flows_find_reverse(
		       e, &flow->backend, flow->backend_port, &flow->wire, port, flow->proto) == NULL;
}

static bool
is_taken_elsewhere(const struct nat_flow *flow, const struct nat_ports *ports, uint16_t port)
{
	return ports->also != NULL && !is_port_free(ports->also, flow, port);
}

static bool
is_port_usable(const struct nat_flow *flow, const struct nat_ports *ports, uint16_t port)
{
	return !is_taken_elsewhere(flow, ports, port) &&
	       (ports->is_usable == NULL || ports->is_usable(ports->arg, port));
}

/* Xorshift (Marsaglia): enough to be unforeseen by who only sees that entries vanish. */
static uint32_t
next_random(struct nat_flows *e)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 17;
	e->random ^= e->random << 5;
	return e->random;
}

/* Makes room where there is none: in the whole table, where every entry is as likely, in a chain, or of ports. */
static void
evict(struct nat_flows *e, struct nat_flow *victim)
{
	nat_flows_remove(e, victim);
	e->n_evicted++;
}

/* A port that at most an entry of this table has, which then makes room for the flow; 0: there is none. */
static uint16_t
conquer_port(struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports,
	const struct owned_ports *owned)
{
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = flow_owner_port(owned, next_random(e) % owned->n);
		struct nat_flow *victim;

		if (!is_port_usable(flow, ports, port))
			continue;
		victim = nat_flows_find_reverse(
			e, &flow->backend, flow->backend_port, &flow->wire, port, flow->proto);
		if (victim != NULL)
			evict(e, victim);
		return port;
	}
	return 0;
}

/* The wished for wire port if it is free, else one of those that may replace it; 0 when there is none. A flow that
 * comes again finds the port that it had. */
static uint16_t
choose_port(struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports)
{
	struct owned_ports owned;
	uint32_t h;

	if (flow->wire_port != 0 && is_port_free(e, flow, flow->wire_port) &&
		(ports == NULL || !is_taken_elsewhere(flow, ports, flow->wire_port)))
		return flow->wire_port;
	if (ports == NULL)
		return 0;
	owned = flow_owner_ports(ports->first, ports->last, ports->worker, ports->n_workers);
	if (owned.n == 0)
		return 0;
	h = flow_hash(&flow->client, &flow->frontend, flow->client_port, flow->frontend_port, flow->proto);
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = flow_owner_port(&owned, (h + i) % owned.n);

		if (is_port_free(e, flow, port) && is_port_usable(flow, ports, port))
			return port;
	}
	return e->random != 0 ? conquer_port(e, flow, ports, &owned) : 0;
}

static void
make_room(struct nat_flows *e)
{
	if (e->random != 0 && e->free_entry == NONE)
		evict(e, &entries(e)[next_random(e) & (e->capacity - 1)]);
}

/* Whether a chain takes one more entry; in a table that evicts, it does. */
static bool
make_room_in_chain(struct nat_flows *e, const struct nat_flow *x, enum direction d)
{
	uint32_t i = *head_of(e, x, d);

	if (chain_len(e, i, d) < CHAIN_MAX)
		return true;
	if (e->random == 0)
		return false;
	for (uint32_t steps = next_random(e) % CHAIN_MAX; steps > 0; steps--)
		i = entries(e)[i].next[d];
	evict(e, &entries(e)[i]);
	return true;
}

struct nat_flow *
nat_flows_add(
	struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports, uint64_t now_ns)
{
	struct nat_flow want = *flow, *x;

	if (nat_flows_is_over_quota(e, &flow->client)) {
		e->n_refused_quota++;
		return NULL;
	}
	want.flags = 0;
	want.last_seen_ns = now_ns;
	want.wire_port = choose_port(e, flow, ports);
	if (want.wire_port != 0)
		make_room(e);
	if (want.wire_port == 0 || e->free_entry == NONE || !make_room_in_chain(e, &want, FORWARD) ||
		!make_room_in_chain(e, &want, REVERSE)) {
		e->n_refused_full++;
		return NULL;
	}
	x = &entries(e)[e->free_entry];
	e->free_entry = x->next[FORWARD];
	/* a process that dies in here leaves an entry that is not in use */
	want.proto = 0;
	*x = want;
	__atomic_store_n(&x->proto, flow->proto, __ATOMIC_RELEASE);
	link_entry(e, x);
	return x;
}

struct nat_flow *
nat_flows_move(struct nat_flows *to, struct nat_flows *from, struct nat_flow *x, uint64_t now_ns)
{
	struct nat_flow *moved = nat_flows_add(to, x, NULL, now_ns);

	if (moved == NULL)
		return x;
	moved->flags = x->flags;
	nat_flows_remove(from, x);
	return moved;
}

/* A reset may be a stranger's, who guessed ports but no sequence number; then the other end, which was not closed by it,
 * goes on, or says where the connection stands (RFC 5961 section 3.2). */
static void
note_reset(struct nat_flow *x, uint8_t tcp_flags)
{
	const uint8_t both = NAT_FLOW_FIN_FORWARD | NAT_FLOW_FIN_REVERSE;

	if (tcp_flags & TCP_RST)
		x->flags |= NAT_FLOW_CLOSED;
	else if ((x->flags & both) != both)
		x->flags &= (uint8_t)~NAT_FLOW_CLOSED;
}

static void
note_debt(struct nat_flow *x, bool is_forward, uint64_t now_ns)
{
	if (!is_forward)
		x->seq = 0;
	else if (x->seq == 0)
		x->seq = (uint32_t)(now_ns / SECOND_NS) + 1;
}

bool
nat_flow_is_unanswered(const struct nat_flow *x, uint64_t now_ns)
{
	return x->seq != 0 && (uint32_t)(now_ns / SECOND_NS) + 1 - x->seq >= NAT_FLOW_ANSWER_NS / SECOND_NS;
}

void
nat_flow_seen(struct nat_flow *x, bool is_forward, uint8_t tcp_flags, uint64_t now_ns)
{
	const uint8_t both = NAT_FLOW_FIN_FORWARD | NAT_FLOW_FIN_REVERSE;

	x->last_seen_ns = now_ns;
	if (x->flags & NAT_FLOW_CONNECTED)
		note_debt(x, is_forward, now_ns);
	if (x->proto != PROTO_TCP)
		return;
	/* on the ports of one that was closed, the backend has taken up another connection */
	if (!is_forward && (tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		x->flags &= (uint8_t) ~(both | NAT_FLOW_CLOSED);
	if ((tcp_flags & TCP_RST) || (!is_forward && (x->flags & NAT_FLOW_CLOSED)))
		note_reset(x, tcp_flags);
	if (tcp_flags & TCP_FIN)
		x->flags |= is_forward ? NAT_FLOW_FIN_FORWARD : NAT_FLOW_FIN_REVERSE;
	if ((x->flags & both) == both)
		x->flags |= NAT_FLOW_CLOSED;
}

static bool
is_echo(const struct nat_flow *x)
{
	return x->proto == PROTO_ICMP || x->proto == PROTO_ICMPV6;
}

static uint64_t
idle_limit(const struct nat_flows *e, const struct nat_flow *x)
{
	if (x->proto == PROTO_TCP) {
		if (x->flags & NAT_FLOW_CLOSED)
			return NAT_FLOW_CLOSED_IDLE_NS;
		return e->tcp_idle_ns != 0 ? e->tcp_idle_ns : UINT64_MAX;
	}
	if (x->flags & NAT_FLOW_CONNECTED)
		return UINT64_MAX;
	if (e->datagram_idle_ns != 0)
		return e->datagram_idle_ns;
	if (is_echo(x))
		return NAT_FLOW_ECHO_IDLE_NS;
	return x->proto == PROTO_UDP ? NAT_FLOW_UDP_IDLE_NS : NAT_FLOW_SCTP_IDLE_NS;
}

static bool
has_aged(const struct nat_flows *e, const struct nat_flow *x, uint64_t now_ns)
{
	return now_ns - x->last_seen_ns >= idle_limit(e, x);
}

void
nat_flows_expire_some(struct nat_flows *e, uint64_t now_ns)
{
	if (nat_flows_is_empty(e))
		return;
	for (unsigned i = 0; i < EXPIRE_SLICE; i++) {
		struct nat_flow *x = &entries(e)[e->cursor];

		if (x->proto != 0 && has_aged(e, x, now_ns))
			nat_flows_remove(e, x);
		e->cursor = (e->cursor + 1) & (e->capacity - 1);
	}
}

unsigned
nat_flows_copy_some(const struct nat_flows *e, uint32_t *cursor, struct nat_flow *out, unsigned max)
{
	unsigned n = 0;

	for (; *cursor < e->capacity && n < max; ++*cursor)
		if (entries(e)[*cursor].proto != 0)
			out[n++] = entries(e)[*cursor];
	return n;
}

bool
nat_flows_delete(struct nat_flows *e, const struct nat_flow *copy)
{
	struct nat_flow *x = nat_flows_find_forward(
		e, &copy->client, copy->client_port, &copy->frontend, copy->frontend_port, copy->proto);

	if (x == NULL || x->last_seen_ns != copy->last_seen_ns)
		return false;
	nat_flows_remove(e, x);
	return true;
}

void
nat_flows_delete_client(struct nat_flows *e, const struct ip_addr *client)
{
	for (uint32_t i = 0; i < e->capacity; i++) {
		struct nat_flow *x = &entries(e)[i];

		if (x->proto != 0 && ip_addr_eq(&x->client, client))
			nat_flows_remove(e, x);
	}
}

void
nat_flows_delete_backend(struct nat_flows *e, const struct ip_addr *backend)
{
	for (uint32_t i = 0; i < e->capacity; i++) {
		struct nat_flow *x = &entries(e)[i];

		if (x->proto != 0 && ip_addr_eq(&x->backend, backend))
			nat_flows_remove(e, x);
	}
}

static bool
is_ended(const struct nat_flow *x, const struct backend_end *end)
{
	if (end->pod != 0)
		return x->pod == end->pod;
	return x->generation != 0 && x->generation != end->generation && x->backend_port == end->port &&
	       ip_addr_eq(&x->backend, &end->addr);
}

bool
nat_flows_delete_ended(
	struct nat_flows *e, uint32_t *cursor, uint32_t max, const struct backend_end *ends, unsigned n)
{
	for (; *cursor < e->capacity && max != 0; ++*cursor, max--) {
		struct nat_flow *x = &entries(e)[*cursor];

		for (unsigned i = 0; i < n && x->proto != 0; i++)
			if (is_ended(x, &ends[i]))
				nat_flows_remove(e, x);
	}
	return *cursor < e->capacity;
}

/* Any number may be an echo's identifier. */
static bool
has_ports(const struct nat_flow *x)
{
	return is_echo(x) ||
	       (x->client_port != 0 && x->frontend_port != 0 && x->backend_port != 0 && x->wire_port != 0);
}

static bool
is_sound(struct nat_flows *e, const struct nat_flow *x)
{
	bool v4 = ip_addr_is_v4(&x->client);

	return (x->proto == PROTO_TCP || x->proto == PROTO_UDP || x->proto == PROTO_SCTP || is_echo(x)) &&
	       !ip_addr_is_none(&x->client) && ip_addr_is_v4(&x->frontend) == v4 &&
	       ip_addr_is_v4(&x->backend) == v4 && ip_addr_is_v4(&x->wire) == v4 && has_ports(x) &&
	       nat_flows_find_forward(
		       e, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto) == NULL &&
	       is_port_free(e, x, x->wire_port);
}

/* Writes all that is not an entry anew. */
static void
clear_links(struct nat_flows *e)
{
	memset(account_heads(e), 0xff, n_accounts(e->capacity) * sizeof(uint32_t));
	memset(heads(e, FORWARD), 0xff, (size_t)4 * e->capacity * sizeof(uint32_t));
	e->summary = (uint32_t)((uint8_t *)(heads(e, FORWARD) + (size_t)4 * e->capacity) - e->memory);
	e->summary = (e->summary + 7) & ~7u;
	memset(summary(e, FORWARD), 0, 2 * summary_words(e->capacity) * sizeof(uint64_t));
	memset(block_uses(e), 0, BLOCKS * sizeof(uint32_t));
	e->free_account = NONE;
	for (uint32_t i = n_accounts(e->capacity); i-- > 0;) {
		accounts(e)[i].next = e->free_account;
		e->free_account = i;
	}
	e->free_entry = NONE;
	e->n = 0;
	e->cursor = 0;
}

uint32_t
nat_flows_adopt(struct nat_flows *e, const struct nat_flows_config *config, uint64_t now_ns)
{
	uint32_t capacity = config->capacity;

	if (e->version != LAYOUT_VERSION || e->capacity != capacity) {
		memset(e, 0, nat_flows_size(capacity));
		e->capacity = capacity;
		e->version = LAYOUT_VERSION;
	}
	e->quota = config->quota;
	e->tcp_idle_ns = config->tcp_idle_ns;
	e->datagram_idle_ns = config->datagram_idle_ns;
	e->random = config->evicts ? (uint32_t)now_ns | 1 : 0;
	clear_links(e);
	for (uint32_t i = capacity; i-- > 0;) {
		struct nat_flow *x = &entries(e)[i];

		if (is_sound(e, x)) {
			if (x->last_seen_ns > now_ns)
				x->last_seen_ns = now_ns;
			link_entry(e, x);
		} else {
			x->proto = 0;
			x->next[FORWARD] = e->free_entry;
			e->free_entry = i;
		}
	}
	return e->n;
}
