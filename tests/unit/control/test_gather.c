/* Which ports of the node masqueraded flows may get, and what pods have in their search lists; in a network namespace of the test's
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/build/dns_options.h"
#include "control/daemon.h"
#include "control/gather.h"
#include "control/node/port_list.h"
#include "control/node/state.h"
#include "dataplane/engine.h"
#include "dataplane/snapshot.h"
#include "tests/support/own_netns.h"

struct world {
	char path[64];
	struct daemon d;
	struct snapshot *snapshot;
	struct gather *gather;
};

/* With searches that are to be completed. */
static int
start_with(void **state, const char *suffixes)
{
	struct world *w = calloc(1, sizeof(*w));
	struct engine_config engine = { .n_workers = 1, .frames_per_shard = 1024, .ring_size = 64 };
	char error[STATE_ERROR_SIZE];
	bool is_new_boot;

	strcpy(w->path, "/tmp/test_gather.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	strcat(w->path, "/" STATE_FILE);
	assert_int_equal(config_init(&w->d.config), 0);
	assert_int_equal(config_set(&w->d.config, "masquerade.ports=16384-16511", stderr), 0);
	assert_int_equal(config_set(&w->d.config, "dns.searchCompletion=on", stderr), 0);
	assert_int_equal(config_set(&w->d.config, suffixes, stderr), 0);
	assert_int_equal(state_open(&w->d.state, w->path, NULL, &is_new_boot, error), 0);
	engine.snapshot = w->snapshot = snapshot_new(1);
	assert_int_equal(engine_new(&w->d.engine, &engine), 0);
	assert_int_equal(gather_new(&w->gather, &w->d, NULL, NULL), 0);
	*state = w;
	return 0;
}

static int
start(void **state)
{
	return start_with(state, "dns.searchSuffixes=[node.example]");
}

static int
start_with_a_file_that_is_not_there(void **state)
{
	return start_with(state, "dns.searchSuffixes=[node.example, /none/such]");
}

static int
stop(void **state)
{
	struct world *w = *state;
	char command[96];

	gather_free(w->gather);
	engine_stop(w->d.engine);
	engine_free(w->d.engine);
	snapshot_free(w->snapshot);
	state_close(w->d.state);
	config_fini(&w->d.config);
	*strrchr(w->path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -r %s", w->path);
	/* a path of mkdtemp(): NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static bool
follow(struct world *w, const char *exposed)
{
	struct port_set ports;

	port_list_parse(exposed, &ports);
	return gather_follow_ports(w->gather, &ports);
}

/* As pods with host ports come and go, these are flows' again; what a socket had is not. */
static void
an_exposed_port_is_flows_again_when_it_is_exposed_no_more(void **state)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(16390) };
	struct world *w = *state;
	int fd;

	assert_false(follow(w, ""));
	assert_false(follow(w, "80,30000"));
	assert_true(follow(w, "80,16400"));
	assert_false(follow(w, "16400"));
	assert_true(follow(w, "80"));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(follow(w, "80"));
	close(fd);
	assert_false(follow(w, "80,16390"));
	assert_false(follow(w, "80"));
}

static void
searches_are_completed_when_all_suffixes_are_known(void **state)
{
	struct world *w = *state;

	assert_int_equal(gather_dns(w->gather)->n_suffixes, 1);
	assert_true(gather_dns(w->gather)->completes_searches);
}

static void
and_not_when_they_cannot_be_read(void **state)
{
	struct world *w = *state;

	assert_int_equal(gather_dns(w->gather)->n_suffixes, 1);
	assert_false(gather_dns(w->gather)->completes_searches);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_exposed_port_is_flows_again_when_it_is_exposed_no_more, start, stop),
		cmocka_unit_test_setup_teardown(
			searches_are_completed_when_all_suffixes_are_known, start, stop),
		cmocka_unit_test_setup_teardown(
			and_not_when_they_cannot_be_read, start_with_a_file_that_is_not_there, stop),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make a network namespace\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, own_netns_setup, NULL);
}
