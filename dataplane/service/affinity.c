#include "dataplane/service/affinity.h"

#include "dataplane/trace.h"

#define VERSION 2u /* of the layout */
#define WAYS 8
#define SECOND_NS UINT64_C(1000000000)

/* No service may ask for more (the API's limit is a day), so more is a clock that began anew. */
#define TIMEOUT_MAX_S 86400u

size_t
affinity_size(uint32_t capacity)
{
	return sizeof(struct affinity) + capacity * sizeof(struct affinity_entry);
}

uint32_t
affinity_adopt(struct affinity *a, uint32_t capacity, uint64_t now_ns)
{
	uint64_t now_s = now_ns / SECOND_NS;
	uint32_t n = 0;

	if (a->version != VERSION || a->capacity != capacity) {
		memset(a, 0, affinity_size(capacity));
		a->capacity = capacity;
		a->version = VERSION;
		return 0;
	}
	for (uint32_t i = 0; i < capacity; i++) {
		struct affinity_entry *e = &a->entries[i];

		if (e->expires_s <= now_s || e->expires_s > now_s + TIMEOUT_MAX_S)
			e->proto = 0;
		n += e->proto != 0;
	}
	return n;
}

static const struct affinity_entry *
set_of(const struct affinity *a, const struct ip_addr *client, const struct frontend *f)
{
	uint32_t hash = flow_hash(client, &f->addr, 0, f->port, f->proto);

	return &a->entries[hash & (a->capacity - 1) & ~(WAYS - 1u)];
}

static bool
is_of(const struct affinity_entry *e, const struct ip_addr *client, const struct frontend *f)
{
	return e->proto == f->proto && e->frontend_port == f->port && ip_addr_eq(&e->client, client) &&
	       ip_addr_eq(&e->frontend, &f->addr);
}

const struct affinity_entry *
affinity_find(
	const struct affinity *a, const struct ip_addr *client, const struct frontend *f, uint64_t now_ns)
{
	const struct affinity_entry *set = set_of(a, client, f);

	for (unsigned i = 0; i < WAYS; i++)
		if (is_of(&set[i], client, f) && set[i].expires_s > now_ns / SECOND_NS)
			return &set[i];
	return NULL;
}

static unsigned
count_of_client(const struct affinity_entry *set, const struct ip_addr *client)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WAYS; i++)
		n += ip_addr_eq(&set[i].client, client);
	return n;
}

/* The place for an entry: its own, a free one, or that of whoever has most and expires first, of strangers if there are
 * some. NULL: a stranger finds none. */
static struct affinity_entry *
place_for(struct affinity_entry *set, const struct ip_addr *client, const struct frontend *f, bool is_known,
	uint64_t now_s)
{
	struct affinity_entry *best = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < WAYS; i++)
		if (is_of(&set[i], client, f))
			return &set[i];
	for (unsigned i = 0; i < WAYS; i++) {
		unsigned n;

		if (set[i].proto == 0 || set[i].expires_s <= now_s)
			return &set[i];
		if (set[i].is_known && !is_known)
			continue;
		n = count_of_client(set, &set[i].client) + (set[i].is_known ? 0 : WAYS);
		if (n > most || (n == most && set[i].expires_s < best->expires_s)) {
			most = n;
			best = &set[i];
		}
	}
	return best;
}

static bool
is_backend(const struct affinity_entry *e, const struct backend *b)
{
	return e->backend_port == b->port && e->generation == b->generation &&
	       ip_addr_eq(&e->backend, &b->addr);
}

void
affinity_note(struct affinity *a, const struct ip_addr *client, const struct frontend *f,
	const struct backend *backend, bool is_known, uint64_t now_ns)
{
	uint64_t now_s = now_ns / SECOND_NS;
	struct affinity_entry *set = (struct affinity_entry *)set_of(a, client, f);
	struct affinity_entry *e = place_for(set, client, f, is_known, now_s);

	if (e == NULL)
		return;
	is_known |= is_of(e, client, f) && e->expires_s > now_s && e->is_known;
	if (!is_of(e, client, f) || !is_backend(e, backend)) {
		__atomic_store_n(&e->proto, 0, __ATOMIC_RELEASE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		e->client = *client;
		e->frontend = f->addr;
		e->backend = backend->addr;
		e->frontend_port = f->port;
		e->backend_port = backend->port;
		e->generation = backend->generation;
	}
	e->is_known = is_known;
	e->expires_s = (uint32_t)(now_s + f->extra->affinity_timeout_s);
	__atomic_store_n(&e->proto, f->proto, __ATOMIC_RELEASE);
}

/* Backends that only a move's old buckets name are none: what begins now does not go there. */
static const struct backend *
find_backend(const struct frontend *f, const struct affinity_entry *e, bool is_outside)
{
	bool is_local = is_outside && (f->flags & FRONTEND_LOCAL);
	uint32_t n = f->n_backends + (is_local ? f->extra->n_outside_only : 0);

	for (uint32_t i = 0; i < n; i++)
		if (is_backend(e, &f->backends[i]) && (!is_local || (f->backends[i].flags & BACKEND_OUTSIDE)))
			return &f->backends[i];
	return NULL;
}

const struct backend *
affinity_keep(const struct affinity *a, const struct ip_addr *client, const struct frontend *f,
	const struct backend *chosen, bool is_outside, uint64_t now_ns)
{
	const struct affinity_entry *e = a == NULL ? NULL : affinity_find(a, client, f, now_ns);
	const struct backend *kept;

	if (e == NULL || is_backend(e, chosen))
		return chosen;
	kept = find_backend(f, e, is_outside);
	return kept == NULL ? chosen : kept;
}

void
affinity_trace(const struct affinity *a, struct burst *b, const char *stage, const struct ip_addr *client,
	const struct frontend *f, const struct backend *kept, uint64_t now_ns)
{
	const struct affinity_entry *e = a == NULL ? NULL : affinity_find(a, client, f, now_ns);
	char addr[IP_ADDR_STRLEN];

	if (e == NULL)
		TRACE(b, stage, "session affinity: no entry of this client, so its address chooses, for %u s",
			f->extra->affinity_timeout_s);
	else
		TRACE(b, stage, "session affinity: this client has backend %s port %u for %u s more%s",
			ip_addr_format(&e->backend, addr), e->backend_port,
			e->expires_s - (uint32_t)(now_ns / SECOND_NS),
			is_backend(e, kept) ? "" : ", which serves no more: its address chooses anew");
}
