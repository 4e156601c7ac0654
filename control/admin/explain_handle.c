/* POST /v1/explain, from the daemon's parts. */
#include <stdio.h>

#include "control/admin/explain.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "dataplane/engine.h"

/* Texts, or numbers where a number is meant. */
static const char *
text_field(const json_t *body, const char *name, char buf[static 24])
{
	const json_t *value = json_object_get(body, name);

	if (json_is_integer(value)) {
		snprintf(buf, 24, "%lld", (long long)json_integer_value(value));
		return buf;
	}
	return json_string_value(value);
}

static bool
read_question(const json_t *body, struct question *q, struct admin_reply *reply)
{
	char error[QUESTION_ERROR_SIZE], sport[24], size[24], flags[24];
	const char *from = json_string_value(json_object_get(body, "from"));
	const char *to = json_string_value(json_object_get(body, "to"));

	if (from == NULL || to == NULL) {
		admin_fail(reply, 400, "`ringway explain --help` tells how they are written",
			"the question needs \"from\" and \"to\"");
		return false;
	}
	if (!question_parse(q, from, to, text_field(body, "sport", sport),
		    text_field(body, "tcp_flags", flags), text_field(body, "size", size), error)) {
		admin_fail(reply, 400, NULL, "%s", error);
		return false;
	}
	return true;
}

void
explain_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct worker *workers[WORKERS_MAX];
	struct explain_context c = { .workers = workers,
		.n_workers = engine_n_workers(d->engine),
		.self = d->config.node.name,
		.policies = publisher_policies(d->publisher) };
	struct question q;
	struct view *v;

	if (!read_question(req->body, &q, reply))
		return;
	for (unsigned i = 0; i < c.n_workers; i++)
		workers[i] = engine_worker(d->engine, i);
	publisher_flush(d->publisher);
	v = view_new(d);
	c.names = (struct names){ d->store, v, publisher_tables(d->publisher),
		publisher_services(d->publisher) };
	if (v == NULL)
		admin_fail(reply, 500, NULL, "out of memory");
	else if (c.names.tables == NULL)
		admin_fail(reply, 503, "`ringway status` tells why", "no tables are in force yet");
	else
		explain_answer(&c, &q, reply);
	view_free(v);
}
