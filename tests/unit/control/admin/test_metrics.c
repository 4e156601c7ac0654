/* /metrics and /v1/drops: all that is counted is there, in the format that Prometheus reads. */
#include "control/admin/metrics.h"

#include <ctype.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/admin/drops.h"

struct fixture {
	struct view view;
	struct worker_view workers[2];
	struct port_view ports[3];
	struct denial_view denials[4];
	char many[1000]; /* names of policies */
	char *text;
};

/* Every counter has a value of its own, so that one in another's place is seen. */
static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	for (unsigned w = 0; w < 2; w++) {
		struct worker_view *worker = &f->workers[w];

		worker->id = w;
		worker->cpu = -1;
		worker->is_alive = w == 0;
		for (unsigned i = 0; i < N_COUNTERS; i++)
			worker->counters.counts[i] = 1000 * (w + 1) + i;
		for (unsigned i = 0; i < N_VERDICTS; i++)
			worker->counters.verdicts[i] = 2000 * (w + 1) + i;
		for (unsigned i = 0; i < N_DROP_REASONS; i++)
			worker->counters.drops[i] = 3000 * (w + 1) + i;
	}
	f->ports[0] = (struct port_view){ 0, PORT_KIND_UPLINK, 0, "", "", "eth0",
		{ .rx_packets = 1, .rx_bytes = 1ull << 40 } };
	f->ports[1] = (struct port_view){ 1, PORT_KIND_HOST, 0, "", "", "ringway0",
		{ .tx_packets = 2, .tx_bytes = 22 } };
	f->ports[2] = (struct port_view){ 7, PORT_KIND_POD, 1, "default", "web-\"0\"\\", "rw7",
		{ .rx_packets = 3 } };
	f->ports[2].stats.drops[DROP_SPOOFED_SOURCE] = 5;
	f->ports[2].kernel.counts[KERNEL_DROP_RX_RING_FULL] = 8;
	f->view = (struct view){
		.node = "node-a",
		.is_ready = true,
		.tables_version = 12,
		.n_objects = { [OBJECT_SERVICE] = 4 },
		.has_cni_conf = true,
		.n_cni_conf_restored = 6,
		.ranges = { [V4] = { "10.244.1.0/24", 247, 3 } },
		.n_writes = 2,
		.writes = { { "condition", "the condition", 3, 2, 1, "HTTP 500", 4 },
			{ .kind = "event", .problem = "" } },
		.n_events_lost = 6,
		.n_workers = 2,
		.n_ports = 3,
		.workers = f->workers,
		.ports = f->ports,
		.n_denials = 4,
		.denials = f->denials,
	};
	snprintf(f->many, sizeof(f->many), "shop/a, shop/b%0900d", 0);
	f->denials[0] = (struct denial_view){ .policies = "shop/none", .pods = "shop/db" };
	f->denials[1] = (struct denial_view){
		.policies = "shop/a, shop/b", .pods = "shop/db, shop/web", .packets = 9
	};
	f->denials[2] = (struct denial_view){ true, false, f->many, "shop/db", 20 };
	f->denials[3] = (struct denial_view){ true, false, f->many, "shop/web", 30 };
	f->text = metrics_text(&f->view);
	assert_non_null(f->text);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	free(f->text);
	free(f);
	return 0;
}

static void
assert_has_line(const struct fixture *f, const char *fmt, ...)
{
	char line[512], *found;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	strcat(line, "\n");
	found = strstr(f->text, line);
	if (found == NULL || (found != f->text && found[-1] != '\n'))
		fail_msg("no line '%s' in\n%s", line, f->text);
}

static void
every_counter_appears_for_every_worker(void **state)
{
	const struct fixture *f = *state;

	for (unsigned w = 0; w < 2; w++)
		for (enum counter i = 0; i < N_COUNTERS; i++)
			assert_has_line(f, "ringway_%s_total{worker=\"%u\"} %u", counter_label(i), w,
				1000 * (w + 1) + i);
}

static void
every_drop_reason_and_verdict_appears_for_every_worker(void **state)
{
	const struct fixture *f = *state;

	for (unsigned w = 0; w < 2; w++) {
		for (enum drop_reason i = 1; i < N_DROP_REASONS; i++)
			assert_has_line(f, "ringway_drops_total{worker=\"%u\",reason=\"%s\"} %u", w,
				drop_reason_label(i), 3000 * (w + 1) + i);
		for (enum verdict i = VERDICT_FORWARD; i < N_VERDICTS; i++)
			assert_has_line(f, "ringway_packets_total{worker=\"%u\",verdict=\"%s\"} %u", w,
				verdict_label(i), 2000 * (w + 1) + i);
	}
}

static void
ports_carry_the_pod_and_its_drops(void **state)
{
	const struct fixture *f = *state;
	const char *web =
		"port=\"7\",worker=\"1\",kind=\"pod\",namespace=\"default\",pod=\"web-\\\"0\\\"\\\\\"";

	assert_has_line(f, "ringway_port_rx_packets_total{%s} 3", web);
	assert_has_line(f, "ringway_port_drops_total{%s,reason=\"spoofed_source\"} 5", web);
	assert_has_line(f, "ringway_port_kernel_drops_total{%s,cause=\"rx_ring_full\"} 8", web);
	assert_null(strstr(f->text, "reason=\"truncated\"} 0"));
	assert_has_line(f, "ringway_port_rx_bytes_total{port=\"0\",worker=\"0\",kind=\"uplink\",namespace="
			   "\"\",pod=\"\"} "
			   "1099511627776");
	assert_has_line(f, "ringway_port_tx_bytes_total{port=\"1\",worker=\"0\",kind=\"host\",namespace=\"\","
			   "pod=\"\"} 22");
}

static void
the_daemon_tells_of_itself(void **state)
{
	const struct fixture *f = *state;

	assert_has_line(f, "ringway_ready 1");
	assert_has_line(f, "ringway_cni_conf_first 0");
	assert_has_line(f, "ringway_cni_conf_restored_total 6");
	assert_has_line(f, "ringway_tables_version 12");
	assert_has_line(f, "ringway_worker_up{worker=\"0\"} 1");
	assert_has_line(f, "ringway_worker_up{worker=\"1\"} 0");
	assert_has_line(f, "ringway_objects{kind=\"Service\"} 4");
	assert_has_line(f, "ringway_addresses_used{cidr=\"10.244.1.0/24\"} 3");
	assert_has_line(f, "ringway_api_writes_total{kind=\"condition\",result=\"done\"} 3");
	assert_has_line(f, "ringway_api_writes_total{kind=\"condition\",result=\"stale\"} 2");
	assert_has_line(f, "ringway_api_writes_total{kind=\"condition\",result=\"failed\"} 1");
	assert_has_line(f, "ringway_api_write_problem_seconds{kind=\"condition\"} 5");
	assert_has_line(f, "ringway_api_write_problem_seconds{kind=\"event\"} 0");
	assert_has_line(f, "ringway_events_lost_total 6");
}

/* The exposition format: each line is a HELP, a TYPE or a sample of the family begun last; no family comes
 * twice; no sample comes twice; counters end in _total. */
static void
every_line_follows_the_exposition_format(void **state)
{
	struct fixture *f = *state;
	char name[128] = "", type[16] = "";
	const char *families[256], *samples[4096];
	unsigned n_families = 0, n_samples = 0;
	regex_t help, type_line, sample;

	assert_int_equal(regcomp(&help, "^# HELP [a-z_]+ [^[:cntrl:]]+$", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(
		regcomp(&type_line, "^# TYPE [a-z_]+ (counter|gauge)$", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regcomp(&sample,
				 "^[a-z_]+(\\{[a-z]+=\"([^\"\\]|\\\\[\\n\"])*\"(,[a-z]+=\"([^\"\\]|\\\\["
				 "\\n\"])*\")*\\})? "
				 "[0-9]+(\\.[0-9]+)?$",
				 REG_EXTENDED | REG_NOSUB),
		0);
	assert_int_equal(f->text[strlen(f->text) - 1], '\n');
	for (char *line = strtok(f->text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(regexec(&help, line, 0, NULL, 0), 0);
			assert_int_equal(sscanf(line, "# HELP %127s", name), 1);
			for (unsigned i = 0; i < n_families; i++)
				assert_string_not_equal(families[i], name);
			families[n_families++] = strdup(name);
			type[0] = '\0';
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			char of[128];

			assert_int_equal(regexec(&type_line, line, 0, NULL, 0), 0);
			assert_int_equal(sscanf(line, "# TYPE %127s %15s", of, type), 2);
			assert_string_equal(of, name);
		} else {
			size_t len = strcspn(line, "{ ");

			if (regexec(&sample, line, 0, NULL, 0) != 0)
				fail_msg("not a sample: '%s'", line);
			assert_int_equal(len, strlen(name));
			assert_memory_equal(line, name, len);
			assert_string_not_equal(type, "");
			if (strcmp(type, "counter") == 0)
				assert_string_equal(name + strlen(name) - 6, "_total");
			*strrchr(line, ' ') = '\0';
			for (unsigned i = 0; i < n_samples; i++)
				assert_string_not_equal(samples[i], line);
			samples[n_samples++] = line;
		}
	}
	assert_true(n_families > 20);
	for (unsigned i = 0; i < n_families; i++)
		free((char *)families[i]);
	regfree(&help);
	regfree(&type_line);
	regfree(&sample);
}

static void
drops_add_up_and_name_the_sender(void **state)
{
	const struct fixture *f = *state;
	json_t *doc = drops_json(&f->view);
	const json_t *reasons = json_object_get(doc, "reasons"), *reason, *port;
	json_int_t total = 0;
	size_t i;

	assert_int_equal(json_array_size(reasons), N_DROP_REASONS - 1);
	json_array_foreach (reasons, i, reason) {
		const char *label = json_string_value(json_object_get(reason, "reason"));
		json_int_t n = json_integer_value(json_object_get(reason, "packets"));

		assert_string_equal(label, drop_reason_label((enum drop_reason)(i + 1)));
		assert_string_equal(json_string_value(json_object_get(reason, "help")),
			drop_reason_help((enum drop_reason)(i + 1)));
		assert_int_equal(n, 9000 + 2 * (i + 1));
		total += n;
		if (i + 1 != DROP_SPOOFED_SOURCE) {
			assert_int_equal(json_array_size(json_object_get(reason, "ports")), 0);
			continue;
		}
		port = json_array_get(json_object_get(reason, "ports"), 0);
		assert_string_equal(json_string_value(json_object_get(port, "name")), "default/web-\"0\"\\");
		assert_int_equal(json_integer_value(json_object_get(port, "packets")), 5);
	}
	assert_int_equal(json_array_size(json_object_get(doc, "kernel")), 1);
	port = json_array_get(json_object_get(doc, "kernel"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "cause")), "rx_ring_full");
	assert_int_equal(json_integer_value(json_object_get(port, "packets")), 8);
	assert_int_equal(json_integer_value(json_object_get(doc, "dropped")), total);
	assert_int_equal(json_integer_value(json_object_get(doc, "received")), 3000 + 2 * COUNT_RECEIVED);
	json_decref(doc);
}

static void
denials_are_told_by_policies(void **state)
{
	const struct fixture *f = *state;
	json_t *doc = drops_json(&f->view);
	const json_t *list = json_object_get(doc, "policies"), *first = json_array_get(list, 0);

	assert_has_line(f, "ringway_policy_denied_packets_total{direction=\"ingress\",audit=\"0\",policies="
			   "\"shop/a, shop/b\"} 9");
	/* names that are too many are cut, and what they tell apart no more is one */
	assert_has_line(f, "ringway_policy_denied_packets_total{direction=\"egress\",audit=\"0\",policies="
			   "\"shop/a, ...\"} 50");
	assert_null(strstr(f->text, "shop/none"));
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_integer_value(json_object_get(first, "denied")), 9);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(first, "policies"), 1)), "shop/b");
	assert_string_equal(json_string_value(json_array_get(json_object_get(first, "pods"), 1)), "shop/web");
	json_decref(doc);
	doc = drops_by_policies_json(&f->view);
	assert_int_equal(json_array_size(doc), 4);
	json_decref(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_counter_appears_for_every_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_drop_reason_and_verdict_appears_for_every_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_carry_the_pod_and_its_drops, setup, teardown),
		cmocka_unit_test_setup_teardown(the_daemon_tells_of_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(every_line_follows_the_exposition_format, setup, teardown),
		cmocka_unit_test_setup_teardown(denials_are_told_by_policies, setup, teardown),
		cmocka_unit_test_setup_teardown(drops_add_up_and_name_the_sender, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
