#include "control/source/api/api_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/source/api/api_backoff.h"

/* One kind. */
struct lane {
	struct api_writer *writer;
	const struct api_write_right *right;
	struct api_request *request; /* under way */
	struct api_write write;
	struct loop_timer *timer; /* until the next try */
	struct api_backoff backoff;
	struct api_write_status status;
};

struct api_writer {
	struct api_writer_config config;
	void (*ready)(void *arg); /* NULL: nobody listens */
	void *ready_arg;
	struct lane lanes[N_API_WRITES];
};

enum api_write_result
api_write_judge(long status)
{
	if (status >= 200 && status < 300)
		return API_WRITE_DONE;
	switch (status) {
	case 409:
		return API_WRITE_STALE;
	case 400:
	case 404:
	case 405:
	case 410:
	case 413:
	case 415:
	case 422:
		return API_WRITE_REFUSED;
	default:
		return API_WRITE_LATER;
	}
}

static void
note_failure(struct lane *l, const struct api_answer *answer)
{
	const struct api_write_right *right = l->right;
	struct api_write_status *s = &l->status;

	s->n_failed++;
	if (answer->status == 403)
		snprintf(s->reason, sizeof(s->reason),
			"ringwayd may not %s%s%s %s: apply conf/kubernetes/rbac.yaml, which allows it (%s)",
			right->verbs[0], right->verbs[1] == NULL ? "" : " and ",
			right->verbs[1] == NULL ? "" : right->verbs[1], right->resource, answer->error);
	else
		snprintf(s->reason, sizeof(s->reason), "%s", answer->error);
	api_text_make_printable(s->reason);
	if (s->since_s == 0) {
		s->since_s = time(NULL);
		log_warn("%s cannot be written to %s: %s", right->what,
			api_client_server(l->writer->config.client), s->reason);
	}
}

static void
note_success(struct lane *l)
{
	if (l->status.since_s != 0)
		log_info("%s: written again after %lld s", l->right->what,
			(long long)(time(NULL) - l->status.since_s));
	l->status.since_s = 0;
	l->status.reason[0] = '\0';
}

static void
wait_ms(struct lane *l, uint32_t ms)
{
	loop_timer_set(l->timer, ms * NS_PER_MS, 0);
}

void
api_writer_wake(struct api_writer *w)
{
	if (w->ready != NULL)
		w->ready(w->ready_arg);
}

static void
on_done(const struct api_answer *answer, void *arg)
{
	struct lane *l = arg;
	/* a namespace that is being deleted is as good as gone, and no missing right */
	long status = answer->is_ending ? 404 : answer->status;
	enum api_write_result result = api_write_judge(status);
	uint32_t asked_s = status == 403 ? API_FORBIDDEN_WAIT_S : answer->retry_after_s;

	l->request = NULL;
	if (result == API_WRITE_DONE) {
		l->status.n_done++;
		api_backoff_reset(&l->backoff);
		note_success(l);
	} else if (result == API_WRITE_STALE) {
		l->status.n_stale++;
	} else if (status == 404 && l->right == &api_write_rights[API_WRITE_EVENT]) {
		l->status.n_failed++; /* what it is about is gone, or the event is: nothing is amiss */
		note_success(l);
	} else {
		note_failure(l, answer);
	}
	if (result != API_WRITE_DONE)
		wait_ms(l, asked_s != 0 ? api_backoff_after(&l->backoff, asked_s)
					: api_backoff_next(&l->backoff));
	l->write.done(result, status, l->write.arg);
	if (result == API_WRITE_DONE)
		api_writer_wake(l->writer);
}

static void
on_timer(void *arg)
{
	api_writer_wake(((struct lane *)arg)->writer);
}

bool
api_writer_is_ready(const struct api_writer *w, enum api_write_kind kind)
{
	return w->lanes[kind].request == NULL && !loop_timer_is_set(w->lanes[kind].timer);
}

int
api_writer_send(struct api_writer *w, enum api_write_kind kind, const struct api_write *write)
{
	struct lane *l = &w->lanes[kind];
	struct api_request_config request = {
		.method = write->method,
		.path = write->path,
		.accept = "application/json",
		.content_type = write->content_type,
		.body = write->body,
		.done = on_done,
		.arg = l,
	};
	int result = api_client_ask(w->config.client, &l->request, &request);

	l->write = (struct api_write){ .done = write->done, .arg = write->arg };
	if (result < 0) {
		l->request = NULL;
		wait_ms(l, api_backoff_next(&l->backoff));
	}
	return result;
}

const struct api_write_status *
api_writer_status(const struct api_writer *w, enum api_write_kind kind)
{
	return &w->lanes[kind].status;
}

struct api_writer *
api_writer_new(const struct api_writer_config *config)
{
	struct api_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->config = *config;
	for (unsigned i = 0; i < N_API_WRITES; i++) {
		struct lane *l = &w->lanes[i];

		l->writer = w;
		l->right = &api_write_rights[i];
		api_backoff_init(&l->backoff, config->seed + i);
		l->timer = loop_timer_new(config->loop, on_timer, l);
		if (l->timer == NULL) {
			api_writer_free(w);
			return NULL;
		}
	}
	return w;
}

void
api_writer_listen(struct api_writer *w, void (*ready)(void *arg), void *arg)
{
	w->ready = ready;
	w->ready_arg = arg;
	for (unsigned i = 0; i < N_API_WRITES && ready == NULL; i++) {
		api_request_cancel(w->lanes[i].request);
		w->lanes[i].request = NULL;
	}
}

void
api_writer_free(struct api_writer *w)
{
	if (w == NULL)
		return;
	api_writer_listen(w, NULL, NULL);
	for (unsigned i = 0; i < N_API_WRITES; i++)
		loop_timer_free(w->lanes[i].timer);
	free(w);
}
