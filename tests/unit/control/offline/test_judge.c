/* Random clusters: what is found offline is what the policies say at both ends, read one by one as they were written. */
#include "control/offline/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/offline/ends.h"
#include "tests/support/objects.h"
#include "tests/support/policy_world.h"

#define N_SEEDS 40
#define N_CHANGES 150
#define N_CASES 300

struct tally {
	unsigned n_cases, n_allowed;
};

static void
add_case(struct case_list *l, const char *from, const char *to, uint8_t proto, uint16_t port)
{
	l->items[l->n] = (struct policy_case){ .line = (unsigned)l->n + 1,
		.from = strdup(from),
		.to = strdup(to),
		.proto = proto,
		.port = port };
	l->n++;
}

static const char *
draw_end(struct policy_world *w, const struct world *world, char text[static 600])
{
	static const char *const strangers[] = { "192.0.2.1", "192.0.2.65", "198.51.100.7", "10.244.2.200",
		"2001:db8::1", "2001:db8::9", "fd00:10:244:2::fe" };
	const struct census *all = world_census(world);
	const struct census_pod *pod;

	if (all->n_pods == 0 || policy_world_draw(w, 4) == 0)
		return strangers[policy_world_draw(w, 7)];
	pod = &all->pods[policy_world_draw(w, (uint32_t)all->n_pods)];
	if (policy_world_draw(w, 2) == 0 && !ip_addr_is_none(&pod->addrs[V6]))
		return ip_addr_format(&pod->addrs[V6], text);
	snprintf(text, 600, "%s/%s", pod->object->object.ns, pod->object->object.name);
	return text;
}

static void
draw_cases(struct policy_world *w, const struct world *world, struct case_list *l)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_ICMP };
	static const uint16_t ports[] = { 53, 80, 81, 443, 8080, 8081, 65535 };
	char from[600], to[600], error[ENDS_ERROR_SIZE];
	struct connection c;

	while (l->n < N_CASES) {
		uint8_t proto = protos[policy_world_draw(w, 4)];
		uint16_t port = proto == PROTO_ICMP ? 0 : ports[policy_world_draw(w, 7)];

		add_case(l, draw_end(w, world, from), draw_end(w, world, to), proto, port);
		/* ends of different families have no connection, and of pods that share an address it is not known which is meant */
		if (ends_find(world_census(world), &l->items[l->n - 1], &c, error))
			continue;
		l->n--;
		free(l->items[l->n].from);
		free(l->items[l->n].to);
	}
}

/* --- what policies say */

struct truth {
	const struct world *world;
	struct local_pod *locals;
	struct oracle_cluster cluster;
};

static bool
allows(const struct truth *t, size_t pod, enum policy_direction d, const struct ip_addr *remote,
	const struct connection *c)
{
	return oracle_judge(&t->cluster, &t->locals[pod], d, remote, c->proto, c->port).is_allowed;
}

static bool
is_allowed(const struct truth *t, const struct connection *c)
{
	const struct census_pod *pods = world_census(t->world)->pods;

	if (c->from.kind == END_POD && c->to.kind == END_POD && c->from.pod == c->to.pod)
		return true;
	if (c->from.kind == END_POD && !allows(t, c->from.pod, POLICY_EGRESS, &c->dst, c))
		return false;
	if (c->to.kind != END_POD)
		return true;
	if (c->from.kind == END_NODE && strcmp(c->from.node, pods[c->to.pod].object->node) == 0)
		return true;
	return allows(t, c->to.pod, POLICY_INGRESS, &c->src, c);
}

static void
compare(const struct truth *t, const struct policy_case *item, const struct outcome *o, uint64_t seed,
	struct tally *tally)
{
	char error[ENDS_ERROR_SIZE];
	struct connection c;

	assert_true(ends_find(world_census(t->world), item, &c, error));
	tally->n_cases++;
	tally->n_allowed += !o->is_denied;
	if (o->is_denied == is_allowed(t, &c)) {
		char *found = json_dumps(o->policies, 0);

		fail_msg("seed %llu: %s to %s, %s %u is %s: %s %s", (unsigned long long)seed, item->from,
			item->to, case_proto_name(item->proto), item->port,
			o->is_denied ? "denied" : "allowed", found == NULL ? "" : found,
			o->why == NULL ? "" : o->why);
	}
}

static void
judge_seed(uint64_t seed, struct tally *tally)
{
	struct policy_world w;
	struct world *world;
	struct policy_case items[N_CASES];
	struct case_list cases = { .file = "cases", .items = items };
	struct outcome *outcomes = calloc(N_CASES, sizeof(*outcomes));
	struct truth truth;
	const struct census_pod *pods;
	size_t n_pods;

	policy_world_init(&w, seed, 16);
	w.are_locals_fixed = true;
	for (unsigned i = 0; i < N_CHANGES; i++)
		policy_world_change(&w);
	assert_int_equal(world_new(&world, w.store), 0);
	pods = world_census(world)->pods;
	n_pods = world_census(world)->n_pods;
	truth = (struct truth){ .world = world, .locals = calloc(n_pods + 1, sizeof(*truth.locals)) };
	for (size_t i = 0; i < n_pods; i++)
		truth.locals[i] = (struct local_pod){ (uint16_t)(WORLD_PORT_PODS + i),
			{ pods[i].addrs[V4], pods[i].addrs[V6] }, pods[i].object->object.ns,
			pods[i].object->object.name };
	truth.cluster = (struct oracle_cluster){ w.store, n_pods, truth.locals };
	draw_cases(&w, world, &cases);
	assert_int_equal(judge_cases(world, &cases, true, outcomes, stderr), 0);
	assert_int_equal(cases.n_errors, 0);
	for (size_t i = 0; i < cases.n; i++)
		compare(&truth, &items[i], &outcomes[i], seed, tally);
	outcomes_free(outcomes, cases.n);
	for (size_t i = 0; i < cases.n; i++) {
		free(items[i].from);
		free(items[i].to);
	}
	free(truth.locals);
	world_free(world);
	policy_world_fini(&w);
}

static void
both_ends_have_a_say(void **state)
{
	struct tally t = { 0 };

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++)
		judge_seed(seed, &t);
	print_message("seeds 1 to %u: %u cases, %u allowed\n", N_SEEDS, t.n_cases, t.n_allowed);
	assert_in_range(t.n_allowed * 100 / t.n_cases, 15, 85);
}

/* --- more pods than a node has ports for */

#define N_MANY (2 * WORLD_PODS + 100)
#define N_MANY_CASES 2000

static struct selector *
select_app(const char *app)
{
	struct selector *s = calloc(1, sizeof(*s));

	s->match_labels.items = calloc(1, sizeof(*s->match_labels.items));
	s->match_labels.items[s->match_labels.n++] = (struct label){ strdup("app"), strdup(app) };
	return s;
}

/* Isolates the pods of an app in a direction, but for one peer. */
static void
put_policy(struct store *store, const char *app, enum policy_direction d, const char *peer)
{
	struct network_policy_object *o = calloc(1, sizeof(*o));
	struct selector *pods = select_app(app);

	o->object =
		(struct object){ .kind = OBJECT_NETWORK_POLICY, .ns = strdup("many"), .name = strdup(app) };
	o->pods = *pods;
	free(pods);
	o->isolates[d] = true;
	o->n_rules[d] = 1;
	o->rules[d] = calloc(1, sizeof(*o->rules[d]));
	o->rules[d][0].n_peers = 1;
	o->rules[d][0].peers = calloc(1, sizeof(*o->rules[d][0].peers));
	o->rules[d][0].peers[0].pods = select_app(peer);
	assert_int_equal(store_put(store, &o->object), 0);
}

/* What pod i is: a is not isolated, b lets only a in, and c may send to a only. */
static char
app_of(uint32_t i)
{
	return "abc"[i % 3];
}

static struct store *
make_many(void)
{
	struct store *store = store_new();

	for (uint32_t i = 0; i < N_MANY; i++) {
		char name[16], app[2] = { app_of(i) };

		snprintf(name, sizeof(name), "p%04u", i);
		put_pod(store, "many", name, "", "app", app, NULL, NULL);
	}
	put_service(store, "many", "b", "app", "b", "10.96.0.1", NULL, 80, PROTO_TCP);
	put_policy(store, "b", POLICY_INGRESS, "a");
	put_policy(store, "c", POLICY_EGRESS, "a");
	return store;
}

static void
more_pods_than_ports_are_judged_in_rounds(void **state)
{
	struct policy_world random = { .seed = 7 };
	struct store *store = make_many();
	struct policy_case *items = calloc(N_MANY_CASES + 3, sizeof(*items));
	struct case_list cases = { .file = "cases", .items = items };
	struct outcome *outcomes = calloc(N_MANY_CASES + 3, sizeof(*outcomes));
	struct world *world;

	for (unsigned i = 0; i < N_MANY_CASES; i++) {
		uint32_t a = policy_world_draw(&random, N_MANY), b = policy_world_draw(&random, N_MANY);
		char from[32], to[32];

		snprintf(from, sizeof(from), "many/p%04u", a);
		snprintf(to, sizeof(to), "many/p%04u", b);
		add_case(&cases, from, to, PROTO_TCP, 80);
		items[i].is_allow_expected = a == b || ((app_of(b) != 'b' || app_of(a) == 'a') &&
							       (app_of(a) != 'c' || app_of(b) == 'a'));
	}
	/* all of its hundreds of backends, in all rounds */
	for (unsigned i = 0; i < 3; i++) {
		char from[32];

		snprintf(from, sizeof(from), "many/p%04u", i + 3 * (N_MANY / 4));
		add_case(&cases, from, "service:many/b", PROTO_TCP, 80);
		items[N_MANY_CASES + i].is_allow_expected = app_of(i) == 'a';
	}
	assert_int_equal(world_new(&world, store), 0);
	assert_int_equal(world_census(world)->n_pods, N_MANY);
	assert_int_equal(world_n_rounds(world), 3);
	assert_int_equal(judge_cases(world, &cases, false, outcomes, stderr), 0);
	assert_int_equal(cases.n_errors, 0);
	for (size_t i = 0; i < cases.n; i++) {
		if (!outcome_is_expected(&outcomes[i], &items[i]))
			fail_msg("%s to %s is %s", items[i].from, items[i].to,
				outcomes[i].is_denied ? "denied" : "allowed");
		free(items[i].from);
		free(items[i].to);
	}
	outcomes_free(outcomes, cases.n);
	free(items);
	world_free(world);
	store_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_have_a_say),
		cmocka_unit_test(more_pods_than_ports_are_judged_in_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
