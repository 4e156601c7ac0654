/* How often senders may have control look for neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/route/neighbour_ask.h"

#define SECOND UINT64_C(1000000000)

static unsigned
count_asked(struct worker *w)
{
	struct event event;
	unsigned n = 0;

	while (events_take(w->events, &event)) {
		assert_int_equal(event.kind, EVENT_NEIGHBOUR);
		n++;
	}
	return n;
}

/* A scan of the segment is heard of in part, and keeps nobody else from asking. */
static void
a_sender_asks_for_a_few_hosts_at_once_and_then_now_and_then(void **state)
{
	struct worker *w = aligned_alloc(CACHE_LINE, (sizeof(*w) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	int fd = eventfd(0, EFD_NONBLOCK);
	struct pkt scan = { .family = 4, .in_port = 1 }, other = { .family = 6, .in_port = 2 };

	memset(w, 0, sizeof(*w));
	w->events = events_new(fd);
	w->now_ns = SECOND;
	for (unsigned i = 0; i < 100; i++)
		neighbour_ask(w, &scan);
	assert_int_equal(count_asked(w), NEIGHBOUR_ASK_BURST);
	neighbour_ask(w, &other);
	assert_int_equal(count_asked(w), 1);

	for (unsigned i = 0; i < 1000; i++) { /* for a second */
		w->now_ns += SECOND / 1000;
		neighbour_ask(w, &scan);
	}
	assert_int_equal(count_asked(w), SECOND / NEIGHBOUR_ASK_INTERVAL_NS);
	w->now_ns += SECOND;
	for (unsigned i = 0; i < 100; i++)
		neighbour_ask(w, &scan);
	assert_int_equal(count_asked(w), NEIGHBOUR_ASK_BURST);

	other.flags |= PKT_DRY_RUN; /* explain asks for nothing */
	neighbour_ask(w, &other);
	assert_int_equal(count_asked(w), 0);
	events_free(w->events);
	close(fd);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_asks_for_a_few_hosts_at_once_and_then_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
