#include "control/source/api/api_objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/model/store.h"
#include "control/source/api/api_saved.h"
#include "control/source/decode.h"
#include "control/source/digest.h"
#include "control/source/unread.h"

struct error {
	char *ns, *name, *text;
	int64_t since_s;
	uint32_t listing; /* the last that the object was in */
};

struct api_objects {
	struct store *store;
	const struct api_kind *kind;
	struct api_saved *saved; /* NULL: nothing is */
	uint32_t listing;        /* the number of the last list that began */
	bool has_changed;
	size_t n_errors;
	struct error errors[API_OBJECT_ERRORS_MAX];
};

struct api_objects *
api_objects_new(struct store *store, const struct api_kind *kind)
{
	struct api_objects *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->store = store;
	o->kind = kind;
	return o;
}

void
api_objects_save(struct api_objects *o, struct api_saved *saved)
{
	o->saved = saved;
}

/* --- errors */

static void
error_remove(struct api_objects *o, size_t i)
{
	struct error *e = &o->errors[i];

	free(e->ns);
	free(e->name);
	free(e->text);
	*e = o->errors[--o->n_errors];
	o->has_changed = true;
}

static void
error_clear(struct api_objects *o, const char *ns, const char *name)
{
	for (size_t i = o->n_errors; i-- > 0;)
		if (strcmp(o->errors[i].ns, ns) == 0 && strcmp(o->errors[i].name, name) == 0)
			error_remove(o, i);
}

/* It keeps its time while it stays the same. */
static void
error_set(struct api_objects *o, const char *ns, const char *name, const struct decode_error *error)
{
	struct error e = { .since_s = time(NULL), .listing = o->listing };

	if (asprintf(&e.text, "%s %s%s%s: %s%s%s", object_kind_name(o->kind->kind), ns,
		    *ns == '\0' ? "" : "/", name, error->field, *error->field == '\0' ? "" : ": ",
		    error->message) < 0)
		return;
	for (size_t i = 0; i < o->n_errors; i++)
		if (strcmp(o->errors[i].text, e.text) == 0) {
			o->errors[i].listing = o->listing;
			free(e.text);
			return;
		}
	log_error("%s", e.text);
	error_clear(o, ns, name);
	e.ns = strdup(ns);
	e.name = strdup(name);
	if (o->n_errors == API_OBJECT_ERRORS_MAX || e.ns == NULL || e.name == NULL) {
		free(e.ns);
		free(e.name);
		free(e.text);
		return;
	}
	o->errors[o->n_errors++] = e;
	o->has_changed = true;
}

void
api_objects_free(struct api_objects *o)
{
	if (o == NULL)
		return;
	while (o->n_errors != 0)
		error_remove(o, 0);
	free(o);
}

size_t
api_objects_n_errors(const struct api_objects *o)
{
	return o->n_errors;
}

void
api_objects_each_error(
	const struct api_objects *o, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg)
{
	for (size_t i = 0; i < o->n_errors; i++)
		fn(o->errors[i].text, o->errors[i].since_s, arg);
}

/* --- objects */

/* The key of what the value is; false when it has none. */
static bool
find_key(const struct api_objects *o, const json_t *value, const char **ns, const char **name)
{
	const json_t *metadata = json_object_get(value, "metadata");

	*name = json_string_value(json_object_get(metadata, "name"));
	*ns = o->kind->has_namespace ? json_string_value(json_object_get(metadata, "namespace")) : "";
	return *name != NULL && *ns != NULL;
}

/* Takes away what changes without a meaning: a node's heartbeats must not have tables built. */
static void
prune(const struct api_kind *kind, json_t *value)
{
	json_t *metadata = json_object_get(value, "metadata"), *status = json_object_get(value, "status");

	json_object_del(metadata, "resourceVersion");
	for (const char *const *member = kind->volatile_status; *member != NULL; member++)
		json_object_del(status, *member);
}

/* Of what is stored, this is the source's own and no part of what others see as the object. */
static void
mark(struct api_objects *o, const struct object *stored)
{
	((struct object *)stored)->listing = o->listing;
}

/* Of a policy that was never understood nobody knows what it allows: whom it selects is closed. */
static int
put_unread(struct api_objects *o, json_t *value, const char *name)
{
	struct unread_policy_object *unread;
	int result = unread_of_value(NULL, value, "the API server", &unread);

	if (result < 0 || unread == NULL)
		return result;
	unread->object.listing = o->listing;
	unread->object.name = strdup(name);
	o->has_changed = true;
	if (unread->object.name != NULL)
		return store_put(o->store, &unread->object);
	object_free(&unread->object);
	return -ENOMEM;
}

/* The object of this name is understood, or gone. */
static void
forget_trouble(struct api_objects *o, const char *ns, const char *name)
{
	error_clear(o, ns, name);
	if (o->kind->kind == OBJECT_NETWORK_POLICY)
		o->has_changed |= store_remove(o->store, OBJECT_UNREAD_POLICY, ns, name);
}

static void
forget(struct api_objects *o, const char *ns, const char *name)
{
	o->has_changed |= store_remove(o->store, o->kind->kind, ns, name);
	api_saved_remove(o->saved, o->kind->kind, ns, name);
}

static int
put_decoded(struct api_objects *o, struct object *object, uint64_t digest)
{
	object->digest = digest;
	object->listing = o->listing;
	o->has_changed = true;
	return store_put(o->store, object);
}

int
api_objects_put(struct api_objects *o, json_t *value, const char *api_version, const char *text, size_t size)
{
	const struct object *stored;
	const char *ns, *name, *ignored;
	struct decode_error error = { 0 };
	struct object *object;
	uint64_t digest;

	if (!find_key(o, value, &ns, &name))
		return -EINVAL;
	prune(o->kind, value);
	/* a list's items have neither, and metadata alone is of another kind */
	json_object_set_new(value, "kind", json_string(object_kind_name(o->kind->kind)));
	json_object_set_new(value, "apiVersion", json_string(api_version));
	digest = json_digest(value);
	stored = store_get(o->store, o->kind->kind, ns, name);
	if (stored != NULL)
		mark(o, stored);
	if (stored != NULL && stored->digest == digest) {
		forget_trouble(o, ns, name);
		return 0;
	}
	if (object_decode(NULL, value, 0, NULL, &object, &ignored, &error) < 0) {
		error_set(o, ns, name, &error);
		if (o->kind->kind != OBJECT_NETWORK_POLICY || stored != NULL)
			return 0;
		if (text != NULL)
			api_saved_put(o->saved, o->kind->kind, ns, name, api_version, text, size);
		return put_unread(o, value, name);
	}
	forget_trouble(o, ns, name);
	if (object == NULL) {
		forget(o, ns, name); /* it is of no use any more */
		return 0;
	}
	if (text != NULL)
		api_saved_put(o->saved, o->kind->kind, ns, name, api_version, text, size);
	return put_decoded(o, object, digest);
}

/* An object of the kind, or what could not be read of it. */
static bool
is_there(const char *ns, const char *name, void *arg)
{
	const struct api_objects *o = arg;

	return store_get(o->store, o->kind->kind, ns, name) != NULL ||
	       (o->kind->kind == OBJECT_NETWORK_POLICY &&
		       store_get(o->store, OBJECT_UNREAD_POLICY, ns, name) != NULL);
}

/* What the server told of it counts, also when that is of no use. */
static bool
is_known(struct api_objects *o, const char *ns, const char *name)
{
	for (size_t i = 0; i < o->n_errors; i++)
		if (strcmp(o->errors[i].ns, ns) == 0 && strcmp(o->errors[i].name, name) == 0)
			return true;
	return is_there(ns, name, o);
}

int
api_objects_load(struct api_objects *o, json_t *value, const char *api_version)
{
	uint32_t listing = o->listing;
	const char *ns, *name;
	int result;

	if (!find_key(o, value, &ns, &name))
		return -EINVAL;
	if (is_known(o, ns, name))
		return 0;
	o->listing = 0;
	result = api_objects_put(o, value, api_version, NULL, 0);
	o->listing = listing;
	return result;
}

int
api_objects_remove(struct api_objects *o, const json_t *value)
{
	const char *ns, *name;

	if (!find_key(o, value, &ns, &name))
		return -EINVAL;
	forget_trouble(o, ns, name);
	forget(o, ns, name);
	return 0;
}

void
api_objects_begin(struct api_objects *o)
{
	o->listing++;
}

struct sweep {
	uint32_t listing;
	size_t n, size;
	const struct object **gone;
	bool is_short;
};

static void
note_gone(const struct object *object, void *arg)
{
	struct sweep *s = arg;

	if (object->listing == s->listing || s->is_short)
		return;
	if (s->n == s->size) {
		size_t size = s->size == 0 ? 64 : 2 * s->size;
		const struct object **gone = realloc(s->gone, size * sizeof(struct object *));

		if (gone == NULL) {
			s->is_short = true;
			return;
		}
		s->gone = gone;
		s->size = size;
	}
	s->gone[s->n++] = object;
}

int
api_objects_sweep(struct api_objects *o, bool is_narrower)
{
	bool (*take)(struct store *, enum object_kind, const char *, const char *) =
		is_narrower ? store_lose : store_remove;
	struct sweep s = { .listing = o->listing };

	store_each(o->store, o->kind->kind, note_gone, &s);
	if (o->kind->kind == OBJECT_NETWORK_POLICY)
		store_each(o->store, OBJECT_UNREAD_POLICY, note_gone, &s);
	/* removing one leaves the others where they are */
	for (size_t i = 0; i < s.n; i++)
		take(o->store, s.gone[i]->kind, s.gone[i]->ns, s.gone[i]->name);
	for (size_t i = o->n_errors; i-- > 0;)
		if (o->errors[i].listing != o->listing)
			error_remove(o, i);
	o->has_changed |= s.n != 0;
	free(s.gone);
	return s.is_short ? -ENOMEM : 0;
}

void
api_objects_sweep_saved(struct api_objects *o)
{
	api_saved_sweep(o->saved, o->kind->kind, is_there, o);
}

bool
api_objects_take_changed(struct api_objects *o)
{
	bool has_changed = o->has_changed;

	o->has_changed = false;
	return has_changed;
}
