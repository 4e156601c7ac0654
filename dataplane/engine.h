/* Workers, UMEM shards and ports as one set. Who has it gives it interfaces and gets ports; which shard's
 * memory a socket uses, when its frames come back and how it is closed without holding anybody up is decided
 * here. It knows nothing of XDP programs: the caller puts engine_port_fd() into the map of the program on the
 * interface. Control thread only, in the network namespace of the interfaces. */
#ifndef RINGWAY_ENGINE_H
#define RINGWAY_ENGINE_H

#include "dataplane/counters.h"
#include "dataplane/io/umem.h"
#include "dataplane/io/xsk.h"
#include "dataplane/pkt.h"

struct dns_rings;
struct engine;
struct events;
struct fd_store;
struct port;
struct snapshot;
struct worker;
struct worker_flows;

struct engine_config {
	unsigned n_workers;
	const int *cpus;                  /* [n_workers], -1: not pinned; NULL: none is */
	struct snapshot *snapshot;        /* the caller's; made for n_workers */
	const struct worker_flows *flows; /* [n_workers], the caller's tables; may be NULL */
	struct events *const *events;     /* [n_workers], the caller's; may be NULL */
	struct dns_rings *dns_rings;      /* the caller's, for n_workers; NULL: no resolver */
	struct fd_store *fds;      /* the caller's: keeps sockets and memory over a crash; may be NULL */
	uint32_t ring_size;        /* descriptors in each ring; 0: 2048 */
	uint32_t frames_per_shard; /* a power of two; 0: 4096 */
	unsigned ports_per_shard;  /* 0: 16 */
};

/* Workers that do not run yet. What a former process left in the fd store is taken over, and waits for
 * engine_add_port(). 0, or -errno with *out untouched. */
int engine_new(struct engine **out, const struct engine_config *config);

/* Starts the workers. 0, or -errno with none running. */
int engine_start(struct engine *e);

/* Once all ports that exist have been added: closes the sockets of a former process that nobody asked for. */
void engine_settle(struct engine *e);

/* Stops the workers and closes all sockets, many at a time, also those that the fd store keeps. Ports are gone afterwards; counters can still be
 * read. */
void engine_stop(struct engine *e);

/* Stops what still runs. Accepts NULL. */
void engine_free(struct engine *e);

struct engine_port_config {
	enum origin origin;
	unsigned ifindex;
	uint32_t queue;
	int worker;                /* -1: the one with the fewest ports */
	uint16_t mtu;              /* of the interface, from the IP header on: decides the size of frames */
	bool zero_copy;            /* try it, and take copy mode where the driver cannot; uplinks */
	unsigned busy_deadline_ms; /* how long a former socket of this queue may take to go; 0: 1000 */
};

/* Opens a socket on the interface's queue, or takes over that of a former process with all that it has received
 * since, and has its worker poll it. The port lives until
 * engine_remove_port(). Returns 0, or -errno as xsk_open() does; -ENOSPC when all PORTS_MAX ids are in use,
 * -EMSGSIZE when no frame takes this MTU. */
int engine_add_port(struct engine *e, const struct engine_port_config *config, struct port **out);

/* Ends the polling at once; the socket closes in the background, its frames come back with engine_reap(), and
 * the id is given out again only then, and after all other free ids. To be called after the socket was taken out
 * of its XSKMAP (xdp_clear_socket()). The tables in force should not name the port any more, or packets to it end
 * as DROP_PORT_GONE. The caller's pointer is void. */
void engine_remove_port(struct engine *e, struct port *port);

/* The socket, for an XSKMAP. */
int engine_port_fd(const struct port *port);

/* True when this port's socket got zero-copy. */
bool engine_port_is_zero_copy(const struct engine *e, const struct port *port);

/* What the kernel dropped at this port. 0 or -errno. */
int engine_port_drops(const struct port *port, struct xsk_drops *out);

/* Readable when closed sockets wait for engine_reap(). Adding and removing ports also reaps. */
int engine_reap_fd(const struct engine *e);
void engine_reap(struct engine *e);

unsigned engine_n_workers(const struct engine *e);
struct worker *engine_worker(const struct engine *e, unsigned id);

/* Adds what all workers have counted to *sum. */
void engine_counters(const struct engine *e, struct counters *sum);

/* Where all frames are, summed over the shards; each shard is looked at between two bursts of its worker.
 * 'twice' is never but 0; without traffic 'in_hand' is 0 too. */
void engine_audit(struct engine *e, struct umem_audit *sum);

#endif
