#include "control/source/api/api_watch_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/loop.h"

/* Too long a version is none: a list follows then, instead of a watch from somewhere else. */
void
api_watch_note_version(struct api_watch *w, const json_t *object)
{
	const char *version =
		json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));

	if (version == NULL || *version == '\0')
		return;
	if (strlen(version) >= sizeof(w->status.resource_version))
		version = "";
	strcpy(w->status.resource_version, version);
}

/* A server that lost its data counts from the beginning, and would say nothing until it has come to where we are. Versions
 * can be compared where they are numbers, as all servers' are. */
bool
api_watch_has_gone_back(const struct api_watch *w, const json_t *object)
{
	const char *version =
		json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
	char *end, *known_end;
	unsigned long long now, known;

	if (w->is_first_list || version == NULL)
		return false; /* objects that are listed come in any order */
	now = strtoull(version, &end, 10);
	known = strtoull(w->status.resource_version, &known_end, 10);
	return *end == '\0' && *known_end == '\0' && now < known;
}

void
api_watch_list_complete(struct api_watch *w)
{
	if (api_objects_sweep(w->objects, w->is_narrower) < 0)
		log_error("out of memory: %s objects that are gone stay until the next list",
			api_watch_kind_name(w));
	if (w->node == NULL || w->is_wide || w->is_settled)
		api_objects_sweep_saved(w->objects);
	w->is_narrower = false;
	w->status.is_synced = true;
	w->status.event_ns = clock_now_ns();
	w->is_first_list = false;
	if (w->request != NULL)
		api_request_wait(w->request);
	api_watch_note_success(w);
	api_watch_tell(w);
}

int
api_watch_on_item(json_t *object, void *arg)
{
	struct api_watch *w = arg;
	const char *version = w->config.kind->versions[w->version].api_version;

	if (w->config.sees != NULL)
		w->config.sees(object, w->config.arg);
	return api_objects_put(w->objects, object, version, w->stream.object.bytes, w->stream.object.n);
}

/* What counts is the list's version. */
int
api_watch_on_checked(json_t *object, void *arg)
{
	return 0;
}

/* ERROR: a Status instead of an object. */
static int
on_error_event(struct api_watch *w, const json_t *status)
{
	const char *message = json_string_value(json_object_get(status, "message"));
	json_int_t retry_s =
		json_integer_value(json_object_get(json_object_get(status, "details"), "retryAfterSeconds"));

	w->failure_retry_s = retry_s < 0 ? 0 : retry_s > UINT32_MAX ? UINT32_MAX : (uint32_t)retry_s;
	w->failure_code = (int)json_integer_value(json_object_get(status, "code"));
	snprintf(w->failure, sizeof(w->failure), "the server ended the watch: %d: %.200s", w->failure_code,
		message == NULL ? "" : message);
	return -ECANCELED;
}

/* A server that knows WatchList sends no other bookmark before the one that says that all is listed. One that does not began with all
 * there is, too, but will not say where that ends. */
static int
on_bookmark(struct api_watch *w, const json_t *object)
{
	const json_t *annotations = json_object_get(json_object_get(object, "metadata"), "annotations");
	const char *end = json_string_value(json_object_get(annotations, "k8s.io/initial-events-end"));

	if (!w->is_first_list)
		return 0;
	w->is_unmarked = end == NULL || strcmp(end, "true") != 0;
	if (w->is_unmarked)
		return -ENOTSUP;
	api_watch_list_complete(w);
	return 0;
}

int
api_watch_on_event(json_t *event, void *arg)
{
	struct api_watch *w = arg;
	const char *type = json_string_value(json_object_get(event, "type"));
	json_t *object = json_object_get(event, "object");
	int result = 0;

	if (type == NULL || !json_is_object(object))
		return -EINVAL;
	if (strcmp(type, "ERROR") == 0)
		return on_error_event(w, object);
	if (api_watch_has_gone_back(w, object)) {
		w->failure_code = 410;
		snprintf(w->failure, sizeof(w->failure), "the server's versions have gone back");
		return -ECANCELED;
	}
	w->n_events++;
	w->status.event_ns = clock_now_ns();
	if (!w->is_first_list)
		api_watch_note_steady(w);
	api_watch_note_version(w, object);
	if (strcmp(type, "BOOKMARK") == 0)
		result = on_bookmark(w, object);
	else if (strcmp(type, "DELETED") == 0)
		result = api_objects_remove(w->objects, object);
	else if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		result = api_watch_on_item(object, w);
	return result;
}

void
api_watch_on_opened(void *arg)
{
	struct api_watch *w = arg;

	w->opened_ns = clock_now_ns();
	w->n_not_found = 0;
	if (w->step == STEP_WATCH && !w->is_first_list) {
		api_request_wait(w->request);
		api_watch_note_success(w);
	}
}

static uint64_t
cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int
api_watch_on_bytes(const char *bytes, size_t size, void *arg)
{
	struct api_watch *w = arg;
	bool was_first_list = w->is_first_list;
	uint64_t start_ns = cpu_now_ns();
	int result;

	w->status.n_bytes += size;
	result = api_stream_feed(&w->stream, bytes, size);
	w->status.decode_ns += cpu_now_ns() - start_ns;
	if (was_first_list && !w->is_first_list)
		w->status.state = API_WATCH_WATCHING;
	if (api_objects_take_changed(w->objects))
		api_watch_tell(w);
	return result;
}
