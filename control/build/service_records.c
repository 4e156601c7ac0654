#include "control/build/service_records.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

/* Whose a slice is. */
struct slice_record {
	char *ns, *name;
	uint32_t service;
};

void
service_records_init(struct service_records *r)
{
	*r = (struct service_records){ .first_free = SERVICE_NONE };
}

static int
compare_names(const void *a, const void *b)
{
	/* both begin with the two names */
	const struct slice_record *x = a, *y = b;
	int order = strcmp(x->ns, y->ns);

	return order != 0 ? order : strcmp(x->name, y->name);
}

static int
compare_records(const void *a, const void *b)
{
	const struct service_record *x = a, *y = b;
	int order = strcmp(x->ns, y->ns);

	return order != 0 ? order : strcmp(x->name, y->name);
}

static void
slice_free(void *slice)
{
	struct slice_record *s = slice;

	free(s->ns);
	free(s->name);
	free(s);
}

static void
forget_slices(struct service_record *record)
{
	for (size_t i = 0; i < record->n_slices; i++)
		free(record->slices[i]);
	free(record->slices);
	record->slices = NULL;
	record->n_slices = record->slices_room = 0;
}

static void
record_clear(struct service_record *record)
{
	forget_slices(record);
	wanted_fini(&record->built);
	wanted_fini(&record->coming);
	free(record->ns);
	free(record->name);
	record->ns = record->name = NULL;
}

static void
keep_nothing(void *record)
{
}

void
service_records_fini(struct service_records *r)
{
	tdestroy(r->by_name, keep_nothing);
	tdestroy(r->by_slice, slice_free);
	for (uint32_t i = 0; i < r->n; i++) {
		record_clear(r->items[i]);
		free(r->items[i]);
	}
	free(r->items);
	free(r->dirty);
	service_records_init(r);
}

struct service_record *
service_records_find(const struct service_records *r, const char *ns, const char *name)
{
	const struct service_record key = { .ns = (char *)ns, .name = (char *)name };
	struct service_record **place = tfind(&key, &r->by_name, compare_records);

	return place == NULL ? NULL : *place;
}

/* Memory for a record with the next number; NULL if out of memory. */
static struct service_record *
number_new(struct service_records *r)
{
	struct service_record *record;

	if (r->first_free != SERVICE_NONE) {
		record = r->items[r->first_free];
		r->first_free = record->next_free;
		return record;
	}
	if (r->n == r->room) {
		uint32_t room = r->room == 0 ? 64 : 2 * r->room;
		struct service_record **items = realloc(r->items, room * sizeof(*items));

		if (items == NULL)
			return NULL;
		r->items = items;
		r->room = room;
	}
	record = calloc(1, sizeof(*record));
	if (record == NULL)
		return NULL;
	record->id = r->n;
	r->items[r->n++] = record;
	return record;
}

static void
number_free(struct service_records *r, struct service_record *record)
{
	record_clear(record);
	*record = (struct service_record){ .id = record->id, .next_free = r->first_free };
	r->first_free = record->id;
}

static struct service_record *
record_of(struct service_records *r, const char *ns, const char *name)
{
	struct service_record *record = service_records_find(r, ns, name);

	if (record != NULL)
		return record;
	record = number_new(r);
	if (record == NULL)
		return NULL;
	record->ns = strdup(ns);
	record->name = strdup(name);
	if (record->ns == NULL || record->name == NULL ||
		tsearch(record, &r->by_name, compare_records) == NULL) {
		number_free(r, record);
		return NULL;
	}
	r->n_named++;
	return record;
}

bool
service_records_mark(struct service_records *r, struct service_record *record)
{
	if (record->is_dirty)
		return true;
	if (r->n_dirty == r->dirty_room) {
		uint32_t room = r->dirty_room == 0 ? 64 : 2 * r->dirty_room;
		uint32_t *dirty = realloc(r->dirty, room * sizeof(*dirty));

		if (dirty == NULL)
			return false;
		r->dirty = dirty;
		r->dirty_room = room;
	}
	r->dirty[r->n_dirty++] = record->id;
	record->is_dirty = true;
	return true;
}

bool
service_records_touch(struct service_records *r, const char *ns, const char *name)
{
	struct service_record *record = record_of(r, ns, name);

	return record != NULL && service_records_mark(r, record);
}

/* Where a slice's name is among the record's, or should be. */
static size_t
slice_place(const struct service_record *record, const char *name)
{
	size_t low = 0, high = record->n_slices;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(record->slices[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
add_slice(struct service_record *record, const char *name)
{
	size_t at = slice_place(record, name);
	char *copy;

	if (record->n_slices == record->slices_room) {
		size_t room = record->slices_room == 0 ? 2 : 2 * record->slices_room;
		char **slices = realloc(record->slices, room * sizeof(*slices));

		if (slices == NULL)
			return false;
		record->slices = slices;
		record->slices_room = room;
	}
	copy = strdup(name);
	if (copy == NULL)
		return false;
	memmove(&record->slices[at + 1], &record->slices[at],
		(record->n_slices - at) * sizeof(*record->slices));
	record->slices[at] = copy;
	record->n_slices++;
	return true;
}

static void
remove_slice(struct service_record *record, const char *name)
{
	size_t at = slice_place(record, name);

	if (at == record->n_slices || strcmp(record->slices[at], name) != 0)
		return;
	free(record->slices[at]);
	record->n_slices--;
	memmove(&record->slices[at], &record->slices[at + 1],
		(record->n_slices - at) * sizeof(*record->slices));
}

/* Takes a slice from the service that has it. */
static bool
part_slice(struct service_records *r, struct slice_record *slice)
{
	struct service_record *record = r->items[slice->service];

	if (!service_records_mark(r, record))
		return false;
	remove_slice(record, slice->name);
	tdelete(slice, &r->by_slice, compare_names);
	slice_free(slice);
	return true;
}

bool
service_records_slice(struct service_records *r, const char *ns, const char *name, const char *service)
{
	const struct slice_record key = { .ns = (char *)ns, .name = (char *)name };
	struct slice_record **place = tfind(&key, &r->by_slice, compare_names), *slice;
	struct service_record *record = service == NULL ? NULL : record_of(r, ns, service);

	if (service != NULL && (record == NULL || !service_records_mark(r, record)))
		return false;
	if (place != NULL && record != NULL && (*place)->service == record->id)
		return true;
	if (place != NULL && !part_slice(r, *place))
		return false;
	if (record == NULL)
		return true;
	slice = calloc(1, sizeof(*slice));
	if (slice == NULL)
		return false;
	*slice = (struct slice_record){ strdup(ns), strdup(name), record->id };
	if (slice->ns == NULL || slice->name == NULL || !add_slice(record, name)) {
		slice_free(slice);
		return false;
	}
	if (tsearch(slice, &r->by_slice, compare_names) == NULL) {
		remove_slice(record, name);
		slice_free(slice);
		return false;
	}
	return true;
}

bool
service_records_mark_all(struct service_records *r)
{
	bool ok = true;

	tdestroy(r->by_slice, slice_free);
	r->by_slice = NULL;
	for (uint32_t i = 0; i < r->n; i++) {
		forget_slices(r->items[i]);
		if (r->items[i]->ns != NULL)
			ok &= service_records_mark(r, r->items[i]);
	}
	return ok;
}

static int
compare_ids(const void *a, const void *b, void *arg)
{
	const struct service_records *r = arg;

	return compare_records(r->items[*(const uint32_t *)a], r->items[*(const uint32_t *)b]);
}

void
service_records_sort(struct service_records *r, uint32_t first)
{
	if (r->n_dirty - first > 1)
		qsort_r(r->dirty + first, r->n_dirty - first, sizeof(*r->dirty), compare_ids, r);
}

int
service_record_slices(
	const struct service_record *record, const struct store *store, struct service_slices *out)
{
	out->n = 0;
	if (record->n_slices > out->room) {
		const struct slice_object **items =
			reallocarray(out->items, 2 * record->n_slices, sizeof(const struct slice_object *));

		if (items == NULL)
			return -ENOMEM;
		out->items = items;
		out->room = 2 * record->n_slices;
	}
	for (size_t i = 0; i < record->n_slices; i++) {
		const struct object *slice =
			store_get(store, OBJECT_ENDPOINT_SLICE, record->ns, record->slices[i]);

		if (slice != NULL)
			out->items[out->n++] = (const struct slice_object *)slice;
	}
	return 0;
}

void
service_records_settle(
	struct service_records *r, bool (*exists)(const struct service_record *record, void *arg), void *arg)
{
	for (uint32_t i = 0; i < r->n_dirty; i++) {
		struct service_record *record = r->items[r->dirty[i]];

		record->is_dirty = false;
		if (record->n_slices != 0 || exists(record, arg))
			continue;
		tdelete(record, &r->by_name, compare_records);
		r->n_named--;
		number_free(r, record);
	}
	r->n_dirty = 0;
}
