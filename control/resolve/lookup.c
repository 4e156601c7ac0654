#include "control/resolve/lookup.h"

#include <stddef.h>
#include <stdlib.h>

#define HASH_SIZE 4096

struct lookups {
	struct link hash[HASH_SIZE];
	struct link patient, impatient; /* waiters, by age */
	struct link resumed;            /* waiters without a look-up, by in_lookup */
	struct link place;              /* among the patient, of the one that was taken off last, ... */
	uint64_t place_ns;              /* ... and since when it waits */
	struct link lonely;             /* look-ups */
	struct link turns;              /* pods that have waiters in their queue */
	struct pod_turn pods[PORTS_MAX];
	unsigned n_lookups, n_waiters;
	/* what was used is used again first, so that memory that is never needed is never touched */
	struct lookup *lookups, *free_lookups[LOOKUPS_MAX];
	struct waiter *waiters, *free_waiters[WAITERS_MAX];
	unsigned n_free_lookups, n_new_lookups, n_free_waiters, n_new_waiters;
};

/* --- lists */

#define OBJECT_OF(type, member, link) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static void
link_init(struct link *l)
{
	l->next = l->prev = l;
}

static bool
link_is_alone(const struct link *l)
{
	return l->next == l;
}

static void
link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static void
link_leave(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* --- all of it */

struct lookups *
lookups_new(void)
{
	struct lookups *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->lookups = aligned_alloc(DNS_CHUNK, LOOKUPS_MAX * sizeof(*l->lookups));
	l->waiters = malloc(WAITERS_MAX * sizeof(*l->waiters));
	if (l->lookups == NULL || l->waiters == NULL) {
		lookups_free(l);
		return NULL;
	}
	for (unsigned i = 0; i < HASH_SIZE; i++)
		link_init(&l->hash[i]);
	link_init(&l->patient);
	link_init(&l->impatient);
	link_init(&l->resumed);
	link_init(&l->place);
	link_init(&l->lonely);
	link_init(&l->turns);
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		link_init(&l->pods[i].all);
		link_init(&l->pods[i].queue);
		link_init(&l->pods[i].in_turns);
	}
	return l;
}

void
lookups_free(struct lookups *l)
{
	if (l == NULL)
		return;
	free(l->lookups);
	free(l->waiters);
	free(l);
}

unsigned
lookups_count(const struct lookups *l)
{
	return l->n_lookups;
}

unsigned
waiters_count(const struct lookups *l)
{
	return l->n_waiters;
}

/* --- look-ups */

static uint64_t
hash_of(const struct dns_cache_key *key)
{
	return dns_cache_hash(key->hash, key->type, dns_cache_key_flags(key));
}

static bool
is_same(const struct dns_cache_key *a, const struct dns_cache_key *b)
{
	return a->hash == b->hash && a->type == b->type && a->len == b->len && a->dnssec == b->dnssec &&
	       a->checking_disabled == b->checking_disabled && memcmp(a->name, b->name, a->len) == 0;
}

struct lookup *
lookups_find(struct lookups *l, const struct dns_cache_key *key)
{
	uint64_t hash = hash_of(key);
	const struct link *head = &l->hash[hash % HASH_SIZE];

	for (const struct link *at = head->next; at != head; at = at->next) {
		struct lookup *k = OBJECT_OF(struct lookup, in_hash, at);

		if (k->hash == hash && is_same(&k->key, key))
			return k;
	}
	return NULL;
}

struct lookup *
lookups_add(struct lookups *l, const struct dns_cache_key *key)
{
	struct lookup *k;

	if (l->n_free_lookups > 0)
		k = l->free_lookups[--l->n_free_lookups];
	else if (l->n_new_lookups < LOOKUPS_MAX)
		k = &l->lookups[l->n_new_lookups++];
	else
		return NULL;
	*k = (struct lookup){ .key = *key, .hash = hash_of(key) };
	memcpy(k->name, key->name, key->len); /* the rest is zero: padded */
	k->key.name = k->name;
	link_init(&k->waiters);
	link_init(&k->cut_of);
	link_init(&k->in_cut);
	link_init(&k->in_lonely);
	link_append(&l->hash[k->hash % HASH_SIZE], &k->in_hash);
	l->n_lookups++;
	return k;
}

void
lookups_remove(struct lookups *l, struct lookup *k)
{
	link_leave(&k->in_hash);
	link_leave(&k->in_cut);
	link_leave(&k->in_lonely);
	l->free_lookups[l->n_free_lookups++] = k;
	l->n_lookups--;
}

void
lookups_leave_alone(struct lookups *l, struct lookup *k)
{
	link_leave(&k->in_lonely);
	link_append(&l->lonely, &k->in_lonely);
}

bool
lookups_has_lonely(const struct lookups *l)
{
	return !link_is_alone(&l->lonely);
}

struct lookup *
lookups_take_lonely(struct lookups *l)
{
	struct lookup *k = NULL;

	if (lookups_has_lonely(l)) {
		k = OBJECT_OF(struct lookup, in_lonely, l->lonely.next);
		link_leave(&k->in_lonely);
	}
	return k;
}

struct waiter *
lookup_first_waiter(const struct lookup *k)
{
	return link_is_alone(&k->waiters) ? NULL : OBJECT_OF(struct waiter, in_lookup, k->waiters.next);
}

struct waiter *
lookup_next_waiter(const struct lookup *k, const struct waiter *w)
{
	const struct link *next = w->in_lookup.next;

	return next == &k->waiters ? NULL : OBJECT_OF(struct waiter, in_lookup, next);
}

struct lookup *
lookup_first_dependent(const struct lookup *k)
{
	return link_is_alone(&k->cut_of) ? NULL : OBJECT_OF(struct lookup, in_cut, k->cut_of.next);
}

void
lookup_depend(struct lookup *k, struct lookup *on)
{
	k->cut = on;
	link_append(&on->cut_of, &k->in_cut);
}

void
lookup_undepend(struct lookup *k)
{
	k->cut = NULL;
	link_leave(&k->in_cut);
}

/* --- waiters */

uint32_t
waiters_of_pod(const struct lookups *l, uint16_t port)
{
	return l->pods[port].n;
}

struct waiter *
waiters_find(const struct lookups *l, const struct lookup *k, const struct dns_miss *miss)
{
	const struct link *head = &l->pods[miss->client.port].all;

	for (const struct link *at = head->next; at != head; at = at->next) {
		struct waiter *w = OBJECT_OF(struct waiter, in_pod, at);
		const struct dns_client *a = &w->miss.client, *b = &miss->client;

		if (w->lookup == k && a->client_port == b->client_port &&
			ip_addr_eq(&a->client, &b->client) && ip_addr_eq(&a->server, &b->server) &&
			w->miss.size == miss->size && memcmp(w->miss.message, miss->message, miss->size) == 0)
			return w;
	}
	return NULL;
}

struct waiter *
waiters_add(struct lookups *l, struct lookup *k, const struct dns_miss *miss, uint64_t now_ns)
{
	struct pod_turn *pod = &l->pods[miss->client.port];
	struct waiter *w;

	if (l->n_free_waiters > 0)
		w = l->free_waiters[--l->n_free_waiters];
	else if (l->n_new_waiters < WAITERS_MAX)
		w = &l->waiters[l->n_new_waiters++];
	else
		return NULL;
	*w = (struct waiter){ .lookup = k, .miss = *miss, .came_ns = now_ns, .since = k->n_tries };
	link_init(&w->in_queue);
	link_append(&k->waiters, &w->in_lookup);
	link_append(&pod->all, &w->in_pod);
	if (!link_is_alone(&l->place))
		w->came_ns = l->place_ns;
	link_append(link_is_alone(&l->place) ? &l->patient : &l->place, &w->in_age);
	pod->n++;
	l->n_waiters++;
	return w;
}

static void
leave_queue(struct pod_turn *pod, struct waiter *w)
{
	link_leave(&w->in_queue);
	if (link_is_alone(&pod->queue))
		link_leave(&pod->in_turns);
}

void
waiters_remove(struct lookups *l, struct waiter *w)
{
	struct pod_turn *pod = &l->pods[w->miss.client.port];

	if (!link_is_alone(&w->in_queue))
		leave_queue(pod, w);
	link_leave(&w->in_lookup);
	link_leave(&w->in_pod);
	link_leave(&w->in_age);
	pod->n--;
	l->free_waiters[l->n_free_waiters++] = w;
	l->n_waiters--;
}

void
waiters_resume(struct lookups *l, struct waiter *w)
{
	if (!link_is_alone(&w->in_queue))
		leave_queue(&l->pods[w->miss.client.port], w);
	link_leave(&w->in_lookup);
	link_append(&l->resumed, &w->in_lookup);
	w->lookup = NULL;
}

bool
waiters_take_resumed(struct lookups *l, struct dns_miss *out)
{
	struct waiter *w;

	link_leave(&l->place);
	if (link_is_alone(&l->resumed))
		return false;
	w = OBJECT_OF(struct waiter, in_lookup, l->resumed.next);
	*out = w->miss;
	link_append(&w->in_age, &l->place);
	l->place_ns = w->came_ns;
	waiters_remove(l, w);
	return true;
}

struct waiter *
waiters_oldest(const struct lookups *l, bool is_impatient)
{
	const struct link *head = is_impatient ? &l->impatient : &l->patient;

	return link_is_alone(head) ? NULL : OBJECT_OF(struct waiter, in_age, head->next);
}

void
waiters_lose_patience(struct lookups *l, struct waiter *w)
{
	link_leave(&w->in_age);
	link_append(&l->impatient, &w->in_age);
	w->is_impatient = true;
}

/* --- turns */

void
turns_wait(struct lookups *l, struct waiter *w)
{
	struct pod_turn *pod = &l->pods[w->miss.client.port];

	if (!link_is_alone(&w->in_queue))
		return;
	link_append(&pod->queue, &w->in_queue);
	if (link_is_alone(&pod->in_turns))
		link_append(&l->turns, &pod->in_turns);
}

bool
turns_is_anybody(const struct lookups *l)
{
	return !link_is_alone(&l->turns);
}

struct waiter *
turns_next(struct lookups *l)
{
	struct pod_turn *pod;
	struct waiter *w;

	if (link_is_alone(&l->turns))
		return NULL;
	pod = OBJECT_OF(struct pod_turn, in_turns, l->turns.next);
	w = OBJECT_OF(struct waiter, in_queue, pod->queue.next);
	link_leave(&pod->in_turns); /* behind the others, if anything is left */
	link_append(&l->turns, &pod->in_turns);
	leave_queue(pod, w);
	return w;
}

void
turns_again(struct lookups *l, const struct waiter *w)
{
	struct pod_turn *pod = &l->pods[w->miss.client.port];

	if (link_is_alone(&pod->queue))
		return;
	/* to the front */
	link_leave(&pod->in_turns);
	link_append(l->turns.next, &pod->in_turns);
}
