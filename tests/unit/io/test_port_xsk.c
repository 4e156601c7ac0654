/* dataplane/io/port_xsk.h and umem.h: rings in plain memory, with the test as the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/io/port_xsk.h"
#include "dataplane/io/xsk_uapi.h"

#define RING 256
#define FRAMES 1024
#define FILL_MIN 64

/* A socket's rings as the kernel sees them. Its flags never ask for a wake-up, so no system call is made. */
struct fake {
	struct {
		uint32_t producer, consumer, flags;
	} rx, tx, fill, completion;
	struct xdp_desc rx_descs[RING], tx_descs[RING];
	uint64_t fill_addrs[RING], completion_addrs[RING];
	struct umem *umem;
	struct port_xsk port;
	uint8_t seen[FRAMES];
};

static void
connect_producer(struct xsk_ring_prod *r, void *ring, uint32_t *producer, uint32_t *consumer, uint32_t *flags)
{
	*r = (struct xsk_ring_prod){ .mask = RING - 1,
		.size = RING,
		.producer = producer,
		.consumer = consumer,
		.flags = flags,
		.ring = ring };
	r->cached_prod = *producer;
	r->cached_cons = *consumer + RING;
}

static void
connect_consumer(struct xsk_ring_cons *r, void *ring, uint32_t *producer, uint32_t *consumer, uint32_t *flags)
{
	*r = (struct xsk_ring_cons){ .mask = RING - 1,
		.size = RING,
		.producer = producer,
		.consumer = consumer,
		.flags = flags,
		.ring = ring };
	r->cached_prod = *consumer;
	r->cached_cons = *consumer;
}

/* A process's view of the socket, from where the rings stand. */
static void
connect_port(struct fake *f)
{
	struct xsk *x = &f->port.xsk;

	memset(&f->port, 0, sizeof(f->port));
	x->fd = -1;
	connect_consumer(&x->rx, f->rx_descs, &f->rx.producer, &f->rx.consumer, &f->rx.flags);
	connect_producer(&x->tx, f->tx_descs, &f->tx.producer, &f->tx.consumer, &f->tx.flags);
	connect_producer(&x->fill, f->fill_addrs, &f->fill.producer, &f->fill.consumer, &f->fill.flags);
	connect_consumer(&x->completion, f->completion_addrs, &f->completion.producer,
		&f->completion.consumer, &f->completion.flags);
	port_xsk_init(&f->port, f->umem, 5, ORIGIN_POD, 3, FILL_MIN);
}

static int
set_up(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_int_equal(umem_new(&f->umem, 0, 0, FRAMES, 2048, -1), 0);
	connect_port(f);
	port_xsk_start(&f->port);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fake *f = *state;

	umem_free(f->umem);
	free(f);
	return 0;
}

/* The kernel: takes a frame out of the fill ring. */
static uint64_t
kernel_take(struct fake *f)
{
	assert_true(f->fill.consumer != f->fill.producer);
	return f->fill_addrs[f->fill.consumer++ % RING];
}

/* The kernel: receives a packet. */
static void
kernel_receive(struct fake *f, uint32_t len, uint32_t options)
{
	f->rx_descs[f->rx.producer % RING] =
		(struct xdp_desc){ .addr = kernel_take(f) + UMEM_HEADROOM, .len = len, .options = options };
	f->rx.producer++;
}

/* The kernel: sends up to n packets and gives their frames back. */
static void
kernel_send(struct fake *f, unsigned n)
{
	for (; n > 0 && f->tx.consumer != f->tx.producer; n--)
		f->completion_addrs[f->completion.producer++ % RING] =
			f->tx_descs[f->tx.consumer++ % RING].addr;
}

static struct umem_audit
audit(struct fake *f)
{
	struct umem_audit a;
	uint32_t sum;

	umem_audit_start(&a, f->umem, f->seen);
	port_xsk_audit(&f->port, &a);
	umem_audit_finish(&a);
	sum = a.in_kernel + a.in_hand;
	for (unsigned i = 0; i < N_UMEM_PLACES; i++)
		sum += a.n[i];
	assert_int_equal(sum, FRAMES);
	assert_int_equal(a.twice, 0);
	return a;
}

static unsigned
receive(struct fake *f, struct pkt *pkts, unsigned max)
{
	return f->port.port.ops->rx(&f->port.port, pkts, max);
}

static void
an_idle_port_keeps_few_frames(void **state)
{
	struct fake *f = *state;
	struct pkt pkts[64];

	assert_int_equal(audit(f).n[UMEM_FILL], FILL_MIN);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(receive(f, pkts, 64), 0);
	assert_int_equal(audit(f).n[UMEM_FILL], FILL_MIN);
	assert_int_equal(f->umem->n_free, FRAMES - FILL_MIN);
}

static void
packets_are_received_in_place(void **state)
{
	struct fake *f = *state;
	struct umem_audit a;
	struct pkt pkts[64];

	kernel_receive(f, 100, 0);
	kernel_receive(f, 1500, 0);
	assert_int_equal(audit(f).n[UMEM_RX], 2);
	assert_int_equal(receive(f, pkts, 64), 2);
	assert_int_equal(pkts[0].len, 100);
	assert_int_equal(pkts[1].len, 1500);
	for (unsigned i = 0; i < 2; i++) {
		assert_ptr_equal(pkts[i].umem, f->umem);
		assert_int_equal(pkts[i].verdict, VERDICT_CONTINUE);
		assert_ptr_equal(pkts[i].data, umem_frame(f->umem, pkts[i].data) + UMEM_HEADROOM);
	}
	a = audit(f);
	assert_int_equal(a.in_hand, 2);
	assert_int_equal(a.n[UMEM_RX], 0);
}

static void
a_packet_in_several_buffers_is_one_drop(void **state)
{
	struct fake *f = *state;
	struct pkt pkts[64];

	kernel_receive(f, 1792, XDP_PKT_CONTD);
	kernel_receive(f, 1792, XDP_PKT_CONTD);
	/* the chain goes on in the next burst */
	assert_int_equal(receive(f, pkts, 64), 1);
	assert_int_equal(pkts[0].verdict, VERDICT_DROP);
	assert_int_equal(pkts[0].drop_reason, DROP_MULTI_BUFFER);
	assert_int_equal(audit(f).in_hand, 1);
	kernel_receive(f, 60, 0);
	kernel_receive(f, 100, 0);
	assert_int_equal(receive(f, pkts, 64), 1);
	assert_int_equal(pkts[0].verdict, VERDICT_CONTINUE);
	assert_int_equal(pkts[0].len, 100);
	assert_int_equal(audit(f).in_hand, 2);
}

static void
recycle(struct fake *f, struct pkt *pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		umem_put(f->umem, pkts[i].data);
}

static void
what_lies_ready_follows_what_comes(void **state)
{
	struct fake *f = *state;
	struct pkt pkts[64];

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 64; i++)
			kernel_receive(f, 64, 0);
		assert_int_equal(receive(f, pkts, 64), 64);
		recycle(f, pkts, 64);
	}
	/* at most the ring, never the last quarter of the shard */
	assert_int_equal(audit(f).n[UMEM_FILL], RING);
	for (unsigned round = 0; round < 10000; round++) {
		kernel_receive(f, 64, 0);
		assert_int_equal(receive(f, pkts, 64), 1);
		recycle(f, pkts, 1);
	}
	assert_in_range(audit(f).n[UMEM_FILL], FILL_MIN - 16, FILL_MIN);
}

static void
a_shard_without_frames_recovers(void **state)
{
	struct fake *f = *state;
	uint32_t n_free = f->umem->n_free;
	struct pkt pkts[64];

	f->umem->n_free = 0; /* others have them all */
	for (unsigned i = 0; i < FILL_MIN; i++)
		kernel_receive(f, 64, 0);
	assert_int_equal(receive(f, pkts, 64), 64);
	assert_int_equal(f->fill.producer - f->fill.consumer, 0);
	f->umem->n_free = n_free;
	recycle(f, pkts, 64);
	assert_int_equal(receive(f, pkts, 64), 0);
	assert_true(audit(f).n[UMEM_FILL] >= FILL_MIN);
}

/* Hands the port a packet to send in a frame of its umem. */
static bool
send_one(struct fake *f)
{
	struct pkt p = { .data = umem_get(f->umem) + UMEM_HEADROOM, .umem = f->umem, .len = 60 };

	if (f->port.port.ops->tx(&f->port.port, &p))
		return true;
	umem_put(f->umem, p.data);
	return false;
}

static void
sent_frames_come_back(void **state)
{
	struct fake *f = *state;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 50; i++)
			assert_true(send_one(f));
		f->port.port.ops->flush(&f->port.port);
		assert_int_equal(audit(f).n[UMEM_TX], 50);
		kernel_send(f, 30);
		assert_int_equal(audit(f).n[UMEM_COMPLETION], 30);
		kernel_send(f, 50);
		f->port.port.ops->flush(&f->port.port);
		assert_int_equal(audit(f).n[UMEM_FREE], FRAMES - FILL_MIN);
	}
}

static void
a_receiver_that_takes_nothing_holds_its_share_only(void **state)
{
	struct fake *f = *state;
	unsigned sent = 0;

	while (sent < FRAMES && send_one(f))
		sent++;
	assert_int_equal(sent, FRAMES / 8);
	/* still dirty, so that the worker asks again */
	f->port.port.ops->flush(&f->port.port);
	assert_true(f->port.port.dirty);
	assert_false(send_one(f));
	kernel_send(f, sent);
	f->port.port.ops->flush(&f->port.port);
	assert_false(f->port.port.dirty);
	assert_true(send_one(f));
}

static void
frames_of_a_closed_socket_come_back(void **state)
{
	struct fake *f = *state;

	for (unsigned i = 0; i < 10; i++)
		kernel_receive(f, 64, 0);
	for (unsigned i = 0; i < 7; i++)
		assert_true(send_one(f));
	f->port.port.ops->flush(&f->port.port);
	kernel_send(f, 3);
	kernel_take(f); /* keeps one aside, in none of the rings */
	assert_int_equal(audit(f).in_kernel, 1);
	port_xsk_release(&f->port);
	assert_int_equal(f->umem->n_free, FRAMES);
	umem_audit_start(&(struct umem_audit){ 0 }, f->umem, f->seen);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_equal(f->seen[i], 1);
}

/* The next process, with nothing but the umem's memfd and the rings. */
static void
take_over(struct fake *f)
{
	struct umem_audit a;
	struct umem *next;

	assert_int_equal(umem_adopt(&next, 0, 0, FRAMES, 2048, dup(f->umem->memfd)), 0);
	umem_free(f->umem);
	f->umem = next;
	connect_port(f);
	a = audit(f);
	umem_recover(next, &a);
	port_xsk_start(&f->port);
}

static void
another_process_goes_on(void **state)
{
	struct fake *f = *state;
	struct pkt pkts[64];

	for (unsigned i = 0; i < 10; i++)
		kernel_receive(f, 64 + i, 0);
	assert_int_equal(receive(f, pkts, 4), 4); /* die in the hands of the process */
	for (unsigned i = 0; i < 7; i++)
		assert_true(send_one(f));
	f->port.port.ops->flush(&f->port.port);
	assert_true(send_one(f)); /* not shown to the kernel yet: dies too */
	kernel_send(f, 3);

	take_over(f);
	assert_int_equal(audit(f).in_hand, 0);
	assert_int_equal(audit(f).n[UMEM_RX], 6);
	assert_int_equal(audit(f).n[UMEM_TX], 4);
	assert_int_equal(audit(f).n[UMEM_COMPLETION], 3);
	assert_int_equal(receive(f, pkts, 64), 6);
	assert_int_equal(pkts[0].len, 64 + 4);
	recycle(f, pkts, 6);
	kernel_send(f, 7);
	f->port.port.ops->flush(&f->port.port);
	assert_int_equal(audit(f).n[UMEM_FREE] + audit(f).n[UMEM_FILL], FRAMES);
}

static void
a_crash_between_a_ring_and_its_marks_costs_no_frame(void **state)
{
	struct fake *f = *state;

	/* received and unmarked, but not released; sent and given free, but not released */
	kernel_receive(f, 64, 0);
	f->umem->holders[f->rx_descs[0].addr >> f->umem->frame_shift] = 0;
	assert_true(send_one(f));
	f->port.port.ops->flush(&f->port.port);
	kernel_send(f, 1);
	f->umem->holders[f->completion_addrs[0] >> f->umem->frame_shift] = 0;
	/* filled, not marked */
	f->umem->holders[f->fill_addrs[(f->fill.producer - 1) % RING] >> f->umem->frame_shift] = 0;

	take_over(f);
	assert_int_equal(audit(f).n[UMEM_RX], 1);
	assert_int_equal(audit(f).n[UMEM_COMPLETION], 1);
	assert_int_equal(audit(f).in_hand + audit(f).in_kernel, 0);
}

static void
an_audit_sees_a_frame_that_is_twice_somewhere(void **state)
{
	struct fake *f = *state;
	struct umem_audit a;

	f->umem->free[f->umem->n_free - 1] = (uint32_t)(f->fill_addrs[0] >> f->umem->frame_shift);
	umem_audit_start(&a, f->umem, f->seen);
	port_xsk_audit(&f->port, &a);
	umem_audit_see(&a, (uint64_t)FRAMES * 2048, UMEM_FILL);
	umem_audit_finish(&a);
	assert_int_equal(a.twice, 2);
	assert_int_equal(a.in_hand, 1);
}

static void
another_memory_is_refused(void **state)
{
	struct fake *f = *state;
	struct umem *next = NULL;

	assert_int_equal(umem_adopt(&next, 0, 0, FRAMES / 2, 2048, f->umem->memfd), -EINVAL);
	assert_null(next);
	assert_true(fcntl(f->umem->memfd, F_GETFD) >= 0); /* still ours */
}

static void
frames_fit_the_interface(void **state)
{
	static const struct {
		uint16_t mtu;
		uint32_t size;
	} cases[] = { { 1280, 2048 }, { 1450, 2048 }, { 1500, 4096 }, { 3000, 4096 }, { 9000, 0 } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(umem_frame_size_for(cases[i].mtu), cases[i].size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_idle_port_keeps_few_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(packets_are_received_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_packet_in_several_buffers_is_one_drop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_lies_ready_follows_what_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_shard_without_frames_recovers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sent_frames_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_receiver_that_takes_nothing_holds_its_share_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(frames_of_a_closed_socket_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_process_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_crash_between_a_ring_and_its_marks_costs_no_frame, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_audit_sees_a_frame_that_is_twice_somewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_memory_is_refused, set_up, tear_down),
		cmocka_unit_test(frames_fit_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
