#include "control/offline/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/offline/ends.h"

/* The first source port to try, of those that pods' stacks choose from (slot.h). */
#define CLIENT_PORT 40000u
#define CLIENT_PORTS (CLIENT_PORT_LAST + 1u - CLIENT_PORT_FIRST)

#define REASON_SIZE 640
#define REASONS_MAX 64 /* of one case: a service may have many backends */

struct judging {
	struct world *world;
	size_t round;
	bool keeps_all;
	int result;
	struct explain_output run; /* of the packet in hand */
};

/* Of a case that expects a service to be denied: what each of its backends says. They are in the same order in all rounds. */
struct refusals {
	uint32_t n, n_denied;  /* backends */
	bool *are_denied;      /* by backend; NULL: none was asked for yet */
	struct outcome denied; /* of the first that is */
};

/* A case under way. */
struct asked {
	const struct policy_case *item;
	const struct connection *c;
	struct outcome *out;
	struct refusals *refusals;
};

static void
outcome_fini(struct outcome *o)
{
	json_decref(o->policies);
	json_decref(o->advice);
	free(o->why);
}

static bool
is_wanted(const struct judging *j, const struct asked *a)
{
	return j->keeps_all || a->out->is_denied == a->item->is_allow_expected;
}

static void
deny(const struct judging *j, const struct asked *a, const char *why)
{
	a->out->is_denied = true;
	if (why != NULL && is_wanted(j, a) && a->out->why == NULL)
		a->out->why = strdup(why);
}

static bool
did_pass(const struct explain_output *run)
{
	return run->verdict == VERDICT_FORWARD || run->verdict == VERDICT_PUNT ||
	       (run->verdict == VERDICT_REPLY && run->reply == REPLY_ECHO);
}

static bool
is_policy(enum drop_reason reason)
{
	return reason == DROP_POLICY_INGRESS || reason == DROP_POLICY_EGRESS || reason == DROP_POLICY_CLOSED;
}

/* Why it went no further, when that was not for policies. */
static void
tell_other_reason(const struct judging *j, const struct explain_packet *packet, char *text)
{
	const struct explain_context *c = world_context(j->world);
	const struct explain_service service = explain_service_find(c, packet);

	if (!explain_service_hint(c, packet, &service, text, REASON_SIZE))
		snprintf(text, REASON_SIZE, "%s: %s",
			j->run.verdict == VERDICT_REPLY ? "refused" : drop_reason_label(j->run.drop_reason),
			drop_reason_help(j->run.drop_reason));
}

/* Keeps what was found, behind what was found before; of what is denied that alone. */
static void
note_reasons(struct judging *j, const struct asked *a)
{
	json_t *found;

	if (!is_wanted(j, a) || json_array_size(a->out->policies) >= REASONS_MAX)
		return;
	found = explain_policies_json(world_context(j->world), &j->run);
	/* a rule for a node would have to name its address, which may be made up */
	if (a->out->is_denied && a->item->is_allow_expected && a->c->from.kind != END_NODE &&
		a->c->to.kind != END_NODE)
		a->out->advice = explain_advice_json(world_context(j->world), &j->run);
	if (a->out->policies == NULL || a->out->is_denied) {
		json_decref(a->out->policies);
		a->out->policies = found;
		return;
	}
	json_array_extend(a->out->policies, found);
	json_decref(found);
}

static void
run(struct judging *j, const struct asked *a, struct explain_packet *packet)
{
	char why[REASON_SIZE];
	int result;

	packet->probe.proto = a->c->proto;
	packet->probe.tcp_flags = a->c->proto == PROTO_TCP ? TCP_SYN : 0;
	packet->probe.size = probe_least_size(&packet->probe);
	result = world_run(j->world, packet, &j->run);
	if (result < 0) {
		j->result = result;
		return;
	}
	if (!did_pass(&j->run)) {
		if (!is_policy(j->run.drop_reason))
			tell_other_reason(j, packet, why);
		deny(j, a, is_policy(j->run.drop_reason) ? NULL : why);
	}
	note_reasons(j, a);
}

/* --- ways */

static bool
is_at_home(const struct judging *j, size_t pod)
{
	return pod != CENSUS_NOBODY && world_round_of(pod) == j->round;
}

static size_t
pod_of(const struct judging *j, const struct end *e, const struct ip_addr *addr)
{
	const struct census_holder *h;

	if (e->kind == END_POD)
		return e->pod;
	h = e->kind == END_SERVICE ? census_find(world_census(j->world), addr) : NULL;
	return h == NULL ? CENSUS_NOBODY : h->pod;
}

/* The node's own processes are not to be told from its probes, which are always allowed. */
static bool
is_from_own_node(const struct judging *j, const struct end *from, size_t to)
{
	return from->kind == END_NODE && *from->node != '\0' &&
	       strcmp(from->node, world_census(j->world)->pods[to].object->node) == 0;
}

/* From the sender, if it is at home in this round, to where it would send. */
static void
send_from_pod(
	struct judging *j, const struct asked *a, const struct ip_addr *dst, uint16_t dport, uint16_t sport)
{
	struct explain_packet packet = {
		.probe = { .src = a->c->src, .dst = *dst, .sport = sport, .dport = dport }
	};

	world_from_pod(j->world, a->c->from.pod, &packet);
	run(j, a, &packet);
}

/* To a pod that is at home in this round, from wherever else. */
static void
send_to_pod(struct judging *j, const struct asked *a, size_t pod, const struct ip_addr *dst, uint16_t dport)
{
	struct explain_packet packet = {
		.probe = { .src = a->c->src, .dst = *dst, .sport = CLIENT_PORT, .dport = dport }
	};

	if (is_from_own_node(j, &a->c->from, pod))
		world_from_host(j->world, &packet);
	else
		world_from_elsewhere(j->world, &packet);
	run(j, a, &packet);
}

static bool
is_sender_at_home(const struct judging *j, const struct asked *a)
{
	return a->c->from.kind == END_POD && is_at_home(j, a->c->from.pod);
}

static void
judge_direct(struct judging *j, const struct asked *a, const struct ip_addr *dst, uint16_t dport)
{
	size_t to = pod_of(j, &a->c->to, dst);

	if (is_sender_at_home(j, a))
		send_from_pod(j, a, dst, dport, CLIENT_PORT);
	else if (is_at_home(j, to))
		send_to_pod(j, a, to, dst, dport);
}

/* --- services */

/* A source port whose flow gets this backend; 0: there is none. */
static uint16_t
port_towards(const struct asked *a, const struct frontend *f, const struct backend *backend)
{
	const struct connection *c = a->c;

	for (unsigned i = 0; i < CLIENT_PORTS; i++) {
		uint16_t port =
			(uint16_t)(CLIENT_PORT_FIRST + (CLIENT_PORT - CLIENT_PORT_FIRST + i) % CLIENT_PORTS);
		uint32_t hash = flow_hash(&c->src, &c->dst, port, c->port, c->proto);

		if (service_choice(f, service_flow(f, hash, &c->src)) == backend)
			return port;
	}
	return 0;
}

/* The sender's node translates, so it is asked for the service; every other node sees the backend. */
static void
judge_backend(
	struct judging *j, const struct asked *a, const struct frontend *f, const struct backend *backend)
{
	uint16_t port = is_sender_at_home(j, a) ? port_towards(a, f, backend) : 0;

	if (port != 0)
		send_from_pod(j, a, &a->c->dst, a->c->port, port);
	else
		judge_direct(j, a, &backend->addr, backend->port);
}

/* What a pod sends itself no policy can deny: that is asked only if it is all there is. */
static bool
has_a_say(const struct asked *a, const struct frontend *f, const struct backend *backend)
{
	return f->n_backends == 1 || !ip_addr_eq(&backend->addr, &a->c->src);
}

static bool
begin_refusals(const struct asked *a, const struct frontend *f)
{
	struct refusals *r = a->refusals;

	if (r->are_denied != NULL)
		return true;
	r->are_denied = calloc(f->n_backends, sizeof(*r->are_denied));
	for (uint32_t i = 0; i < f->n_backends; i++)
		r->n += has_a_say(a, f, &f->backends[i]);
	return r->are_denied != NULL;
}

/* One that is denied says nothing of the others. */
static void
judge_until_all_deny(struct judging *j, const struct asked *a, const struct frontend *f)
{
	struct refusals *r = a->refusals;

	if (!begin_refusals(a, f))
		j->result = -ENOMEM;
	for (uint32_t i = 0; i < f->n_backends && j->result == 0; i++) {
		struct outcome one = { .policies = json_incref(a->out->policies) };
		const struct asked asked = { a->item, a->c, &one, NULL };

		if (!r->are_denied[i] && has_a_say(a, f, &f->backends[i]))
			judge_backend(j, &asked, f, &f->backends[i]);
		if (!one.is_denied) {
			json_decref(a->out->policies);
			a->out->policies = one.policies;
			continue;
		}
		r->are_denied[i] = true;
		if (r->n_denied++ == 0)
			r->denied = one;
		else
			outcome_fini(&one);
	}
}

static void
settle_refusals(struct refusals *r, struct outcome *out)
{
	out->is_mixed = r->n_denied != 0 && r->n_denied != r->n;
	if (r->n_denied != 0 && !out->is_mixed) {
		outcome_fini(out);
		*out = r->denied;
	} else {
		outcome_fini(&r->denied);
	}
	free(r->are_denied);
}

static void
judge_service(struct judging *j, const struct asked *a)
{
	const struct connection *c = a->c;
	const struct frontend *f = service_frontend(world_context(j->world)->names.tables->services,
		addr_hash(&c->dst, c->port, c->proto), &c->dst, c->port, c->proto);

	if (f != NULL && f->n_backends != 0 && !a->item->is_allow_expected) {
		judge_until_all_deny(j, a, f);
	} else if (f != NULL && f->n_backends != 0) {
		for (uint32_t i = 0; i < f->n_backends && j->result == 0 && !a->out->is_denied; i++)
			judge_backend(j, a, f, &f->backends[i]);
	} else if (c->from.kind != END_POD) {
		char why[REASON_SIZE];

		snprintf(why, sizeof(why), "service %s/%s has no endpoint for this port",
			c->to.service->object.ns, c->to.service->object.name);
		deny(j, a, why);
	} else if (is_sender_at_home(j, a)) {
		send_from_pod(j, a, &c->dst, c->port, CLIENT_PORT);
	}
}

/* --- all */

static void
judge_round(struct judging *j, const struct case_list *cases, const struct connection *connections,
	struct outcome *outcomes, struct refusals *refusals)
{
	for (size_t i = 0; i < cases->n && j->result == 0; i++) {
		const struct asked a = { &cases->items[i], &connections[i], &outcomes[i], &refusals[i] };

		if (outcomes[i].is_denied)
			continue;
		if (connections[i].to.kind == END_SERVICE)
			judge_service(j, &a);
		else
			judge_direct(j, &a, &connections[i].dst, connections[i].port);
	}
}

/* False when some are unknown, or make no sense. */
static bool
find_ends(const struct world *w, struct case_list *cases, struct connection *out, FILE *errors)
{
	char error[ENDS_ERROR_SIZE];

	for (size_t i = 0; i < cases->n; i++)
		if (!ends_find(world_census(w), &cases->items[i], &out[i], error))
			case_fail(cases, cases->items[i].line, errors, error);
	return cases->n_errors == 0;
}

int
judge_cases(struct world *w, struct case_list *cases, bool keeps_all, struct outcome *outcomes, FILE *errors)
{
	struct connection *connections = calloc(cases->n + 1, sizeof(*connections));
	struct refusals *refusals = calloc(cases->n + 1, sizeof(*refusals));
	struct judging *j = calloc(1, sizeof(*j));
	char error[WORLD_ERROR_SIZE] = "out of memory";
	int result = connections == NULL || refusals == NULL || j == NULL ? -ENOMEM : 0;

	if (result == 0 && find_ends(w, cases, connections, errors)) {
		*j = (struct judging){ .world = w, .keeps_all = keeps_all };
		for (; j->round < world_n_rounds(w) && result == 0; j->round++) {
			result = world_enter(w, j->round, error);
			if (result == 0) {
				judge_round(j, cases, connections, outcomes, refusals);
				result = j->result;
			}
		}
	}
	for (size_t i = 0; refusals != NULL && i < cases->n; i++)
		settle_refusals(&refusals[i], &outcomes[i]);
	if (result < 0)
		fprintf(errors, "%s\n", error);
	free(refusals);
	free(connections);
	free(j);
	return result;
}

void
outcomes_free(struct outcome *outcomes, size_t n)
{
	for (size_t i = 0; outcomes != NULL && i < n; i++)
		outcome_fini(&outcomes[i]);
	free(outcomes);
}
