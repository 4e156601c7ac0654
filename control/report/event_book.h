/* Events on their way to the API server (core v1, in their object's namespace or in "default"). What was said of the same object
 * with the same reason and text within ten minutes is counted, not said again. Nothing here blocks: there is room for
 * EVENT_BOOK_ROOM, and what has none is lost and counted. Pure, on the caller's clocks; control thread only.
 *
 * How often they are written: of one object a burst of 10, since a pod that is created wrongly may have several things wrong with
 * it at once, then one a minute, since more is read by nobody. Of all objects a burst of 20, then one in 10 s: a fault that all
 * 5,000 nodes of a cluster see at once costs its API server no more than 500 writes a second for as long as it lasts. What must
 * wait is counted up meanwhile and then written once. */
#ifndef RINGWAY_REPORT_EVENT_BOOK_H
#define RINGWAY_REPORT_EVENT_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_BOOK_ROOM 128
#define EVENT_SAME_NS UINT64_C(600000000000)
#define EVENT_OBJECT_BURST 10
#define EVENT_OBJECT_INTERVAL_NS UINT64_C(60000000000)
#define EVENT_NODE_BURST 20
#define EVENT_NODE_INTERVAL_NS UINT64_C(10000000000)
#define EVENT_MESSAGE_SIZE 1024 /* what the API server takes, with the NUL */

enum event_reason {
#define EVENT(symbol, reason, type, help) REPORT_##symbol,
#include "control/report/event_reasons.def"
#undef EVENT
	N_EVENT_REASONS
};

/* "DNSDenied"; "Warning"; what it is for. Static storage. */
const char *event_reason_name(enum event_reason reason);
const char *event_reason_type(enum event_reason reason);
const char *event_reason_help(enum event_reason reason);

/* What an event is about. */
struct event_subject {
	const char *kind, *api_version; /* "Pod", "v1" */
	const char *ns;                 /* "": it has none */
	const char *name;
	const char *uid; /* "": not known */
};

struct event_book;

/* node: this one's name, copied. NULL if out of memory. */
struct event_book *event_book_new(const char *node);
void event_book_free(struct event_book *b); /* NULL is fine */

/* Something happened; b may be NULL: nobody is told. is_shared: other nodes may say the same, so that the event has the same name everywhere and there is one.
 * now_s: CLOCK_REALTIME seconds. */
void event_book_note(struct event_book *b, enum event_reason reason, const struct event_subject *about,
	const char *message, bool is_shared, uint64_t now_ns, int64_t now_s);

/* A request; strings for the caller to free with event_write_fini(). */
struct event_write {
	size_t entry;
	const char *method, *content_type; /* static storage */
	char *path, *body;
};

/* The next one that may be written now; it is under way then, until event_book_written(). False: there is none, with *wait_ns:
 * how long at least there will be none; 0: until something happens. */
bool event_book_next(struct event_book *b, uint64_t now_ns, struct event_write *out, uint64_t *wait_ns);
void event_write_fini(struct event_write *w);

/* How that ended, by the HTTP status; 0: there was no answer. */
void event_book_written(struct event_book *b, size_t entry, long status);

/* Since the start: notes for which there was no room, or that the server refused. */
uint64_t event_book_n_lost(const struct event_book *b);

#endif
