/* What a client's sockets mean for a listing (control/build/moves.h): those with flows in moving buckets get entries that pin
 * them, and where there is no room for one the bucket stays, or the flow is let go.
 *
 * Connections and sockets that are connected for datagrams say to whom; others may send to any frontend. They are taken to
 * have flows only to those to which they sent in the last minutes (dataplane/service/senders.h), for a resolver's few sockets must
 * not become entries for each service of a deployment that grows, and use up what others of the pod need. What begins to send
 * between this look and the flip, or has been quiet since, goes with its bucket: it may lose an answer, and has no
 * connection to lose. Control thread only. */
#ifndef RINGWAY_NODE_CLIENT_LOOK_H
#define RINGWAY_NODE_CLIENT_LOOK_H

#include "control/build/moves.h"
#include "control/node/pins.h"
#include "dataplane/service/senders.h"

/* Such questions of one look: some milliseconds of control's time. Sockets behind go with their buckets. */
#define CLIENT_LOOK_QUESTIONS (1u << 18)

struct client_look {
	struct moves *moves;
	const struct tables *tables;
	const struct endpoint *endpoint;
	const struct socket_seen *socket; /* in hand */
	unsigned n_sockets;               /* seen so far */
	unsigned n_let_go;                /* flows that move for want of an entry */
	unsigned n_asked;                 /* of unconnected sockets, whether they sent to a frontend */
	bool has_sent;
	struct senders senders; /* of the worker, as of the first of these; has_sent: it was copied */
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
