/* Which TCP ports of this node's pods are servers', as their sockets tell (policy/policy_state.h has the bitmap). Besides the
 * declared ones, workers learn a port when somebody is let in there; that leaves two things to control:
 *
 *   A pod becomes isolated: nobody has looked at what arrived for it until then. Where a socket listens and connections
 *   stand, somebody opened them; they are to be judged as that, not as the pod's own. So before the tables are in force that
 *   isolate it, such ports are noted, and once more with each sweep; likewise when what was audited is enforced, since what
 *   passed though policies deny it left no note. A pod gains nothing by it: what it sends from there needs an entry of who
 *   was let in, and what arrives there needs ingress rules. A port where nobody is connected is not noted, since then a scan
 *   by bare ACKs would tell it from one at which nothing listens.
 *
 *   A learned port has no socket any more: after two sweeps, half a minute apart, it is forgotten. Declared ones stay, and so do
 *   all of a pod whose sockets are elsewhere: in a virtual machine, or another namespace. Such a one shows no TCP socket at
 *   all, or is known (attached_is_opaque()).
 *
 * Control thread only. */
#ifndef RINGWAY_NODE_SERVERS_H
#define RINGWAY_NODE_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

struct attach;
struct engine;
struct loop;
struct policy_state;
struct policy_table;
struct servers;

struct servers_config {
	struct loop *loop;
	const struct attach *attach;
	struct engine *engine;
	const struct policy_table *(*policies)(void *arg); /* in force, or NULL */
	void *arg;
};

/* Sweeps from now on. What the config names is the caller's and outlives it. NULL if out of memory. */
struct servers *servers_new(const struct servers_config *config);
void servers_free(struct servers *s); /* NULL is fine */

/* Policies are about to be in force: notes the ports of pods that they isolate and the last ones do not, or did in audit mode.
 * Returns when workers have them. Each may be NULL. */
void servers_note_accepting(
	struct servers *s, const struct policy_table *next, const struct policy_table *last);

/* The parts that need no daemon. */

#define SERVER_WORDS (65536 / 64)

/* TCP ports of a namespace, a bit for each. */
struct server_ports {
	uint64_t listening[SERVER_WORDS]; /* from outside of the pod */
	uint64_t connected[SERVER_WORDS]; /* with somebody else */
	uint64_t in_use[SERVER_WORDS];    /* by any socket, those that listen included */
	bool has_sockets;
};

/* What the view (sockets.h) shows. 0 or -errno. */
int server_ports_read(struct server_ports *ports, int view);

/* One sweep over a pod: idle has the learned ports that were without a socket at the last one, and gets those of this one but
 * for the ones to forget. Returns whether there are any to forget. */
bool server_ports_age(const struct policy_state *state, const struct server_ports *ports,
	uint64_t idle[SERVER_WORDS], uint64_t forgotten[SERVER_WORDS]);

#endif
