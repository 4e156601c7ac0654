#include "tests/packets/packet_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/dns/dns_tally.h"
#include "tests/support/pkt_check.h"
#include "tests/support/pkt_print.h"

static bool produced[N_DROP_REASONS];

static const char *const port_names[FIXTURE_PORTS] = {
	[FIXTURE_HOST] = "host",
	[FIXTURE_POD1] = "pod1",
	[FIXTURE_POD2] = "pod2",
	[FIXTURE_UPLINK] = "uplink",
};

/* One run of a case. */
struct run {
	const struct packet_case *c;
	struct fixture *f;
	struct frame in;
	struct counters before; /* what was counted until then */
	bool failed;
};

static void fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
fail(struct run *r, const char *fmt, ...)
{
	va_list args;

	if (!r->failed) {
		fprintf(stderr, "FAILED: %s\n  with %u worker(s), IPv%d underlay\n", r->c->name,
			r->f->n_workers, ip_addr_is_v4(&r->f->node.vtep) ? 4 : 6);
		pkt_print(stderr, "in", r->in.bytes, r->in.len, NULL, 0);
	}
	r->failed = true;
	va_start(args, fmt);
	fputs("  ", stderr);
	vfprintf(stderr, fmt, args);
	fputs("\n", stderr);
	va_end(args);
}

static void
check_verdict(struct run *r)
{
	struct counters c, was = r->before;

	fixture_counters(r->f, &c);
	for (unsigned v = 0; v < N_VERDICTS; v++)
		if (c.verdicts[v] - was.verdicts[v] != (v == r->c->verdict))
			fail(r, "verdict %s: %lu packets, not %d", verdict_label(v),
				(unsigned long)(c.verdicts[v] - was.verdicts[v]), v == r->c->verdict);
	for (unsigned reason = 0; reason < N_DROP_REASONS; reason++) {
		bool is_wanted = r->c->verdict == VERDICT_DROP && reason == r->c->drop;

		if (c.drops[reason] - was.drops[reason] != is_wanted)
			fail(r, "dropped as %s: %lu packets, not %d", drop_reason_label(reason),
				(unsigned long)(c.drops[reason] - was.drops[reason]), is_wanted);
	}
	if (r->c->counts != COUNT_RECEIVED && c.counts[r->c->counts] == was.counts[r->c->counts])
		fail(r, "nothing was counted as %s", counter_label(r->c->counts));
}

/* The outer source port is the flow's hash, of which only the range is promised. */
static uint16_t
entropy_of(const uint8_t *frame, unsigned len)
{
	unsigned udp = 14 + (len > 14 && frame[14] >> 4 == 6 ? 40 : 20);

	if (len < udp + 2 || frame[udp] < 0xc0)
		return 0;
	return (uint16_t)(frame[udp] << 8 | frame[udp + 1]);
}

static void
check_sent(struct run *r, const uint8_t *frame, unsigned len, const struct layer *want_layers)
{
	const char *wrong = pkt_check(frame, len);
	struct frame want;

	pkt_build(&want, want_layers, entropy_of(frame, len));
	if (wrong != NULL && !r->c->has_bad_checksum)
		fail(r, "what was sent is invalid: %s", wrong);
	if (want.len == len && memcmp(want.bytes, frame, len) == 0)
		return;
	fail(r, "another packet was sent");
	pkt_print(stderr, "wanted", want.bytes, want.len, frame, len);
	pkt_print(stderr, "sent", frame, len, want.bytes, want.len);
}

static void
check_output(struct run *r)
{
	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		const struct port_mem *port = &r->f->ports[i];
		unsigned wanted = 0;

		while (i == r->c->to && wanted < CASE_OUT_MAX && r->c->out[wanted] != NULL)
			wanted++;
		if (port->n_out != wanted)
			fail(r, "%s was sent %u packets, not %u", port_names[i], port->n_out, wanted);
		for (unsigned n = 0; n < port->n_out && n < wanted; n++)
			check_sent(r, port->out[n].data, port->out[n].len, r->c->out[n]);
		if (wanted == 0 && port->n_out != 0)
			pkt_print(stderr, "sent", port->out[0].data, port->out[0].len, NULL, 0);
	}
}

static void
check_event(struct run *r)
{
	struct event event = { 0 };
	bool has = fixture_event(r->f, &event);

	/* every server here is yet unknown to be one */
	while (has && event.kind == EVENT_PORT_USED)
		has = fixture_event(r->f, &event);
	if (!has)
		event.value = 0;
	if (has != (r->c->event_value != 0) || event.value != r->c->event_value)
		fail(r, "control was told %u, not %u", event.value, r->c->event_value);
}

static void
check_dns(struct run *r)
{
	struct dns_counts sum = { 0 };

	for (unsigned i = 0; i < r->f->n_workers; i++)
		for (uint16_t port = 0; port < PORTS_MAX; port++)
			dns_tally_read(r->f->workers[i]->dns_tally, port, &sum);
	for (enum dns_source s = 0; s < N_DNS_SOURCES; s++)
		if (sum.by_source[s] != (s + 1u == r->c->dns))
			fail(r, "%lu queries were counted as %s", (unsigned long)sum.by_source[s],
				dns_source_label(s));
}

void
packet_cases_note(const struct fixture *f)
{
	struct counters c;

	fixture_counters(f, &c);
	for (unsigned reason = 0; reason < N_DROP_REASONS; reason++)
		produced[reason] |= c.drops[reason] != 0;
}

bool
packet_cases_produced(enum drop_reason reason)
{
	return produced[reason];
}

static void
give(struct run *r, const struct layer *layers)
{
	pkt_build(&r->in, layers, 50000);
	if (!port_mem_give(&r->f->ports[r->c->from], r->in.bytes, r->in.len))
		fail(r, "the packet does not fit the port");
	fixture_run(r->f);
}

static bool
run_case(const struct packet_case *c, unsigned n_workers, bool v6_underlay)
{
	struct run r = { .c = c, .f = fixture_new(n_workers, v6_underlay) };
	const char *imbalance;

	if (c->given != NULL)
		c->given(r.f);
	if (c->before != NULL) {
		give(&r, c->before);
		fixture_clear(r.f);
		fixture_counters(r.f, &r.before);
	}
	give(&r, c->in);
	check_verdict(&r);
	check_output(&r);
	check_event(&r);
	check_dns(&r);
	fixture_clear(r.f);
	imbalance = fixture_audit(r.f);
	if (imbalance != NULL)
		fail(&r, "%s", imbalance);
	packet_cases_note(r.f);
	fixture_free(r.f);
	return !r.failed;
}

unsigned
packet_cases_run(const struct packet_case *cases, unsigned n)
{
	unsigned failures = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned variant = 0; variant < 4; variant++) {
			bool v6_underlay = (variant & 2) != 0;

			if (cases[i].underlay == (v6_underlay ? UNDERLAY_V4 : UNDERLAY_V6))
				continue;
			failures += !run_case(&cases[i], 1 + (variant & 1), v6_underlay);
		}
	return failures;
}
