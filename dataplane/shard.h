/* A umem and the sockets on it, all of one worker: the memory of a group of ports. It stays until the engine goes,
 * since packets in mid-journey may name it and the next pod uses it. With a holder (io/fd_store.h) both outlive a
 * crash: the names they are kept under tell the next process all that it needs to go on. Control thread; what
 * touches frames or rings runs on the worker. */
#ifndef RINGWAY_SHARD_H
#define RINGWAY_SHARD_H

#include "dataplane/io/port_xsk.h"

struct fd_store;

struct shard {
	struct umem *umem;
	uint32_t kept_id; /* its number in names, unique among all that is kept */
	bool is_uplink;   /* uplinks share no shard with pods */
	bool is_zero_copy;
	unsigned n_ports;
	struct port_xsk *ports[UMEM_SLOTS_MAX + 1]; /* by slot; 0 is none */
	bool is_closing[UMEM_SLOTS_MAX + 1];
	bool is_waiting[UMEM_SLOTS_MAX + 1]; /* a former process's socket that nobody has asked for yet */
};

/* A socket as a former process left it. */
struct kept_socket {
	uint32_t shard; /* kept_id */
	uint32_t ring_size;
	unsigned ifindex;
	uint32_t queue;
	uint8_t slot;
	bool is_zero_copy;
};

/* id: the umem's. fds NULL: nothing is kept. 0, or -errno with *out untouched. */
int shard_new(struct shard **out, struct fd_store *fds, uint16_t id, uint32_t kept_id, uint8_t owner,
	uint32_t n_frames, uint32_t frame_size, int numa_node, bool is_uplink);

/* The shard kept under this name, when it belongs to one of the workers and has that many frames; else -EINVAL. */
int shard_adopt(struct shard **out, struct fd_store *fds, const char *name, uint16_t id, unsigned n_workers,
	uint32_t n_frames);

/* Forgets it; ports are gone already. Accepts NULL. */
void shard_free(struct shard *s, struct fd_store *fds);

/* What a kept socket's name says; false if it is none. */
bool shard_parse_socket(const char *name, struct kept_socket *out);

/* Opens a socket next to one that is bound, or as the umem's first. 0 or -errno, see xsk_open(). */
int shard_open_socket(struct shard *s, const struct xsk_config *config, struct xsk *out);

/* Makes the socket a port of the shard, without giving it frames. NULL if out of memory. */
struct port_xsk *shard_add_port(struct shard *s, const struct xsk *socket, unsigned ifindex, uint32_t queue,
	uint8_t slot, uint16_t id, enum origin origin, uint32_t fill_min);

/* Frees the port, whose socket is closed. */
void shard_remove_port(struct shard *s, struct port_xsk *x);

/* A slot that is free; ports_max of the engine sees to it that there is one. */
uint8_t shard_free_slot(const struct shard *s);

/* Has the socket kept, and no longer kept. */
void shard_keep_socket(const struct shard *s, struct fd_store *fds, const struct port_xsk *x);
void shard_drop_socket(const struct shard *s, struct fd_store *fds, const struct port_xsk *x);

/* Counts the frames; seen is room for a byte per frame. The worker, or before it runs. */
void shard_audit(const struct shard *s, struct umem_audit *a, uint8_t *seen);

#endif
