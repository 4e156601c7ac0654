#include "control/report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/admin/view.h"
#include "control/daemon.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/cni_conf.h"
#include "control/report/cluster_events.h"
#include "control/report/event_book.h"
#include "control/report/node_write.h"
#include "control/source/api/api_source.h"

#define LOOK_NS (5 * NS_PER_S)
#define LOOK_SOON_NS NS_PER_S /* while something of the Node is not yet as it should be */
#define PATH_SIZE 512
#define MESSAGE_SIZE sizeof(((struct node_condition *)0)->message)

struct report {
	struct daemon *d;
	struct api_writer *writer;
	struct loop_timer *timer;
	struct loop_task task;
	uint64_t looked_n_seen; /* the Node as it was at the last look */
	struct cluster_events *cluster_events;
	struct condition_keeper keeper;
	struct readiness sent; /* what the condition's request says */
	uint64_t sent_n_seen;  /* the Node as it was then */
	bool sent_is_transition;
	char message[MESSAGE_SIZE], sent_message[MESSAGE_SIZE];
	uint64_t taint_n_seen; /* and when the taint's removal was sent; 0: to be sent */
	size_t event;          /* that is under way */
};

/* --- what is so */

/* The message stays until the next look. */
static struct readiness
judge(struct report *r, const struct view *v)
{
	struct readiness now = readiness_of(v, cni_conf_trouble(r->d->cni_conf));

	snprintf(r->message, sizeof(r->message), "%s", now.message);
	api_text_make_printable(r->message);
	now.message = r->message;
	return now;
}

static struct event_subject
own_node(const struct report *r)
{
	return (struct event_subject){ "Node", "v1", "", r->d->config.node.name,
		api_source_own_node(r->d->api_source)->uid };
}

/* --- the condition */

static void
on_condition_written(enum api_write_result result, long status, void *arg)
{
	struct report *r = arg;
	const struct event_subject about = own_node(r);

	if (result != API_WRITE_DONE)
		return;
	condition_told(&r->keeper, &r->sent, r->sent_n_seen, clock_now_ns());
	if (!r->sent_is_transition)
		return;
	log_info("the condition " NODE_CONDITION_TYPE " of node %s is %s: %s", about.name,
		r->sent.is_ready ? "True" : "False", r->sent.message);
	event_book_note(r->d->event_book, r->sent.is_ready ? REPORT_NODE_READY : REPORT_NODE_NOT_READY,
		&about, r->sent.message, false, clock_now_ns(), time(NULL));
}

static int
send_to_node(struct report *r, enum api_write_kind kind, const char *sub, const char *content_type,
	const char *body, void (*done)(enum api_write_result result, long status, void *arg))
{
	char path[PATH_SIZE];
	struct api_write write = {
		.method = "PATCH",
		.path = path,
		.content_type = content_type,
		.body = body,
		.done = done,
		.arg = r,
	};

	if (body == NULL)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/api/v1/nodes/%s%s", r->d->config.node.name, sub);
	return api_writer_send(r->writer, kind, &write);
}

static void
follow_condition(struct report *r, const struct readiness *now)
{
	const struct api_own_node *node = api_source_own_node(r->d->api_source);
	char *patch;

	if (!condition_is_due(&r->keeper, now, node, clock_now_ns()) ||
		!api_writer_is_ready(r->writer, API_WRITE_CONDITION))
		return;
	memcpy(r->sent_message, r->message, sizeof(r->sent_message));
	r->sent = (struct readiness){ now->is_ready, now->reason, r->sent_message };
	r->sent_n_seen = node->n_seen;
	r->sent_is_transition = condition_is_transition(&r->sent, node);
	patch = condition_patch(&r->sent, node, time(NULL));
	send_to_node(r, API_WRITE_CONDITION, "/status", "application/strategic-merge-patch+json", patch,
		on_condition_written);
	free(patch);
}

/* --- the taint */

static void
on_taint_written(enum api_write_result result, long status, void *arg)
{
	struct report *r = arg;

	if (result == API_WRITE_DONE)
		log_info("the taint " NOT_READY_TAINT " of node %s is removed: pods may come",
			r->d->config.node.name);
	else if (result != API_WRITE_STALE) /* that one never will do */
		r->taint_n_seen = 0;
}

/* Once for each sight of the Node: what was asked for comes back by the watch, and so does what was in its way. */
static void
follow_taint(struct report *r, bool is_ready)
{
	const struct api_own_node *node = api_source_own_node(r->d->api_source);
	char *patch;

	if (!is_ready || !taint_is_there(node) || !api_writer_is_ready(r->writer, API_WRITE_TAINT) ||
		r->taint_n_seen == node->n_seen)
		return;
	r->taint_n_seen = node->n_seen;
	patch = taint_patch(node);
	if (send_to_node(r, API_WRITE_TAINT, "", "application/merge-patch+json", patch, on_taint_written) < 0)
		r->taint_n_seen = 0;
	free(patch);
}

/* --- events */

static void
on_event_written(enum api_write_result result, long status, void *arg)
{
	struct report *r = arg;

	event_book_written(r->d->event_book, r->event, status);
}

static void
send_event(struct report *r)
{
	struct event_write event;
	uint64_t wait_ns;

	if (!api_writer_is_ready(r->writer, API_WRITE_EVENT) ||
		!event_book_next(r->d->event_book, clock_now_ns(), &event, &wait_ns))
		return;
	r->event = event.entry;
	if (api_writer_send(r->writer, API_WRITE_EVENT,
		    &(struct api_write){ .method = event.method,
			    .path = event.path,
			    .content_type = event.content_type,
			    .body = event.body,
			    .done = on_event_written,
			    .arg = r }) < 0)
		event_book_written(r->d->event_book, event.entry, 0);
	event_write_fini(&event);
}

/* --- looking */

static bool
is_settled(const struct report *r, const struct readiness *now)
{
	const struct api_own_node *node = api_source_own_node(r->d->api_source);

	return now->is_ready && strcmp(node->condition.status, "True") == 0 && !taint_is_there(node);
}

static void
look(void *arg)
{
	struct report *r = arg;
	const struct event_subject node = own_node(r);
	struct view *v = view_new(r->d);
	struct readiness now;

	loop_timer_set(r->timer, LOOK_NS, 0);
	r->looked_n_seen = api_source_own_node(r->d->api_source)->n_seen;
	if (v == NULL)
		return;
	now = judge(r, v);
	follow_condition(r, &now);
	follow_taint(r, now.is_ready);
	if (!v->awaits_source)
		cluster_events_look(r->cluster_events, v, &node);
	send_event(r);
	if (!is_settled(r, &now))
		loop_timer_set(r->timer, LOOK_SOON_NS, 0);
	view_free(v);
}

/* Something may be written, or this node's object was told anew. */
static void
on_ready(void *arg)
{
	struct report *r = arg;

	loop_defer(r->d->loop, &r->task);
}

static void
on_task(void *arg)
{
	struct report *r = arg;

	if (api_source_own_node(r->d->api_source)->n_seen != r->looked_n_seen)
		look(r);
	else
		send_event(r);
}

/* --- life */

int
report_start(struct daemon *d)
{
	struct report *r;

	if (d->api_source == NULL)
		return 0;
	r = calloc(1, sizeof(*r));
	d->report = r;
	d->event_book = event_book_new(d->config.node.name);
	if (r == NULL || d->event_book == NULL)
		return -ENOMEM;
	r->d = d;
	r->writer = api_source_writer(d->api_source);
	r->task = (struct loop_task){ .fn = on_task, .arg = r };
	r->timer = loop_timer_new(d->loop, look, r);
	r->cluster_events = cluster_events_new(d);
	if (r->timer == NULL || r->cluster_events == NULL)
		return -ENOMEM;
	api_writer_listen(r->writer, on_ready, r);
	loop_timer_set(r->timer, LOOK_SOON_NS, 0);
	return 0;
}

void
report_stop(struct daemon *d)
{
	struct report *r = d->report;

	if (r != NULL) {
		if (r->writer != NULL)
			api_writer_listen(r->writer, NULL, NULL);
		loop_cancel(d->loop, &r->task);
		loop_timer_free(r->timer);
		cluster_events_free(r->cluster_events);
		free(r);
	}
	event_book_free(d->event_book);
	d->report = NULL;
	d->event_book = NULL;
}
