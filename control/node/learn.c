#include "control/node/learn.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/pins.h"
#include "dataplane/counters.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/service/roles.h"
#include "dataplane/worker.h"

#define PENDING_MAX 256

/* Ports heard of within this time are one look at the pod's sockets. */
#define GATHER_NS (2 * NS_PER_MS)

/* A port that a pod sends from. */
struct used_port {
	struct ip_addr pod;
	uint16_t port, client_port; /* which has it on the wire, in the slot; 0: none */
	uint8_t proto, slot;
	bool is_refused; /* an entry could not be made */
};

/* A learned port without a socket. */
struct idle {
	const struct roles *roles;
	uint16_t port;
	uint8_t proto;
};

/* A growing array of them. */
struct idles {
	size_t n, room;
	struct idle *items;
};

struct learner {
	struct learner_config config;
	struct loop_timer *gather, *age;
	unsigned n;
	struct used_port pending[PENDING_MAX];
	struct idles idle; /* ports that had no socket at the last look, sorted */
};

/* The ports of one pod, next to each other in the pending ones; and the socket at hand. */
struct look {
	const struct tables *tables;
	const struct attached *pod;
	const struct endpoint *endpoint;
	struct used_port *ports;
	unsigned n;
	struct pins pins;
	const struct socket_seen *socket;
	struct used_port *port;
};

/* On the pod's worker: what is in a slot of the port becomes an entry first. */
static void
pin_in_slot(const struct frontend *frontend, void *arg)
{
	struct look *look = arg;
	struct nat_flow flow;
	unsigned refused;

	if (pins_flow(look->tables, look->endpoint, look->socket, frontend, &flow) != look->port->slot)
		return;
	refused = look->pins.n_refused;
	pins_add(&look->pins, &flow);
	pins_flush(&look->pins);
	if (look->pins.n_refused != refused)
		look->port->is_refused = true;
}

static void
on_socket(const struct socket_seen *socket, void *arg)
{
	struct look *look = arg;

	look->socket = socket;
	for (unsigned i = 0; i < look->n; i++) {
		look->port = &look->ports[i];
		if (look->port->client_port == socket->local_port && look->port->proto == socket->proto)
			pins_each_frontend(look->tables, socket, pin_in_slot, look);
	}
}

static void
note_ports(struct worker *w, void *arg)
{
	const struct look *look = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < look->n; i++)
		if (!look->ports[i].is_refused)
			n += roles_learn(look->pod->roles, look->ports[i].proto, look->ports[i].port);
	counter_add(&w->counters.counts[COUNT_ROLE_LEARNED], n);
}

static int
look_at_sockets(struct look *look)
{
	static const struct sockets_wanted wanted[] = {
		{ .proto = PROTO_TCP, .states = SOCKETS_LIVE },
		{ .proto = PROTO_UDP, .states = SOCKETS_ALL },
	};
	int view = sockets_open(look->pod->record.netns), result = 0;

	if (view < 0)
		return view;
	for (unsigned i = 0; i < 2 && result == 0; i++)
		result = sockets_each(view, &wanted[i], on_socket, look);
	close(view);
	return result;
}

static bool
is_in_slot(const struct look *look)
{
	for (unsigned i = 0; i < look->n; i++)
		if (look->ports[i].client_port != 0)
			return true;
	return false;
}

static void
learn_of_pod(struct learner *l, const struct attached *pod, struct used_port *ports, unsigned n)
{
	struct look look = { .tables = l->config.tables(l->config.arg), .pod = pod, .ports = ports, .n = n };
	int result = 0;

	if (pod->port == NULL || pod->roles == NULL)
		return;
	look.pins.worker = engine_worker(l->config.engine, pod->port->owner);
	if (look.tables != NULL && is_in_slot(&look)) {
		look.endpoint = endpoint_of_port(look.tables->endpoints, pod->port->id);
		if (look.endpoint != NULL)
			result = look_at_sockets(&look);
	}
	if (result < 0)
		log_warn("the sockets of pod %s/%s cannot be listed: %s", pod->record.pod_ns, pod->record.pod,
			strerror(-result));
	else
		worker_call(look.pins.worker, note_ports, &look);
}

static int
compare_ports(const void *a, const void *b)
{
	return ip_addr_cmp(&((const struct used_port *)a)->pod, &((const struct used_port *)b)->pod);
}

/* All pods are gone through once, however many ports were heard of. */
static void
match_pod(const struct attached *pod, void *arg)
{
	struct learner *l = arg;

	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct ip_addr *addr = &pod->record.addrs[family];
		unsigned first = 0, end;

		while (first < l->n && !ip_addr_eq(&l->pending[first].pod, addr))
			first++;
		end = first;
		while (end < l->n && ip_addr_eq(&l->pending[end].pod, addr))
			end++;
		if (end != first)
			learn_of_pod(l, pod, &l->pending[first], end - first);
	}
}

static void
on_gather(void *arg)
{
	struct learner *l = arg;

	qsort(l->pending, l->n, sizeof(*l->pending), compare_ports);
	attach_each(l->config.attach, match_pod, l);
	l->n = 0;
}

void
learner_heard(struct learner *l, const struct event *event)
{
	struct used_port *used = &l->pending[l->n];
	int slot;

	if (l->n == PENDING_MAX)
		return;
	*used = (struct used_port){
		.pod = event->addr,
		.port = (uint16_t)event->value,
		.proto = (uint8_t)(event->value >> 16),
	};
	slot = slot_decode(used->port, &used->client_port);
	if (slot > 0)
		used->slot = (uint8_t)slot;
	else
		used->client_port = 0;
	if (l->n++ == 0)
		loop_timer_set(l->gather, GATHER_NS, 0);
}

/* Ageing: a port that no socket has at two looks in a row is forgotten. */

struct ageing {
	struct learner *l;
	uint64_t used[2][65536 / 64];
	const struct attached *pod;
	struct idles idle;   /* at this look */
	struct idles forgot; /* of this pod */
};

static int
compare_idle(const void *x, const void *y)
{
	const struct idle *a = x, *b = y;

	if (a->roles != b->roles)
		return a->roles < b->roles ? -1 : 1;
	if (a->proto != b->proto)
		return (int)a->proto - (int)b->proto;
	return (int)a->port - (int)b->port;
}

/* Out of memory, the port is looked at another time. */
static void
idles_add(struct idles *list, const struct idle *idle)
{
	if (list->n == list->room) {
		size_t room = list->room == 0 ? 256 : 2 * list->room;
		struct idle *grown = realloc(list->items, room * sizeof(*grown));

		if (grown == NULL)
			return;
		list->items = grown;
		list->room = room;
	}
	list->items[list->n++] = *idle;
}

static void
mark_used(const struct socket_seen *socket, void *arg)
{
	struct ageing *a = arg;

	a->used[socket->proto == PROTO_UDP][socket->local_port / 64] |= UINT64_C(1)
									<< socket->local_port % 64;
}

static void
age_port(uint8_t proto, uint16_t port, void *arg)
{
	struct ageing *a = arg;
	const struct idles *before = &a->l->idle;
	struct idle idle = { .roles = a->pod->roles, .port = port, .proto = proto };

	if (a->used[proto == PROTO_UDP][port / 64] >> port % 64 & 1)
		return;
	if (before->n != 0 && bsearch(&idle, before->items, before->n, sizeof(idle), compare_idle) != NULL)
		idles_add(&a->forgot, &idle);
	else
		idles_add(&a->idle, &idle);
}

/* On the pod's worker. */
static void
forget_ports(struct worker *w, void *arg)
{
	const struct ageing *a = arg;

	for (size_t i = 0; i < a->forgot.n; i++)
		roles_unlearn(a->pod->roles, a->forgot.items[i].proto, a->forgot.items[i].port);
}

static int
mark_sockets(struct ageing *a)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };
	int view = sockets_open(a->pod->record.netns), result = 0;

	if (view < 0)
		return view;
	memset(a->used, 0, sizeof(a->used));
	for (unsigned i = 0; i < 2 && result == 0; i++) {
		struct sockets_wanted wanted = { .proto = protos[i], .states = SOCKETS_ALL };

		result = sockets_each(view, &wanted, mark_used, a);
	}
	close(view);
	return result;
}

static void
age_pod(const struct attached *pod, void *arg)
{
	struct ageing *a = arg;

	if (pod->port == NULL || pod->roles == NULL || pod->roles->n_learned == 0)
		return;
	a->pod = pod;
	a->forgot.n = 0;
	if (mark_sockets(a) < 0)
		return;
	roles_each_learned(pod->roles, age_port, a);
	if (a->forgot.n != 0)
		worker_call(engine_worker(a->l->config.engine, pod->port->owner), forget_ports, a);
}

static void
on_age(void *arg)
{
	struct learner *l = arg;
	struct ageing *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return;
	a->l = l;
	attach_each(l->config.attach, age_pod, a);
	free(l->idle.items);
	l->idle = a->idle;
	if (l->idle.n != 0)
		qsort(l->idle.items, l->idle.n, sizeof(*l->idle.items), compare_idle);
	free(a->forgot.items);
	free(a);
}

struct learner *
learner_new(const struct learner_config *config)
{
	struct learner *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->config = *config;
	l->gather = loop_timer_new(config->loop, on_gather, l);
	l->age = loop_timer_new(config->loop, on_age, l);
	if (l->gather == NULL || l->age == NULL) {
		learner_free(l);
		return NULL;
	}
	loop_timer_set(l->age, LEARNED_REST_NS, LEARNED_REST_NS);
	return l;
}

void
learner_free(struct learner *l)
{
	if (l == NULL)
		return;
	loop_timer_free(l->gather);
	loop_timer_free(l->age);
	free(l->idle.items);
	free(l);
}
