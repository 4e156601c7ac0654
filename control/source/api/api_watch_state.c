#include "control/source/api/api_watch_state.h"

#include <stdio.h>
#include <time.h>

#include "control/log.h"
#include "control/source/api/api_client.h"

void
api_watch_tell(struct api_watch *w)
{
	w->config.changed(w->config.arg);
}

const char *
api_watch_kind_name(const struct api_watch *w)
{
	return object_kind_name(w->config.kind->kind);
}

void
api_watch_note_trouble(struct api_watch *w, const char *reason)
{
	snprintf(w->status.reason, sizeof(w->status.reason), "%s", reason);
	api_text_make_printable(w->status.reason);
	if (w->status.since_s == 0) {
		w->status.since_s = time(NULL);
		log_warn("%s at %s: %s; what is known stays in force", api_watch_kind_name(w),
			api_client_server(w->config.client), w->status.reason);
	}
	api_watch_tell(w);
}

void
api_watch_note_steady(struct api_watch *w)
{
	api_backoff_reset(&w->backoff);
	w->has_restarted = false;
}

void
api_watch_note_success(struct api_watch *w)
{
	if (w->status.since_s == 0)
		return;
	log_info("%s at %s: well again after %lld s", api_watch_kind_name(w),
		api_client_server(w->config.client), (long long)(time(NULL) - w->status.since_s));
	w->status.since_s = 0;
	w->status.reason[0] = '\0';
	api_watch_tell(w);
}
