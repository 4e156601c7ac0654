#include "control/dns_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_wire.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/dns_book.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/host.h"
#include "dataplane/dns/dns_zone.h"
#include "dataplane/clock.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"

/* So often that samples of a busy node do not wait long enough to be lost. */
#define LOOK_NS (100 * NS_PER_MS)

struct dns_watch {
	struct daemon *d;
	struct dns_book *book;
	struct loop_timer *timer;
	uint64_t version; /* of the tables whose search list the book has */
};

static void
read_counts(uint16_t port, struct dns_counts *sum, void *arg)
{
	const struct dns_watch *w = arg;

	for (unsigned i = 0; i < engine_n_workers(w->d->engine); i++)
		dns_tally_read(engine_worker(w->d->engine, i)->dns_tally, port, sum);
}

static void
note_pod(const struct attached *pod, void *arg)
{
	struct dns_watch *w = arg;

	if (pod->port != NULL)
		dns_book_client(w->book, &(struct dns_book_client){ .port = pod->port->id,
						 .id = pod->record.container_id,
						 .ns = pod->record.pod_ns,
						 .name = pod->record.pod });
}

static void
take_suffix(struct dns_wire *out, const struct dns_name_entry *name)
{
	out->len = name->len;
	memcpy(out->bytes, name->name, name->len < DNS_NAME_MAX ? name->len : DNS_NAME_MAX);
}

/* As the tables in force have it, which are what is answered from. */
static void
follow_search(struct dns_watch *w)
{
	const struct tables *t = publisher_tables(w->d->publisher);
	struct dns_wire zone = { 0 }, suffixes[DNS_SUFFIXES_MAX];

	if (t == NULL || t->dns == NULL || t->version == w->version)
		return;
	w->version = t->version;
	if (!dns_wire_parse(w->d->config.dns.zone, &zone))
		zone.len = 0; /* there is none */
	for (unsigned i = 0; i < t->dns->n_suffixes; i++)
		take_suffix(&suffixes[i], &t->dns->suffixes[i]);
	dns_book_search(w->book, &zone, suffixes, t->dns->n_suffixes);
}

/* No more than can wait: workers may be as fast as we are. */
static void
take_samples(struct dns_watch *w, struct dns_tally *tally)
{
	struct dns_sample sample;

	for (unsigned i = 0; i < DNS_SAMPLES && dns_tally_take(tally, &sample); i++)
		dns_book_note(w->book, &sample);
}

void
dns_watch_look(struct dns_watch *w)
{
	const struct host *host = attach_host(w->d->attach);

	follow_search(w);
	dns_book_begin(w->book);
	attach_each(w->d->attach, note_pod, w);
	if (host != NULL && host->port != NULL)
		dns_book_client(w->book,
			&(struct dns_book_client){
				.port = host->port->id, .is_host = true, .id = "", .ns = "", .name = "" });
	dns_book_end(w->book, clock_now_ns());
	for (unsigned i = 0; i < engine_n_workers(w->d->engine); i++)
		take_samples(w, engine_worker(w->d->engine, i)->dns_tally);
}

static void
on_timer(void *arg)
{
	dns_watch_look(arg);
}

int
dns_watch_start(struct daemon *d)
{
	struct dns_watch *w = d->dns_watch = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->d = d;
	w->book = dns_book_new(clock_now_ns(), read_counts, w);
	w->timer = loop_timer_new(d->loop, on_timer, w);
	if (w->book == NULL || w->timer == NULL)
		return -ENOMEM;
	if (d->config.dns.mode != DNS_MODE_OFF)
		loop_timer_set(w->timer, LOOK_NS, LOOK_NS);
	return 0;
}

void
dns_watch_stop(struct daemon *d)
{
	struct dns_watch *w = d->dns_watch;

	if (w == NULL)
		return;
	loop_timer_free(w->timer);
	dns_book_free(w->book);
	free(w);
	d->dns_watch = NULL;
}

const struct dns_book *
dns_watch_book(const struct dns_watch *w)
{
	return w->book;
}
