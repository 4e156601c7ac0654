/* One kind of object, kept as the API server has it: listed, in pages or as a watch that begins with all there is (WatchList),
 * then watched from there on. What fails is tried again from where it was, after a wait; what the server has forgotten (410) is
 * listed anew. Meanwhile everything stays as it was last known. An optional kind that the server lacks has no objects, and is asked for
 * again now and then. Control thread only. */
#ifndef RINGWAY_SOURCE_API_WATCH_H
#define RINGWAY_SOURCE_API_WATCH_H

#include <stddef.h>

#include "control/source/api/api_client.h"
#include "control/source/api/api_objects.h"

#define API_REASON_SIZE (API_ERROR_SIZE + 64)

struct api_watch;

struct api_watch_config {
	struct loop *loop;
	struct api_client *client;
	struct store *store;
	const struct api_kind *kind;
	const char *node;     /* of kinds that are of a node: only those with this spec.nodeName; NULL: all */
	bool *has_watch_list; /* shared by all watches of a server: cleared when it refuses one */
	struct api_saved *saved;                       /* what is known is saved there; NULL: it is not */
	uint64_t seed;                                 /* of what is random */
	void (*changed)(void *arg);                    /* the store, the errors or the state changed */
	void (*sees)(const json_t *object, void *arg); /* each object as it came; may be NULL */
	void *arg;
};

enum api_watch_state {
	API_WATCH_WAITING, /* to try again */
	API_WATCH_LISTING,
	API_WATCH_WATCHING,
	API_WATCH_ABSENT, /* an optional kind that the server lacks */
};

struct api_watch_status {
	enum api_watch_state state;
	bool is_synced;               /* all that there is was here once, of the nodes asked for now */
	char reason[API_REASON_SIZE]; /* what is wrong, "" when nothing is */
	int64_t since_s;              /* CLOCK_REALTIME seconds: since when; 0: nothing is */
	char resource_version[64];    /* "": none yet */
	uint64_t event_ns; /* CLOCK_MONOTONIC of the last event or list, bookmarks included; 0: none yet */
	uint64_t n_lists, n_restarts; /* lists begun; requests that failed or were cut */
	uint64_t n_bytes;             /* of answers */
	uint64_t decode_ns; /* processor time that it took to decode them and to put them into the store */
};

/* Begins at once. NULL if out of memory. */
struct api_watch *api_watch_new(const struct api_watch_config *config);

/* The objects stay in the store. NULL is fine. */
void api_watch_free(struct api_watch *w);

/* From now on those of all nodes; lists them, and until that is complete those that are known stay. */
void api_watch_widen(struct api_watch *w);

/* From now on those of config.node again; the others go when these are listed, not as if they were gone, but out of sight. */
void api_watch_narrow(struct api_watch *w);

/* What is asked for is known to be enough: until then saved objects of other nodes stay, since they may be asked for next. */
void api_watch_settle(struct api_watch *w);

/* Unless all is listed, takes over what was saved of the kind, which stays until it is. 0, or below 0 when
 * not all of it can be read: what could is there all the same. */
int api_watch_load(struct api_watch *w);

const struct api_watch_status *api_watch_status(const struct api_watch *w);
const struct api_objects *api_watch_objects(const struct api_watch *w);

/* "waiting", "listing", "watching", "absent"; static storage. */
const char *api_watch_state_name(enum api_watch_state state);

#endif
