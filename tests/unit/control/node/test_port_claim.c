/* Which ports of the node are for masqueraded flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <unistd.h>

#include "control/node/port_claim.h"
#include "control/node/port_list.h"
#include "control/node/sockets.h"

static unsigned
count(const struct port_set *s, uint16_t first, uint16_t last)
{
	unsigned n = 0;

	for (unsigned port = first; port <= last; port++)
		n += port_set_has(s, (uint16_t)port);
	return n;
}

static void
test_ranges(void **state)
{
	static const char *const bad[] = { "", "16384", "16384-", "-29951", "16384-16400", "20000-16384",
		"16384-70000", "a-b", "16384-29951 ", "1-63" };
	uint16_t first, last;

	assert_true(port_claim_parse("16384-29951", &first, &last));
	assert_int_equal(first, 16384);
	assert_int_equal(last, 29951);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(port_claim_parse(bad[i], &first, &last));
}

static void
test_only_whole_blocks_count(void **state)
{
	struct port_set s;

	port_claim_fill(&s, 16384, 29951);
	assert_int_equal(count(&s, 1, 65535), 29951 - 16384 + 1);
	port_claim_fill(&s, 16385, 16384 + 3 * 64 - 2);
	assert_int_equal(count(&s, 1, 65535), 64);
	assert_true(port_set_has(&s, 16384 + 64));
	port_claim_fill(&s, 65472, 65535);
	assert_int_equal(count(&s, 1, 65535), 64);
}

static void
test_the_kernels_own_ports_are_left_to_it(void **state)
{
	struct port_set s, reserved = { 0 };

	port_claim_fill(&s, 16384, 29951);
	port_claim_exclude_ephemeral(&s, "20000\t60999\n", &reserved);
	assert_int_equal(count(&s, 16384, 19999), 3616);
	assert_int_equal(count(&s, 20000, 29951), 0);
	/* unless an administrator keeps them from it */
	port_claim_fill(&s, 16384, 29951);
	port_list_parse("8080,16384-16447,20000\n", &reserved);
	port_claim_exclude_ephemeral(&s, "1024\t60999\n", &reserved);
	assert_int_equal(count(&s, 1, 65535), 65);
	port_claim_exclude(&s, 16400, 65535);
	assert_int_equal(count(&s, 1, 65535), 16);
	port_claim_exclude_ephemeral(&s, "", &reserved);
	assert_int_equal(count(&s, 1, 65535), 16);
}

static void
test_sockets_keep_their_ports(void **state)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(21001) };
	struct sockaddr_in v4 = {
		.sin_family = AF_INET, .sin_port = htons(21002), .sin_addr = { htonl(0x7f000001) }
	};
	int tcp = socket(AF_INET6, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	int view = sockets_open(NULL);
	struct port_set s;

	assert_int_equal(bind(tcp, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(tcp, 1), 0);
	assert_int_equal(bind(udp, (struct sockaddr *)&v4, sizeof(v4)), 0);
	port_claim_fill(&s, 20992, 21055);
	assert_int_equal(port_claim_exclude_sockets(&s, view), 2);
	assert_int_equal(port_claim_exclude_sockets(&s, view), 0);
	assert_false(port_set_has(&s, 21001));
	assert_false(port_set_has(&s, 21002));
	assert_int_equal(count(&s, 20992, 21055), 62);
	close(view);
	close(tcp);
	close(udp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_only_whole_blocks_count),
		cmocka_unit_test(test_the_kernels_own_ports_are_left_to_it),
		cmocka_unit_test(test_sockets_keep_their_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
