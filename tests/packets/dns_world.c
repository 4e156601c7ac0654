#include "tests/packets/dns_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"
#include "tests/packets/names.h"
#include "tests/support/names.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_check.h"
#include "tests/support/services.h"

static const struct dns_entry_limits limits = { .negative_max_s = 900, .stale_max_s = 3600 };

void
world_set_time(struct dns_world *x, uint64_t now_ns)
{
	for (unsigned i = 0; i < x->f->n_workers; i++)
		x->f->workers[i]->now_ns = now_ns;
}

static void
begin(struct dns_world *x, unsigned n_workers, enum family_index family)
{
	*x = (struct dns_world){ .f = fixture_new(n_workers, false),
		.family = family,
		.server = family == V4 ? DNS_V4 : DNS_V6,
		.pod = family == V4 ? POD1_V4 : POD1_V6,
		.host = family == V4 ? HOST_V4 : HOST_V6,
		.headers = 14 + (family == V4 ? 20 : 40) + 8 };
	some_services(x->f);
	some_names(x->f);
	some_resolver(x->f);
	world_set_time(x, START);
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

void
world_ask(struct dns_world *x, enum fixture_port from, const char *name, uint16_t type)
{
	const char *source = from == FIXTURE_HOST ? x->host : x->pod;
	struct message m;
	struct frame in;

	message_begin(&m, MESSAGE_RD, name, type);
	if (x->has_opt)
		message_opt(&m, 4096, 0x8000);
	pkt_build(&in,
		PKT(ETH(from == FIXTURE_HOST ? "host" : "pod1", "gw"), IP(source, x->server),
			UDP(CLIENT_PORT, 53), { .kind = LAYER_RAW, .raw = { m.bytes, (unsigned)m.size } }),
		0);
	assert_true(port_mem_give(&x->f->ports[from], in.bytes, in.len));
	fixture_run(x->f);
}

const uint8_t *
world_answer(struct dns_world *x, enum fixture_port to, unsigned *size)
{
	const struct port_mem *port = &x->f->ports[to];
	const char *wrong;

	assert_int_equal(port->n_out, 1);
	wrong = pkt_check(port->out[0].data, port->out[0].len);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	*size = port->out[0].len - x->headers;
	return port->out[0].data + x->headers;
}

unsigned
message_rcode(const uint8_t *message)
{
	assert_true((message[2] & 0x80) != 0);
	return message[3] & 15;
}

unsigned
message_n_answers(const uint8_t *message)
{
	return (unsigned)message[6] << 8 | message[7];
}

unsigned
world_counted(struct dns_world *x, enum dns_source source)
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

bool
world_take(struct dns_world *x, struct dns_miss *out)
{
	for (unsigned i = 0; i < x->f->n_workers; i++)
		if (dns_miss_take(x->f->rings, i, out))
			return true;
	return false;
}

void
world_put(struct dns_world *x, struct message *m, uint64_t now_ns)
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

void
world_put_example(struct dns_world *x, uint64_t now_ns)
{
	struct message m;

	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_A);
	message_addr(&m, SECTION_ANSWER, "example.com", 300, "203.0.113.7");
	world_put(x, &m, now_ns);
}

void
world_deny(struct dns_world *x, const char *name, const char *zone, uint32_t ttl_s)
{
	struct message m;

	message_begin(&m, MESSAGE_REPLY | 3, name, DNS_TYPE_A);
	message_soa(&m, zone, ttl_s, ttl_s);
	world_put(x, &m, START);
}

void
world_corp_suffix(struct dns_world *x)
{
	static const struct dns_name_entry suffix = {
		.len = sizeof("\4corp\4test"), .labels = 2, .name = "\4corp\4test"
	};

	x->f->dns->suffixes[x->f->dns->n_suffixes++] = suffix;
}

void
world_put_cut(struct dns_world *x, const char *name, uint32_t ttl_s)
{
	bool has_opt = x->has_opt;

	x->has_opt = false;
	world_deny(x, name, "corp.test", ttl_s);
	x->has_opt = has_opt;
}

void
world_mark_example_stale(struct dns_world *x, uint64_t until_ns)
{
	struct message m;
	struct dns_query q;
	struct dns_cache_key key;

	message_begin(&m, MESSAGE_RD, "example.com", DNS_TYPE_A);
	dns_query_scan(m.bytes, m.size, dns_cache_seed(x->f->dns->cache), &q);
	q.wants_dnssec = x->has_opt;
	key = dns_cache_key_of(&q, m.bytes);
	assert_true(dns_cache_mark_stale(x->f->dns->cache, &key, until_ns));
}

struct dns_miss
world_expect_miss(struct dns_world *x, const char *name, enum dns_miss_kind kind)
{
	struct message want;
	struct dns_miss miss, more;

	message_begin(&want, MESSAGE_RD, name, DNS_TYPE_A);
	assert_true(world_take(x, &miss));
	assert_false(world_take(x, &more));
	assert_int_equal(miss.kind, kind);
	assert_int_equal(miss.size, want.size);
	assert_memory_equal(miss.message, want.bytes, 4);
	assert_memory_equal(miss.message + 12, want.bytes + 12, want.size - 12);
	return miss;
}

void
world_each(void (*test)(struct dns_world *x))
{
	for (unsigned i = 0; i < 8; i++) {
		struct dns_world x;

		begin(&x, 1 + (i & 1), i & 2 ? V6 : V4);
		x.has_opt = (i & 4) != 0;
		test(&x);
		end(&x);
	}
}
