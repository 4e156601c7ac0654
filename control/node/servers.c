#include "control/node/servers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/sockets.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/policy/policy_table.h"
#include "dataplane/worker.h"

#define SWEEP_NS (30 * NS_PER_S)

/* A pod with learned ports. */
struct aged {
	const struct policy_state *state;
	uint64_t sweep; /* number of the last one that looked at it */
	uint64_t idle[SERVER_WORDS];
	struct aged *next;
};

struct servers {
	struct servers_config config;
	struct loop_timer *timer;
	struct loop_task step;
	bool is_sweeping;
	uint64_t sweep; /* number */
	unsigned at;    /* the next pod, in the order of attach_each() */
	struct aged *aged;
	struct server_ports ports;
	const struct policy_table *next, *last; /* of servers_note_accepting() */
};

/* --- what sockets tell */

static bool
is_loopback(const struct ip_addr *addr)
{
	static const struct ip_addr v6 = { .b = { [15] = 1 } };

	return ip_addr_is_v4(addr) ? addr->b[12] == 127 : ip_addr_eq(addr, &v6);
}

static void
note_socket(const struct socket_seen *socket, void *arg)
{
	struct server_ports *ports = arg;
	uint64_t bit = UINT64_C(1) << socket->local_port % 64;

	ports->has_sockets = true;
	ports->in_use[socket->local_port / 64] |= bit;
	if (!ip_addr_is_none(&socket->remote) && !is_loopback(&socket->remote) &&
		!ip_addr_eq(&socket->remote, &socket->local))
		ports->connected[socket->local_port / 64] |= bit;
	if (socket->state == SOCKET_LISTEN && !is_loopback(&socket->local))
		ports->listening[socket->local_port / 64] |= bit;
}

static int
read_states(struct server_ports *ports, int view, uint32_t states)
{
	const struct sockets_wanted wanted = { .proto = PROTO_TCP, .states = states };

	memset(ports, 0, sizeof(*ports));
	return sockets_each(view, &wanted, note_socket, ports);
}

int
server_ports_read(struct server_ports *ports, int view)
{
	return read_states(ports, view, SOCKETS_LIVE | 1u << SOCKET_LISTEN);
}

bool
server_ports_age(const struct policy_state *state, const struct server_ports *ports,
	uint64_t idle[SERVER_WORDS], uint64_t forgotten[SERVER_WORDS])
{
	uint64_t any = 0;

	for (unsigned i = 0; i < SERVER_WORDS; i++) {
		uint64_t now = ports->has_sockets ? state->learned[i] & ~ports->in_use[i] : 0;

		forgotten[i] = idle[i] & now;
		idle[i] = now & ~forgotten[i];
		any |= forgotten[i];
	}
	return any != 0;
}

/* --- what workers are told */

struct change {
	struct policy_state *state;
	const uint64_t *ports;
	bool is_end;
};

/* On the pod's worker. */
static void
make_change(struct worker *w, void *arg)
{
	const struct change *c = arg;

	for (unsigned i = 0; i < SERVER_WORDS; i++)
		for (uint64_t left = c->ports[i]; left != 0; left &= left - 1) {
			uint16_t port = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(left));

			if (c->is_end)
				policy_forget_server(c->state, port);
			else
				policy_learn_server(c->state, port);
		}
}

static void
change_on_worker(const struct servers *s, const struct attached *pod, const uint64_t *ports, bool is_end)
{
	struct change c = { pod->policy_state, ports, is_end };

	worker_call(engine_worker(s->config.engine, pod->port->owner), make_change, &c);
}

/* Pods without a port have no state either. */
static bool
has_state(const struct attached *pod)
{
	return pod->port != NULL && pod->policy_state != NULL;
}

/* Ports that are no server's yet, at which sockets listen and connections stand. The kernel has those that listen by
 * themselves; to find connections, it looks at all of the host's. */
static int
find_accepting(struct servers *s, const struct policy_state *state, int view, bool *are_any)
{
	uint64_t listening[SERVER_WORDS], any = 0;
	int result = read_states(&s->ports, view, 1u << SOCKET_LISTEN);

	*are_any = false;
	for (unsigned i = 0; i < SERVER_WORDS; i++)
		any |= listening[i] = s->ports.listening[i] & ~state->servers[i];
	if (result < 0 || any == 0)
		return result;
	result = read_states(&s->ports, view, SOCKETS_LIVE);
	for (unsigned i = 0; i < SERVER_WORDS; i++)
		*are_any |= (s->ports.connected[i] &= listening[i]) != 0;
	return result;
}

/* Where sockets cannot be looked at, ports are learned as somebody is let in. */
static void
learn_accepting(struct servers *s, const struct attached *pod)
{
	int view = sockets_open(pod->record.netns), result = view;
	bool are_any = false;

	if (view >= 0) {
		result = find_accepting(s, pod->policy_state, view, &are_any);
		close(view);
	}
	if (result < 0)
		log_debug("sockets of pod %s/%s cannot be listed: %s", pod->record.pod_ns, pod->record.pod,
			strerror(-result));
	else if (are_any)
		change_on_worker(s, pod, s->ports.connected, false);
}

/* --- pods that become isolated */

/* NULL: it is not isolated, or closed: such a pod has no connections at all, and in audit mode they are looked at when it
 * gets its rules. */
static const struct pod_policy *
isolation_of(const struct policy_table *t, const struct attached *pod)
{
	const struct pod_policy *p = t == NULL ? NULL : policy_of_port(t, pod->port->id);

	return p != NULL && p->state == pod->policy_state &&
			       (p->rules[POLICY_INGRESS] != NULL || p->rules[POLICY_EGRESS] != NULL)
		       ? p
		       : NULL;
}

static void
look_if_new(const struct attached *pod, void *arg)
{
	struct servers *s = arg;
	const struct pod_policy *next, *last;

	if (!has_state(pod))
		return;
	next = isolation_of(s->next, pod);
	last = isolation_of(s->last, pod);
	if (next != NULL && (last == NULL || (last->is_audit && !next->is_audit)))
		learn_accepting(s, pod);
}

void
servers_note_accepting(struct servers *s, const struct policy_table *next, const struct policy_table *last)
{
	if (next == NULL || next == last)
		return;
	s->next = next;
	s->last = last;
	attach_each(s->config.attach, look_if_new, s);
}

/* --- sweeps: a pod per round of the loop */

static struct aged *
aged_of(struct servers *s, const struct policy_state *state)
{
	struct aged *a = s->aged;

	while (a != NULL && a->state != state)
		a = a->next;
	if (a != NULL)
		return a;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->state = state;
	a->next = s->aged;
	s->aged = a;
	return a;
}

/* Those that the sweep did not come by are gone. */
static void
drop_gone(struct servers *s)
{
	for (struct aged **place = &s->aged; *place != NULL;) {
		struct aged *a = *place;

		if (a->sweep == s->sweep) {
			place = &a->next;
			continue;
		}
		*place = a->next;
		free(a);
	}
}

static void
age_pod(struct servers *s, const struct attached *pod)
{
	struct aged *a = aged_of(s, pod->policy_state);
	uint64_t forgotten[SERVER_WORDS];
	int view, result;

	if (a == NULL || a->sweep == s->sweep)
		return;
	a->sweep = s->sweep;
	view = sockets_open(pod->record.netns);
	if (view < 0)
		return;
	result = server_ports_read(&s->ports, view);
	close(view);
	if (result < 0 || !server_ports_age(pod->policy_state, &s->ports, a->idle, forgotten))
		return;
	change_on_worker(s, pod, forgotten, true);
}

struct nth {
	struct servers *servers;
	unsigned n;
	bool is_found;
};

static void
age_nth(const struct attached *pod, void *arg)
{
	struct nth *nth = arg;
	struct servers *s = nth->servers;

	if (nth->n++ != s->at)
		return;
	nth->is_found = true;
	if (!has_state(pod))
		return;
	if (pod->policy_state->n_learned != 0 && !attached_is_opaque(pod))
		age_pod(s, pod);
	/* somebody may have been let in while we looked, or while tables were published */
	if (isolation_of(s->config.policies(s->config.arg), pod) != NULL)
		learn_accepting(s, pod);
}

static void
on_step(void *arg)
{
	struct servers *s = arg;
	struct nth nth = { .servers = s };

	attach_each(s->config.attach, age_nth, &nth);
	s->at++;
	if (nth.is_found) {
		loop_defer(s->config.loop, &s->step);
		return;
	}
	drop_gone(s);
	s->is_sweeping = false;
}

/* One that is still under way goes on. */
static void
on_timer(void *arg)
{
	struct servers *s = arg;

	if (s->is_sweeping)
		return;
	s->is_sweeping = true;
	s->sweep++;
	s->at = 0;
	loop_defer(s->config.loop, &s->step);
}

struct servers *
servers_new(const struct servers_config *config)
{
	struct servers *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->config = *config;
	s->step = (struct loop_task){ .fn = on_step, .arg = s };
	s->timer = loop_timer_new(config->loop, on_timer, s);
	if (s->timer == NULL) {
		servers_free(s);
		return NULL;
	}
	loop_timer_set(s->timer, SWEEP_NS, SWEEP_NS);
	return s;
}

void
servers_free(struct servers *s)
{
	if (s == NULL)
		return;
	loop_cancel(s->config.loop, &s->step);
	loop_timer_free(s->timer);
	while (s->aged != NULL) {
		struct aged *a = s->aged;

		s->aged = a->next;
		free(a);
	}
	free(s);
}
