#include "control/admin/health_ports.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/admin/http.h"
#include "control/build/health_targets.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/model/store.h"
#include "control/model/watch.h"

#define IDLE_S 10
#define CONNECTIONS_MAX 32 /* per port: a few load balancers that ask every few seconds */
#define TICK_NS (5 * NS_PER_S)

/* One service's. */
struct health_port {
	struct health_ports *all;
	char *ns, *name;
	uint16_t port;
	uint32_t n_local;
	struct MHD_Daemon *http; /* NULL: not open */
	struct loop_fd *watch;
	char trouble[160]; /* why it is not open; "" */
};

struct health_ports {
	struct health_ports_config config;
	struct loop_task task;
	struct loop_timer *tick;
	size_t n;
	struct health_port **ports; /* by namespace and name */
	struct store_watch *watch;  /* of Services and EndpointSlices */
	bool is_stale;              /* something changed that matters to them */
};

/* Serving. */

static char *
body_of(const struct health_port *p, bool is_healthy)
{
	json_t *body = json_pack("{s:{s:s, s:s}, s:I, s:b}", "service", "namespace", p->ns, "name", p->name,
		"localEndpoints", (json_int_t)p->n_local, "serviceProxyHealthy", is_healthy);
	char *text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(body);
	return text;
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *data, size_t *data_size, void **state)
{
	const struct health_port *p = cls;
	bool is_healthy = p->all->config.is_healthy(p->all->config.arg);
	struct MHD_Response *response;
	enum MHD_Result queued;
	char weight[16], *body;

	*data_size = 0; /* whatever is posted is nothing to us */
	body = body_of(p, is_healthy);
	if (body == NULL)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(body);
		return MHD_NO;
	}
	snprintf(weight, sizeof(weight), "%u", p->n_local);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "X-Load-Balancing-Endpoint-Weight", weight);
	queued = MHD_queue_response(connection,
		p->n_local != 0 && is_healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, response);
	MHD_destroy_response(response);
	return queued;
}

static void
serve(uint32_t events, void *arg)
{
	http_run(((struct health_port *)arg)->http);
}

/* Opening and closing. */

static void
port_close(struct health_port *p)
{
	loop_fd_remove(p->watch);
	p->watch = NULL;
	if (p->http != NULL)
		MHD_stop_daemon(p->http);
	p->http = NULL;
}

static void
port_free(struct health_port *p)
{
	if (p == NULL)
		return;
	port_close(p);
	free(p->ns);
	free(p->name);
	free(p);
}

/* 0 or -errno. The descriptor becomes the server's. */
static int
port_start(struct health_port *p, int fd)
{
	const union MHD_DaemonInfo *info;

	p->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, p, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_S, MHD_OPTION_END);
	if (p->http == NULL) {
		close(fd);
		return -ENOMEM;
	}
	info = MHD_get_daemon_info(p->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (info != NULL)
		p->watch = loop_fd_add(p->all->config.loop, info->epoll_fd, EPOLLIN, serve, p);
	if (p->watch == NULL)
		port_close(p);
	return p->watch == NULL ? -ENOMEM : 0;
}

static const struct health_port *
holder_of(const struct health_port *p)
{
	for (size_t i = 0; i < p->all->n; i++)
		if (p->all->ports[i]->port == p->port && p->all->ports[i]->http != NULL)
			return p->all->ports[i];
	return NULL;
}

/* Opens the port unless it is open; a failure is told once. */
static void
port_open(struct health_port *p)
{
	const struct health_port *holder;
	char number[8], trouble[sizeof(p->trouble)] = "";
	int fd, rc;

	if (p->http != NULL)
		return;
	snprintf(number, sizeof(number), "%u", p->port);
	holder = holder_of(p);
	fd = holder != NULL ? -EADDRINUSE : http_listen("", number);
	rc = fd < 0 ? fd : port_start(p, fd);
	if (holder != NULL)
		snprintf(trouble, sizeof(trouble), "service %.40s/%.63s has it", holder->ns, holder->name);
	else if (rc < 0)
		snprintf(trouble, sizeof(trouble), "%s", strerror(-rc));
	if (rc < 0 && strcmp(trouble, p->trouble) != 0)
		log_warn("service %s/%s: its healthCheckNodePort %u cannot be opened: %s", p->ns, p->name,
			p->port, trouble);
	memcpy(p->trouble, trouble, sizeof(trouble));
}

/* Following the services. */

static int
compare_to_target(const struct health_port *p, const struct health_target *t)
{
	const struct object *service = &t->service->object;
	int order = strcmp(p->ns, service->ns);

	order = order != 0 ? order : strcmp(p->name, service->name);
	return order != 0 ? order : (int)p->port - (int)t->port;
}

static struct health_port *
port_new(struct health_ports *h, const struct health_target *t)
{
	struct health_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->all = h;
	p->port = t->port;
	p->ns = strdup(t->service->object.ns);
	p->name = strdup(t->service->object.name);
	if (p->ns != NULL && p->name != NULL)
		return p;
	port_free(p);
	return NULL;
}

/* Takes the targets over: those there are stay open, the others come and go. Both lists are in the same order. What
 * memory does not suffice for is tried again by the next tick. */
static void
merge(struct health_ports *h, const struct health_target *targets, size_t n_targets,
	struct health_port **ports)
{
	size_t n = 0, old = 0;

	for (size_t i = 0; i < n_targets; i++) {
		struct health_port *p = NULL;

		while (old < h->n && compare_to_target(h->ports[old], &targets[i]) < 0)
			port_free(h->ports[old++]);
		if (old < h->n && compare_to_target(h->ports[old], &targets[i]) == 0)
			p = h->ports[old++];
		else
			p = port_new(h, &targets[i]);
		if (p == NULL)
			continue;
		p->n_local = targets[i].n_local;
		ports[n++] = p;
	}
	while (old < h->n)
		port_free(h->ports[old++]);
	free(h->ports);
	h->ports = ports;
	h->n = n;
}

static void
follow(struct health_ports *h)
{
	struct health_target *targets;
	struct health_port **ports;
	size_t n;

	if (health_targets(h->config.store, h->config.node_name, &targets, &n) < 0)
		return;
	ports = calloc(n + 1, sizeof(struct health_port *));
	if (ports != NULL) {
		merge(h, targets, n, ports);
		h->is_stale = false;
	}
	free(targets);
	/* after those that went have closed theirs */
	for (size_t i = 0; i < h->n; i++)
		port_open(h->ports[i]);
}

/* Most changes are none of ours, and the whole answer costs a walk over all services. */
static void
note_change(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct health_ports *h = arg;

	if (kind == OBJECT_SERVICE) {
		const struct object *o = store_get(h->config.store, kind, ns, name);

		h->is_stale |= o != NULL && ((const struct service_object *)o)->health_check_node_port != 0;
	}
	/* what a slice belonged to before it changed is not known: to something in its namespace */
	for (size_t i = 0; i < h->n && !h->is_stale; i++)
		h->is_stale = strcmp(h->ports[i]->ns, ns) == 0;
}

static void
on_task(void *arg)
{
	struct health_ports *h = arg;

	if (!store_watch_take(h->watch, note_change, h))
		h->is_stale = true;
	if (h->is_stale)
		follow(h);
}

static void
on_tick(void *arg)
{
	struct health_ports *h = arg;

	on_task(h);
	for (size_t i = 0; i < h->n; i++) {
		port_open(h->ports[i]);
		if (h->ports[i]->http != NULL)
			http_run(h->ports[i]->http);
	}
}

void
health_ports_changed(struct health_ports *h)
{
	if (h != NULL)
		loop_defer(h->config.loop, &h->task);
}

void
health_ports_each_warning(const struct health_ports *h, void (*fn)(const char *text, void *arg), void *arg)
{
	char text[512];

	for (size_t i = 0; h != NULL && i < h->n; i++) {
		const struct health_port *p = h->ports[i];

		if (p->http != NULL)
			continue;
		snprintf(text, sizeof(text),
			"service %s/%s: its healthCheckNodePort %u cannot be opened (%s), so load balancers "
			"take this node for unhealthy",
			p->ns, p->name, p->port, p->trouble);
		fn(text, arg);
	}
}

int
health_ports_new(struct health_ports **out, const struct health_ports_config *config)
{
	struct health_ports *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	h->config = *config;
	h->task = (struct loop_task){ .fn = on_task, .arg = h };
	h->watch = store_watch_new(
		store_watches(config->store), 1 << OBJECT_SERVICE | 1 << OBJECT_ENDPOINT_SLICE);
	h->tick = loop_timer_new(config->loop, on_tick, h);
	if (h->watch == NULL || h->tick == NULL) {
		health_ports_free(h);
		return -ENOMEM;
	}
	loop_timer_set(h->tick, 0, TICK_NS);
	*out = h;
	return 0;
}

void
health_ports_free(struct health_ports *h)
{
	if (h == NULL)
		return;
	loop_cancel(h->config.loop, &h->task);
	loop_timer_free(h->tick);
	store_watch_free(h->watch);
	for (size_t i = 0; i < h->n; i++)
		port_free(h->ports[i]);
	free(h->ports);
	free(h);
}
