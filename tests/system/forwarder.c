/* A bare forwarder for the system tests: engine, loader and workers are the real ones, while the pipeline is
 * replaced by one that sends whatever a port receives to its partner, with new MAC addresses. It takes commands
 * from stdin and answers each with one line:
 *     add NAME INTERFACE WORKER MTU MAC    a port; MAC is that of the interface's far end
 *     uplink NAME INTERFACE VTEP PORT      puts the uplink program on, without a port; again: exchanges it
 *     expose NAME [ADDRESS PROTO PORT]...  frontends that the uplink program takes
 *     socket NAME PORTNAME                 names a port's socket in another attachment too
 *     partner NAME NAME                    forwards between two ports
 *     remove NAME [keep]                   the port; and unless kept, its program
 *     audit | stats NAME | list | pid | settle | quit | uninstall
 * With KEEP a holder keeps its sockets and memory, and starts it again when it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/holder.h"
#include "dataplane/engine.h"
#include "dataplane/io/fd_store.h"
#include "dataplane/io/port.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"
#include "xdp/loader.h"

#define NAMED_MAX 512

struct named {
	char name[XDP_NAME_MAX];
	struct port *port;
};

static struct named named[NAMED_MAX];
static struct engine *engine;
static struct xdp *xdp;
static struct snapshot *snapshot;
static struct tables tables;
static struct node_table node;

/* What the workers read; each entry is changed only before its port receives anything. */
static uint16_t partner[PORTS_MAX];
static uint8_t far_mac[PORTS_MAX][6];

void
pipeline_send_half(struct worker *w, const struct tables *t, struct burst *b)
{
	BURST_FOREACH_UNDECIDED (b, p) {
		p->out_port = partner[p->in_port];
		if (p->len < 14 || p->out_port == PORTS_MAX)
			pkt_drop(p, DROP_NO_ROUTE);
	}
	cross_burst(t, w, b);
}

void
pipeline_receive_half(struct worker *w, const struct tables *t, struct burst *b)
{
	BURST_FOREACH_UNDECIDED (b, p) {
		memcpy(p->data, far_mac[p->out_port], 6);
		p->verdict = VERDICT_FORWARD;
	}
}

static struct named *
find(const char *name)
{
	for (unsigned i = 0; i < NAMED_MAX; i++)
		if (strcmp(named[i].name, name) == 0)
			return &named[i];
	return NULL;
}

static void
add(const char *args)
{
	char name[XDP_NAME_MAX], interface[IFNAMSIZ], error[XDP_ERROR_SIZE];
	struct engine_port_config config = { .origin = ORIGIN_POD };
	uint8_t mac[6];
	enum xdp_mode mode;
	struct named *n = find("");
	int err;

	if (sscanf(args, "%63s %15s %d %hu %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", name, interface, &config.worker,
		    &config.mtu, &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 10) {
		puts("error usage");
		return;
	}
	config.ifindex = if_nametoindex(interface);
	err = xdp_attach_pod(xdp, config.ifindex, name, XDP_CHOICE_AUTO, &mode, error);
	if (err < 0) {
		printf("error %s\n", error);
		return;
	}
	err = engine_add_port(engine, &config, &n->port);
	if (err == 0) {
		memcpy(far_mac[n->port->id], mac, 6);
		partner[n->port->id] = PORTS_MAX;
		node.port_owner[n->port->id] = n->port->owner;
		err = xdp_set_socket(xdp, name, 0, engine_port_fd(n->port));
	}
	if (err < 0) {
		printf("error %s\n", strerror(-err));
		return;
	}
	strcpy(n->name, name);
	printf("ok id %u worker %u mode %s\n", n->port->id, n->port->owner, xdp_mode_label(mode));
}

static void
uplink(const char *args)
{
	char name[XDP_NAME_MAX], interface[IFNAMSIZ], vtep[IP_ADDR_STRLEN], error[XDP_ERROR_SIZE];
	struct xdp_uplink_config config = { .n_queues = 1 };
	enum xdp_mode mode;

	if (sscanf(args, "%63s %15s %45s %hu", name, interface, vtep, &config.vxlan_port) != 4 ||
		!ip_addr_parse(vtep, &config.vtep))
		puts("error usage");
	else if (xdp_attach_uplink(
			 xdp, if_nametoindex(interface), name, &config, XDP_CHOICE_AUTO, &mode, error) < 0)
		printf("error %s\n", error);
	else
		printf("ok mode %s\n", xdp_mode_label(mode));
}

/* Exactly these frontends: ADDRESS PROTO PORT each. */
static void
expose(const char *args)
{
	struct xdp_frontend frontends[8];
	char name[XDP_NAME_MAX], addr[IP_ADDR_STRLEN];
	unsigned proto, n = 0;
	int used, err;

	if (sscanf(args, "%63s%n", name, &used) != 1) {
		puts("error usage");
		return;
	}
	for (args += used;
		n < 8 && sscanf(args, "%45s %u %hu%n", addr, &proto, &frontends[n].port, &used) == 3;
		args += used)
		if (ip_addr_parse(addr, &frontends[n].addr))
			frontends[n++].proto = (uint8_t)proto;
	err = xdp_set_exposed(xdp, name, frontends, n);
	if (err < 0)
		printf("error %s\n", strerror(-err));
	else
		printf("ok %u\n", n);
}

/* A port behind the uplink program. */
static void
open_socket(const char *args)
{
	char name[XDP_NAME_MAX], interface[IFNAMSIZ];
	struct engine_port_config config = { .origin = ORIGIN_UPLINK, .worker = -1, .mtu = 1500 };
	uint64_t grace;
	struct named *n = find("");
	int err;

	if (sscanf(args, "%63s %15s", name, interface) != 2) {
		puts("error usage");
		return;
	}
	config.ifindex = if_nametoindex(interface);
	err = engine_add_port(engine, &config, &n->port);
	if (err == 0) {
		partner[n->port->id] = PORTS_MAX;
		node.port_owner[n->port->id] = n->port->owner;
		err = xdp_set_socket(xdp, name, 0, engine_port_fd(n->port));
	}
	if (err < 0) {
		printf("error %s\n", strerror(-err));
		return;
	}
	if (snapshot_get(snapshot) == NULL)
		snapshot_publish(snapshot, &tables, &grace);
	strcpy(n->name, name);
	printf("ok id %u\n", n->port->id);
}

static void
set_partners(const char *args)
{
	char a[XDP_NAME_MAX], b[XDP_NAME_MAX];
	const struct named *x, *y;
	uint64_t grace;

	if (sscanf(args, "%63s %63s", a, b) != 2 || (x = find(a)) == NULL || (y = find(b)) == NULL) {
		puts("error usage");
		return;
	}
	partner[x->port->id] = y->port->id;
	partner[y->port->id] = x->port->id;
	/* workers leave packets where they are until there are tables: so nothing is dropped for want of a
	 * partner that a former process knew */
	if (snapshot_get(snapshot) == NULL)
		snapshot_publish(snapshot, &tables, &grace);
	puts("ok");
}

static void
remove_port(const char *args)
{
	char name[XDP_NAME_MAX], keep[8] = "";
	struct named *n;

	if (sscanf(args, "%63s %7s", name, keep) < 1 || (n = find(name)) == NULL) {
		puts("error usage");
		return;
	}
	xdp_clear_socket(xdp, name, 0);
	engine_remove_port(engine, n->port);
	if (keep[0] == '\0')
		xdp_detach(xdp, name);
	n->name[0] = '\0';
	puts("ok");
}

static void
audit(void)
{
	struct umem_audit a;

	engine_audit(engine, &a);
	printf("ok frames %u free %u fill %u rx %u tx %u completion %u in_kernel %u in_hand %u twice %u\n",
		a.n_frames, a.n[UMEM_FREE], a.n[UMEM_FILL], a.n[UMEM_RX], a.n[UMEM_TX], a.n[UMEM_COMPLETION],
		a.in_kernel, a.in_hand, a.twice);
}

static void
stats(const char *args)
{
	char name[XDP_NAME_MAX];
	struct counters c = { 0 };
	struct xsk_drops drops;
	const struct named *n;

	if (sscanf(args, "%63s", name) != 1 || (n = find(name)) == NULL ||
		engine_port_drops(n->port, &drops) < 0) {
		puts("error usage");
		return;
	}
	engine_counters(engine, &c);
	printf("ok rx %lu rx_bytes %lu tx %lu rx_dropped %lu rx_ring_full %lu fill_ring_empty %lu tx_full "
	       "%lu no_frame %lu multi_buffer %lu received %lu forwarded %lu dropped %lu copied %lu crossed "
	       "%lu crossing_full "
	       "%lu\n",
		n->port->stats.rx_packets, n->port->stats.rx_bytes, n->port->stats.tx_packets,
		drops.counts[KERNEL_DROP_RX_DROPPED], drops.counts[KERNEL_DROP_RX_RING_FULL],
		drops.counts[KERNEL_DROP_NO_FRAME], c.drops[DROP_TX_FULL], c.drops[DROP_NO_FRAME],
		c.drops[DROP_MULTI_BUFFER], c.counts[COUNT_RECEIVED], c.verdicts[VERDICT_FORWARD],
		c.verdicts[VERDICT_DROP], c.counts[COUNT_UMEM_COPIED], c.counts[COUNT_CROSSED_OUT],
		c.drops[DROP_CROSSING_FULL]);
}

static void
list_one(void *arg, const char *name, unsigned ifindex)
{
	printf(" %s=%u", name, ifindex);
}

static void
log_warning(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static bool
serve(char *line)
{
	static const struct {
		const char *verb;
		void (*fn)(const char *args);
	} verbs[] = {
		{ "add", add },
		{ "uplink", uplink },
		{ "expose", expose },
		{ "socket", open_socket },
		{ "partner", set_partners },
		{ "remove", remove_port },
		{ "stats", stats },
	};
	char *verb = strtok(line, " \n");
	char *args = strtok(NULL, "\n");

	if (verb == NULL || strcmp(verb, "quit") == 0 || strcmp(verb, "uninstall") == 0)
		return false;
	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verb, verbs[i].verb) == 0) {
			verbs[i].fn(args == NULL ? "" : args);
			return true;
		}
	}
	if (strcmp(verb, "audit") == 0) {
		audit();
	} else if (strcmp(verb, "pid") == 0) {
		printf("ok pid %d\n", getpid());
	} else if (strcmp(verb, "settle") == 0) {
		engine_settle(engine);
		puts("ok");
	} else if (strcmp(verb, "list") == 0) {
		printf("ok");
		xdp_each(xdp, list_one, NULL);
		puts("");
	} else {
		puts("error unknown command");
	}
	return true;
}

/* Settings from the command line. */
static struct {
	const char *dir;
	unsigned n_workers;
	bool keeps;
} options;

static int
run(int holder, void *arg)
{
	char line[256] = "", error[XDP_ERROR_SIZE];
	struct engine_config config = { .n_workers = options.n_workers };

	config.snapshot = snapshot = snapshot_new(config.n_workers);
	if (options.keeps)
		config.fds = fd_store_open(holder);
	node.n_workers = (uint8_t)config.n_workers;
	tables.node = &node;
	if (xdp_open(&xdp, options.dir, log_warning, error) < 0) {
		printf("error %s\n", error);
		return 1;
	}
	if (engine_new(&engine, &config) < 0 || engine_start(engine) < 0) {
		puts("error workers");
		return 1;
	}
	if (config.fds != NULL)
		fd_store_ready(config.fds);
	puts("ready");
	do {
		if (fgets(line, sizeof(line), stdin) == NULL)
			strcpy(line, "quit");
	} while (serve(line));
	engine_free(engine);
	fd_store_free(config.fds);
	snapshot_free(snapshot);
	if (strcmp(line, "uninstall") != 0) {
		xdp_close(xdp);
	} else if (xdp_uninstall(xdp, error) < 0) {
		printf("error %s\n", error);
		return 1;
	}
	puts("bye");
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: forwarder DIR WORKERS [KEEP]\n");
		return 2;
	}
	setlinebuf(stdout);
	options.dir = argv[1];
	options.n_workers = (unsigned)atoi(argv[2]);
	options.keeps = argc > 3;
	return options.keeps ? holder_run(&(struct holder_config){ .serve = run }) : run(-1, NULL);
}
