/* Brings moves of buckets to their end (control/build/moves.h, DESIGN 5.4): once all workers know of them, lists the sockets
 * of this node's clients, one client per round of the loop, has entries made for what hangs on a moving bucket, and
 * then lets the builder flip what is settled. Where there was no room for an entry it tries again later; a
 * client that has used up its own part of it, or whose sockets cannot be listed, holds up nobody else's (listing.h). Control
 * thread only. */
#ifndef RINGWAY_NODE_MOVER_H
#define RINGWAY_NODE_MOVER_H

struct attach;
struct engine;
struct loop;
struct mover;
struct publisher;

struct mover_config {
	struct loop *loop;
	const struct attach *attach;
	struct engine *engine;
	struct publisher *publisher;
};

/* NULL if out of memory. */
struct mover *mover_new(const struct mover_config *config);
void mover_free(struct mover *m); /* NULL is fine */

/* Tables were published; something may have begun to move. */
void mover_wake(struct mover *m);

#endif
