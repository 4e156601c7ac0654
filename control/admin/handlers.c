/* Handlers that only put together what the daemon has with what makes text of it. */
#include <stdlib.h>

#include "control/admin/drops.h"
#include "control/admin/metrics.h"
#include "control/admin/nodes.h"
#include "control/admin/services.h"
#include "control/build/publish.h"
#include "control/daemon.h"

static void
fail_memory(struct admin_reply *reply)
{
	admin_fail(reply, 500, NULL, "out of memory");
}

void
metrics_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v != NULL)
		reply->text = metrics_text(v);
	reply->content_type = METRICS_CONTENT_TYPE;
	if (reply->text == NULL)
		fail_memory(reply);
	view_free(v);
}

void
drops_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v != NULL)
		reply->json = drops_json(v);
	if (reply->json == NULL)
		fail_memory(reply);
	view_free(v);
}

/* What is shown is in force: changes that wait for their build are built first. */
static void
answer_with_names(struct daemon *d, json_t *(*make)(const struct names *n), struct admin_reply *reply)
{
	struct names n = { .store = d->store };

	publisher_flush(d->publisher);
	n.tables = publisher_tables(d->publisher);
	n.view = view_new(d);
	if (n.view != NULL)
		reply->json = make(&n);
	if (reply->json == NULL)
		fail_memory(reply);
	view_free((struct view *)n.view);
}

void
services_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	answer_with_names(d, services_json, reply);
}

void
endpoints_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	answer_with_names(d, endpoints_json, reply);
}

void
nodes_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct names n = { .store = d->store };

	publisher_flush(d->publisher);
	n.tables = publisher_tables(d->publisher);
	reply->json = nodes_json(&n, d->config.node.name, d->underlay);
	if (reply->json == NULL)
		fail_memory(reply);
}
