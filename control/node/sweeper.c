#include "control/node/sweeper.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/build/slots.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/sockets.h"
#include "control/node/sweep.h"
#include "dataplane/engine.h"
#include "dataplane/worker.h"

#define SWEEP_NS (30 * NS_PER_S)

struct sweeper {
	struct sweeper_config config;
	struct loop_timer *timer;
	struct loop_task step;
	struct worker *workers[WORKERS_MAX];
	unsigned n_workers;
	bool is_sweeping;
	struct ip_addr client; /* whose sockets 'view' shows; none: there is no view */
	int view;              /* or -errno */
	struct sweep sweep;
};

struct search {
	const struct ip_addr *addr;
	const char *netns; /* NULL: no pod has the address, so it is the host's */
};

static void
match_pod(const struct attached *pod, void *arg)
{
	struct search *search = arg;

	for (unsigned family = 0; family < N_FAMILIES; family++)
		if (ip_addr_eq(&pod->record.addrs[family], search->addr))
			search->netns = pod->record.netns;
}

static void
close_view(struct sweeper *s)
{
	if (s->view >= 0)
		close(s->view);
	s->view = -1;
	s->client = (struct ip_addr){ 0 };
}

/* The last one serves further entries of the same client, which stand together. */
static int
view_of(struct sweeper *s, const struct ip_addr *client)
{
	struct search search = { .addr = client };

	if (ip_addr_eq(&s->client, client))
		return s->view;
	close_view(s);
	attach_each(s->config.attach, match_pod, &search);
	s->view = sockets_open(search.netns);
	s->client = *client;
	return s->view;
}

struct datagrams {
	const struct nat_flow *x;
	bool found;
};

static void
match_socket(const struct socket_seen *socket, void *arg)
{
	struct datagrams *d = arg;

	d->found |=
		socket->remote_port == d->x->frontend_port && ip_addr_eq(&socket->remote, &d->x->frontend);
}

static int
has_udp(int view, const struct nat_flow *x)
{
	struct sockets_wanted wanted = { PROTO_UDP, SOCKETS_ALL, x->client_port };
	struct datagrams d = { .x = x };
	int result = sockets_each(view, &wanted, match_socket, &d);

	return result < 0 ? result : d.found;
}

static int
ask_client(const struct nat_flow *x, void *arg)
{
	int view = view_of(arg, &x->client);

	if (view < 0)
		return view;
	if (x->proto == PROTO_UDP)
		return has_udp(view, x);
	return sockets_tcp_state(view, &x->client, x->client_port, &x->frontend, x->frontend_port);
}

/* Its client's other connections may not be seen, either. */
static void
note_unseen(const struct nat_flow *x, void *arg)
{
	const struct sweeper *s = arg;

	attach_note_opaque(s->config.attach, &x->client);
}

/* What an entry says about its port on the wire may be a slot's, which then is nobody else's. */
static void
touch_slot(const struct nat_flow *x, void *arg)
{
	const struct sweeper *s = arg;

	slots_touch(s->config.slots, &x->backend, x->backend_port, x->proto, &x->frontend, x->frontend_port,
		s->sweep.now_ns);
}

static void
on_step(void *arg)
{
	struct sweeper *s = arg;
	const struct sweep_calls calls = {
		.ask = ask_client, .stays = touch_slot, .unseen = note_unseen, .arg = s
	};

	if (sweep_step(&s->sweep, s->workers, s->n_workers, &calls)) {
		loop_defer(s->config.loop, &s->step);
		return;
	}
	close_view(s);
	s->is_sweeping = false;
	if (s->sweep.n_ended != 0)
		log_debug("%u exceptional service flows ended with their sockets", s->sweep.n_ended);
}

/* One that is still under way goes on. */
static void
on_timer(void *arg)
{
	struct sweeper *s = arg;

	if (s->is_sweeping)
		return;
	s->is_sweeping = true;
	sweep_begin(&s->sweep, clock_now_ns());
	loop_defer(s->config.loop, &s->step);
}

struct sweeper *
sweeper_new(const struct sweeper_config *config)
{
	struct sweeper *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->config = *config;
	s->view = -1;
	s->step = (struct loop_task){ .fn = on_step, .arg = s };
	s->n_workers = engine_n_workers(config->engine);
	for (unsigned i = 0; i < s->n_workers; i++)
		s->workers[i] = engine_worker(config->engine, i);
	s->timer = loop_timer_new(config->loop, on_timer, s);
	if (s->timer == NULL) {
		sweeper_free(s);
		return NULL;
	}
	loop_timer_set(s->timer, SWEEP_NS, SWEEP_NS);
	return s;
}

void
sweeper_free(struct sweeper *s)
{
	if (s == NULL)
		return;
	loop_cancel(s->config.loop, &s->step);
	loop_timer_free(s->timer);
	close_view(s);
	free(s);
}
