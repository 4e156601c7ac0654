/* What the builder of services remembers of each, by number: which EndpointSlices are its own, and which frontends it was
 * built with. Numbers are small, stay with their service while it or a slice of it exists, and are given out anew
 * afterwards. Control thread only. */
#ifndef RINGWAY_BUILD_SERVICE_RECORDS_H
#define RINGWAY_BUILD_SERVICE_RECORDS_H

#include "control/build/wanted.h"

struct store;

#define SERVICE_NONE UINT32_MAX

struct service_record {
	char *ns, *name; /* NULL: the number is free */
	uint32_t id;
	uint32_t next_free;
	bool is_dirty;        /* in the list */
	bool is_blocked;      /* a frontend that it wants is another's, which comes first */
	bool will_be_blocked; /* of the build that goes on */
	bool is_slotless;     /* a backend of its found no slot free */
	int64_t created_s;    /* when it was built */
	bool needs_nodes;     /* whether it gets its addresses depends on what Nodes there are */
	size_t n_slices, slices_room;
	char **slices;        /* names, sorted */
	struct wanted built;  /* with this; frontends that are another's included */
	struct wanted coming; /* of the build that goes on */
};

struct service_records {
	uint32_t n, room;
	struct service_record **items; /* by number */
	uint32_t first_free;
	uint32_t n_named;
	void *by_name;  /* tsearch: struct service_record */
	void *by_slice; /* tsearch: whose slice it is */
	uint32_t n_dirty, dirty_room;
	uint32_t *dirty; /* numbers */
};

void service_records_init(struct service_records *r);
void service_records_fini(struct service_records *r);

/* NULL when there is none. */
struct service_record *service_records_find(
	const struct service_records *r, const char *ns, const char *name);

/* Made if there is none, and noted as changed. False if out of memory. */
bool service_records_touch(struct service_records *r, const char *ns, const char *name);
bool service_records_mark(struct service_records *r, struct service_record *record);

/* A slice changed: it is the service's (NULL: nobody's, or it is gone). All that it concerns is noted as changed. False if
 * out of memory. */
bool service_records_slice(struct service_records *r, const char *ns, const char *slice, const char *service);

/* Notes everything as changed and forgets whose the slices are. False if out of memory. */
bool service_records_mark_all(struct service_records *r);

/* The slices of one service at a time; zero is good, and items is the caller's to free. */
struct service_slices {
	size_t n, room;
	const struct slice_object **items;
};

/* Those of its slices that are in the store. 0 or -ENOMEM. */
int service_record_slices(
	const struct service_record *record, const struct store *store, struct service_slices *out);

/* Orders the changed ones from 'first' in the list on by namespace and name. */
void service_records_sort(struct service_records *r, uint32_t first);

/* Nothing is changed any more. Records of services for which exists() is false, and that have no slices, go. */
void service_records_settle(
	struct service_records *r, bool (*exists)(const struct service_record *record, void *arg), void *arg);

#endif
