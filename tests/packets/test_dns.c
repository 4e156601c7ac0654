/* DNS names that are not the cluster's, over several packets: what is asked of the resolver, what it tells, and what comes from the
 * cache at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/pipeline.h"
#include "dataplane/trace.h"
#include "tests/packets/dns_world.h"
#include "tests/packets/names.h"
#include "tests/support/pkt_build.h"
#include "tests/support/policies.h"

static void
test_the_resolver_is_asked(struct dns_world *x)
{
	struct counters c;
	struct dns_miss miss;

	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out + x->f->ports[FIXTURE_UPLINK].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.verdicts[VERDICT_ASKED], 1);
	miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	assert_int_equal(miss.client.port, FIXTURE_POD1);
	assert_int_equal(miss.client.client_port, CLIENT_PORT);
	assert_int_equal(miss.client.server_port, 53);
	assert_false(miss.client.is_host);
	assert_true(ip_addr_eq(&miss.client.client, &x->f->endpoints->endpoints[1].addrs[x->family]));
	assert_int_equal(miss.client.received_ns, START);
	assert_int_equal(miss.udp_size, x->has_opt ? 1232 : 512);
	assert_int_equal(miss.has_opt, x->has_opt);
	assert_int_equal(miss.wants_dnssec, x->has_opt);
}

/* Has the resolver tell the one who has asked. */
static void
tell(struct dns_world *x, const struct dns_miss *miss)
{
	struct dns_told told = { .client = miss->client, .source = DNS_UPSTREAM, .size = miss->size };

	memcpy(told.message, miss->message, miss->size);
	told.message[2] |= 0x80;
	assert_true(dns_told_put(x->f->rings, miss->worker, &told));
	fixture_run(x->f);
}

/* Answers of the resolver, for whatever cause. */
static uint64_t
lost(const struct counters *c)
{
	return c->counts[COUNT_DNS_LOST_GONE] + c->counts[COUNT_DNS_LOST_NO_FRAME] +
	       c->counts[COUNT_DNS_LOST_LATE];
}

static void
test_the_one_who_asked_is_told(struct dns_world *x)
{
	struct dns_sample sample;
	struct dns_miss miss;
	struct counters c;
	unsigned size;

	for (enum fixture_port from = FIXTURE_HOST; from <= FIXTURE_POD1; from++) {
		unsigned worker = x->f->node.port_owner[from];
		struct frame want;

		world_ask(x, from, "example.com", DNS_TYPE_A);
		miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
		assert_int_equal(miss.worker, worker);
		world_set_time(x, START + S);
		tell(x, &miss);
		miss.message[2] |= 0x80;
		assert_memory_equal(world_answer(x, from, &size), miss.message, miss.size);
		pkt_build(&want,
			PKT(ETH("gw", from == FIXTURE_HOST ? "host" : "pod1"),
				IP(x->server, from == FIXTURE_HOST ? x->host : x->pod, .df = x->family == V4),
				UDP(53, CLIENT_PORT),
				{ .kind = LAYER_RAW, .raw = { miss.message, miss.size } }),
			0);
		assert_int_equal(x->f->ports[from].out[0].len, want.len);
		assert_memory_equal(x->f->ports[from].out[0].data, want.bytes, want.len);
		fixture_clear(x->f);
		assert_true(dns_tally_take(x->f->workers[worker]->dns_tally, &sample));
		assert_int_equal(sample.source, DNS_UPSTREAM);
		assert_int_equal(sample.type, DNS_TYPE_A);
		assert_int_equal(sample.name_len, sizeof("\7example\3com"));
		assert_int_equal(sample.answered_ns - sample.received_ns, S);
		world_set_time(x, START);
	}
	fixture_counters(x->f, &c);
	assert_int_equal(lost(&c), 0);
}

static void
test_who_has_gone_is_not_told(struct dns_world *x)
{
	struct endpoint *ep = &x->f->endpoints->endpoints[1];
	struct ip_addr was = ep->addrs[x->family];
	struct dns_miss miss;
	struct counters c;

	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	ep->addrs[x->family].b[15]++; /* the port is another pod's */
	tell(x, &miss);
	ep->addrs[x->family] = was;
	ep->mtu = 50; /* too small */
	tell(x, &miss);
	x->f->endpoints->by_port[FIXTURE_POD1] = ENDPOINT_NONE;
	tell(x, &miss);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST_GONE], 3);
	assert_int_equal(world_counted(x, DNS_UPSTREAM), 0);
}

static void
test_without_a_frame_nobody_is_told(struct dns_world *x)
{
	struct umem *umem = x->f->ports[FIXTURE_POD1].port.umem;
	uint32_t n_free = umem->n_free;
	struct dns_miss miss;
	struct counters c;
	unsigned size;

	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	umem->n_free = 0;
	tell(x, &miss);
	umem->n_free = n_free;
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST_NO_FRAME], 1);
	assert_int_equal(lost(&c), 1);
	tell(x, &miss);
	world_answer(x, FIXTURE_POD1, &size);
}

static bool
takes_nothing(struct port *port, struct pkt *p)
{
	(void)port;
	(void)p;
	return false;
}

static void
test_an_answer_waits_for_its_port(struct dns_world *x)
{
	struct port *port = &x->f->ports[FIXTURE_POD1].port;
	const struct port_ops *was = port->ops;
	struct port_ops stuck = *was;
	struct dns_miss miss;
	struct counters c;
	unsigned size;

	stuck.tx = takes_nothing;
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	port->ops = &stuck;
	for (unsigned i = 0; i < BURST_MAX + 6; i++) /* more than may wait: the rest stays in the ring */
		tell(x, &miss);
	world_set_time(x, START + S / 100);
	fixture_run(x->f);
	port->ops = was;
	fixture_run(x->f);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, BURST_MAX + 6);
	fixture_clear(x->f);
	fixture_counters(x->f, &c);
	assert_int_equal(lost(&c), 0);

	port->ops = &stuck;
	tell(x, &miss);
	world_set_time(x, START + S); /* too late */
	fixture_run(x->f);
	port->ops = was;
	fixture_run(x->f);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST_LATE], 1);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	tell(x, &miss);
	world_answer(x, FIXTURE_POD1, &size);
}

static void
test_who_comes_while_an_answer_waits_is_not_told(struct dns_world *x)
{
	struct ip_addr *addr = &x->f->endpoints->endpoints[1].addrs[x->family], was = *addr;
	struct port *port = &x->f->ports[FIXTURE_POD1].port;
	const struct port_ops *ops = port->ops;
	struct port_ops stuck = *ops;
	struct dns_miss miss;
	struct counters c;

	stuck.tx = takes_nothing;
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	port->ops = &stuck;
	tell(x, &miss);
	port->ops = ops;
	addr->b[15]++; /* the port is another pod's */
	fixture_run(x->f);
	*addr = was;
	fixture_run(x->f);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST_GONE], 1);
}

static void
test_who_asks_too_much_is_refused(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
		world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 2);
	assert_int_equal(world_counted(x, DNS_LIMITED), 1);
	fixture_clear(x->f);
	/* the cluster's names are never limited, nor are others who ask */
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(message_rcode(world_answer(x, FIXTURE_POD1, &size)), 0);
	fixture_clear(x->f);
	world_ask(x, FIXTURE_HOST, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_HOST].n_out, 0);
	while (world_take(x, &miss))
		;
}

static void
test_the_cache_answers(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	world_put_example(x, START);
	world_ask(x, FIXTURE_POD1, "ExamplE.com", DNS_TYPE_A);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 0);
	assert_int_equal(message_n_answers(answer), 1);
	assert_memory_equal(answer + 12, "\7ExamplE\3com", 13);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	assert_false(world_take(x, &miss));
	fixture_clear(x->f);

	/* about to expire: whoever waits for nothing has it asked for again, once */
	world_set_time(x, START + 290 * S);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	world_expect_miss(x, "example.com", DNS_MISS_PREFETCH);
	fixture_clear(x->f);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	assert_false(world_take(x, &miss));
	fixture_clear(x->f);

	world_set_time(x, START + 301 * S);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	world_expect_miss(x, "example.com", DNS_MISS_QUERY);
}

/* Those of the cluster's addresses are the zone's, all others are looked up as any name. */
static void
test_reverse_names_are_the_clusters_or_others(struct dns_world *x)
{
	struct message m;
	unsigned size;

	world_ask(x, FIXTURE_POD1, "7.0.96.10.in-addr.arpa", DNS_TYPE_PTR);
	assert_int_equal(message_n_answers(world_answer(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(world_counted(x, DNS_AUTHORITY), 1);
	fixture_clear(x->f);

	world_ask(x, FIXTURE_POD1, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	world_expect_miss(x, "8.0.96.10.in-addr.arpa", DNS_MISS_QUERY);
	message_begin(&m, MESSAGE_REPLY, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	message_addr(&m, SECTION_ANSWER, "8.0.96.10.in-addr.arpa", 300, "203.0.113.7");
	world_put(x, &m, START);
	world_ask(x, FIXTURE_POD1, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	assert_int_equal(message_n_answers(world_answer(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
}

static void
test_what_is_stale_is_served_when_it_may_be(struct dns_world *x)
{
	unsigned size;

	world_put_example(x, START);
	world_mark_example_stale(x, START + 400 * S);
	world_set_time(x, START + 350 * S);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(message_n_answers(world_answer(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(world_counted(x, DNS_STALE), 1);
	fixture_clear(x->f);
	world_set_time(x, START + 401 * S);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	world_expect_miss(x, "example.com", DNS_MISS_QUERY);
}

static void
test_a_name_that_leads_out_is_followed(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	world_ask(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	world_expect_miss(x, "out.shop.svc.cluster.local", DNS_MISS_QUERY);
	world_put_example(x, START);
	world_ask(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 0);
	assert_int_equal(message_n_answers(answer), 2);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	assert_false(world_take(x, &miss));
	fixture_clear(x->f);
	world_set_time(x, START + 290 * S);
	world_ask(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	world_expect_miss(x, "example.com", DNS_MISS_PREFETCH);
}

static void
test_nothing_is_below_a_cut(struct dns_world *x)
{
	const uint8_t *answer;
	unsigned size;

	world_corp_suffix(x);
	world_put_cut(x, "local.corp.test", 300);
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local.corp.test", DNS_TYPE_A);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 3);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	fixture_clear(x->f);
	world_ask(x, FIXTURE_POD1, "www.example.com.corp.test", DNS_TYPE_A);
	world_expect_miss(x, "www.example.com.corp.test", DNS_MISS_QUERY);
}

static void
test_who_may_not_ask_is_not_answered(struct dns_world *x)
{
	struct dns_miss miss;
	struct counters c;

	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	world_put_example(x, START);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	world_ask(x, FIXTURE_POD1, "example.net", DNS_TYPE_A);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 2);
	assert_false(world_take(x, &miss));
}

static void
test_who_would_not_be_let_ask_is_named(struct dns_world *x)
{
	struct event event;
	unsigned size;

	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	policies_audit(x->f, FIXTURE_POD1);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	world_expect_miss(x, "example.com", DNS_MISS_QUERY);
	assert_true(fixture_event(x->f, &event));
	assert_int_equal(event.kind, EVENT_DNS_DENIED);
	assert_int_equal(event.port, FIXTURE_POD1);
	assert_true(ip_addr_eq(&event.addr, &x->f->dns->backends[x->family].servers[0].addr));
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(message_rcode(world_answer(x, FIXTURE_POD1, &size)), 0);
}

static void
test_a_burst_is_answered_in_its_order(struct dns_world *x)
{
	static const char *const names[] = { "api.shop.svc.cluster.local", "example.com",
		"none.shop.svc.cluster.local" };
	struct port_mem *port = &x->f->ports[FIXTURE_POD1];

	world_put_example(x, START);
	for (unsigned i = 0; i < 60; i++) {
		struct message m;
		struct frame in;

		message_begin(&m, MESSAGE_RD, names[i % 3], DNS_TYPE_A);
		if (x->has_opt)
			message_opt(&m, 4096, 0x8000);
		m.bytes[1] = (uint8_t)i;
		pkt_build(&in,
			PKT(ETH("pod1", "gw"), IP(x->pod, x->server), UDP(CLIENT_PORT, 53),
				{ .kind = LAYER_RAW, .raw = { m.bytes, (unsigned)m.size } }),
			0);
		assert_true(port_mem_give(port, in.bytes, in.len));
	}
	fixture_run(x->f);
	assert_int_equal(port->n_out, 60);
	for (unsigned i = 0; i < 60; i++) {
		const uint8_t *answer = port->out[i].data + x->headers;

		assert_int_equal(answer[1], i);
		assert_int_equal(message_rcode(answer), i % 3 == 2 ? 3 : 0);
	}
	assert_int_equal(world_counted(x, DNS_AUTHORITY), 40);
	assert_int_equal(world_counted(x, DNS_HIT), 20);
}

static unsigned
n_copies(struct dns_world *x)
{
	struct dns_miss miss;
	unsigned n = 0;

	for (; world_take(x, &miss); n++)
		assert_int_equal(miss.kind, DNS_MISS_SHADOW);
	return n;
}

static void
test_in_shadow_mode_all_goes_on_and_names_of_the_cluster_are_copied(struct dns_world *x)
{
	static const char *const names[] = { "api.shop.svc.cluster.local", "none.shop.svc.cluster.local",
		"out.shop.svc.cluster.local" };
	struct counters c;

	x->f->dns->is_shadow = true;
	for (unsigned i = 0; i < 3; i++) {
		world_ask(x, FIXTURE_POD1, names[i], DNS_TYPE_A);
		world_expect_miss(x, names[i], DNS_MISS_SHADOW);
		assert_int_equal(world_counted(x, DNS_PASSED), 1);
	}
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_ANY);
	world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(world_counted(x, DNS_PASSED), 2);
	assert_int_equal(n_copies(x), 0);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.verdicts[VERDICT_FORWARD], 5);
	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	world_ask(x, FIXTURE_POD1, names[0], DNS_TYPE_A);
	assert_int_equal(n_copies(x), 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 1);
}

/* The one frame that came out anywhere. */
static void
take_sent(struct dns_world *x, struct frame *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		const struct port_mem *port = &x->f->ports[i];

		n += port->n_out;
		if (port->n_out != 0) {
			out->len = port->out[0].len;
			memcpy(out->bytes, port->out[0].data, out->len);
		}
	}
	assert_int_equal(n, 1);
	fixture_clear(x->f);
}

/* Byte for byte, whatever was looked at on the way. */
static void
test_in_shadow_mode_packets_go_on_as_if_nobody_looked(struct dns_world *x)
{
	static const char *const names[] = { "API.Shop.svc.cluster.LOCAL", "none.shop.svc.cluster.local",
		"out.shop.svc.cluster.local", "example.com", "10.0.96.10.in-addr.arpa" };
	struct dns_table *dns = x->f->dns;
	struct frame with, without;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		x->f->tables.dns = NULL;
		world_ask(x, FIXTURE_POD1, names[i], DNS_TYPE_A);
		take_sent(x, &without);
		x->f->tables.dns = dns;
		dns->is_shadow = true;
		world_ask(x, FIXTURE_POD1, names[i], DNS_TYPE_A);
		take_sent(x, &with);
		assert_int_equal(with.len, without.len);
		assert_memory_equal(with.bytes, without.bytes, without.len);
	}
	assert_int_equal(n_copies(x), 3);
}

static void
test_copies_are_few(struct dns_world *x)
{
	x->f->dns->is_shadow = true;
	for (unsigned i = 0; i < 3 * DNS_SHADOW_SHARE; i++)
		world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), DNS_SHADOW_SHARE);
	world_ask(x, FIXTURE_HOST, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), 1);
	fixture_clear(x->f);
	world_set_time(x, START + DNS_SHADOW_WINDOW_NS);
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), 1);
	fixture_clear(x->f);
	for (unsigned i = 0; i < 2 * DNS_SHADOW_LOOKS_SHARE; i++) {
		world_ask(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
		if (i % 32 == 31)
			fixture_clear(x->f);
	}
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), 0);
}

static bool
has_note(const struct trace *t, const char *stage, const char *part)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->notes[i].stage, stage) == 0 && strstr(t->notes[i].text, part) != NULL)
			return true;
	return false;
}

static void
test_explain_shows_the_way_of_what_is_not_answered(struct dns_world *x)
{
	static struct burst b;
	struct worker *w = x->f->workers[0];
	struct pkt *p = &b.pkts[0];
	struct trace trace = { 0 };
	struct dns_miss miss;
	struct frame in;

	pkt_build(&in, PKT(ETH("pod1", "gw"), IP(x->pod, x->server), UDP(CLIENT_PORT, 53), DATA(4)), 0);
	b = (struct burst){ .n = 1, .trace = &trace };
	*p = (struct pkt){ .data = umem_get(x->f->umems[0]),
		.umem = x->f->umems[0],
		.len = in.len,
		.in_port = FIXTURE_POD1,
		.flags = PKT_DRY_RUN | PKT_TRUST_CHECKSUM,
		.origin = ORIGIN_POD };
	memcpy(p->data, in.bytes, in.len);
	pipeline_send_half(w, &x->f->tables, &b);
	assert_true(has_note(&trace, "dns", "answers it, or asks upstream"));
	assert_true(ip_addr_eq(&p->new_dst, &x->f->dns->backends[x->family].servers[0].addr));
	assert_false(world_take(x, &miss));
	for (enum dns_source s = 0; s < N_DNS_SOURCES; s++)
		assert_int_equal(world_counted(x, s), 0);
	umem_put(p->umem, p->data);
}

#define TESTS(X)                                                               \
	X(test_the_resolver_is_asked)                                          \
	X(test_the_one_who_asked_is_told)                                      \
	X(test_who_has_gone_is_not_told)                                       \
	X(test_without_a_frame_nobody_is_told)                                 \
	X(test_an_answer_waits_for_its_port)                                   \
	X(test_who_comes_while_an_answer_waits_is_not_told)                    \
	X(test_who_asks_too_much_is_refused)                                   \
	X(test_the_cache_answers)                                              \
	X(test_reverse_names_are_the_clusters_or_others)                       \
	X(test_what_is_stale_is_served_when_it_may_be)                         \
	X(test_a_name_that_leads_out_is_followed)                              \
	X(test_nothing_is_below_a_cut)                                         \
	X(test_who_may_not_ask_is_not_answered)                                \
	X(test_who_would_not_be_let_ask_is_named)                              \
	X(test_explain_shows_the_way_of_what_is_not_answered)                  \
	X(test_a_burst_is_answered_in_its_order)                               \
	X(test_in_shadow_mode_all_goes_on_and_names_of_the_cluster_are_copied) \
	X(test_in_shadow_mode_packets_go_on_as_if_nobody_looked)               \
	X(test_copies_are_few)

TESTS(IN_EACH_WORLD)

int
main(void)
{
#define TEST(name) cmocka_unit_test(name##_in_each),
	const struct CMUnitTest tests[] = { TESTS(TEST) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
