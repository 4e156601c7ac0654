/* What a client's sockets mean for a listing (control/build/moves.h): those with flows in moving buckets get entries that pin
 * them, and where there is no room for one the bucket stays, or the flow is let go. Control thread only. */
#ifndef RINGWAY_NODE_CLIENT_LOOK_H
#define RINGWAY_NODE_CLIENT_LOOK_H

#include "control/build/moves.h"
#include "control/node/pins.h"

struct client_look {
	struct moves *moves;
	const struct tables *tables;
	const struct endpoint *endpoint;
	const struct socket_seen *socket; /* in hand */
	unsigned n_sockets;               /* seen so far */
	unsigned n_let_go;                /* flows that move for want of an entry */
	struct pins pins;
};

/* tables: those in force, in which 'moves' are under way. worker: the client's. */
void client_look_begin(struct client_look *look, struct moves *moves, const struct tables *tables,
	const struct endpoint *client, struct worker *worker);

/* One of its sockets; for sockets_each(), with the look as argument. */
void client_look_at(const struct socket_seen *socket, void *look);

/* All were seen: the counts are final. */
void client_look_end(struct client_look *look);

#endif
