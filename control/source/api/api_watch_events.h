/* What the server sends while a watch's request runs: objects of a list, events, versions. For api_watch.c. */
#ifndef RINGWAY_SOURCE_API_WATCH_EVENTS_H
#define RINGWAY_SOURCE_API_WATCH_EVENTS_H

#include "control/source/api/api_watch_state.h"

/* Takes over the version of an object, or of a list. */
void api_watch_note_version(struct api_watch *w, const json_t *object);

/* Whether it is older than what we know. */
bool api_watch_has_gone_back(const struct api_watch *w, const json_t *object);

/* All that there is has been listed. */
void api_watch_list_complete(struct api_watch *w);

/* For api_stream: a list's object; one of a list of which only the version counts; an event. */
int api_watch_on_item(json_t *object, void *arg);
int api_watch_on_checked(json_t *object, void *arg);
int api_watch_on_event(json_t *event, void *arg);

/* For api_request_config. */
void api_watch_on_opened(void *arg);
int api_watch_on_bytes(const char *bytes, size_t size, void *arg);

#endif
