/* Closes sockets off the control thread. The kernel takes some 13 ms for each, one after another, but waits
 * for many at a time just as long; so up to CLOSER_THREADS close at once. Control thread, but for the threads
 * that it starts itself. */
#ifndef RINGWAY_IO_CLOSER_H
#define RINGWAY_IO_CLOSER_H

#include <stdbool.h>

struct closer;
struct xsk;

/* As many as a node has sockets: while the daemon stops, no packet passes. */
#define CLOSER_THREADS 256

/* 0, or -errno with *out untouched. */
int closer_new(struct closer **out);

/* Waits for what is still closing. Accepts NULL. */
void closer_free(struct closer *c);

/* Closes the socket in the background; *x stays where it is until closer_take() returns it. With is_shared another
 * process may have the descriptor too, and the socket is in no XSKMAP: then it is not the closing which makes
 * sure that the kernel touches no frame any more, but a grace period after it. */
void closer_add(struct closer *c, struct xsk *x, bool is_shared);

/* A socket that is closed, or NULL. */
struct xsk *closer_take(struct closer *c);

/* Waits until all are closed. */
void closer_wait(struct closer *c);

/* Readable when closer_take() may have something. */
int closer_fd(const struct closer *c);

#endif
