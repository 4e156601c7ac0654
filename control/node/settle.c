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
	bool is_listening;
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

/* Whether there is such a connection: what the pod sends as its server, and what arrives for it as who opened it. Where a socket
 * listens, all but what the pod just opens counts as accepted; where none does, nothing. */
static bool
is_as_asked(struct question *q)
{
	const struct ip_addr *local = &q->pod->record.addrs[ip_addr_is_v4(&q->event->addr) ? V4 : V6];
	struct sockets_wanted wanted = {
		.proto = PROTO_TCP, .states = 1u << SOCKET_LISTEN, .local_port = q->local_port
	};
	bool is_accepted, is_answered;
	int view = sockets_open(q->pod->record.netns), state;

	if (view < 0)
		return false;
	state = sockets_tcp_state(view, local, q->local_port, &q->event->addr, q->remote_port);
	is_answered = state > 0 && sockets_each(view, &wanted, note_listener, q) == 0;
	close(view);
	is_accepted = q->is_listening && state != SOCKET_SYN_SENT;
	return is_answered && is_accepted == (q->event->kind == EVENT_REPLY_UNKNOWN);
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
	if (q.pod != NULL && q.pod->policy_state != NULL && is_as_asked(&q))
		worker_call(engine_worker(engine, q.pod->port->owner), enter, &q);
}
