#include "control/node/mover.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/build/publish.h"
#include "control/build/service_build.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/client_look.h"
#include "control/node/listing.h"
#include "control/node/sockets.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/worker.h"

/* When there was no room. */
#define RETRY_NS NS_PER_S

/* Whose sockets are to be listed: a pod, or with an empty path the host. */
struct client {
	uint16_t port;
	char netns[NETNS_SIZE];
	char name[POD_NS_SIZE + POD_NAME_SIZE]; /* for people */
};

struct mover {
	struct mover_config config;
	struct loop_task step;
	struct loop_timer *retry;
	bool is_listing;
	size_t next, n_clients;
	unsigned n_tries; /* of the next one */
	struct client *clients;
	/* the listing's sum */
	uint64_t began_ns;
	unsigned n_sockets, n_added, n_refused, n_let_go;
	char waits_for[MOVER_TEXT_SIZE]; /* "": nothing */
};

static struct moves *
moves_of(const struct mover *m)
{
	return service_builder_moves(publisher_services(m->config.publisher));
}

/* 0 or -errno. A pod that is gone has no sockets. */
static int
list_client(struct mover *m, const struct client *client)
{
	static const struct sockets_wanted wanted[] = {
		{ .proto = PROTO_TCP, .states = SOCKETS_LIVE },
		{ .proto = PROTO_UDP, .states = SOCKETS_ALL },
	};
	const struct tables *tables = publisher_tables(m->config.publisher);
	const struct endpoint *endpoint = endpoint_of_port(tables->endpoints, client->port);
	struct client_look look;
	int view, result = 0;

	if (endpoint == NULL)
		return 0;
	view = sockets_open(client->netns[0] == '\0' ? NULL : client->netns);
	if (view < 0)
		return client->netns[0] != '\0' && listing_is_gone(view) ? 0 : view;
	client_look_begin(
		&look, moves_of(m), tables, endpoint, engine_worker(m->config.engine, endpoint->owner));
	for (unsigned i = 0; i < 2 && result == 0; i++)
		result = sockets_each(view, &wanted[i], client_look_at, &look);
	close(view);
	client_look_end(&look);
	m->n_sockets += look.n_sockets;
	m->n_added += look.pins.n_added;
	m->n_refused += look.pins.n_refused - look.n_let_go;
	m->n_let_go += look.n_let_go;
	if (look.n_let_go != 0)
		log_warn("%u flows of %s go with their buckets, cut or not: no more room for its exceptions "
			 "(services.exceptionsPerPod)",
			look.n_let_go, client->name);
	return result;
}

/* On each worker, as a listing begins. */
static void
watch_unmoved(struct worker *w, void *arg)
{
	w->unmoved = (struct unmoved){ .is_on = true };
}

/* And as it ends. */
static void
take_unmoved(struct worker *w, void *arg)
{
	struct unmoved *sum = arg;

	w->unmoved.is_on = false;
	for (unsigned i = 0; i < UNMOVED_PLACES; i++)
		sum->parts[i] |= w->unmoved.parts[i];
}

static void
count_pod(const struct attached *pod, void *arg)
{
	(*(size_t *)arg)++;
}

static void
add_pod(const struct attached *pod, void *arg)
{
	struct mover *m = arg;
	struct client *client = &m->clients[m->n_clients];

	if (pod->port == NULL)
		return;
	client->port = pod->port->id;
	snprintf(client->netns, sizeof(client->netns), "%s", pod->record.netns);
	if (pod->record.pod[0] == '\0')
		snprintf(client->name, sizeof(client->name), "%s", pod->record.container_id);
	else
		snprintf(client->name, sizeof(client->name), "%s/%s", pod->record.pod_ns, pod->record.pod);
	m->n_clients++;
}

static bool
gather_clients(struct mover *m)
{
	const struct endpoint_table *endpoints = publisher_tables(m->config.publisher)->endpoints;
	size_t n = 0;

	attach_each(m->config.attach, count_pod, &n);
	free(m->clients);
	m->n_clients = m->next = m->n_tries = 0;
	m->clients = calloc(n + 1, sizeof(*m->clients));
	if (m->clients == NULL)
		return false;
	attach_each(m->config.attach, add_pod, m);
	if (endpoints->host != ENDPOINT_NONE) {
		struct client *host = &m->clients[m->n_clients++];

		host->port = endpoints->endpoints[endpoints->host].port;
		snprintf(host->name, sizeof(host->name), "the node itself");
	}
	return true;
}

/* Tells for what moves wait, once in the log and, as it changes, in status. NULL: for nothing. */
__attribute__((format(printf, 2, 3))) static void
wait_for(struct mover *m, const char *format, ...)
{
	bool is_news = m->waits_for[0] == '\0';
	va_list args;

	m->waits_for[0] = '\0';
	if (format == NULL)
		return;
	va_start(args, format);
	vsnprintf(m->waits_for, sizeof(m->waits_for), format, args);
	va_end(args);
	if (is_news)
		log_warn("%s", m->waits_for);
}

static void
retry_later(struct mover *m)
{
	m->is_listing = false;
	loop_timer_set(m->retry, RETRY_NS, 0);
}

/* From here on workers open connections in moving buckets with entries. */
static void
begin(struct mover *m)
{
	if (publisher_flush(m->config.publisher) < 0 || publisher_tables(m->config.publisher) == NULL) {
		retry_later(m);
		return;
	}
	if (moves_n(moves_of(m)) == 0)
		return;
	m->began_ns = clock_now_ns();
	m->n_sockets = m->n_added = m->n_refused = m->n_let_go = 0;
	for (unsigned i = 0; i < engine_n_workers(m->config.engine); i++)
		worker_call(engine_worker(m->config.engine, i), watch_unmoved, NULL);
	m->is_listing = gather_clients(m) &&
			moves_listing_begin(moves_of(m), publisher_tables(m->config.publisher)->services);
	if (!m->is_listing)
		retry_later(m);
	else
		loop_defer(m->config.loop, &m->step);
}

/* Buckets at whose old backend a connection opened since then. */
static void
refuse_unmoved(struct mover *m)
{
	struct unmoved sum = { 0 };

	for (unsigned i = 0; i < engine_n_workers(m->config.engine); i++)
		worker_call(engine_worker(m->config.engine, i), take_unmoved, &sum);
	moves_listing_refuse_unmoved(moves_of(m), &sum);
}

static void
end(struct mover *m)
{
	size_t n;

	refuse_unmoved(m);
	n = moves_listing_end(moves_of(m));
	m->is_listing = false;
	if (m->n_refused != 0)
		wait_for(m,
			"services' traffic moves to other backends only in part: no room to remember %u "
			"connections "
			"that stay (services.exceptions)",
			m->n_refused);
	else
		wait_for(m, NULL);
	log_debug("moved buckets of %zu of %zu frontends in %.1f ms: %u sockets listed, %u flows kept, no "
		  "room for %u, and for %u that do not wait for it",
		n, moves_n(moves_of(m)), (double)(clock_now_ns() - m->began_ns) / 1e6, m->n_sockets,
		m->n_added, m->n_refused, m->n_let_go);
	if (n == 0) {
		retry_later(m);
		return;
	}
	service_builder_go_on(publisher_services(m->config.publisher));
	publisher_check(m->config.publisher);
}

/* A listing that has not seen all sockets settles nothing. */
static void
give_up(struct mover *m, const struct client *client, int result)
{
	wait_for(m,
		"services' traffic does not move to other backends: sockets of %s cannot be listed now (%s)",
		client->name, strerror(-result));
	moves_listing_cancel(moves_of(m));
	retry_later(m);
}

/* Looks at the next client, once more if that fails. */
static void
list_next(struct mover *m)
{
	const struct client *client = &m->clients[m->next];
	int result = list_client(m, client);

	switch (listing_after(result, ++m->n_tries)) {
	case LISTING_AGAIN:
		loop_timer_set(m->retry, LISTING_AGAIN_NS, 0);
		return;
	case LISTING_WAIT:
		give_up(m, client, result);
		return;
	case LISTING_SKIP:
		log_warn("sockets of %s cannot be listed (%s), so its connections may be cut as services' "
			 "endpoints change",
			client->name, strerror(-result));
		break;
	case LISTING_ON:
		break;
	}
	m->next++;
	m->n_tries = 0;
	loop_defer(m->config.loop, &m->step);
}

static void
on_step(void *arg)
{
	struct mover *m = arg;

	if (!m->is_listing) {
		if (moves_n(moves_of(m)) != 0)
			begin(m);
		return;
	}
	if (m->next == m->n_clients) {
		end(m);
		return;
	}
	list_next(m);
}

static void
on_retry(void *arg)
{
	on_step(arg);
}

void
mover_wake(struct mover *m)
{
	if (moves_n(moves_of(m)) == 0)
		wait_for(m, NULL);
	else if (!m->is_listing && !loop_timer_is_set(m->retry))
		loop_defer(m->config.loop, &m->step);
}

const char *
mover_waits_for(const struct mover *m)
{
	return m->waits_for;
}

struct mover *
mover_new(const struct mover_config *config)
{
	struct mover *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->config = *config;
	m->step = (struct loop_task){ .fn = on_step, .arg = m };
	m->retry = loop_timer_new(config->loop, on_retry, m);
	if (m->retry == NULL) {
		mover_free(m);
		return NULL;
	}
	return m;
}

void
mover_free(struct mover *m)
{
	if (m == NULL)
		return;
	loop_cancel(m->config.loop, &m->step);
	loop_timer_free(m->retry);
	free(m->clients);
	free(m);
}
