#include "control/node/client_look.h"

#include "control/node/listing.h"
#include "dataplane/worker.h"

static void
on_refused(const struct nat_flow *x, bool is_own_fault, void *arg)
{
	struct client_look *look = arg;
	struct move *move = moves_find(look->moves, &x->frontend, x->frontend_port, x->proto);
	const struct frontend *f =
		service_frontend(look->tables->services, addr_hash(&x->frontend, x->frontend_port, x->proto),
			&x->frontend, x->frontend_port, x->proto);
	uint32_t hash;

	if (move == NULL || f == NULL || !service_has_buckets(f))
		return;
	hash = service_flow(f,
		flow_hash(&x->client, &x->frontend, x->client_port, x->frontend_port, x->proto), &x->client);
	if (listing_keeps_bucket(f, hash, x, is_own_fault))
		moves_listing_refuse(move, hash);
	else
		look->n_let_go++;
}

/* A socket's flow towards a frontend stays with the backend of its bucket. Datagrams of a socket that is connected to nobody
 * may go elsewhere when that backend serves no more. */
static void
pin(const struct frontend *f, void *arg)
{
	struct client_look *look = arg;
	bool is_connected = !ip_addr_is_none(&look->socket->remote);
	struct nat_flow flow;
	uint16_t bucket;
	uint32_t hash;

	if (!(f->flags & FRONTEND_MOVING) ||
		pins_flow(look->tables, look->endpoint, look->socket, f, &flow) == 0)
		return;
	hash = service_flow(
		f, flow_hash(&flow.client, &f->addr, flow.client_port, f->port, f->proto), &flow.client);
	bucket = *service_bucket(f, hash);
	if (service_next_bucket(f, hash) == bucket)
		return;
	if (!is_connected && bucket >= f->n_backends)
		return;
	if (f->proto == PROTO_UDP && is_connected)
		flow.flags = NAT_FLOW_CONNECTED;
	pins_add(&look->pins, &flow);
}

static void
copy_senders(struct worker *w, void *arg)
{
	*(struct senders *)arg = w->senders;
}

/* Whether the socket, which is connected to nobody, has sent to a frontend lately. */
static bool
has_sent(const struct client_look *look, const struct move *move)
{
	const struct ip_addr *own = &look->endpoint->addrs[ip_addr_is_v4(&move->addr) ? V4 : V6];

	return senders_has(&look->senders,
		flow_hash(own, &move->addr, look->socket->local_port, move->port, move->proto));
}

static void
pin_unconnected(struct move *move, void *arg)
{
	struct client_look *look = arg;
	const struct frontend *f;

	if (move->proto != PROTO_UDP || look->n_asked == CLIENT_LOOK_QUESTIONS)
		return;
	look->n_asked++;
	if (!has_sent(look, move))
		return;
	f = service_frontend(look->tables->services, addr_hash(&move->addr, move->port, move->proto),
		&move->addr, move->port, move->proto);
	if (f != NULL)
		pin(f, look);
}

static void
look_at_unconnected(struct client_look *look)
{
	if (!look->has_sent)
		worker_call(look->pins.worker, copy_senders, &look->senders);
	look->has_sent = true;
	moves_each(look->moves, pin_unconnected, look);
}

void
client_look_at(const struct socket_seen *socket, void *arg)
{
	struct client_look *look = arg;

	look->n_sockets++;
	look->socket = socket;
	if (ip_addr_is_none(&socket->remote))
		look_at_unconnected(look);
	else
		pins_each_frontend(look->tables, socket, pin, look);
}

void
client_look_begin(struct client_look *look, struct moves *moves, const struct tables *tables,
	const struct endpoint *client, struct worker *worker)
{
	look->moves = moves;
	look->tables = tables;
	look->endpoint = client;
	look->n_sockets = look->n_let_go = look->n_asked = 0;
	look->has_sent = false;
	look->pins = (struct pins){ .worker = worker, .refused = on_refused, .arg = look };
}

void
client_look_end(struct client_look *look)
{
	pins_flush(&look->pins);
}
