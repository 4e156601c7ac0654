/* Brings moves of buckets to their end (control/build/moves.h, DESIGN 5.4): once all workers know of them, lists the sockets
 * of this node's clients, one client per round of the loop, has entries made for what hangs on a moving bucket, and
 * then lets the builder flip what is settled. Where there was no room for an entry, or sockets could not be listed
 * for want of something, it tries again later; a client that has used up its own part, or whose sockets nobody can list,
 * holds up nobody else's (listing.h). Control thread only. */
#ifndef RINGWAY_NODE_MOVER_H
#define RINGWAY_NODE_MOVER_H

struct attach;
struct engine;
struct loop;
struct mover;
struct publisher;

#define MOVER_TEXT_SIZE 256

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

/* What keeps moves from coming to their end, for people; "": nothing does. */
const char *mover_waits_for(const struct mover *m);

#endif
