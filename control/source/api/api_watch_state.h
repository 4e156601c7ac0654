/* A watch, and how it goes, as the files of api_watch know it: api_watch.c asks, and says what follows from how a request ended;
 * api_watch_events.c takes what the server sends meanwhile. For no others. */
#ifndef RINGWAY_SOURCE_API_WATCH_STATE_H
#define RINGWAY_SOURCE_API_WATCH_STATE_H

#include "control/source/api/api_backoff.h"
#include "control/source/api/api_stream.h"
#include "control/source/api/api_watch.h"

/* What comes next. */
enum step {
	STEP_LIST,
	STEP_PAGE,  /* of the list that has begun */
	STEP_CHECK, /* whether the server still knows the version that the watch begins from */
	STEP_WATCH,
};

struct api_watch {
	struct api_watch_config config;
	char *node;       /* NULL: all */
	bool is_wide;     /* all for the time being */
	bool is_settled;  /* what was saved of other nodes is of no use */
	bool is_narrower; /* the list that comes asks for less than the one before */
	struct api_objects *objects;
	struct api_request *request;
	struct api_stream stream;
	struct api_backoff backoff;
	struct loop_timer *timer;
	enum step step;
	unsigned version;     /* index in kind->versions */
	unsigned n_not_found; /* versions that the server did not have, one after the other */
	bool is_first_list;   /* the watch that runs begins with all there is, and is not through with it */
	bool is_unmarked;     /* and the server does not tell its end */
	bool has_restarted;   /* a list was begun at once after one was refused; the next time waits */
	char *next_page;      /* the list's token; NULL: the first page */
	uint64_t opened_ns;   /* when the answer began; 0: it did not */
	uint64_t n_events;    /* in this answer */
	char failure[API_ERROR_SIZE]; /* what the server said in the middle of a watch; "" when nothing */
	int failure_code;
	uint32_t failure_retry_s; /* what it asks for with that; 0: nothing */
	struct api_watch_status status;
};

/* Something changed. */
void api_watch_tell(struct api_watch *w);

/* Something is wrong, since now if it was not before. */
void api_watch_note_trouble(struct api_watch *w, const char *reason);

/* Only this makes waits short again: a server that takes requests and then fails is not asked ever faster. */
void api_watch_note_steady(struct api_watch *w);

/* Nothing is wrong any more. */
void api_watch_note_success(struct api_watch *w);

const char *api_watch_kind_name(const struct api_watch *w);

#endif
