#include "control/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/admin/health_ports.h"
#include "control/build/policy_build.h"
#include "control/build/publish.h"
#include "control/build/service_build.h"
#include "control/daemon.h"
#include "control/denied_dns.h"
#include "control/gather.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/forget.h"
#include "control/node/learn.h"
#include "control/node/mover.h"
#include "control/node/path_mtu.h"
#include "control/node/seed.h"
#include "control/node/servers.h"
#include "control/node/settle.h"
#include "control/node/slot_file.h"
#include "control/node/sweeper.h"
#include "control/node/underlay.h"
#include "control/node/uplink.h"
#include "control/report/dns_event.h"
#include "dataplane/engine.h"
#include "dataplane/policy/policy_table.h"
#include "dataplane/worker.h"

/* How often what can change unseen is looked at: deleted links, half-done attachments, aged path MTUs. */
#define TICK_NS (5 * NS_PER_S)

struct follow {
	struct daemon *d;
	struct path_mtus *path_mtus;
	struct uplink *uplink;
	struct gather *gather;
	struct own_node *own_node;
	struct seeder *seeder;
	struct learner *learner;
	struct mover *mover;
	struct sweeper *sweeper;
	struct servers *servers;
	struct events *const *events;
	int event_fd;
	struct loop_fd *events_watch, *reap_watch;
	struct loop_timer *tick;
	struct loop_task task;
	uint64_t attach_generation;
	int (*when_released)(struct daemon *d); /* NULL: nothing waits */
};

static void
look_again(struct follow *f)
{
	own_node_follow(f->own_node);
	if (attach_generation(f->d->attach) != f->attach_generation) {
		f->attach_generation = attach_generation(f->d->attach);
		publisher_facts_changed(f->d->publisher);
	}
	if (seeder_run(f->seeder) < 0)
		log_error("out of memory: declared ports are not noted");
}

/* Pins and the like to backends that are no more. */
static void
forget_flows(struct follow *f)
{
	size_t n;
	const struct backend_end *ends = service_builder_ends(publisher_services(f->d->publisher), &n);

	flows_forget(f->d->engine, ends, n);
}

static void
on_task(void *arg)
{
	struct follow *f = arg;

	if (publisher_is_held(f->d->publisher))
		return;
	look_again(f);
	forget_flows(f);
	publisher_check(f->d->publisher);
}

void
follow_changed(struct follow *f)
{
	loop_defer(f->d->loop, &f->task);
}

void
follow_now(struct follow *f)
{
	own_node_mark(f->own_node);
	look_again(f);
	/* It was told of nodes just now. Workers that begin without a way to them, or out, lose what waits for them. */
	if (underlay_read(f->d->underlay)) {
		own_node_mark(f->own_node);
		publisher_facts_changed(f->d->publisher);
		look_again(f);
	}
	publisher_flush(f->d->publisher);
}

void
follow_hold(struct follow *f)
{
	publisher_hold(f->d->publisher);
}

void
follow_release(struct follow *f)
{
	int (*fn)(struct daemon * d) = f->when_released;

	publisher_release(f->d->publisher);
	own_node_mark(f->own_node);
	follow_changed(f);
	f->when_released = NULL;
	if (fn != NULL && fn(f->d) < 0)
		log_error("the daemon is of no use: it must be started again");
}

int
follow_when_released(struct follow *f, int (*fn)(struct daemon *d))
{
	if (!publisher_is_held(f->d->publisher))
		return fn(f->d);
	f->when_released = fn;
	return 0;
}

int
follow_publish(void *follow)
{
	struct follow *f = follow;

	f->attach_generation = attach_generation(f->d->attach);
	publisher_facts_changed(f->d->publisher);
	if (seeder_run(f->seeder) < 0)
		return -ENOMEM;
	return publisher_flush(f->d->publisher);
}

/* Events. */

static void
on_path_mtu(struct follow *f, const struct event *event)
{
	char text[IP_ADDR_STRLEN];

	if (!path_mtu_learn(f->path_mtus, &event->addr, (uint16_t)event->value, clock_now_ns()))
		return;
	log_info("the tunnel to %s takes %u bytes, says a router on the way",
		ip_addr_format(&event->addr, text), event->value);
	publisher_facts_changed(f->d->publisher);
}

static void
on_underlay(void *arg)
{
	struct follow *f = arg;

	own_node_mark(f->own_node);
	publisher_facts_changed(f->d->publisher);
	follow_changed(f);
}

static void
on_dns_denied(struct follow *f, const struct event *event)
{
	const struct tables *t = publisher_tables(f->d->publisher);
	char text[DENIED_DNS_TEXT_SIZE];
	struct denied_query query;

	if (t != NULL && denied_dns_note(f->d->denied_dns, event, t, clock_now_ns(), &query)) {
		log_warn("%s", denied_dns_print(publisher_policies(f->d->publisher), &query, text));
		dns_event_note(f->d, &query, text);
	}
}

static void
on_event(struct follow *f, const struct event *event)
{
	switch (event->kind) {
	case EVENT_PATH_MTU:
		on_path_mtu(f, event);
		break;
	case EVENT_NEIGHBOUR:
		underlay_find_host(f->d->underlay, &event->addr);
		break;
	case EVENT_PORT_USED:
		learner_heard(f->learner, event);
		break;
	case EVENT_REPLY_UNKNOWN:
	case EVENT_CONNECTION_UNKNOWN:
		settle_reply(f->d->attach, f->d->engine, event);
		break;
	case EVENT_DNS_DENIED:
		on_dns_denied(f, event);
		break;
	default:
		break;
	}
}

static void
on_worker_events(uint32_t events, void *arg)
{
	struct follow *f = arg;
	struct event event;
	uint64_t n;

	if (read(f->event_fd, &n, sizeof(n)) < 0)
		return;
	for (unsigned w = 0; w < engine_n_workers(f->d->engine); w++)
		while (events_take(f->events[w], &event))
			on_event(f, &event);
}

static void
on_reap(uint32_t events, void *arg)
{
	engine_reap(((struct follow *)arg)->d->engine);
}

static void
on_tick(void *arg)
{
	struct follow *f = arg;

	if (path_mtus_expire(f->path_mtus, clock_now_ns()))
		publisher_facts_changed(f->d->publisher);
	if (gather_follow_ports(f->gather, own_node_exposed_ports(f->own_node)))
		publisher_facts_changed(f->d->publisher);
	attach_tick(f->d->attach);
	own_node_mark(f->own_node);
	follow_changed(f);
}

static void
on_publishing(const struct tables *next, void *arg)
{
	struct follow *f = arg;
	const struct tables *last = publisher_tables(f->d->publisher);

	servers_note_accepting(f->servers, next->policies, last == NULL ? NULL : last->policies);
}

static void
on_published(const struct tables *tables, void *arg)
{
	struct follow *f = arg;

	slot_file_write(f->d->state, f->d->slots);
	health_ports_changed(f->d->health_ports);
	own_node_expose(f->own_node, tables);
	forget_flows(f);
	if (f->mover != NULL)
		mover_wake(f->mover);
}

/* Start. */

static int
make_underlay(struct follow *f)
{
	struct underlay_config config = {
		.loop = f->d->loop,
		.interface = f->d->config.uplink.interface,
		.changed = on_underlay,
		.arg = f,
	};
	int result = underlay_new(&f->d->underlay, &config);

	if (result < 0)
		log_error("the node's interfaces cannot be read by netlink: %s", strerror(-result));
	return result;
}

static void
gather(struct build_facts *facts, void *arg)
{
	gather_facts(((struct follow *)arg)->gather, facts);
}

/* Workers begin at zero, and control takes the difference to what a number had when it was given to a rule. */
static uint64_t
count_by_number(uint32_t number, void *arg)
{
	const struct engine *e = ((struct follow *)arg)->d->engine;
	uint64_t n = 0;

	for (unsigned w = 0; w < engine_n_workers(e); w++) {
		const struct policy_hits *hits = engine_worker(e, w)->policy_hits;

		if (hits != NULL)
			n += __atomic_load_n(&hits->counts[number], __ATOMIC_RELAXED);
	}
	return n;
}

static int
make_publisher(struct follow *f)
{
	struct publisher_config config = {
		.loop = f->d->loop,
		.store = f->d->store,
		.slots = f->d->slots,
		.snapshot = f->d->snapshot,
		.gather = gather,
		.publishing = on_publishing,
		.published = on_published,
		.arg = f,
	};

	f->d->publisher = publisher_new(&config);
	if (f->d->publisher == NULL)
		return -ENOMEM;
	policy_builder_count_by(publisher_policies(f->d->publisher), count_by_number, f);
	return 0;
}

static const struct tables *
tables_in_force(void *arg)
{
	return publisher_tables(((struct follow *)arg)->d->publisher);
}

static int
make_learner(struct follow *f)
{
	struct learner_config config = {
		.loop = f->d->loop,
		.attach = f->d->attach,
		.engine = f->d->engine,
		.tables = tables_in_force,
		.arg = f,
	};

	f->learner = learner_new(&config);
	return f->learner == NULL ? -ENOMEM : 0;
}

static int
make_mover(struct follow *f)
{
	struct mover_config config = {
		.loop = f->d->loop,
		.attach = f->d->attach,
		.engine = f->d->engine,
		.publisher = f->d->publisher,
	};

	f->mover = mover_new(&config);
	return f->mover == NULL ? -ENOMEM : 0;
}

static int
make_sweeper(struct follow *f)
{
	struct sweeper_config config = {
		.loop = f->d->loop,
		.engine = f->d->engine,
		.attach = f->d->attach,
		.slots = f->d->slots,
	};

	f->sweeper = sweeper_new(&config);
	return f->sweeper == NULL ? -ENOMEM : 0;
}

static const struct policy_table *
policies_in_force(void *arg)
{
	const struct tables *t = tables_in_force(arg);

	return t == NULL ? NULL : t->policies;
}

static int
make_servers(struct follow *f)
{
	struct servers_config config = {
		.loop = f->d->loop,
		.attach = f->d->attach,
		.engine = f->d->engine,
		.policies = policies_in_force,
		.arg = f,
	};

	f->servers = servers_new(&config);
	return f->servers == NULL ? -ENOMEM : 0;
}

static int
watch(struct follow *f)
{
	struct loop *loop = f->d->loop;

	f->events_watch = loop_fd_add(loop, f->event_fd, EPOLLIN, on_worker_events, f);
	f->reap_watch = loop_fd_add(loop, engine_reap_fd(f->d->engine), EPOLLIN, on_reap, f);
	f->tick = loop_timer_new(loop, on_tick, f);
	if (f->events_watch == NULL || f->reap_watch == NULL || f->tick == NULL)
		return -errno;
	loop_timer_set(f->tick, TICK_NS, TICK_NS);
	return 0;
}

/* What needs nothing but the daemon. */
static int
make_parts(struct follow *f)
{
	struct daemon *d = f->d;

	f->path_mtus = path_mtus_new();
	f->uplink = uplink_new(d->engine, d->xdp, (enum xdp_choice)d->config.uplink.xdp);
	f->seeder = seeder_new(d->store, d->attach, d->engine);
	if (f->path_mtus == NULL || f->uplink == NULL || f->seeder == NULL ||
		gather_new(&f->gather, d, f->uplink, f->path_mtus) < 0)
		return -ENOMEM;
	f->own_node = own_node_new(d, f->uplink, gather_masquerade_claim(f->gather), gather_dns(f->gather));
	return f->own_node == NULL ? -ENOMEM : slot_file_read(d->state, &d->slots);
}

int
follow_new(struct follow **out, struct daemon *d, struct events *const *events, int event_fd)
{
	struct follow *f = calloc(1, sizeof(*f));
	int result;

	if (f == NULL)
		return -ENOMEM;
	f->d = d;
	f->events = events;
	f->event_fd = event_fd;
	f->task = (struct loop_task){ .fn = on_task, .arg = f };
	d->denied_dns = denied_dns_new();
	result = d->denied_dns == NULL ? -ENOMEM : make_parts(f);
	if (result == 0)
		result = make_underlay(f);
	if (result == 0)
		result = make_publisher(f);
	if (result == 0)
		result = make_learner(f);
	if (result == 0)
		result = make_mover(f);
	if (result == 0)
		result = make_sweeper(f);
	if (result == 0)
		result = make_servers(f);
	if (result == 0)
		result = watch(f);
	if (result < 0) {
		follow_free(f);
		return result;
	}
	*out = f;
	return 0;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	loop_cancel(f->d->loop, &f->task);
	loop_fd_remove(f->events_watch);
	loop_fd_remove(f->reap_watch);
	loop_timer_free(f->tick);
	servers_free(f->servers);
	sweeper_free(f->sweeper);
	publisher_free(f->d->publisher);
	f->d->publisher = NULL;
	underlay_free(f->d->underlay);
	f->d->underlay = NULL;
	slots_free(f->d->slots);
	f->d->slots = NULL;
	mover_free(f->mover);
	learner_free(f->learner);
	seeder_free(f->seeder);
	own_node_free(f->own_node);
	gather_free(f->gather);
	uplink_free(f->uplink);
	path_mtus_free(f->path_mtus);
	denied_dns_free(f->d->denied_dns);
	f->d->denied_dns = NULL;
	free(f);
}

const char *
follow_warning(const struct follow *f, unsigned i)
{
	return i < OWN_NODE_WARNINGS ? own_node_warning(f->own_node, i) : mover_waits_for(f->mover);
}
