/* The dataplane's part of the daemon, for the list in main.c: descriptors that survive a crash, shared memory, tables in
 * force, workers with their shards and ports, XDP programs. Each starts from struct daemon's config and the parts before it,
 * logs why it cannot, and stops what it started, also after half a start. Control thread only. */
#ifndef RINGWAY_PLANE_H
#define RINGWAY_PLANE_H

struct daemon;

/* In run.dir. */
#define ARENA_FILE "arena"
#define BPFFS_DIR "bpf"

/* Raises this process's priority until the workers run, and notes what it was. */
void plane_hurry(struct daemon *d);

/* d->fds, from the holder. */
int plane_fds_start(struct daemon *d);
void plane_fds_stop(struct daemon *d);

/* d->arena, in run.dir: roles and exceptions outlive the process. */
int plane_arena_start(struct daemon *d);
void plane_arena_stop(struct daemon *d);

/* d->snapshot and d->engine, with workers that do not run yet. */
int plane_engine_start(struct daemon *d);
void plane_engine_stop(struct daemon *d);

/* d->xdp, on a bpffs in run.dir. */
int plane_xdp_start(struct daemon *d);
void plane_xdp_stop(struct daemon *d);

/* d->follow, with underlay and publisher. After attach. */
int plane_follow_start(struct daemon *d);
void plane_follow_stop(struct daemon *d);

/* Has the workers run, on the first tables if they could be built. After the source. */
int plane_workers_start(struct daemon *d);
void plane_workers_stop(struct daemon *d);

#endif
