#include "control/source/api/api_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/source/api/api_backoff.h"
#include "control/source/api/api_saved.h"
#include "control/source/api/api_stream.h"
#include "control/source/api/api_watch_events.h"
#include "control/source/api/api_watch_state.h"

#define PAGE 500 /* objects */
#define WATCH_MIN_S 300
#define WATCH_MAX_S 600  /* random between them: nodes must not come back all at once */
#define ABSENT_MIN_S 300 /* likewise, until a kind that the server lacks is asked for again */
#define ABSENT_MAX_S 600
#define STEADY_NS (10 * NS_PER_S) /* a watch that was open for so long was a success, also without an event */
#define PATH_SIZE 4096
#define NODE_SELECTOR "&fieldSelector=spec.nodeName%3D"

static void start(struct api_watch *w);

static void
wait_ms(struct api_watch *w, uint32_t ms)
{
	w->status.state = API_WATCH_WAITING;
	loop_timer_set(w->timer, ms * NS_PER_MS, 0);
}

/* --- what follows from how a request ended */

static void
forget_list(struct api_watch *w)
{
	free(w->next_page);
	w->next_page = NULL;
	w->is_first_list = false;
	w->status.resource_version[0] = '\0';
	w->step = STEP_LIST;
}

static void
give_watch_list_up(struct api_watch *w)
{
	if (*w->config.has_watch_list)
		log_info("%s offers no WatchList: lists come in pages", api_client_server(w->config.client));
	*w->config.has_watch_list = false;
	forget_list(w);
}

/* Whatever else comes with "200 OK", from a proxy or a server that is starting, must not look like a list without objects. */
static bool
is_list(const struct api_watch *w, const json_t *envelope)
{
	const char *kind = json_string_value(json_object_get(envelope, "kind"));
	const char *version =
		json_string_value(json_object_get(json_object_get(envelope, "metadata"), "resourceVersion"));
	size_t len = kind == NULL ? 0 : strlen(kind);

	return len > 4 && strcmp(kind + len - 4, "List") == 0 && version != NULL && *version != '\0' &&
	       strlen(version) < sizeof(w->status.resource_version);
}

/* Whether the server is as far as the version that we go on from: one that lost its data would say nothing to a watch until it has
 * come there. */
static void
check_complete(struct api_watch *w, const json_t *envelope)
{
	w->step = STEP_WATCH;
	if (!api_watch_has_gone_back(w, envelope))
		return;
	log_warn("%s at %s: the server's versions have gone back: all is listed anew", api_watch_kind_name(w),
		api_client_server(w->config.client));
	forget_list(w);
}

/* A page is here as a whole; the next one, or the watch, follows at once. */
static int
page_complete(struct api_watch *w)
{
	const char *next;
	json_t *envelope, *metadata;
	int result = api_stream_end(&w->stream, &envelope);

	if (result < 0)
		return result;
	if (!is_list(w, envelope)) {
		json_decref(envelope);
		return -EINVAL;
	}
	if (w->step == STEP_CHECK) {
		check_complete(w, envelope);
		json_decref(envelope);
		return 0;
	}
	metadata = json_object_get(envelope, "metadata");
	next = json_string_value(json_object_get(metadata, "continue"));
	/* later pages may be of a later version: what changed since then in earlier ones comes from the watch */
	if (w->step == STEP_LIST)
		api_watch_note_version(w, envelope);
	free(w->next_page);
	w->next_page = next == NULL || *next == '\0' ? NULL : strdup(next);
	if (next != NULL && *next != '\0' && w->next_page == NULL)
		result = -ENOMEM;
	else
		w->step = w->next_page == NULL ? STEP_WATCH : STEP_PAGE;
	json_decref(envelope);
	if (result == 0 && w->next_page == NULL)
		api_watch_list_complete(w);
	return result;
}

/* The server has forgotten what we refer to, or has another version of the API. True: the next request goes out at once. */
static bool
turn_to_what_there_is(struct api_watch *w, long status)
{
	const struct api_kind *kind = w->config.kind;

	if ((status == 400 || status == 422) && w->is_first_list) {
		give_watch_list_up(w);
		return true;
	}
	if (status == 410) {
		forget_list(w);
		if (w->has_restarted)
			return false;
		w->has_restarted = true;
		return true;
	}
	if (status == 404 && kind->n_versions > 1) {
		forget_list(w);
		w->version = (w->version + 1) % kind->n_versions;
		return ++w->n_not_found < kind->n_versions;
	}
	if (status == 400 && w->step == STEP_PAGE)
		forget_list(w);
	return false;
}

/* The server has none of the kind's versions. */
static void
note_absent(struct api_watch *w)
{
	if (!w->status.is_synced)
		log_info("%s has no kind %s", api_client_server(w->config.client), api_watch_kind_name(w));
	forget_list(w);
	w->n_not_found = 0;
	api_objects_begin(w->objects);
	api_watch_note_steady(w);
	w->status.state = API_WATCH_ABSENT;
	loop_timer_set(w->timer, api_backoff_random(&w->backoff, ABSENT_MIN_S, ABSENT_MAX_S) * NS_PER_S, 0);
	api_watch_list_complete(w);
	w->status.event_ns = 0; /* there will be none */
}

/* A server that does not know WatchList takes it for another watch. */
static bool
has_no_watch_list(const struct api_watch *w, const struct api_answer *answer)
{
	bool has_ended = *answer->error == '\0', is_silent = answer->status == 0;

	return w->is_first_list && w->opened_ns != 0 && w->failure_code == 0 &&
	       (w->is_unmarked || has_ended || is_silent);
}

static void
try_again(struct api_watch *w, const struct api_answer *answer, const char *reason)
{
	uint32_t retry_after_s =
		answer->retry_after_s > w->failure_retry_s ? answer->retry_after_s : w->failure_retry_s;
	long status = w->failure_code != 0 ? w->failure_code : answer->status;

	w->status.n_restarts++;
	if (has_no_watch_list(w, answer)) {
		give_watch_list_up(w);
		start(w);
		return;
	}
	if (turn_to_what_there_is(w, status)) {
		log_debug("%s: %s", api_watch_kind_name(w), reason);
		start(w);
		return;
	}
	if (status == 404 && w->config.kind->is_optional) {
		note_absent(w);
		return;
	}
	/* a list's parts are not all there, so it begins anew; a watch goes on where it was */
	if (w->is_first_list || (w->step == STEP_WATCH && *w->status.resource_version == '\0'))
		forget_list(w);
	api_watch_note_trouble(w, reason);
	wait_ms(w, retry_after_s != 0 ? api_backoff_after(&w->backoff, retry_after_s)
				      : api_backoff_next(&w->backoff));
}

static void
on_done(const struct api_answer *answer, void *arg)
{
	struct api_watch *w = arg;
	const char *reason = answer->error;
	bool is_watch = w->step == STEP_WATCH;
	bool was_steady = is_watch && w->opened_ns != 0 && clock_now_ns() - w->opened_ns >= STEADY_NS;
	json_t *none;

	w->request = NULL;
	if (was_steady)
		api_watch_note_steady(w);
	if (*w->failure != '\0')
		reason = w->failure;
	if (*reason == '\0' && is_watch) {
		/* servers end watches now and then; one that does nothing else is asked less often */
		if (api_stream_end(&w->stream, &none) < 0)
			reason = "the watch was cut in the middle of an event";
		else if (w->is_first_list)
			reason = "the watch ended before all objects were listed";
		else if (w->n_events == 0 && !was_steady)
			reason = "the watch ended at once";
	} else if (*reason == '\0' && page_complete(w) < 0) {
		reason = "the list was cut short, or is none";
	}
	api_stream_fini(&w->stream);
	/* a server that is silent, or was away, may have been restored from a backup since */
	if (is_watch && !w->is_first_list && w->failure_code == 0 &&
		(w->n_events == 0 || *answer->error != '\0'))
		w->step = STEP_CHECK;
	if (*reason == '\0' && is_watch && !was_steady)
		wait_ms(w,
			api_backoff_next(&w->backoff)); /* nothing is amiss, but that could go on for ever */
	else if (*reason == '\0')
		start(w);
	else
		try_again(w, answer, reason);
}

/* --- requests */

/* The node's name and the server's token as part of a URL. */
static bool
append_escaped(char path[static PATH_SIZE], const char *text)
{
	size_t at = strlen(path);

	for (; *text != '\0'; text++) {
		bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				(*text >= '0' && *text <= '9') || strchr("-._~", *text) != NULL;

		if (at + 4 > PATH_SIZE)
			return false;
		at += (size_t)snprintf(
			path + at, PATH_SIZE - at, is_plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
	return true;
}

static bool
write_path(struct api_watch *w, char path[static PATH_SIZE])
{
	const char *base = w->config.kind->versions[w->version].path;
	uint32_t timeout_s = api_backoff_random(&w->backoff, WATCH_MIN_S, WATCH_MAX_S);
	bool fits = true;

	if (w->step != STEP_WATCH)
		snprintf(path, PATH_SIZE, "%s?limit=%u", base, w->step == STEP_CHECK ? 1 : PAGE);
	else
		snprintf(path, PATH_SIZE, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u%s", base,
			timeout_s,
			w->is_first_list ? "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" : "");
	if (w->step == STEP_PAGE) {
		strcat(path, "&continue=");
		fits = append_escaped(path, w->next_page);
	} else if (w->step == STEP_WATCH && !w->is_first_list) {
		strcat(path, "&resourceVersion=");
		fits = append_escaped(path, w->status.resource_version);
	}
	/* any object will do for a check: to find one of this node the server may have to look at all */
	if (!fits || w->node == NULL || w->is_wide || w->step == STEP_CHECK)
		return fits;
	if (strlen(path) + sizeof(NODE_SELECTOR) > PATH_SIZE)
		return false;
	strcat(path, NODE_SELECTOR);
	return append_escaped(path, w->node);
}

/* The next request, as step says. */
static void
start(struct api_watch *w)
{
	char path[PATH_SIZE];
	struct api_request_config request = {
		.path = path,
		.opened = api_watch_on_opened,
		.bytes = api_watch_on_bytes,
		.done = on_done,
		.arg = w,
	};

	if ((w->step == STEP_WATCH || w->step == STEP_CHECK) && *w->status.resource_version == '\0')
		w->step = STEP_LIST;
	if (w->step == STEP_LIST) {
		api_objects_begin(w->objects);
		w->status.n_lists++;
		w->is_first_list = *w->config.has_watch_list;
		if (w->is_first_list)
			w->step = STEP_WATCH;
	}
	w->status.state = w->step == STEP_WATCH && !w->is_first_list ? API_WATCH_WATCHING : API_WATCH_LISTING;
	w->opened_ns = 0;
	w->n_events = 0;
	w->failure[0] = '\0';
	w->failure_code = 0;
	w->failure_retry_s = 0;
	w->is_unmarked = false;
	if (!write_path(w, path)) {
		forget_list(w);
		api_watch_note_trouble(w, "the server's token for the next page is too long");
		wait_ms(w, API_BACKOFF_MAX_MS);
		return;
	}
	request.accept = api_kind_accept(w->config.kind, w->step != STEP_WATCH);
	api_stream_init(&w->stream, w->step == STEP_WATCH ? API_STREAM_WATCH : API_STREAM_LIST,
		w->step == STEP_WATCH   ? api_watch_on_event
		: w->step == STEP_CHECK ? api_watch_on_checked
					: api_watch_on_item,
		w);
	api_stream_leave_out(&w->stream, w->config.kind->unread, w->config.kind->n_unread);
	if (api_client_ask(w->config.client, &w->request, &request) < 0) {
		api_watch_note_trouble(w, "out of memory");
		wait_ms(w, api_backoff_next(&w->backoff));
	}
}

static void
on_timer(void *arg)
{
	start(arg);
}

/* --- life */

struct api_watch *
api_watch_new(const struct api_watch_config *config)
{
	struct api_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->config = *config;
	w->objects = api_objects_new(config->store, config->kind);
	w->timer = loop_timer_new(config->loop, on_timer, w);
	if (w->objects != NULL)
		api_objects_save(w->objects, config->saved);
	if (config->node != NULL)
		w->node = strdup(config->node);
	if (w->objects == NULL || w->timer == NULL || (config->node != NULL && w->node == NULL)) {
		api_watch_free(w);
		return NULL;
	}
	api_backoff_init(&w->backoff, config->seed);
	start(w);
	return w;
}

void
api_watch_free(struct api_watch *w)
{
	if (w == NULL)
		return;
	api_request_cancel(w->request);
	api_stream_fini(&w->stream);
	loop_timer_free(w->timer);
	api_objects_free(w->objects);
	free(w->next_page);
	free(w->node);
	free(w);
}

/* Lists anew what is asked for from now on. */
static void
ask_anew(struct api_watch *w)
{
	api_request_cancel(w->request);
	w->request = NULL;
	api_stream_fini(&w->stream);
	loop_timer_cancel(w->timer);
	forget_list(w);
	start(w);
}

void
api_watch_widen(struct api_watch *w)
{
	if (w->is_wide)
		return;
	w->is_wide = true;
	w->is_narrower = false;
	w->status.is_synced = false;
	ask_anew(w);
}

void
api_watch_narrow(struct api_watch *w)
{
	if (!w->is_wide || w->node == NULL)
		return;
	w->is_wide = false;
	w->is_narrower = true;
	ask_anew(w);
}

void
api_watch_settle(struct api_watch *w)
{
	if (!w->is_settled && w->node != NULL && !w->is_wide)
		api_objects_sweep_saved(w->objects);
	w->is_settled = true;
}

static int
load(const char *api_version, const char *text, size_t size, void *arg)
{
	json_t *value = json_loadb(text, size, JSON_ALLOW_NUL, NULL),
	       *object = json_object_get(value, "object");
	struct api_watch *w = arg;
	int result;

	/* what came as an event was saved as one */
	result = api_objects_load(w->objects, json_is_object(object) ? object : value, api_version);
	json_decref(value);
	return result;
}

int
api_watch_load(struct api_watch *w)
{
	int result;

	if (w->status.is_synced)
		return 0;
	/* they may be those of all nodes, and those of others are not gone when they are not listed */
	w->is_narrower = w->node != NULL && !w->is_wide;
	result = api_saved_each(w->config.saved, w->config.kind->kind, load, w);
	if (result < 0)
		log_error(
			"what was saved of %s cannot be read: %s", api_watch_kind_name(w), strerror(-result));
	if (api_objects_take_changed(w->objects))
		api_watch_tell(w);
	return result;
}

const struct api_watch_status *
api_watch_status(const struct api_watch *w)
{
	return &w->status;
}

const struct api_objects *
api_watch_objects(const struct api_watch *w)
{
	return w->objects;
}

const char *
api_watch_state_name(enum api_watch_state state)
{
	static const char *const names[] = { "waiting", "listing", "watching", "absent" };

	return names[state];
}
