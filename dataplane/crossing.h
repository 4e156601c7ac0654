/* Between workers: one single-producer single-consumer ring per ordered pair for packets in mid-journey
 * (descriptors are copied, frames stay where they are), and one for frames that go home to their umem's
 * owner. cross_burst() and steer_burst() (stages.h) are the producer's side. */
#ifndef RINGWAY_CROSSING_H
#define RINGWAY_CROSSING_H

#include "dataplane/burst.h"
#include "dataplane/tables.h"

#define CROSSING_DEPTH 2048

struct crossing;
struct worker;

/* Rings for n workers; NULL if out of memory. Control, before the workers run and after they stopped. */
struct crossing *crossing_new(unsigned n_workers);
void crossing_free(struct crossing *c);

/* The worker that a packet which is not settled here goes to next: a flow's owner, or who has the port that it or the
 * answer to it leaves by. Any thread. */
unsigned crossing_target(const struct tables *t, const struct pkt *p);

/* Hands a packet of a flow that this worker, its owner, does not know to the other one that may own it (flow_owner.h), in
 * the descriptor or by dropping. False when there is none, or that one has asked us. */
bool crossing_ask_other(const struct tables *t, struct worker *w, struct pkt *p);

/* Hands the packet in hand to another worker, in the descriptor or by dropping. */
void crossing_hand_over(struct worker *w, unsigned to, struct pkt *p);

/* Hands a packet from one worker to another; false when the other does not keep up. Worker 'from'. */
bool crossing_put(struct crossing *c, unsigned from, unsigned to, const struct pkt *p);

/* Wakes the workers that were given something since the last call and sleep; before that, tries again to return what found
 * no room. Worker 'from', once per round. */
void crossing_kick(struct crossing *c, unsigned from);

/* Takes packets handed to this worker, appending to the burst. Worker 'to'. */
unsigned crossing_take(struct crossing *c, unsigned to, struct burst *b);

/* Sends a frame back to the worker that owns its umem. It cannot fail: a frame for which the ring has no room, since that
 * worker has not collected for long, waits for a kick. Worker 'from'. */
void crossing_return(struct crossing *c, unsigned from, struct umem *umem, uint8_t *data);

/* Puts frames that came home into their umems. Worker 'to'. */
void crossing_collect(struct crossing *c, unsigned to);

/* Before sleeping a worker announces it, looks at its rings once more (crossing_is_empty), and polls this
 * descriptor. */
int crossing_wait_fd(const struct crossing *c, unsigned worker);
void crossing_sleep(struct crossing *c, unsigned worker);
bool crossing_is_empty(const struct crossing *c, unsigned worker);
void crossing_awake(struct crossing *c, unsigned worker);

/* Any thread: wakes a worker. */
void crossing_wake(struct crossing *c, unsigned worker);

#endif
