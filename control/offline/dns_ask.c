#include "control/offline/dns_ask.h"

#include <errno.h>
#include <stdlib.h>

#include "control/offline/complete.h"
#include "control/offline/dns_message.h"
#include "dataplane/dns/dns_answer.h"

struct dns_asking {
	const struct store *store;
	struct dns_builder *builder;
	struct dns_zone *zone;
};

int
dns_asking_new(
	struct dns_asking **out, struct store *store, const struct dns_build_config *config, FILE *errors)
{
	struct dns_asking *a = calloc(1, sizeof(*a));
	int result = a == NULL ? -ENOMEM : manifests_complete_for_dns(store);

	*out = a;
	if (result == 0) {
		a->store = store;
		result = dns_builder_new(&a->builder, store, config);
	}
	if (result == 0)
		result = dns_builder_build(a->builder, &a->zone);
	if (result == 0)
		return 0;
	if (result == -EINVAL)
		fprintf(errors, "%s: no zone can have this name\n", config->zone);
	else if (result == -E2BIG)
		fprintf(errors, "there are more pods and services without addresses than can be made up\n");
	else
		fprintf(errors, "%s\n", strerror(-result));
	dns_asking_free(a);
	*out = NULL;
	return result;
}

void
dns_asking_free(struct dns_asking *a)
{
	if (a == NULL)
		return;
	dns_builder_release(a->builder, a->zone);
	dns_builder_free(a->builder);
	free(a);
}

const struct dns_zone *
dns_asking_zone(const struct dns_asking *a)
{
	return a->zone;
}

/* --- one query */

static void
outcome_fini(struct dns_outcome *o)
{
	json_decref(o->answers);
	json_decref(o->additional);
	o->answers = o->additional = NULL;
}

/* In place of what an earlier try found. 0 or -ENOMEM. */
static int
query(const struct dns_asking *a, const struct dns_wire *name, uint16_t type, struct dns_outcome *o)
{
	uint8_t payload[DNS_ASKED_SIZE];
	size_t size = dns_message_ask(payload, name, type);
	struct dns_reply reply = { 0 };
	struct dns_query q;
	enum dns_verdict verdict = DNS_PASS;

	outcome_fini(o);
	dns_wire_format(name->bytes, o->name);
	o->n_lookups++;
	o->is_truncated = false;
	if (dns_query_scan(payload, size, a->zone->seed, &q) == DNS_SCAN_QUERY)
		verdict = dns_answer(a->zone, &q, payload, sizeof(payload), 0, &reply);
	o->rcode = verdict != DNS_ANSWERED             ? "UPSTREAM"
		   : reply.rcode == DNS_RCODE_NXDOMAIN ? "NXDOMAIN"
						       : "NOERROR";
	if (verdict == DNS_PASS) {
		o->answers = json_array();
		o->additional = json_array();
		return o->answers == NULL || o->additional == NULL ? -ENOMEM : 0;
	}
	o->is_truncated = reply.is_truncated;
	return dns_message_read(payload, reply.size, type, &o->answers, &o->additional) ? 0 : -ENOMEM;
}

/* --- the search list */

static unsigned
count_dots(const char *name)
{
	unsigned n = 0;

	for (; *name != '\0'; name++)
		n += *name == '.';
	return n;
}

/* Whether a resolver goes on after this: with no such name, and with no data, as glibc does. */
static bool
is_empty(const struct dns_outcome *o)
{
	return strcmp(o->rcode, "UPSTREAM") != 0 && json_array_size(o->answers) == 0;
}

/* NS.svc.ZONE, svc.ZONE, ZONE. */
static bool
append_search(const struct dns_asking *a, const char *ns, unsigned step, struct dns_wire *name)
{
	name->len--; /* the root label */
	return (step != 0 || dns_wire_label(name, ns, strlen(ns))) &&
	       (step > 1 || dns_wire_label(name, "svc", 3)) &&
	       dns_wire_end(name, a->zone->name, a->zone->len);
}

/* Keeps the better answer of two that are empty: that the name exists. */
static int
search(const struct dns_asking *a, const char *ns, const struct dns_wire *name, uint16_t type,
	struct dns_outcome *o)
{
	bool has_nodata = false;

	for (unsigned step = 0; step < 3; step++) {
		struct dns_wire full = *name;

		if (!append_search(a, ns, step, &full))
			continue;
		if (query(a, &full, type, o) < 0)
			return -ENOMEM;
		if (!is_empty(o))
			return 0;
		has_nodata |= strcmp(o->rcode, "NOERROR") == 0;
	}
	if (has_nodata)
		o->rcode = "NOERROR";
	return 0;
}

static int
ask_as_pod(const struct dns_asking *a, const char *ns, const struct dns_case *c, const struct dns_wire *name,
	struct dns_outcome *o)
{
	bool is_first = count_dots(c->name) >= DNS_NDOTS, has_nodata;
	int result = 0;

	if (is_first)
		result = query(a, name, c->type, o);
	if (result < 0 || (is_first && !is_empty(o)))
		return result;
	has_nodata = is_first && strcmp(o->rcode, "NOERROR") == 0;
	result = search(a, ns, name, c->type, o);
	if (result == 0 && is_empty(o) && !is_first) {
		has_nodata = strcmp(o->rcode, "NOERROR") == 0;
		result = query(a, name, c->type, o);
	}
	if (result == 0 && has_nodata && is_empty(o))
		o->rcode = "NOERROR";
	return result;
}

/* --- cases */

static void
fail(struct dns_case_list *cases, const struct dns_case *c, FILE *errors, const char *what, const char *which)
{
	fprintf(errors, "%s:%u: %s%.300s\n", cases->file, c->line, what, which);
	cases->n_errors++;
}

/* The pod's namespace; NULL: there is no such pod. */
static const char *
find_namespace(const struct dns_asking *a, const char *pod)
{
	const char *slash = strchr(pod, '/');
	const struct object *o;
	char *ns;

	if (slash == NULL)
		return NULL;
	ns = strndup(pod, (size_t)(slash - pod));
	o = ns == NULL ? NULL : store_get(a->store, OBJECT_POD, ns, slash + 1);
	free(ns);
	return o == NULL ? NULL : o->ns;
}

static int
ask_case(const struct dns_asking *a, struct dns_case_list *cases, const struct dns_case *c,
	struct dns_outcome *o, FILE *errors)
{
	const char *ns = c->pod == NULL ? NULL : find_namespace(a, c->pod);
	struct dns_wire name;

	if (c->pod != NULL && ns == NULL) {
		fail(cases, c, errors,
			strchr(c->pod, '/') == NULL ? "\"pod\" must be NAMESPACE/POD, not "
						    : "there is no pod ",
			c->pod);
		return 0;
	}
	if (!dns_wire_parse(c->name, &name)) {
		fail(cases, c, errors, "that is no name: ", c->name);
		return 0;
	}
	if (ns == NULL || c->name[strlen(c->name) - 1] == '.')
		return query(a, &name, c->type, o);
	return ask_as_pod(a, ns, c, &name, o);
}

int
dns_ask(struct dns_asking *a, struct dns_case_list *cases, struct dns_outcome *outcomes, FILE *errors)
{
	int result = 0;

	for (size_t i = 0; i < cases->n && result == 0; i++)
		result = ask_case(a, cases, &cases->items[i], &outcomes[i], errors);
	return result;
}

void
dns_outcomes_free(struct dns_outcome *outcomes, size_t n)
{
	for (size_t i = 0; outcomes != NULL && i < n; i++)
		outcome_fini(&outcomes[i]);
	free(outcomes);
}

static size_t
count(const json_t *list, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		n += strcmp(json_string_value(json_array_get(list, i)), text) == 0;
	return n;
}

/* In any order, since answers are rotated. */
static bool
is_same(const json_t *expected, const json_t *found)
{
	if (expected == NULL)
		return true;
	if (json_array_size(expected) != json_array_size(found))
		return false;
	for (size_t i = 0; i < json_array_size(expected); i++) {
		const char *text = json_string_value(json_array_get(expected, i));

		if (count(expected, text) != count(found, text))
			return false;
	}
	return true;
}

bool
dns_outcome_is_expected(const struct dns_outcome *o, const struct dns_case *c)
{
	return strcmp(o->rcode, c->rcode) == 0 && is_same(c->records, o->answers) &&
	       is_same(c->additional, o->additional);
}
