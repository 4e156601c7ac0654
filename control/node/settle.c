#include "control/node/settle.h"

#include <unistd.h>

#include "control/node/attach.h"
#include "control/node/sockets.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/worker.h"

struct question {
	const struct event *event;
	struct engine *engine;
	const struct attached *pod;
	uint16_t local_port, remote_port;
	bool is_listening, is_opening;
};

static void
find_pod(const struct attached *pod, void *arg)
{
	struct question *q = arg;

	if (pod->port != NULL && pod->port->id == q->event->port)
		q->pod = pod;
}

static void
note_listener(const struct socket_seen *socket, void *arg)
{
	((struct question *)arg)->is_listening = true;
}

/* A connection that the pod itself opens is no answer, whatever port it comes from. */
static void
note_opening(const struct socket_seen *socket, void *arg)
{
	struct question *q = arg;

	if (socket->remote_port == q->remote_port && ip_addr_eq(&socket->remote, &q->event->addr))
		q->is_opening = true;
}

static bool
is_served(struct question *q)
{
	const struct ip_addr *local = &q->pod->record.addrs[ip_addr_is_v4(&q->event->addr) ? V4 : V6];
	struct sockets_wanted wanted = {
		.proto = PROTO_TCP, .states = 1u << SOCKET_LISTEN, .local_port = q->local_port
	};
	int view = sockets_open(q->pod->record.netns);
	bool is_there;

	if (view < 0)
		return false;
	is_there = sockets_has_tcp(view, local, q->local_port, &q->event->addr, q->remote_port) == 1 &&
		   sockets_each(view, &wanted, note_listener, q) == 0 && q->is_listening;
	wanted.states = 1u << SOCKET_SYN_SENT;
	is_there = is_there && sockets_each(view, &wanted, note_opening, q) == 0 && !q->is_opening;
	close(view);
	return is_there;
}

/* On the pod's worker. */
static void
enter(struct worker *w, void *arg)
{
	const struct question *q = arg;
	struct policy_state *s = q->pod->policy_state;

	reply_write(s, reply_tag(s, &q->event->addr, q->remote_port, q->local_port, PROTO_TCP), w->now_ns);
}

void
settle_reply(const struct attach *attach, struct engine *engine, const struct event *event)
{
	struct question q = { .event = event,
		.engine = engine,
		.local_port = (uint16_t)(event->value >> 16),
		.remote_port = (uint16_t)event->value };

	attach_each(attach, find_pod, &q);
	if (q.pod != NULL && q.pod->policy_state != NULL && is_served(&q))
		worker_call(engine_worker(engine, q.pod->port->owner), enter, &q);
}
