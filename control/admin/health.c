#include "control/admin/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/view.h"

static void
answer(struct admin_reply *reply, bool is_well, const char *why)
{
	if (asprintf(&reply->text, "%s%s\n", is_well ? "ok" : "not ready: ", is_well ? "" : why) < 0)
		reply->text = NULL;
	reply->status = is_well ? 200 : 503;
}

bool
health_workers_alive(struct daemon *d)
{
	struct view *v = view_new(d);
	bool all = v != NULL;

	for (unsigned i = 0; v != NULL && i < v->n_workers; i++)
		all &= v->workers[i].is_alive;
	view_free(v);
	return all;
}

bool
health_is_ready(struct daemon *d)
{
	struct view *v = view_new(d);
	bool is_ready = v != NULL && v->is_ready;

	view_free(v);
	return is_ready;
}

/* The control thread answers, so it lives; a worker that hangs does not come back by itself, and a restart helps. */
void
healthz_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);
	char why[64] = "";

	/* nobody is helped by another start while workers wait for the first objects */
	for (unsigned i = 0; v != NULL && !v->awaits_source && i < v->n_workers; i++)
		if (!v->workers[i].is_alive)
			snprintf(why, sizeof(why), "worker %u makes no progress", v->workers[i].id);
	answer(reply, *why == '\0', why);
	view_free(v);
}

void
readyz_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v == NULL)
		answer(reply, false, "out of memory");
	else
		answer(reply, v->is_ready, v->not_ready);
	view_free(v);
}
