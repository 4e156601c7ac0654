/* What a worker waits for: a busy port costs no wake-ups while the worker is awake, and wakes it once it sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/worker.h"

/* Two ports with an event in place of a socket. */
#define N_PORTS 2

struct event_port {
	struct port port;
	int fd;
	unsigned n_flushed;
};

struct world {
	struct snapshot *snapshot;
	struct crossing *crossing;
	struct worker *worker;
	struct event_port ports[N_PORTS];
};

static unsigned
event_rx(struct port *port, struct pkt *pkts, unsigned max)
{
	return 0;
}

static bool
event_tx(struct port *port, struct pkt *p)
{
	return false;
}

static void
event_flush(struct port *port)
{
	((struct event_port *)port)->n_flushed++;
	port->dirty = false;
}

static int
event_wait(const struct port *port)
{
	return ((const struct event_port *)port)->fd;
}

static const struct port_ops event_ops = {
	.rx = event_rx,
	.tx = event_tx,
	.flush = event_flush,
	.wait = event_wait,
};

static int
setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct worker_config config = { .cpu = -1 };

	if (world == NULL)
		return -1;
	config.snapshot = world->snapshot = snapshot_new(1);
	config.crossing = world->crossing = crossing_new(1);
	world->worker = worker_new(&config);
	for (uint16_t i = 0; i < N_PORTS; i++) {
		world->ports[i].port = (struct port){ .ops = &event_ops, .id = i };
		world->ports[i].fd = eventfd(0, EFD_NONBLOCK);
		worker_add_port(world->worker, &world->ports[i].port);
	}
	snapshot_online(world->snapshot, 0);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	for (unsigned i = 0; i < N_PORTS; i++)
		close(world->ports[i].fd);
	worker_free(world->worker);
	crossing_free(world->crossing);
	snapshot_free(world->snapshot);
	free(world);
	return 0;
}

/* Asks the kernel. */
static bool
is_watched(const struct world *world, unsigned port)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(world->worker->epoll_fd, EPOLL_CTL_MOD, world->ports[port].fd, &event) == 0)
		return true;
	assert_int_equal(errno, ENOENT);
	return false;
}

static void
send_some(struct world *world, unsigned port, unsigned n)
{
	world->ports[port].port.stats.tx_packets += n;
	world->ports[port].port.dirty = true;
	worker_flush(world->worker);
}

static void
test_a_busy_port_is_not_watched(void **state)
{
	struct world *world = *state;

	send_some(world, 0, 1);
	assert_true(is_watched(world, 0));
	send_some(world, 0, 1000);
	assert_false(is_watched(world, 0));
	assert_true(is_watched(world, 1));
	assert_int_equal(world->ports[0].n_flushed, 2);
	assert_int_equal(world->ports[1].n_flushed, 0);
}

/* Would block for ever if the event, which was there before the worker went to sleep, were not seen. */
static void
test_a_sleeping_worker_watches_all_ports(void **state)
{
	struct world *world = *state;
	uint64_t one = 1;

	send_some(world, 0, 1000);
	assert_int_equal(write(world->ports[0].fd, &one, sizeof(one)), sizeof(one));
	worker_sleep(world->worker, true, -1);
	assert_true(is_watched(world, 0));
	assert_true(is_watched(world, 1));
	/* and it counts from there */
	send_some(world, 0, 1);
	assert_true(is_watched(world, 0));
}

static void
test_a_removed_port_leaves_nothing(void **state)
{
	struct world *world = *state;

	send_some(world, 0, 1000);
	worker_remove_port(world->worker, &world->ports[0].port);
	worker_remove_port(world->worker, &world->ports[1].port);
	assert_false(is_watched(world, 0));
	assert_false(is_watched(world, 1));
	worker_sleep(world->worker, true, 0);
	assert_false(is_watched(world, 0));
	worker_add_port(world->worker, &world->ports[0].port);
	assert_true(is_watched(world, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_busy_port_is_not_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_sleeping_worker_watches_all_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_removed_port_leaves_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
