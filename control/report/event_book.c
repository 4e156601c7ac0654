#include "control/report/event_book.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/report/node_write.h"
#include "control/source/api/api_writer.h"

#define KIND_SIZE 32
#define NAME_SIZE 254
#define NS_SIZE 64
#define UID_SIZE 64
#define EVENT_NAME_STEM 200 /* of the object's name in the event's */
#define N_BUCKETS 64        /* objects may share one: the more of them, the more is said */

struct entry {
	bool is_used, is_shared;
	bool is_created;   /* the server has it */
	bool is_under_way; /* and is being asked to take what there is now */
	enum event_reason reason;
	uint64_t key, object_key;
	char kind[KIND_SIZE], api_version[KIND_SIZE], ns[NS_SIZE], name[NAME_SIZE], uid[UID_SIZE];
	char message[EVENT_MESSAGE_SIZE];
	char event_name[NAME_SIZE];
	uint32_t count, n_sent, n_written; /* so often it happened; of that was sent last; the server knows */
	int64_t first_s, last_s;
	uint64_t last_ns;
};

struct event_book {
	char node[NAME_SIZE];
	uint64_t node_bucket, buckets[N_BUCKETS];
	uint64_t n_lost;
	size_t next; /* where to look first, so that none waits for ever */
	struct entry entries[EVENT_BOOK_ROOM];
};

/* --- the vocabulary */

static const struct {
	const char *name, *type, *help;
} reasons[] = {
#define EVENT(symbol, reason, type, help) { reason, type, help },
#include "control/report/event_reasons.def"
#undef EVENT
};

const char *
event_reason_name(enum event_reason reason)
{
	return reasons[reason].name;
}

const char *
event_reason_type(enum event_reason reason)
{
	return reasons[reason].type;
}

const char *
event_reason_help(enum event_reason reason)
{
	return reasons[reason].help;
}

/* --- how often: a bucket is the time at which it will be full again (GCRA, ITU-T I.371), so that zero is a full one */

static uint64_t
bucket_wait_ns(uint64_t bucket, uint64_t now_ns, unsigned burst, uint64_t interval_ns)
{
	uint64_t most_ns = now_ns + (burst - 1) * interval_ns;

	return bucket <= most_ns ? 0 : bucket - most_ns;
}

static void
bucket_take(uint64_t *bucket, uint64_t now_ns, uint64_t interval_ns)
{
	*bucket = (*bucket < now_ns ? now_ns : *bucket) + interval_ns;
}

static uint64_t
entry_wait_ns(const struct event_book *b, const struct entry *e, uint64_t now_ns)
{
	uint64_t node_ns = bucket_wait_ns(b->node_bucket, now_ns, EVENT_NODE_BURST, EVENT_NODE_INTERVAL_NS);
	uint64_t object_ns = bucket_wait_ns(
		b->buckets[e->object_key % N_BUCKETS], now_ns, EVENT_OBJECT_BURST, EVENT_OBJECT_INTERVAL_NS);

	return node_ns > object_ns ? node_ns : object_ns;
}

/* --- entries */

/* FNV-1a, with the terminator so that parts do not run into one another. */
static uint64_t
hash_add(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++ != '\0');
	return hash;
}

static uint64_t
hash_object(const struct event_subject *s)
{
	uint64_t hash = hash_add(UINT64_C(0xcbf29ce484222325), s->kind);

	return hash_add(hash_add(hash_add(hash, s->ns), s->name), s->uid);
}

/* It becomes part of a URL: no name of Kubernetes has anything else. */
static bool
is_name(const char *text, size_t size)
{
	return strlen(text) < size && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(text);
}

static struct entry *
find(struct event_book *b, uint64_t key, uint64_t now_ns)
{
	for (size_t i = 0; i < EVENT_BOOK_ROOM; i++) {
		struct entry *e = &b->entries[i];

		if (e->is_used && e->key == key && now_ns - e->last_ns < EVENT_SAME_NS)
			return e;
	}
	return NULL;
}

/* What the server knows need not be remembered for longer than it is the same; and not that long when there is no other room. */
static struct entry *
find_room(struct event_book *b)
{
	struct entry *oldest = NULL;

	for (size_t i = 0; i < EVENT_BOOK_ROOM; i++) {
		struct entry *e = &b->entries[i];

		if (!e->is_used)
			return e;
		if (!e->is_under_way && e->n_written == e->count &&
			(oldest == NULL || e->last_ns < oldest->last_ns))
			oldest = e;
	}
	return oldest;
}

/* An object's name and 16 digits: a name of Kubernetes, whose parts end with a letter or digit. */
static void
print_event_name(struct entry *e)
{
	char moment[64] = "";
	uint64_t hash;
	int stem = (int)strnlen(e->name, EVENT_NAME_STEM);

	while (stem > 1 && (e->name[stem - 1] == '-' || e->name[stem - 1] == '.'))
		stem--;
	if (!e->is_shared)
		snprintf(moment, sizeof(moment), "%lld %llu", (long long)e->first_s,
			(unsigned long long)e->last_ns);
	hash = hash_add(e->key, moment);
	snprintf(e->event_name, sizeof(e->event_name), "%.*s.%016llx", stem, e->name,
		(unsigned long long)hash);
}

void
event_book_note(struct event_book *b, enum event_reason reason, const struct event_subject *about,
	const char *message, bool is_shared, uint64_t now_ns, int64_t now_s)
{
	uint64_t object_key = hash_object(about);
	uint64_t key = hash_add(hash_add(object_key, event_reason_name(reason)), message);
	struct entry *e;

	if (b == NULL)
		return;
	e = find(b, key, now_ns);
	if (e == NULL) {
		e = find_room(b);
		if (e == NULL || !is_name(about->name, NAME_SIZE) || !is_name(about->ns, NS_SIZE)) {
			b->n_lost++;
			return;
		}
		*e = (struct entry){ .is_used = true,
			.is_shared = is_shared,
			.reason = reason,
			.key = key,
			.object_key = object_key,
			.first_s = now_s,
			.last_ns = now_ns };
		snprintf(e->kind, sizeof(e->kind), "%s", about->kind);
		snprintf(e->api_version, sizeof(e->api_version), "%s", about->api_version);
		snprintf(e->ns, sizeof(e->ns), "%s", about->ns);
		snprintf(e->name, sizeof(e->name), "%s", about->name);
		snprintf(e->uid, sizeof(e->uid), "%s", about->uid);
		snprintf(e->message, sizeof(e->message), "%s", message);
		api_text_make_printable(e->message);
		api_text_make_printable(e->uid);
		print_event_name(e);
	}
	e->count++;
	e->last_s = now_s;
	e->last_ns = now_ns;
}

/* --- requests */

static const char *
namespace_of(const struct entry *e)
{
	return e->ns[0] == '\0' ? "default" : e->ns;
}

static json_t *
reference_json(const struct entry *e)
{
	json_t *object =
		json_pack("{s:s, s:s, s:s}", "kind", e->kind, "apiVersion", e->api_version, "name", e->name);

	if (e->ns[0] != '\0')
		json_object_set_new(object, "namespace", json_string(e->ns));
	if (e->uid[0] != '\0')
		json_object_set_new(object, "uid", json_string(e->uid));
	return object;
}

static json_t *
event_json(const struct event_book *b, const struct entry *e)
{
	char first[STAMP_SIZE], last[STAMP_SIZE];

	return json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:i, s:s, s:s}", "kind",
		"Event", "apiVersion", "v1", "metadata", "name", e->event_name, "namespace", namespace_of(e),
		"involvedObject", reference_json(e), "reason", event_reason_name(e->reason), "message",
		e->message, "type", event_reason_type(e->reason), "source", "component", "ringwayd", "host",
		b->node, "firstTimestamp", stamp_print(e->first_s, first), "lastTimestamp",
		stamp_print(e->last_s, last), "count", (int)e->count, "reportingComponent",
		"ringway.io/ringwayd", "reportingInstance", b->node);
}

static json_t *
count_json(const struct entry *e)
{
	char last[STAMP_SIZE];

	return json_pack("{s:i, s:s}", "count", (int)e->count, "lastTimestamp", stamp_print(e->last_s, last));
}

static bool
write_of(const struct event_book *b, const struct entry *e, struct event_write *out)
{
	json_t *body = e->is_created ? count_json(e) : event_json(b, e);

	*out = (struct event_write){
		.entry = (size_t)(e - b->entries),
		.method = e->is_created ? "PATCH" : "POST",
		.content_type = e->is_created ? "application/merge-patch+json" : "application/json",
		.body = body == NULL ? NULL : json_dumps(body, JSON_COMPACT),
	};
	json_decref(body);
	if (asprintf(&out->path, "/api/v1/namespaces/%s/events%s%s", namespace_of(e),
		    e->is_created ? "/" : "", e->is_created ? e->event_name : "") < 0)
		out->path = NULL;
	if (out->path != NULL && out->body != NULL)
		return true;
	event_write_fini(out);
	return false;
}

void
event_write_fini(struct event_write *w)
{
	free(w->path);
	free(w->body);
	w->path = w->body = NULL;
}

static bool
is_due(const struct entry *e)
{
	return e->is_used && !e->is_under_way && e->n_written != e->count;
}

bool
event_book_next(struct event_book *b, uint64_t now_ns, struct event_write *out, uint64_t *wait_ns)
{
	*wait_ns = 0;
	for (size_t n = 0; n < EVENT_BOOK_ROOM; n++) {
		size_t i = (b->next + n) % EVENT_BOOK_ROOM;
		struct entry *e = &b->entries[i];
		uint64_t entry_ns;

		if (!is_due(e))
			continue;
		entry_ns = entry_wait_ns(b, e, now_ns);
		if (entry_ns != 0) {
			*wait_ns = *wait_ns == 0 || entry_ns < *wait_ns ? entry_ns : *wait_ns;
			continue;
		}
		if (!write_of(b, e, out))
			return false;
		bucket_take(&b->node_bucket, now_ns, EVENT_NODE_INTERVAL_NS);
		bucket_take(&b->buckets[e->object_key % N_BUCKETS], now_ns, EVENT_OBJECT_INTERVAL_NS);
		e->is_under_way = true;
		e->n_sent = e->count;
		b->next = i + 1;
		return true;
	}
	return false;
}

void
event_book_written(struct event_book *b, size_t entry, long status)
{
	struct entry *e = &b->entries[entry];

	e->is_under_way = false;
	switch (api_write_judge(status)) {
	case API_WRITE_STALE: /* another node has said it, or we did before a restart */
		if (e->is_created)
			break;
		/* fall through */
	case API_WRITE_DONE:
		e->is_created = true;
		e->n_written = e->n_sent;
		break;
	case API_WRITE_REFUSED:
		if (e->is_created && status == 404) {
			e->is_created = false; /* servers forget events after an hour */
			break;
		}
		e->is_used = false;
		b->n_lost++;
		break;
	case API_WRITE_LATER:
		break;
	}
}

uint64_t
event_book_n_lost(const struct event_book *b)
{
	return b->n_lost;
}

struct event_book *
event_book_new(const char *node)
{
	struct event_book *b = calloc(1, sizeof(*b));

	if (b != NULL)
		snprintf(b->node, sizeof(b->node), "%s", node);
	return b;
}

void
event_book_free(struct event_book *b)
{
	free(b);
}
