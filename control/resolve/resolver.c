#include "control/resolve/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/loop.h"
#include "control/resolve/sockets.h"
#include "dataplane/snapshot.h"

/* Of one worker's misses at a time: answers of servers that come meanwhile get their turn. */
#define MISSES_MAX 64

/* A timer that is due is not worth a round of its own before this. */
#define TIMER_MIN_NS (200 * 1000ull)

/* Answers for a worker whose ring is full. */
#define LATER_MAX 4096
#define LATER_NS NS_PER_MS

struct later {
	struct later *next;
	struct dns_told told;
};

/* Of one worker, in their order: another one does not wait for it. */
struct later_list {
	struct later *first, **last;
	unsigned n;
};

struct resolver {
	struct resolver_config config;
	struct resolve *core;
	struct sockets *sockets;
	struct loop *loop;
	struct loop_fd *miss_watch, *stop_watch;
	struct loop_timer *timer;
	struct loop_task take;
	struct later_list later[WORKERS_MAX];
	int stop_fd;
	bool is_online, is_stopped, is_running;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows: written at the end of a round */
	struct upstreams upstreams;
	struct resolve_books books;
	struct shadow_divergence divergences[SHADOW_DIVERGENCES];
};

/* The thread may hold pointers into tables from here to the end of the round. */
static void
begin_round(struct resolver *r)
{
	const struct tables *t;

	if (r->is_online)
		return;
	r->is_online = true;
	snapshot_online(r->config.snapshot, r->config.reader);
	t = snapshot_get(r->config.snapshot);
	resolve_use(r->core, t == NULL ? NULL : t->dns);
}

/* --- answers to workers */

/* A popular name may have more clients than a ring has room: they need not ask again for that. */
static bool
tell_later(struct later_list *list, const struct dns_told *told)
{
	struct later *later = list->n < LATER_MAX ? malloc(sizeof(*later)) : NULL;

	if (later == NULL)
		return false;
	later->next = NULL;
	later->told = *told;
	*list->last = later;
	list->last = &later->next;
	list->n++;
	return true;
}

static bool
tell(void *arg, unsigned worker, const struct dns_told *told)
{
	struct resolver *r = arg;
	struct later_list *list;

	if (worker >= r->config.n_workers)
		return false;
	list = &r->later[worker];
	return (list->n == 0 && dns_told_put(r->config.rings, worker, told)) || tell_later(list, told);
}

static void
drop_first(struct later_list *list)
{
	struct later *first = list->first;

	list->first = first->next;
	if (list->first == NULL)
		list->last = &list->first;
	list->n--;
	free(first);
}

/* Whether some have to wait on. */
static bool
tell_rest(struct resolver *r)
{
	bool is_more = false;

	for (unsigned i = 0; i < r->config.n_workers; i++) {
		struct later_list *list = &r->later[i];

		while (list->n > 0 && dns_told_put(r->config.rings, i, &list->first->told))
			drop_first(list);
		is_more |= list->n > 0;
	}
	return is_more;
}

static void
forget_rest(struct resolver *r)
{
	for (unsigned i = 0; i < r->config.n_workers; i++)
		while (r->later[i].n > 0)
			drop_first(&r->later[i]);
}

/* --- what wakes the thread */

/* One worker's. True: there may be more. */
static bool
take_some(struct resolver *r, unsigned worker)
{
	struct dns_miss miss;
	unsigned n = 0;

	for (; n < MISSES_MAX && dns_miss_take(r->config.rings, worker, &miss); n++)
		resolve_miss(r->core, &miss, clock_now_ns());
	return n == MISSES_MAX;
}

static void
take_misses(void *arg)
{
	struct resolver *r = arg;
	bool is_more = false;

	begin_round(r);
	for (unsigned i = 0; i < r->config.n_workers; i++)
		is_more |= take_some(r, i);
	if (is_more)
		loop_defer(r->loop, &r->take);
}

static void
on_misses(uint32_t events, void *arg)
{
	struct resolver *r = arg;
	uint64_t rings;

	if (read(r->config.fd, &rings, sizeof(rings)) == sizeof(rings))
		take_misses(r);
}

static void
on_received(void *arg, struct try *x, const uint8_t *message, size_t size)
{
	struct resolver *r = arg;

	begin_round(r);
	resolve_received(r->core, x, message, size, clock_now_ns());
}

static void
on_broken(void *arg, struct try *x)
{
	struct resolver *r = arg;

	begin_round(r);
	resolve_broken(r->core, x, clock_now_ns());
}

static void
on_timer(void *arg)
{
	begin_round(arg);
}

static void
on_stop(uint32_t events, void *arg)
{
	struct resolver *r = arg;

	r->is_stopped = true;
}

/* --- a round */

static void
show(struct resolver *r)
{
	const struct upstreams *all = resolve_upstreams(r->core);

	pthread_mutex_lock(&r->lock);
	memcpy(r->upstreams.all, all->all, all->n * sizeof(all->all[0]));
	r->upstreams.n = all->n;
	r->books = resolve_books(r->core);
	shadow_book_copy(resolve_shadow_book(r->core), r->divergences);
	pthread_mutex_unlock(&r->lock);
}

static void
end_round(struct resolver *r)
{
	uint64_t now = clock_now_ns(), due, wait;

	resolve_run(r->core, now);
	due = resolve_due_ns(r->core, now);
	if (tell_rest(r) && due > now + LATER_NS)
		due = now + LATER_NS;
	wait = due > now ? due - now : 0;
	if (due == UINT64_MAX)
		loop_timer_cancel(r->timer);
	else
		loop_timer_set(r->timer, wait < TIMER_MIN_NS ? TIMER_MIN_NS : wait, 0);
	show(r);
	r->is_online = false;
	resolve_use(r->core, NULL);
	snapshot_offline(r->config.snapshot, r->config.reader);
}

static void *
resolver_main(void *arg)
{
	struct resolver *r = arg;

	while (!r->is_stopped && loop_round(r->loop, -1) >= 0)
		if (r->is_online)
			end_round(r);
	return NULL;
}

/* --- its life */

static int
make_core(struct resolver *r)
{
	const struct resolve_config config = {
		.cache = r->config.cache,
		.limits = r->config.limits,
		.queries_per_s = r->config.queries_per_s,
		.in_flight_per_pod = r->config.in_flight_per_pod,
		.transport = { .send = sockets_send, .close = sockets_close, .arg = r->sockets },
		.tell = tell,
		.tell_arg = r,
	};

	r->core = resolve_new(&config);
	return r->core == NULL ? -ENOMEM : 0;
}

int
resolver_new(struct resolver **out, const struct resolver_config *config)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->config = *config;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		r->later[i].last = &r->later[i].first;
	r->take = (struct loop_task){ .fn = take_misses, .arg = r };
	pthread_mutex_init(&r->lock, NULL);
	r->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->loop = loop_new();
	if (r->loop != NULL && r->stop_fd >= 0) {
		r->sockets = sockets_new(&(struct sockets_config){
			.loop = r->loop, .received = on_received, .broken = on_broken, .arg = r });
		r->miss_watch = loop_fd_add(r->loop, config->fd, EPOLLIN, on_misses, r);
		r->stop_watch = loop_fd_add(r->loop, r->stop_fd, EPOLLIN, on_stop, r);
		r->timer = loop_timer_new(r->loop, on_timer, r);
	}
	if (r->sockets == NULL || r->miss_watch == NULL || r->stop_watch == NULL || r->timer == NULL ||
		make_core(r) < 0) {
		resolver_free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	resolve_free(r->core);
	forget_rest(r);
	loop_timer_free(r->timer);
	loop_fd_remove(r->miss_watch);
	loop_fd_remove(r->stop_watch);
	loop_free(r->loop);
	sockets_free(r->sockets);
	if (r->stop_fd >= 0)
		close(r->stop_fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int
resolver_start(struct resolver *r)
{
	sigset_t all, before;
	int result;

	/* signals are for the control thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&r->thread, NULL, resolver_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	r->is_running = result == 0;
	return -result;
}

void
resolver_stop(struct resolver *r)
{
	uint64_t one = 1;

	if (r == NULL || !r->is_running)
		return;
	while (write(r->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(r->thread, NULL);
	r->is_running = false;
}

/* --- what there is to see */

uint64_t
resolver_counter(const struct resolver *r, enum resolver_counter which)
{
	return __atomic_load_n(&resolve_counters(r->core)[which], __ATOMIC_RELAXED);
}

struct resolve_books
resolver_books(struct resolver *r)
{
	struct resolve_books books;

	pthread_mutex_lock(&r->lock);
	books = r->books;
	pthread_mutex_unlock(&r->lock);
	return books;
}

unsigned
resolver_upstreams(struct resolver *r, struct upstream *out, unsigned room)
{
	unsigned n;

	pthread_mutex_lock(&r->lock);
	n = r->upstreams.n < room ? r->upstreams.n : room;
	memcpy(out, r->upstreams.all, n * sizeof(out[0]));
	pthread_mutex_unlock(&r->lock);
	return n;
}

unsigned
resolver_divergences(struct resolver *r, struct shadow_divergence *out, unsigned room)
{
	unsigned n = 0;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < SHADOW_DIVERGENCES && n < room; i++)
		if (r->divergences[i].n != 0)
			out[n++] = r->divergences[i];
	pthread_mutex_unlock(&r->lock);
	return n;
}
