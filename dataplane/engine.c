#include "dataplane/engine.h"

#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/crossing.h"
#include "dataplane/io/closer.h"
#include "dataplane/io/fd_store.h"
#include "dataplane/shard.h"
#include "dataplane/worker.h"

#define RING_SIZE 2048
#define FRAMES_PER_SHARD 4096
#define PORTS_PER_SHARD 16
#define BUSY_DEADLINE_MS 1000
#define SHARDS_MAX 256

struct engine {
	struct engine_config config;
	int cpus[WORKERS_MAX]; /* config.cpus, if there are any */
	struct crossing *crossing;
	struct worker *workers[WORKERS_MAX];
	unsigned n_ports[WORKERS_MAX];
	unsigned n_shards;
	struct shard *shards[SHARDS_MAX];
	struct port_xsk *ports[PORTS_MAX]; /* also those that are closing: their ids are not free yet */
	uint16_t next_id;
	uint32_t next_kept_id;
	struct closer *closer;
	bool is_stopping; /* frames do not matter any more */
	uint8_t *seen;    /* for audits: [frames_per_shard] */
};

static void
set_config(struct engine *e, const struct engine_config *config)
{
	e->config = *config;
	if (config->cpus != NULL) {
		memcpy(e->cpus, config->cpus, config->n_workers * sizeof(e->cpus[0]));
		e->config.cpus = e->cpus;
	}
	if (e->config.ring_size == 0)
		e->config.ring_size = RING_SIZE;
	if (e->config.frames_per_shard == 0)
		e->config.frames_per_shard = FRAMES_PER_SHARD;
	if (e->config.ports_per_shard == 0)
		e->config.ports_per_shard = PORTS_PER_SHARD;
	if (e->config.ports_per_shard > UMEM_SLOTS_MAX)
		e->config.ports_per_shard = UMEM_SLOTS_MAX;
}

int
engine_start(struct engine *e)
{
	for (unsigned i = 0; i < e->config.n_workers; i++) {
		int err = worker_start(e->workers[i]);

		if (err < 0) {
			while (i-- > 0)
				worker_stop(e->workers[i]);
			return err;
		}
	}
	return 0;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	engine_stop(e);
	closer_free(e->closer);
	for (unsigned i = 0; i < e->n_shards; i++)
		shard_free(e->shards[i], e->config.fds);
	for (unsigned i = 0; i < e->config.n_workers; i++)
		worker_free(e->workers[i]);
	crossing_free(e->crossing);
	free(e->seen);
	free(e);
}

/* In a ring, so that an id comes round again only after all others: counters and packets in mid-journey of a
 * former port do not meet its successor. */
static int
take_id(struct engine *e)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		unsigned id = (e->next_id + i) % PORTS_MAX;

		if (e->ports[id] == NULL) {
			e->next_id = (uint16_t)((id + 1) % PORTS_MAX);
			return (int)id;
		}
	}
	return -ENOSPC;
}

static unsigned
least_loaded(const struct engine *e)
{
	unsigned best = 0;

	for (unsigned i = 1; i < e->config.n_workers; i++)
		if (e->n_ports[i] < e->n_ports[best])
			best = i;
	return best;
}

static bool
shard_fits(const struct engine *e, const struct shard *s, const struct engine_port_config *config,
	unsigned worker, uint32_t frame_size)
{
	return s->umem->owner == worker && s->umem->frame_size == frame_size &&
	       s->is_uplink == (config->origin == ORIGIN_UPLINK) && s->n_ports < e->config.ports_per_shard &&
	       (s->n_ports == 0 || s->is_zero_copy == config->zero_copy);
}

static int
new_shard(struct engine *e, const struct engine_port_config *config, unsigned worker, uint32_t frame_size,
	struct shard **out)
{
	int cpu = e->config.cpus == NULL ? -1 : e->config.cpus[worker];
	int numa_node = cpu < 0 || numa_available() < 0 ? -1 : numa_node_of_cpu(cpu);
	int err;

	if (e->n_shards == SHARDS_MAX)
		return -ENOSPC;
	err = shard_new(out, e->config.fds, (uint16_t)e->n_shards, e->next_kept_id, (uint8_t)worker,
		e->config.frames_per_shard, frame_size, numa_node, config->origin == ORIGIN_UPLINK);
	if (err < 0)
		return err;
	e->next_kept_id++;
	e->shards[e->n_shards++] = *out;
	return 0;
}

/* A shard of that worker with room for one more port; uplinks have their own. */
static int
find_shard(struct engine *e, const struct engine_port_config *config, unsigned worker, struct shard **out)
{
	uint32_t frame_size = umem_frame_size_for(config->mtu);

	if (frame_size == 0)
		return -EMSGSIZE;
	for (unsigned i = 0; i < e->n_shards; i++) {
		if (shard_fits(e, e->shards[i], config, worker, frame_size)) {
			*out = e->shards[i];
			return 0;
		}
	}
	return new_shard(e, config, worker, frame_size, out);
}

static struct shard *
shard_of(const struct engine *e, const struct port_xsk *x)
{
	return e->shards[x->port.umem->id];
}

/* Half of a shard lies ready in the sockets, half is for what is under way. */
static uint32_t
fill_min(const struct engine *e)
{
	return e->config.frames_per_shard / 2 / e->config.ports_per_shard;
}

/* Taking over from a former process: first its shards, then the sockets on them, and when all that are there have
 * been seen, the frames that nobody has are free. What cannot be taken over, as with another configuration, is closed
 * at once: its queue is taken as long as anybody has it. */
static void
adopt_shard(const char *name, void *arg)
{
	struct engine *e = arg;
	struct shard *s;

	if (e->n_shards == SHARDS_MAX || shard_adopt(&s, e->config.fds, name, (uint16_t)e->n_shards,
						 e->config.n_workers, e->config.frames_per_shard) < 0)
		return;
	e->shards[e->n_shards++] = s;
	if (s->kept_id >= e->next_kept_id)
		e->next_kept_id = s->kept_id + 1;
}

static struct shard *
find_kept_shard(const struct engine *e, const struct kept_socket *k)
{
	for (unsigned i = 0; i < e->n_shards; i++)
		if (e->shards[i]->kept_id == k->shard && e->shards[i]->ports[k->slot] == NULL)
			return e->shards[i];
	return NULL;
}

static void
adopt_socket(const char *name, void *arg)
{
	struct engine *e = arg;
	struct kept_socket k;
	struct shard *s;
	struct port_xsk *x;
	struct xsk socket;
	int fd, id;

	if (!shard_parse_socket(name, &k) || (s = find_kept_shard(e, &k)) == NULL || (id = take_id(e)) < 0)
		return;
	fd = fd_store_take(e->config.fds, name);
	if (fd < 0)
		return;
	if (xsk_adopt(&socket, fd, k.ring_size) < 0) {
		fd_store_drop(e->config.fds, name);
		close(fd);
		return;
	}
	x = shard_add_port(s, &socket, k.ifindex, k.queue, k.slot, (uint16_t)id, ORIGIN_POD, fill_min(e));
	if (x == NULL) {
		xsk_close(&socket);
		return;
	}
	s->is_waiting[k.slot] = true;
	s->is_zero_copy = k.is_zero_copy;
	e->ports[id] = x;
	e->n_ports[s->umem->owner]++;
}

static void
adopt(struct engine *e)
{
	struct umem_audit audit;

	fd_store_each(e->config.fds, adopt_shard, e);
	fd_store_each(e->config.fds, adopt_socket, e);
	for (unsigned i = 0; i < e->n_shards; i++) {
		shard_audit(e->shards[i], &audit, e->seen);
		umem_recover(e->shards[i]->umem, &audit);
	}
	fd_store_close_rest(e->config.fds);
}

int
engine_new(struct engine **out, const struct engine_config *config)
{
	struct engine *e = calloc(1, sizeof(*e));
	int err = -ENOMEM;

	if (e == NULL)
		return -ENOMEM;
	set_config(e, config);
	e->crossing = crossing_new(config->n_workers);
	e->seen = malloc(e->config.frames_per_shard);
	if (e->crossing == NULL || e->seen == NULL)
		goto fail;
	err = closer_new(&e->closer);
	if (err < 0)
		goto fail;
	for (unsigned i = 0; i < config->n_workers; i++) {
		const struct worker_config c = {
			.id = i,
			.cpu = config->cpus == NULL ? -1 : config->cpus[i],
			.snapshot = config->snapshot,
			.crossing = e->crossing,
			.flows = config->flows == NULL ? (struct worker_flows){ NULL } : config->flows[i],
			.events = config->events == NULL ? NULL : config->events[i],
			.dns_rings = config->dns_rings,
		};

		e->workers[i] = worker_new(&c);
		err = -ENOMEM;
		if (e->workers[i] == NULL)
			goto fail;
	}
	if (config->fds != NULL)
		adopt(e);
	*out = e;
	return 0;
fail:
	engine_free(e);
	return err;
}

/* The worker polls it no more: has it closed in the background. */
static void
close_port(struct engine *e, struct port_xsk *x)
{
	struct shard *s = shard_of(e, x);

	e->n_ports[x->port.owner]--;
	s->is_closing[x->slot] = true;
	s->is_waiting[x->slot] = false;
	shard_drop_socket(s, e->config.fds, x);
	closer_add(e->closer, &x->xsk, e->config.fds != NULL && !e->is_stopping);
}

static void
start_port(struct worker *w, void *arg)
{
	struct port_xsk *x = arg;

	port_xsk_start(x);
	worker_add_port(w, &x->port);
}

/* A former process's socket of this queue; one that does not fit any more is closed. */
static struct port_xsk *
claim_waiting(struct engine *e, const struct engine_port_config *config)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_xsk *x = e->ports[i];

		if (x == NULL || !shard_of(e, x)->is_waiting[x->slot] || x->ifindex != config->ifindex ||
			x->queue != config->queue)
			continue;
		shard_of(e, x)->is_waiting[x->slot] = false;
		if ((config->worker < 0 || config->worker == x->port.owner) &&
			x->port.umem->frame_size >= umem_frame_size_for(config->mtu) &&
			x->xsk.rx.size == e->config.ring_size)
			return x;
		close_port(e, x);
	}
	return NULL;
}

/* A port on a new socket. */
static int
new_port(struct engine *e, const struct engine_port_config *config, struct port_xsk **out)
{
	const struct xsk_config c = {
		.ifindex = config->ifindex,
		.queue = config->queue,
		.ring_size = e->config.ring_size,
		.zero_copy = config->zero_copy,
		.busy_deadline_ms =
			config->busy_deadline_ms == 0 ? BUSY_DEADLINE_MS : config->busy_deadline_ms,
	};
	unsigned worker = config->worker < 0 ? least_loaded(e) : (unsigned)config->worker;
	struct shard *s;
	struct xsk socket;
	int id = take_id(e), err;

	if (id < 0)
		return id;
	err = find_shard(e, config, worker, &s);
	if (err < 0)
		return err;
	err = shard_open_socket(s, &c, &socket);
	if (err < 0)
		return err;
	*out = shard_add_port(s, &socket, config->ifindex, config->queue, shard_free_slot(s), (uint16_t)id,
		config->origin, fill_min(e));
	if (*out == NULL) {
		xsk_close(&socket);
		return -ENOMEM;
	}
	e->ports[id] = *out;
	e->n_ports[worker]++;
	shard_keep_socket(s, e->config.fds, *out);
	return 0;
}

int
engine_add_port(struct engine *e, const struct engine_port_config *config, struct port **out)
{
	struct port_xsk *x;
	int err = 0;

	engine_reap(e);
	x = claim_waiting(e, config);
	if (x == NULL)
		err = new_port(e, config, &x);
	if (err < 0)
		return err;
	x->port.origin = (uint8_t)config->origin;
	worker_call(e->workers[x->port.owner], start_port, x);
	*out = &x->port;
	return 0;
}

static void
stop_port(struct worker *w, void *arg)
{
	worker_remove_port(w, arg);
}

void
engine_remove_port(struct engine *e, struct port *port)
{
	struct port_xsk *x = (struct port_xsk *)port;

	worker_call(e->workers[port->owner], stop_port, port);
	close_port(e, x);
	engine_reap(e);
}

static void
release_port(struct worker *w, void *arg)
{
	port_xsk_release(arg);
}

void
engine_reap(struct engine *e)
{
	struct xsk *closed;

	while (e->closer != NULL && (closed = closer_take(e->closer)) != NULL) {
		struct port_xsk *x = (struct port_xsk *)((char *)closed - offsetof(struct port_xsk, xsk));

		worker_call(e->workers[x->port.owner], release_port, x);
		e->ports[x->port.id] = NULL;
		shard_remove_port(shard_of(e, x), x);
	}
}

void
engine_settle(struct engine *e)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (e->ports[i] != NULL && shard_of(e, e->ports[i])->is_waiting[e->ports[i]->slot])
			close_port(e, e->ports[i]);
}

void
engine_stop(struct engine *e)
{
	e->is_stopping = true;
	for (unsigned i = 0; i < e->config.n_workers; i++)
		if (e->workers[i] != NULL)
			worker_stop(e->workers[i]);
	/* all of them first: a socket closes with its last descriptor, and it should be ours, which many threads
	 * close at a time */
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (e->ports[i] != NULL)
			shard_drop_socket(shard_of(e, e->ports[i]), e->config.fds, e->ports[i]);
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_xsk *x = e->ports[i];

		if (x == NULL || shard_of(e, x)->is_closing[x->slot])
			continue;
		if (shard_of(e, x)->is_waiting[x->slot])
			close_port(e, x);
		else
			engine_remove_port(e, &x->port);
	}
	if (e->closer != NULL)
		closer_wait(e->closer);
	engine_reap(e);
}

int
engine_reap_fd(const struct engine *e)
{
	return closer_fd(e->closer);
}

int
engine_port_fd(const struct port *port)
{
	return ((const struct port_xsk *)port)->xsk.fd;
}

bool
engine_port_is_zero_copy(const struct engine *e, const struct port *port)
{
	return e->shards[port->umem->id]->is_zero_copy;
}

int
engine_port_drops(const struct port *port, struct xsk_drops *out)
{
	return xsk_drops(&((const struct port_xsk *)port)->xsk, out);
}

unsigned
engine_n_workers(const struct engine *e)
{
	return e->config.n_workers;
}

struct worker *
engine_worker(const struct engine *e, unsigned id)
{
	return e->workers[id];
}

void
engine_counters(const struct engine *e, struct counters *sum)
{
	for (unsigned i = 0; i < e->config.n_workers; i++)
		counters_read(&e->workers[i]->counters, sum);
}

struct shard_audit {
	const struct shard *shard;
	uint8_t *seen;
	struct umem_audit audit;
};

static void
audit_shard(struct worker *w, void *arg)
{
	struct shard_audit *a = arg;

	crossing_collect(w->crossing, w->id);
	shard_audit(a->shard, &a->audit, a->seen);
}

void
engine_audit(struct engine *e, struct umem_audit *sum)
{
	engine_reap(e);
	*sum = (struct umem_audit){ 0 };
	for (unsigned i = 0; i < e->n_shards; i++) {
		struct shard_audit a = { .shard = e->shards[i], .seen = e->seen };

		worker_call(e->workers[a.shard->umem->owner], audit_shard, &a);
		umem_audit_add(sum, &a.audit);
	}
}
