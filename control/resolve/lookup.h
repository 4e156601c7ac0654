/* What is under way: look-ups, which are names and types that upstream servers are asked about; waiters, which are clients' queries
 * that wait for one; and turns, in which pods get the tokens that their look-ups need.
 *
 * A look-up serves all who ask for the same, so clients are counted and take turns by their pod (its port's id), not by look-up:
 * each pod has a queue of its waiters whose look-up waits for a token, and pods take turns. A waiter stays in its queue when
 * somebody else's turn has brought its look-up on; at its own turn it is passed over.
 *
 * All memory is there from the start. This file knows lists and counts, and nothing of what is done with them. The resolver's
 * thread, alone. */
#ifndef RINGWAY_RESOLVE_LOOKUP_H
#define RINGWAY_RESOLVE_LOOKUP_H

#include "control/resolve/upstream.h"
#include "dataplane/dns/dns_cache.h"
#include "dataplane/dns/dns_ring.h"

#define LOOKUPS_MAX 4096
#define WAITERS_MAX 8192
#define LOOKUP_REFUSED_MAX DNS_UPSTREAMS_MAX

struct lookup;
struct try;

/* A place in a list that may be left from within. */
struct link {
	struct link *next, *prev; /* to itself: in no list; the head of a list is one, too */
};

struct waiter {
	struct link in_lookup, in_pod, in_queue, in_age;
	struct lookup *lookup;
	struct dns_miss miss;
	uint64_t came_ns;
	uint32_t since;    /* of the look-up's tries, the first that is made for it, too */
	uint8_t n_failed;  /* tries for it that failed, and of these ... */
	uint8_t n_refused; /* ... those that a server answered, but not with an answer */
	bool is_chained;   /* its name is the cluster's and leads to the look-up's */
	bool is_impatient; /* it takes stale data, from now on */
};

enum lookup_state {
	LOOKUP_WAITS, /* for a token */
	LOOKUP_ASKED, /* a try's answer is awaited */
	LOOKUP_CUT,   /* for another look-up, of a shorter name, which may settle it */
};

struct lookup {
	struct link in_hash, waiters;
	struct link in_lonely;
	struct link cut_of, in_cut; /* the look-ups that wait for this one; the place among them */
	struct lookup *cut;         /* whom it waits for; NULL: nobody */
	struct try *tries;          /* under way, the latest first */
	struct upstream *refused[LOOKUP_REFUSED_MAX], *last;
	uint8_t n_refused;
	uint8_t state;            /* enum lookup_state */
	uint8_t failure;          /* enum try_failure of the last try that failed */
	bool is_limited;          /* a try found no room here: it may not be servers that fail */
	uint32_t n_tries;         /* so far */
	uint64_t until_ns;        /* beyond it nobody waits */
	struct dns_cache_key key; /* its name is the one below */
	uint64_t hash;            /* of the key */
	_Alignas(DNS_CHUNK) uint8_t name[DNS_NAME_ROOM];
};

/* A pod, by its port. */
struct pod_turn {
	struct link all, queue; /* waiters: all, and those that wait for a token */
	struct link in_turns;
	uint32_t n;
};

struct lookups;

/* NULL if out of memory. */
struct lookups *lookups_new(void);
void lookups_free(struct lookups *l); /* NULL is fine */

unsigned lookups_count(const struct lookups *l);
unsigned waiters_count(const struct lookups *l);

struct lookup *lookups_find(struct lookups *l, const struct dns_cache_key *key);

/* Copies the key. NULL: there is no room. */
struct lookup *lookups_add(struct lookups *l, const struct dns_cache_key *key);

/* Nobody waits for it and it has no tries. */
void lookups_remove(struct lookups *l, struct lookup *k);

/* Nobody waits for it just now: has it among those that are taken next. */
void lookups_leave_alone(struct lookups *l, struct lookup *k);

bool lookups_has_lonely(const struct lookups *l);

/* The first of them, who is none of them any more; NULL: there is none. */
struct lookup *lookups_take_lonely(struct lookups *l);

static inline bool
lookup_has_waiters(const struct lookup *k)
{
	return k->waiters.next != &k->waiters;
}

/* Of a look-up; NULL behind the last one. The one that is at hand may be removed meanwhile, if its successor was got before. */
struct waiter *lookup_first_waiter(const struct lookup *k);
struct waiter *lookup_next_waiter(const struct lookup *k, const struct waiter *w);

/* The first of the look-ups that wait for this one; NULL: none. */
struct lookup *lookup_first_dependent(const struct lookup *k);

/* Has it wait for another one, and no more. */
void lookup_depend(struct lookup *k, struct lookup *on);
void lookup_undepend(struct lookup *k);

/* How many queries a pod has under way. */
uint32_t waiters_of_pod(const struct lookups *l, uint16_t port);

/* The waiter of the same client with the same query; NULL: none. */
struct waiter *waiters_find(const struct lookups *l, const struct lookup *k, const struct dns_miss *miss);

/* NULL: there is no room. */
struct waiter *waiters_add(struct lookups *l, struct lookup *k, const struct dns_miss *miss, uint64_t now_ns);
void waiters_remove(struct lookups *l, struct waiter *w);

/* Takes it off its look-up, until waiters_take_resumed(): it is to go on with another one, and is patient yet. */
void waiters_resume(struct lookups *l, struct waiter *w);

/* The first of these, who is gone then, as what it came with. Who is added next, until the next call, has waited as long as this one.
 * False: there is none; to be called until then before waiters_oldest(). */
bool waiters_take_resumed(struct lookups *l, struct dns_miss *out);

/* The one that came first, of those that are impatient or of those that are not yet; NULL: none. */
struct waiter *waiters_oldest(const struct lookups *l, bool is_impatient);

/* The oldest of those that are patient; it is among the others from now on. */
void waiters_lose_patience(struct lookups *l, struct waiter *w);

/* Has it wait for its turn; again, if it does already. */
void turns_wait(struct lookups *l, struct waiter *w);

bool turns_is_anybody(const struct lookups *l);

/* Whose turn it is, who is taken off the queue; NULL: nobody waits. */
struct waiter *turns_next(struct lookups *l);

/* He was passed over: his pod keeps its turn. */
void turns_again(struct lookups *l, const struct waiter *w);

#endif
