/* DNS names that are not the cluster's, over several packets: what is asked of the resolver, what it tells, and what comes from the
 * cache at once. Each of both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"
#include "dataplane/dns/dns_cut.h"
#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/pipeline.h"
#include "dataplane/trace.h"
#include "tests/packets/names.h"
#include "tests/support/dns_messages.h"
#include "tests/support/names.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_check.h"
#include "tests/support/policies.h"
#include "tests/support/services.h"

#define S UINT64_C(1000000000)
#define START (1000 * S)
#define CLIENT_PORT 40000
#define HEADERS_V4 (14 + 20 + 8)
#define HEADERS_V6 (14 + 40 + 8)

static const char *const servers[] = { DNS_V4, DNS_V6 };
static const char *const pods[] = { POD1_V4, POD1_V6 };
static const char *const hosts[] = { HOST_V4, HOST_V6 };

struct dns_world {
	struct fixture *f;
	enum family_index family;
	bool has_opt;
	unsigned n_was[N_DNS_SOURCES];
};

static const struct dns_entry_limits limits = { .negative_max_s = 900, .stale_max_s = 3600 };

static void
set_time(struct dns_world *x, uint64_t now_ns)
{
	for (unsigned i = 0; i < x->f->n_workers; i++)
		x->f->workers[i]->now_ns = now_ns;
}

static void
begin(struct dns_world *x, unsigned n_workers, enum family_index family)
{
	*x = (struct dns_world){ .f = fixture_new(n_workers, false), .family = family };
	some_services(x->f);
	some_names(x->f);
	some_resolver(x->f);
	set_time(x, START);
}

static void
end(struct dns_world *x)
{
	const char *imbalance;

	fixture_clear(x->f);
	imbalance = fixture_audit(x->f);
	if (imbalance != NULL)
		fail_msg("%s", imbalance);
	fixture_free(x->f);
}

/* --- the pod, and the host */

static void
send_query(struct dns_world *x, enum fixture_port from, const char *name, uint16_t type)
{
	const char *source = from == FIXTURE_HOST ? hosts[x->family] : pods[x->family];
	struct message m;
	struct frame in;

	message_begin(&m, MESSAGE_RD, name, type);
	if (x->has_opt)
		message_opt(&m, 4096, 0x8000);
	pkt_build(&in,
		PKT(ETH(from == FIXTURE_HOST ? "host" : "pod1", "gw"), IP(source, servers[x->family]),
			UDP(CLIENT_PORT, 53), { .kind = LAYER_RAW, .raw = { m.bytes, (unsigned)m.size } }),
		0);
	assert_true(port_mem_give(&x->f->ports[from], in.bytes, in.len));
	fixture_run(x->f);
}

/* The message that was sent there, which is void after the next clear; its size. */
static const uint8_t *
answer_at(struct dns_world *x, enum fixture_port to, unsigned *size)
{
	const struct port_mem *port = &x->f->ports[to];
	unsigned headers = x->family == V4 ? HEADERS_V4 : HEADERS_V6;
	const char *wrong;

	assert_int_equal(port->n_out, 1);
	wrong = pkt_check(port->out[0].data, port->out[0].len);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	*size = port->out[0].len - headers;
	return port->out[0].data + headers;
}

static unsigned
rcode_of(const uint8_t *message)
{
	assert_true((message[2] & 0x80) != 0);
	return message[3] & 15;
}

static unsigned
n_answers(const uint8_t *message)
{
	return (unsigned)message[6] << 8 | message[7];
}

/* So many more queries than the last time were answered from there. */
static unsigned
counted(struct dns_world *x, enum dns_source source)
{
	struct dns_counts sum = { 0 };
	unsigned n;

	for (unsigned i = 0; i < x->f->n_workers; i++)
		for (unsigned port = 0; port < FIXTURE_PORTS; port++)
			dns_tally_read(x->f->workers[i]->dns_tally, (uint16_t)port, &sum);
	n = (unsigned)sum.by_source[source] - x->n_was[source];
	x->n_was[source] += n;
	return n;
}

/* --- upstream */

static bool
take(struct dns_world *x, struct dns_miss *out)
{
	for (unsigned i = 0; i < x->f->n_workers; i++)
		if (dns_miss_take(x->f->rings, i, out))
			return true;
	return false;
}

/* As if upstream had said that. */
static void
put(struct dns_world *x, struct message *m, uint64_t now_ns)
{
	struct dns_cache *cache = x->f->dns->cache;
	struct dns_entry_room room;
	struct dns_parsed parsed;
	struct dns_query q;
	struct message query = { .size = 0 };
	struct dns_cache_key key;

	assert_in_range(dns_parse(m->bytes, m->size, &parsed), DNS_KIND_ANSWER, DNS_KIND_NXDOMAIN);
	message_bytes(&query, m->bytes, parsed.question_end);
	memcpy(query.bytes + 2, (const uint8_t[]){ 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, 10);
	assert_int_equal(dns_query_scan(query.bytes, query.size, dns_cache_seed(cache), &q), DNS_SCAN_QUERY);
	q.wants_dnssec = x->has_opt;
	key = dns_cache_key_of(&q, query.bytes);
	assert_int_equal(dns_cache_put(cache, dns_entry_make(&room, &key, &parsed, &limits, now_ns)), 0);
}

static void
put_example(struct dns_world *x, uint64_t now_ns)
{
	struct message m;

	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_A);
	message_addr(&m, SECTION_ANSWER, "example.com", 300, "203.0.113.7");
	put(x, &m, now_ns);
}

/* Nothing was sent, and the resolver has got one query for this name. */
static struct dns_miss
expect_miss(struct dns_world *x, const char *name, enum dns_miss_kind kind)
{
	struct message want;
	struct dns_miss miss, more;

	message_begin(&want, MESSAGE_RD, name, DNS_TYPE_A);
	assert_true(take(x, &miss));
	assert_false(take(x, &more));
	assert_int_equal(miss.kind, kind);
	assert_int_equal(miss.size, want.size);
	assert_memory_equal(miss.message, want.bytes, 4);
	assert_memory_equal(miss.message + 12, want.bytes + 12, want.size - 12);
	return miss;
}

/* --- tests: each with one worker and two, and both families */

static void
test_the_resolver_is_asked(struct dns_world *x)
{
	struct counters c;
	struct dns_miss miss;

	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out + x->f->ports[FIXTURE_UPLINK].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.verdicts[VERDICT_ASKED], 1);
	miss = expect_miss(x, "example.com", DNS_MISS_QUERY);
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

		send_query(x, from, "example.com", DNS_TYPE_A);
		miss = expect_miss(x, "example.com", DNS_MISS_QUERY);
		assert_int_equal(miss.worker, worker);
		set_time(x, START + S);
		tell(x, &miss);
		miss.message[2] |= 0x80;
		assert_memory_equal(answer_at(x, from, &size), miss.message, miss.size);
		pkt_build(&want,
			PKT(ETH("gw", from == FIXTURE_HOST ? "host" : "pod1"),
				IP(servers[x->family],
					from == FIXTURE_HOST ? hosts[x->family] : pods[x->family],
					.df = x->family == V4),
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
		set_time(x, START);
	}
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST], 0);
}

static void
test_who_has_gone_is_not_told(struct dns_world *x)
{
	struct endpoint *ep = &x->f->endpoints->endpoints[1];
	struct ip_addr was = ep->addrs[x->family];
	struct dns_miss miss;
	struct counters c;

	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = expect_miss(x, "example.com", DNS_MISS_QUERY);
	ep->addrs[x->family].b[15]++; /* the port is another pod's */
	tell(x, &miss);
	ep->addrs[x->family] = was;
	ep->mtu = 50; /* too small */
	tell(x, &miss);
	x->f->endpoints->by_port[FIXTURE_POD1] = ENDPOINT_NONE;
	tell(x, &miss);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST], 3);
	assert_int_equal(counted(x, DNS_UPSTREAM), 0);
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
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = expect_miss(x, "example.com", DNS_MISS_QUERY);
	port->ops = &stuck;
	for (unsigned i = 0; i < BURST_MAX + 6; i++) /* more than may wait: the rest stays in the ring */
		tell(x, &miss);
	set_time(x, START + S / 100);
	fixture_run(x->f);
	port->ops = was;
	fixture_run(x->f);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, BURST_MAX + 6);
	fixture_clear(x->f);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST], 0);

	port->ops = &stuck;
	tell(x, &miss);
	set_time(x, START + S); /* too late */
	fixture_run(x->f);
	port->ops = was;
	fixture_run(x->f);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST], 1);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	tell(x, &miss);
	answer_at(x, FIXTURE_POD1, &size);
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
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	miss = expect_miss(x, "example.com", DNS_MISS_QUERY);
	port->ops = &stuck;
	tell(x, &miss);
	port->ops = ops;
	addr->b[15]++; /* the port is another pod's */
	fixture_run(x->f);
	*addr = was;
	fixture_run(x->f);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.counts[COUNT_DNS_LOST], 1);
}

static void
test_who_asks_too_much_is_refused(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
		send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 2);
	assert_int_equal(counted(x, DNS_LIMITED), 1);
	fixture_clear(x->f);
	/* the cluster's names are never limited, nor are others who ask */
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(rcode_of(answer_at(x, FIXTURE_POD1, &size)), 0);
	fixture_clear(x->f);
	send_query(x, FIXTURE_HOST, "example.com", DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_HOST].n_out, 0);
	while (take(x, &miss))
		;
}

static void
test_the_cache_answers(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	put_example(x, START);
	send_query(x, FIXTURE_POD1, "ExamplE.com", DNS_TYPE_A);
	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 0);
	assert_int_equal(n_answers(answer), 1);
	assert_memory_equal(answer + 12, "\7ExamplE\3com", 13);
	assert_int_equal(counted(x, DNS_HIT), 1);
	assert_false(take(x, &miss));
	fixture_clear(x->f);

	/* about to expire: whoever waits for nothing has it asked for again, once */
	set_time(x, START + 290 * S);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(counted(x, DNS_HIT), 1);
	expect_miss(x, "example.com", DNS_MISS_PREFETCH);
	fixture_clear(x->f);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(counted(x, DNS_HIT), 1);
	assert_false(take(x, &miss));
	fixture_clear(x->f);

	set_time(x, START + 301 * S);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	expect_miss(x, "example.com", DNS_MISS_QUERY);
}

/* Those of the cluster's addresses are the zone's, all others are looked up as any name. */
static void
test_reverse_names_are_the_clusters_or_others(struct dns_world *x)
{
	struct message m;
	unsigned size;

	send_query(x, FIXTURE_POD1, "7.0.96.10.in-addr.arpa", DNS_TYPE_PTR);
	assert_int_equal(n_answers(answer_at(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(counted(x, DNS_AUTHORITY), 1);
	fixture_clear(x->f);

	send_query(x, FIXTURE_POD1, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	expect_miss(x, "8.0.96.10.in-addr.arpa", DNS_MISS_QUERY);
	message_begin(&m, MESSAGE_REPLY, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	message_addr(&m, SECTION_ANSWER, "8.0.96.10.in-addr.arpa", 300, "203.0.113.7");
	put(x, &m, START);
	send_query(x, FIXTURE_POD1, "8.0.96.10.in-addr.arpa", DNS_TYPE_A);
	assert_int_equal(n_answers(answer_at(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(counted(x, DNS_HIT), 1);
}

static void
test_what_is_stale_is_served_when_it_may_be(struct dns_world *x)
{
	struct message m;
	struct dns_query q;
	struct dns_cache_key key;
	unsigned size;

	put_example(x, START);
	message_begin(&m, MESSAGE_RD, "example.com", DNS_TYPE_A);
	dns_query_scan(m.bytes, m.size, dns_cache_seed(x->f->dns->cache), &q);
	q.wants_dnssec = x->has_opt;
	key = dns_cache_key_of(&q, m.bytes);
	assert_true(dns_cache_mark_stale(x->f->dns->cache, &key, START + 400 * S));
	set_time(x, START + 350 * S);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(n_answers(answer_at(x, FIXTURE_POD1, &size)), 1);
	assert_int_equal(counted(x, DNS_STALE), 1);
	fixture_clear(x->f);
	set_time(x, START + 401 * S);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	expect_miss(x, "example.com", DNS_MISS_QUERY);
}

static void
test_a_name_that_leads_out_is_followed(struct dns_world *x)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	send_query(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	expect_miss(x, "out.shop.svc.cluster.local", DNS_MISS_QUERY);
	put_example(x, START);
	send_query(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 0);
	assert_int_equal(n_answers(answer), 2);
	assert_int_equal(counted(x, DNS_HIT), 1);
	assert_false(take(x, &miss));
	fixture_clear(x->f);
	set_time(x, START + 290 * S);
	send_query(x, FIXTURE_POD1, "out.shop.svc.cluster.local", DNS_TYPE_A);
	expect_miss(x, "example.com", DNS_MISS_PREFETCH);
}

static void
test_nothing_is_below_a_cut(struct dns_world *x)
{
	static const struct dns_name_entry suffix = {
		.len = sizeof("\4corp\4test"), .labels = 2, .name = "\4corp\4test"
	};
	const uint8_t *answer;
	struct message m;
	bool has_opt = x->has_opt;
	unsigned size;

	x->f->dns->suffixes[x->f->dns->n_suffixes++] = suffix;
	message_begin(&m, MESSAGE_REPLY | 3, "local.corp.test", DNS_TYPE_A);
	message_soa(&m, "corp.test", 300, 300);
	x->has_opt = false; /* whatever was asked below it, the cut is asked for like this */
	put(x, &m, START);
	x->has_opt = has_opt;
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local.corp.test", DNS_TYPE_A);
	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 3);
	assert_int_equal(counted(x, DNS_HIT), 1);
	fixture_clear(x->f);
	send_query(x, FIXTURE_POD1, "www.example.com.corp.test", DNS_TYPE_A);
	expect_miss(x, "www.example.com.corp.test", DNS_MISS_QUERY);
}

/* --- search lists: pod1 is in the namespace shop */

static void
some_namespaces(struct dns_world *x)
{
	static struct dns_namespace namespaces[PORTS_MAX] = {
		[FIXTURE_POD1] = { .len = sizeof("\4shop") - 1, .label = "\4shop" },
	};

	x->f->dns->namespaces = namespaces;
}

static void
deny(struct dns_world *x, const char *name, uint32_t ttl_s)
{
	struct message m;

	message_begin(&m, MESSAGE_REPLY | 3, name, DNS_TYPE_A);
	message_soa(&m, name, ttl_s, ttl_s);
	put(x, &m, START);
}

/* The answer is an alias of 'to' and so many records behind it. */
static void
expect_alias(struct dns_world *x, const char *name, const char *to, unsigned ttl_s, unsigned n_behind)
{
	struct message want;
	const uint8_t *answer;
	unsigned size;

	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 0);
	assert_int_equal(n_answers(answer), 1 + n_behind);
	message_begin(&want, 0, name, DNS_TYPE_A);
	message_u16(&want, 0xc00c);
	message_u16(&want, DNS_TYPE_CNAME);
	message_u16(&want, DNS_CLASS_IN);
	message_u32(&want, ttl_s);
	message_u16(&want, (unsigned)strlen(to) + 2);
	message_name(&want, to);
	assert_in_range(size, want.size, 1232);
	/* the type is the query's */
	assert_memory_equal(answer + 12, want.bytes + 12, strlen(name) + 2);
	assert_memory_equal(answer + 12 + strlen(name) + 6, want.bytes + 12 + strlen(name) + 6,
		want.size - 18 - strlen(name));
	fixture_clear(x->f);
}

static unsigned
completed(struct dns_world *x)
{
	struct dns_counts sum = { 0 };

	for (unsigned i = 0; i < x->f->n_workers; i++)
		dns_tally_read(x->f->workers[i]->dns_tally, FIXTURE_POD1, &sum);
	return (unsigned)sum.completed;
}

static void
test_a_search_that_ends_in_the_zone_is_completed(struct dns_world *x)
{
	static const char name[] = "api.shop.Shop.svc.cluster.local";
	struct dns_miss miss;

	some_namespaces(x);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "api.shop.svc.cluster.local", NAMES_TTL, 1);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_AAAA);
	expect_alias(x, name, "api.shop.svc.cluster.local", NAMES_TTL, 1);
	send_query(x, FIXTURE_POD1, "api.shop.svc.shop.svc.cluster.local", DNS_TYPE_A);
	expect_alias(x, "api.shop.svc.shop.svc.cluster.local", "api.shop.svc.cluster.local", NAMES_TTL, 1);
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local.shop.svc.cluster.local", DNS_TYPE_A);
	expect_alias(x, "api.shop.svc.cluster.local.shop.svc.cluster.local", "api.shop.svc.cluster.local",
		NAMES_TTL, 1);
	assert_int_equal(completed(x), 4);
	assert_int_equal(counted(x, DNS_AUTHORITY), 4);
	assert_false(take(x, &miss));
}

static void
test_a_search_that_ends_in_the_cache_is_completed(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	static const struct dns_name_entry suffix = {
		.len = sizeof("\4corp\4test"), .labels = 2, .name = "\4corp\4test"
	};
	struct dns_miss miss;
	bool has_opt = x->has_opt;

	some_namespaces(x);
	x->f->dns->suffixes[x->f->dns->n_suffixes++] = suffix;
	put_example(x, START);
	send_query(
		x, FIXTURE_POD1, name, DNS_TYPE_A); /* nobody knows whether example.com.corp.test is there */
	expect_miss(x, name, DNS_MISS_COMPLETION);
	x->has_opt = false;
	deny(x, "com.corp.test", 20);
	x->has_opt = has_opt;
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 20, 1);
	assert_int_equal(counted(x, DNS_HIT), 1);
	set_time(x, START + 11 * S);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 9, 1);
	assert_int_equal(completed(x), 2);
	assert_false(take(x, &miss));
	set_time(x, START + 21 * S); /* what is not certain any more */
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_miss(x, name, DNS_MISS_COMPLETION);
	x->has_opt = false;
	deny(x, "com.corp.test", 600);
	x->has_opt = has_opt;
	set_time(x, START + 280 * S); /* and what is about to expire */
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 20, 1);
	expect_miss(x, "example.com", DNS_MISS_PREFETCH);
}

static void
test_a_search_may_lead_out_of_the_zone(struct dns_world *x)
{
	static const char name[] = "out.shop.shop.svc.cluster.local";

	some_namespaces(x);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_miss(x, name, DNS_MISS_COMPLETION);
	put_example(x, START);
	set_time(x, START + 280 * S);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "out.shop.svc.cluster.local", 20, 2);
	assert_int_equal(counted(x, DNS_HIT), 1);
}

static void
expect_nxdomain(struct dns_world *x, const char *name, uint16_t type)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	send_query(x, FIXTURE_POD1, name, type);
	answer = answer_at(x, FIXTURE_POD1, &size);
	assert_int_equal(rcode_of(answer), 3);
	assert_int_equal(n_answers(answer), 0);
	assert_false(take(x, &miss));
	fixture_clear(x->f);
}

static void
test_what_is_not_certain_is_not_completed(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	struct message m;
	struct dns_query q;
	struct dns_cache_key key;

	expect_nxdomain(x, name, DNS_TYPE_A); /* the option is off */
	some_namespaces(x);
	expect_nxdomain(x, "example.com.bank.svc.cluster.local", DNS_TYPE_A); /* another namespace */
	expect_nxdomain(x, "example.com.svc.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, "example.com.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, "shop.svc.shop.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, name, DNS_TYPE_SRV);
	deny(x, "example.com", 300);
	expect_nxdomain(x, name, DNS_TYPE_A); /* nor is there any other name */
	set_time(x, START + 310 * S);
	put_example(x, START);
	message_begin(&m, MESSAGE_RD, "example.com", DNS_TYPE_A);
	dns_query_scan(m.bytes, m.size, dns_cache_seed(x->f->dns->cache), &q);
	q.wants_dnssec = x->has_opt;
	key = dns_cache_key_of(&q, m.bytes);
	assert_true(dns_cache_mark_stale(x->f->dns->cache, &key, START + 400 * S));
	expect_nxdomain(x, name, DNS_TYPE_A); /* servers fail */
	assert_int_equal(completed(x), 0);
	assert_int_equal(counted(x, DNS_AUTHORITY), 8);
}

static void
test_a_search_too_many_is_left_to_the_pod(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	struct dns_miss miss;
	unsigned size;

	some_namespaces(x);
	for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
		send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	send_query(x, FIXTURE_POD1, name, DNS_TYPE_A);
	assert_int_equal(rcode_of(answer_at(x, FIXTURE_POD1, &size)), 3);
	assert_int_equal(counted(x, DNS_AUTHORITY), 1);
	assert_int_equal(completed(x), 0);
	while (take(x, &miss))
		assert_int_equal(miss.kind, DNS_MISS_COMPLETION);
}

static void
test_a_completed_search_is_judged_once(struct dns_world *x)
{
	struct counters c;
	struct dns_miss miss;

	some_namespaces(x);
	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	send_query(x, FIXTURE_POD1, "api.shop.shop.svc.cluster.local", DNS_TYPE_A);
	send_query(x, FIXTURE_POD1, "example.com.shop.svc.cluster.local", DNS_TYPE_A);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 2);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	assert_false(take(x, &miss));
}

static void
test_who_may_not_ask_is_not_answered(struct dns_world *x)
{
	struct dns_miss miss;
	struct counters c;

	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	put_example(x, START);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	send_query(x, FIXTURE_POD1, "example.net", DNS_TYPE_A);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 2);
	assert_false(take(x, &miss));
}

static void
test_who_would_not_be_let_ask_is_named(struct dns_world *x)
{
	struct event event;
	unsigned size;

	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	policies_audit(x->f, FIXTURE_POD1);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	expect_miss(x, "example.com", DNS_MISS_QUERY);
	assert_true(fixture_event(x->f, &event));
	assert_int_equal(event.kind, EVENT_DNS_DENIED);
	assert_int_equal(event.port, FIXTURE_POD1);
	assert_true(ip_addr_eq(&event.addr, &x->f->dns->backends[x->family].servers[0].addr));
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(rcode_of(answer_at(x, FIXTURE_POD1, &size)), 0);
}

static void
test_a_burst_is_answered_in_its_order(struct dns_world *x)
{
	static const char *const names[] = { "api.shop.svc.cluster.local", "example.com",
		"none.shop.svc.cluster.local" };
	const unsigned headers = x->family == V4 ? HEADERS_V4 : HEADERS_V6;
	struct port_mem *port = &x->f->ports[FIXTURE_POD1];

	put_example(x, START);
	for (unsigned i = 0; i < 60; i++) {
		struct message m;
		struct frame in;

		message_begin(&m, MESSAGE_RD, names[i % 3], DNS_TYPE_A);
		if (x->has_opt)
			message_opt(&m, 4096, 0x8000);
		m.bytes[1] = (uint8_t)i;
		pkt_build(&in,
			PKT(ETH("pod1", "gw"), IP(pods[x->family], servers[x->family]), UDP(CLIENT_PORT, 53),
				{ .kind = LAYER_RAW, .raw = { m.bytes, (unsigned)m.size } }),
			0);
		assert_true(port_mem_give(port, in.bytes, in.len));
	}
	fixture_run(x->f);
	assert_int_equal(port->n_out, 60);
	for (unsigned i = 0; i < 60; i++) {
		const uint8_t *answer = port->out[i].data + headers;

		assert_int_equal(answer[1], i);
		assert_int_equal(rcode_of(answer), i % 3 == 2 ? 3 : 0);
	}
	assert_int_equal(counted(x, DNS_AUTHORITY), 40);
	assert_int_equal(counted(x, DNS_HIT), 20);
}

static unsigned
n_copies(struct dns_world *x)
{
	struct dns_miss miss;
	unsigned n = 0;

	for (; take(x, &miss); n++)
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
		send_query(x, FIXTURE_POD1, names[i], DNS_TYPE_A);
		expect_miss(x, names[i], DNS_MISS_SHADOW);
		assert_int_equal(counted(x, DNS_PASSED), 1);
	}
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_ANY);
	send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
	assert_int_equal(counted(x, DNS_PASSED), 2);
	assert_int_equal(n_copies(x), 0);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.verdicts[VERDICT_FORWARD], 5);
	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	send_query(x, FIXTURE_POD1, names[0], DNS_TYPE_A);
	assert_int_equal(n_copies(x), 0);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 1);
}

static void
test_copies_are_few(struct dns_world *x)
{
	x->f->dns->is_shadow = true;
	for (unsigned i = 0; i < 3 * DNS_SHADOW_SHARE; i++)
		send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), DNS_SHADOW_SHARE);
	send_query(x, FIXTURE_HOST, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), 1);
	fixture_clear(x->f);
	set_time(x, START + DNS_SHADOW_WINDOW_NS);
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
	assert_int_equal(n_copies(x), 1);
	fixture_clear(x->f);
	for (unsigned i = 0; i < 2 * DNS_SHADOW_LOOKS_SHARE; i++) {
		send_query(x, FIXTURE_POD1, "example.com", DNS_TYPE_A);
		if (i % 32 == 31)
			fixture_clear(x->f);
	}
	send_query(x, FIXTURE_POD1, "api.shop.svc.cluster.local", DNS_TYPE_A);
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

	pkt_build(&in,
		PKT(ETH("pod1", "gw"), IP(pods[x->family], servers[x->family]), UDP(CLIENT_PORT, 53),
			DATA(4)),
		0);
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
	assert_false(take(x, &miss));
	for (enum dns_source s = 0; s < N_DNS_SOURCES; s++)
		assert_int_equal(counted(x, s), 0);
	umem_put(p->umem, p->data);
}

static void
in_each_world(void (*test)(struct dns_world *x))
{
	for (unsigned i = 0; i < 8; i++) {
		struct dns_world x;

		begin(&x, 1 + (i & 1), i & 2 ? V6 : V4);
		x.has_opt = (i & 4) != 0;
		test(&x);
		end(&x);
	}
}

#define IN_EACH_WORLD(name)                      \
	static void name##_in_each(void **state) \
	{                                        \
		(void)state;                     \
		in_each_world(name);             \
	}

#define TESTS(X)                                                               \
	X(test_the_resolver_is_asked)                                          \
	X(test_the_one_who_asked_is_told)                                      \
	X(test_who_has_gone_is_not_told)                                       \
	X(test_an_answer_waits_for_its_port)                                   \
	X(test_who_comes_while_an_answer_waits_is_not_told)                    \
	X(test_who_asks_too_much_is_refused)                                   \
	X(test_the_cache_answers)                                              \
	X(test_reverse_names_are_the_clusters_or_others)                       \
	X(test_what_is_stale_is_served_when_it_may_be)                         \
	X(test_a_name_that_leads_out_is_followed)                              \
	X(test_nothing_is_below_a_cut)                                         \
	X(test_a_search_that_ends_in_the_zone_is_completed)                    \
	X(test_a_search_that_ends_in_the_cache_is_completed)                   \
	X(test_a_search_may_lead_out_of_the_zone)                              \
	X(test_what_is_not_certain_is_not_completed)                           \
	X(test_a_search_too_many_is_left_to_the_pod)                           \
	X(test_a_completed_search_is_judged_once)                              \
	X(test_who_may_not_ask_is_not_answered)                                \
	X(test_who_would_not_be_let_ask_is_named)                              \
	X(test_explain_shows_the_way_of_what_is_not_answered)                  \
	X(test_a_burst_is_answered_in_its_order)                               \
	X(test_in_shadow_mode_all_goes_on_and_names_of_the_cluster_are_copied) \
	X(test_copies_are_few)

TESTS(IN_EACH_WORLD)

int
main(void)
{
#define TEST(name) cmocka_unit_test(name##_in_each),
	const struct CMUnitTest tests[] = { TESTS(TEST) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
