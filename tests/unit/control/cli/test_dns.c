/* GET /v1/dns and its metrics, and what `ringway dns` makes of it: the program is run, from the path in RINGWAY_COMMAND, against an
 * admin server of the test's own. */
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "control/admin/dns.h"
#include "control/admin/metrics_text.h"
#include "control/cli/command.h"
#include "control/resolve/upstream.h"
#include "tests/support/book_world.h"
#include "tests/support/scratch.h"

#define NAMESAKE 9 /* a pod with a name like the host's */

struct fixture {
	struct book_world w;
	struct dns_book_pod pods[8];
	struct dns_name_hitter names[64];
	struct dns_denied_view denied[1];
	struct dns_view view;
};

static struct fixture fixture;
static char output[65536], socket_path[128];
static struct admin *admin;
static pid_t server; /* in which admin answers */

static void
answer(struct fixture *f, uint16_t port, const char *name, enum dns_source source, uint8_t rcode)
{
	book_answer_weighted(
		&f->w, port, name, DNS_TYPE_A, source, rcode, source == DNS_UPSTREAM ? 300 * MS : 0, 1);
}

static void
look(struct fixture *f, const char *db)
{
	static const struct dns_book_client host = { HOST, true, "", "", "" },
					    web = { WEB, false, "c1", "shop", "web" },
					    namesake = { NAMESAKE, false, "c3", "shop", "host" };

	dns_book_begin(f->w.book);
	dns_book_client(f->w.book, &host);
	dns_book_client(f->w.book, &web);
	dns_book_client(f->w.book, &namesake);
	dns_book_client(f->w.book, &(struct dns_book_client){ DB, false, "c2", "data", db });
	dns_book_end(f->w.book, f->w.now_ns);
}

static void
keep_pod(const struct dns_book_pod *pod, void *arg)
{
	struct dns_view *v = arg;

	v->pods[v->n_pods++] = *pod;
}

static void
keep_name(const struct dns_name_hitter *name, void *arg)
{
	struct dns_view *v = arg;

	v->names[v->n_names++] = *name;
}

/* web looks for a name outside 60 times, by its search list; db for one of the cluster; the host for one outside, in vain. */
static void
ask(struct fixture *f)
{
	for (unsigned i = 0; i < 60; i++) {
		answer(f, WEB, "api.example.org.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
		answer(f, WEB, "api.example.org.svc.cluster.local.", DNS_AUTHORITY, NX);
		answer(f, WEB, "api.example.org.cluster.local.", DNS_AUTHORITY, NX);
		answer(f, WEB, "api.example.org.", DNS_UPSTREAM, OK);
	}
	f->w.counts[WEB].completed = 48; /* as if the book had seen these */
	for (unsigned i = 0; i < 5; i++)
		answer(f, DB, "db.data.svc.cluster.local.", DNS_AUTHORITY, OK);
	answer(f, DB, "www.example.org.", DNS_LIMITED, SERVFAIL);
	answer(f, HOST, "time.example.org.", DNS_FAILED, SERVFAIL);
	f->w.now_ns += 10 * SECOND;
}

static void
serve_dns(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	reply->json = dns_json(&fixture.view);
}

static const struct admin_route routes[] = { { "GET", "/v1/dns", serve_dns, "" }, { NULL } };

/* In a process of its own, for as long as this one lives. */
static void
serve(void)
{
	char error[ADMIN_ERROR_SIZE];

	snprintf(socket_path, sizeof(socket_path), "%s/socket", scratch_dir);
	assert_int_equal(admin_new(&admin, NULL, routes, socket_path, "", error), 0);
	server = fork();
	assert_true(server >= 0);
	if (server != 0)
		return; /* the descriptors are the other's to use, as long as it runs */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct pollfd readable = { .fd = admin_fd(admin), .events = POLLIN };

		poll(&readable, 1, 100);
		admin_run(admin);
	}
}

static int
setup(void **state)
{
	struct fixture *f = &fixture;
	struct dns_wire zone;

	assert_int_equal(scratch_make(state), 0);
	assert_true(dns_wire_parse("cluster.local", &zone));
	book_init(&f->w, 1000 * SECOND);
	dns_book_search(f->w.book, &zone, NULL, 0);
	look(f, "db");
	ask(f);
	look(f, "db");
	f->denied[0] = (struct dns_denied_view){ DB, (char *)"pod data/db asks for names and is denied" };
	f->view = (struct dns_view){ .is_on = true,
		.zone = "cluster.local",
		.zone_names = 42,
		.per_s = 800,
		.window_s = 100,
		.now_ns = f->w.now_ns,
		.book = f->w.book,
		.n_denied = 1,
		.pods = f->pods,
		.names = f->names,
		.denied = f->denied,
		.cache = { 16 << 20, 4096, 30, 10, 50, 6, 1 },
		.n_counters = 1,
		.counters = { { "tries", "queries sent", 61 } },
		.n_upstreams = 2,
		.upstreams = { { .port = 53, .has_answered = true, .rtt_ms = 12.5, .n_tries = 60 },
			{ .port = 5353, .failing_s = 90, .n_tries = 7, .n_timeouts = 7 } } };
	assert_true(ip_addr_parse("192.0.2.53", &f->view.upstreams[0].addr));
	assert_true(ip_addr_parse("2001:db8::53", &f->view.upstreams[1].addr));
	dns_book_each_pod(f->w.book, keep_pod, &f->view);
	dns_book_each_name(f->w.book, keep_name, &f->view);
	serve();
	return 0;
}

static int
teardown(void **state)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	admin_free(admin);
	dns_book_free(fixture.w.book);
	return scratch_remove(state);
}

/* Both streams go into output. Returns the exit status. */
static int
ringway_dns(const char *args)
{
	return scratch_run(output, sizeof(output), "%s --socket %s dns %s", getenv("RINGWAY_COMMAND"),
		socket_path, args);
}

static void
assert_says(const char *args, const char *text)
{
	assert_int_equal(ringway_dns(args), CLI_FINE);
	if (strstr(output, text) == NULL)
		fail_msg("ringway dns %s does not say '%s' but:\n%s", args, text, output);
}

static void
assert_is_silent_about(const char *text)
{
	if (strstr(output, text) != NULL)
		fail_msg("'%s' is in:\n%s", text, output);
}

/* --- tests */

static void
the_overview_tells_of_sources_cache_servers_pods_and_names(void **state)
{
	assert_says("", "Zone cluster.local: 42 names");
	assert_says("", "authority      185     185   <1 us   <1 us\n");
	assert_says("", "wasted on search lists 73 % of the queries lately");
	assert_says("", "Cache: 30 entries (10 negative), 4.0 KiB of 16.0 MiB; 6 evicted");
	assert_says("", "[2001:db8::53]:5353  failing for 90 s");
	assert_says("", "192.0.2.53:53        answers");
	assert_says("", "shop/web");
	assert_says("", "api.example.org.");
}

static void
advice_says_what_would_help(void **state)
{
	assert_says("",
		"* 75 % of the queries of pod shop/web are tries along its search list that find "
		"nothing, most of "
		"them for api.example.org.: a name with a dot at its end (\"api.example.org.\") or "
		"ndots:1 (the pod's dnsConfig.options) needs one query; dns.searchCompletion: on has the "
		"first one of each search answered with what the last one finds");
	assert_says("shop/web", ", completed searches 20 %");
	assert_says("", "* 1 queries of pod data/db were limited");
	assert_says("", "* pod data/db asks for names and is denied");
	assert_says("", "* upstream server 2001:db8::53 port 5353 has not answered for 90 s");
	assert_says("", "* 1 queries got no answer from any upstream server");
	assert_says("", "half of their answers take longer than 29"); /* 300 ms or so */
}

static void
one_pod_is_shown_whole(void **state)
{
	assert_says("shop/web", "upstream        60      60");
	assert_says("web", "api.example.org.");
	assert_is_silent_about("data/db");
	assert_is_silent_about("db.data.svc");
	assert_says("-n data", "denied by policies");
	assert_is_silent_about("api.example.org.");
	assert_says("host", "time.example.org.");
	assert_is_silent_about("shop/host");
	assert_says("shop/host", "shop/host");
	assert_is_silent_about("time.example.org.");
	assert_int_equal(ringway_dns("-n shop host"), CLI_PROBLEM);
	assert_int_equal(ringway_dns("/host"), CLI_PROBLEM);
	assert_int_equal(ringway_dns("shop/nobody"), CLI_PROBLEM);
	assert_non_null(strstr(output, "no pod 'shop/nobody' of this node has asked for names"));
}

static void
lists_are_sorted_and_cut(void **state)
{
	assert_says("--pods", "POD");
	assert_is_silent_about("NAME ");
	assert_true(strstr(output, "shop/web") < strstr(output, "data/db"));
	assert_says("--pods --sort limited", "POD");
	assert_true(strstr(output, "shop/web") > strstr(output, "data/db"));
	assert_says("--names --top 1", "api.example.org.");
	assert_is_silent_about("db.data");
	assert_says("--names --sort limited --top 1", "www.example.org.");
}

static void
names_and_pods_have_the_same_figures(void **state)
{
	static const char figures[] = "240    75 %      75 %  60 (98 %)        0";

	assert_says("--pods --top 1", figures);
	assert_says("--names --top 1", figures);
}

static void
json_has_all_figures(void **state)
{
	json_t *doc, *pod, *name;

	assert_says("-o json --top 1", "\"pods\"");
	doc = json_loads(output, 0, NULL);
	pod = json_array_get(json_object_get(doc, "pods"), 0);
	assert_int_equal(json_array_size(json_object_get(doc, "pods")), 1);
	assert_string_equal(field_str(pod, "name"), "web");
	assert_int_equal(field_int(json_object_get(pod, "total"), "queries"), 240);
	assert_int_equal(field_int(json_object_get(pod, "recent"), "wasted"), 180);
	assert_true(field_real(pod, "upstream_share") > 0.98);
	assert_int_equal(field_int(json_object_get(pod, "first_to_final"), "n"), 60);
	assert_true(field_real(json_object_get(pod, "first_to_final"), "p50_ms") > 290);
	name = json_array_get(json_object_get(doc, "names"), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(name, "pods"), 0)), "shop/web");
	assert_int_equal(field_int(name, "upstream"), 60);
	assert_int_equal(field_int(json_object_get(doc, "resolver"), "tries"), 61);
	json_decref(doc);
}

static void
wrong_arguments_are_named(void **state)
{
	assert_int_equal(ringway_dns("--sort colour"), CLI_USAGE);
	assert_non_null(strstr(output, "not 'colour'"));
	assert_int_equal(ringway_dns("--top 0"), CLI_USAGE);
	assert_int_equal(ringway_dns("a/b c/d"), CLI_USAGE);
	assert_non_null(strstr(output, "'c/d' is too much"));
}

static void
assert_has_of_web(const char *text, const char *metric, const char *labels, unsigned n)
{
	char line[256];

	snprintf(line, sizeof(line), "ringway_dns_pod_%s{port=\"7\",namespace=\"shop\",pod=\"web\"%s} %u\n",
		metric, labels, n);
	if (strstr(text, line) == NULL)
		fail_msg("no line %s in\n%s", line, text);
}

static void
metrics_have_what_the_command_has(void **state)
{
	static const char *const lines[] = {
		"ringway_dns_answers 1\n",
		"ringway_dns_zone_names 42\n",
		"ringway_dns_queries_total{source=\"authority\"} 185\n",
		"ringway_dns_queries_total{source=\"stale\"} 0\n",
		"ringway_dns_nxdomain_total 180\n",
		"ringway_dns_completed_total 48\n",
		"ringway_dns_wasted_total 180\n",
		"ringway_dns_latency_seconds_bucket{source=\"upstream\",le=\"0.1\"} 0\n",
		"ringway_dns_latency_seconds_bucket{source=\"upstream\",le=\"0.5\"} 60\n",
		"ringway_dns_latency_seconds_bucket{source=\"upstream\",le=\"+Inf\"} 60\n",
		"ringway_dns_latency_seconds_count{source=\"upstream\"} 60\n",
		"ringway_dns_latency_seconds_sum{source=\"upstream\"} 18\n",
		"ringway_dns_first_to_final_seconds_count 67\n",
		"ringway_dns_pod_queries_total{port=\"0\",namespace=\"\",pod=\"host\",source=\"failed\"} 1\n",
		"ringway_dns_cache_entries{kind=\"positive\"} 20\n",
		"ringway_dns_cache_evictions_total 6\n",
		"ringway_dns_resolver_tries_total 61\n",
		"ringway_dns_upstream_up{server=\"2001:db8::53\",port=\"5353\"} 0\n",
		"ringway_dns_upstream_rtt_seconds{server=\"192.0.2.53\",port=\"53\"} 0.0125\n",
	};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	metrics_print_dns(f, &fixture.view);
	fclose(f);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(text, lines[i]) == NULL)
			fail_msg("no line %s in\n%s", lines[i], text);
	assert_has_of_web(text, "queries_total", ",source=\"upstream\"", 60);
	assert_has_of_web(text, "wasted_total", "", 180);
	assert_has_of_web(text, "completed_total", "", 48);
	assert_has_of_web(text, "latency_seconds_count", ",source=\"authority\"", 180);
	assert_has_of_web(text, "first_to_final_seconds_bucket", ",le=\"+Inf\"", 60);
	assert_null(strstr(text, "pod=\"web\",source=\"stale\""));
	free(text);
}

/* A DNS pod that was replaced would be failing for ever. */
static void
servers_that_are_asked_no_more_are_not_told_of(void **state)
{
	static struct dns_view view;
	struct upstream asked[2] = {
		{ .server.port = 53, .failing_since_ns = 1 * SECOND, .n_tries = 9 },
		{ .server.port = 53, .answered_ns = 2 * SECOND, .n_tries = 5, .n_answers = 5 },
	};
	struct dns_table *t = calloc(1, sizeof(*t) + 2 * sizeof(struct dns_forward));

	assert_true(ip_addr_parse("10.1.0.7", &asked[0].server.addr));
	assert_true(ip_addr_parse("10.1.0.8", &asked[1].server.addr));
	t->n_forwards = 2;
	t->forwards[0].n = 1; /* of a stub domain */
	t->forwards[0].servers[0].port = 5353;
	t->forwards[1].n = 1;
	t->forwards[1].servers[0] = asked[1].server;
	view.now_ns = 3 * SECOND;
	dns_view_take_upstreams(&view, asked, 2, t);
	assert_int_equal(view.n_upstreams, 2);
	assert_true(ip_addr_eq(&view.upstreams[0].addr, &asked[1].server.addr));
	assert_true(view.upstreams[0].has_answered);
	assert_int_equal(view.upstreams[0].n_answers, 5);
	assert_int_equal(view.upstreams[1].port, 5353);
	assert_int_equal(view.upstreams[1].n_tries, 0);
	dns_view_take_upstreams(&view, asked, 2, NULL);
	assert_int_equal(view.n_upstreams, 2);
	free(t);
}

/* From here on, in shadow mode. */
static void
serve_in_shadow_mode(void)
{
	struct dns_view *v = &fixture.view;
	struct shadow_divergence d = { .n = 3,
		.first_ns = v->now_ns - 90 * SECOND,
		.last_ns = v->now_ns - 5 * SECOND,
		.kind = SHADOW_MISSING,
		.type = 33,
		.name_len = 15,
		.client = { .port = WEB },
		.name = "\2db\7cluster\5local",
		.ours = "NOERROR: SRV 0 50 80 a.cluster.local.",
		.theirs = "NXDOMAIN" };

	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	admin_free(admin);
	v->is_on = false;
	v->is_shadow = true;
	v->shadow = (struct dns_shadow_view){
		.by_kind = { [SHADOW_SAME] = 97, [SHADOW_MISSING] = 3, [SHADOW_NO_ANSWER] = 4 },
		.n_skipped = 2,
		.n = 2
	};
	assert_true(ip_addr_parse("10.244.0.9", &d.client.client));
	v->shadow.all[0] = (struct dns_divergence_view){ d, true };
	d.type = 64;
	v->shadow.all[1] = (struct dns_divergence_view){ d, false };
	serve();
}

static void
shadow_mode_shows_both_answers(void **state)
{
	json_t *doc, *first;

	assert_int_equal(ringway_dns("--shadow"), CLI_PROBLEM);
	assert_non_null(strstr(output, "dns.mode is on on this node, not shadow"));
	serve_in_shadow_mode();
	assert_says("--shadow", "of 100 answers compared with the DNS service's, 3 diverged\n");
	assert_says("--shadow", "missing 3\n4 more got no answer");
	assert_says("--shadow", "compared\n2 more were left out");
	assert_says("--shadow", "shop/web");
	assert_says("--shadow", "10.244.0.9"); /* whose address is nobody's, or another pod's */
	assert_says("--shadow", "NXDOMAIN");
	assert_says("--shadow --top 1", "shop/web");
	assert_is_silent_about("TYPE64");
	assert_says("--shadow -n data", "3 diverged");
	assert_is_silent_about("shop/web");
	assert_says("", "3 diverged; `ringway dns --shadow` lists them");
	assert_is_silent_about("Cache:");
	assert_int_equal(ringway_dns("--shadow -o json"), CLI_FINE);
	doc = json_loads(output, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(doc, "compared")), 100);
	assert_int_equal(json_integer_value(json_object_get(doc, "no_answer")), 4);
	assert_int_equal(json_object_size(json_object_get(doc, "differ")), 4);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(doc, "differ"), "missing")), 3);
	first = json_array_get(json_object_get(doc, "divergences"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "type")), "SRV");
	assert_string_equal(json_string_value(json_object_get(first, "name")), "db.cluster.local.");
	assert_string_equal(json_string_value(json_object_get(first, "kind")), "missing");
	assert_int_equal(json_integer_value(json_object_get(first, "times")), 3);
	json_decref(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_overview_tells_of_sources_cache_servers_pods_and_names),
		cmocka_unit_test(advice_says_what_would_help),
		cmocka_unit_test(one_pod_is_shown_whole),
		cmocka_unit_test(lists_are_sorted_and_cut),
		cmocka_unit_test(names_and_pods_have_the_same_figures),
		cmocka_unit_test(json_has_all_figures),
		cmocka_unit_test(wrong_arguments_are_named),
		cmocka_unit_test(metrics_have_what_the_command_has),
		cmocka_unit_test(servers_that_are_asked_no_more_are_not_told_of),
		cmocka_unit_test(shadow_mode_shows_both_answers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
