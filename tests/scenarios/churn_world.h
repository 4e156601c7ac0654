/* A node on a fake clock, in which a service's endpoints come and go: the real store, builder, registry of moves, sockets'
 * meaning (client_look.h), sweep and workers with mem ports. Made up are the pods of the other node that serve, this node's two
 * pods that are clients with their sockets, and the time.
 *
 * A tick is a second: some flows say something, some open, some end, and the mover goes a step. */
#ifndef TESTS_SCENARIOS_CHURN_WORLD_H
#define TESTS_SCENARIOS_CHURN_WORLD_H

#include "control/build/facts.h"
#include "control/build/moves.h"
#include "control/build/service_build.h"
#include "control/model/store.h"
#include "control/node/sweep.h"
#include "tests/support/fixtures.h"

#define CHURN_BACKENDS 16
#define CHURN_FLOWS 160
#define CHURN_CLIENTS 2
#define CHURN_SECOND UINT64_C(1000000000)

enum churn_kind {
	CHURN_TCP,
	CHURN_OPAQUE,     /* TCP, and the clients' kernels show no socket */
	CHURN_AFFINITY,   /* TCP, to a service with session affinity */
	CHURN_CONNECTED,  /* UDP sockets that are connected to the frontend */
	CHURN_UNCONNECTED /* and such that are not */
};
#define CHURN_KINDS 5

/* A pod of the other node. */
struct churn_backend {
	bool is_alive, is_listed; /* in the slices */
	bool ready, serving, terminating;
};

struct churn_flow {
	bool is_open;
	bool is_silent; /* until the end */
	uint8_t client, family;
	uint16_t port;
	unsigned backend;
	uint16_t wire; /* the client's port as the backend knows it */
};

struct churn_world {
	enum churn_kind kind;
	struct fixture *f;
	struct nat_flows *exceptions[FIXTURE_WORKERS_MAX];
	struct store *store;
	struct slots *slots;
	struct service_builder *builder;
	struct service_table *table;
	struct build_facts facts;
	struct churn_backend backends[CHURN_BACKENDS];
	struct churn_flow flows[CHURN_FLOWS];
	uint64_t now_ns;
	unsigned n_ticks;
	uint32_t seed;
	uint16_t next_port[CHURN_CLIENTS];
	bool is_listing;
	unsigned next_client;
	unsigned n_moved; /* datagram flows of unconnected sockets whose backend serves no more */
	struct sweep sweep;
};

/* With backends 0 to n - 1. */
struct churn_world *churn_new(enum churn_kind kind, unsigned n_workers, unsigned n_backends);
void churn_free(struct churn_world *w);

uint32_t churn_draw(struct churn_world *w, uint32_t n);
bool churn_is_tcp(const struct churn_world *w);

/* One of the pods that are clients. */
struct endpoint *churn_client(const struct churn_world *w, unsigned i);

/* The address of a backend, and of the service. */
struct ip_addr churn_backend_addr(unsigned i, unsigned family);
struct ip_addr churn_frontend_addr(unsigned family);

/* Whether new flows may get a backend: it is ready, or, while none is, serves till its end. */
bool churn_is_chosen(const struct churn_world *w, unsigned backend);

/* Has the backends as they are now published; the pods of those that are dead are gone. */
void churn_publish(struct churn_world *w);

/* churn_mover.c: what control does in a tick. */
void churn_move(struct churn_world *w);
bool churn_is_moving(const struct churn_world *w);

/* churn_flows.c: frames, checked on their way there and back. */

/* Opens a flow, silent or not. Its backend is one that is chosen. */
struct churn_flow *churn_open(struct churn_world *w, bool is_silent);

/* Something there and back; it has its backend as before unless that died, or may move. */
void churn_exchange(struct churn_world *w, struct churn_flow *flow);

/* All that are not silent, some opened, some closed; then the mover's step. */
void churn_tick(struct churn_world *w);

#endif
