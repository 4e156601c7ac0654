#include "tests/scenarios/resolve_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/build/dns_build.h"
#include "control/build/dns_wire.h"
#include "control/model/store.h"
#include "dataplane/dns/dns_cache_edit.h"

#define ZONES_MAX 4

/* --- the transport */

static int
fake_send(void *arg, const struct dns_server *server, bool is_tcp, const uint8_t *message, uint16_t size,
	struct try *x, void **socket)
{
	struct resolve_world *w = arg;
	struct world_sent *s;

	if (w->send_error != 0 && server->addr.b[15] == w->server_down - 'a' + 1)
		return w->send_error;
	if (is_tcp && w->is_tcp_full)
		return -ENOBUFS;
	assert_in_range(w->n_sent, 0, WORLD_SENT_MAX - 1);
	s = &w->sent[w->n_sent++];
	assert_in_range(size, DNS_HEADER_SIZE, sizeof(s->message));
	*s = (struct world_sent){
		.x = x, .is_open = true, .is_tcp = is_tcp, .server = *server, .size = size
	};
	memcpy(s->message, message, size);
	*socket = s;
	return 0;
}

/* With a connection goes what has come from it. */
static void
fake_close(void *arg, void *socket)
{
	struct resolve_world *w = arg;
	struct world_sent *s = socket;

	assert_true(s->is_open);
	s->is_open = false;
	if (s->is_tcp && s == w->arrives_at)
		memset(w->arrives, 0, sizeof(w->arrives));
}

/* What every answer has to be, whatever it says: the client's own. */
static void
check_told(struct resolve_world *w, const struct dns_told *t)
{
	struct world_asked *asked = NULL;
	const struct dns_miss *miss;

	for (unsigned i = w->n_asked; i > 0 && asked == NULL; i--)
		if (w->asked[i - 1].miss.client.client_port == t->client.client_port &&
			w->asked[i - 1].miss.client.port == t->client.port)
			asked = &w->asked[i - 1];
	assert_non_null(asked);
	miss = &asked->miss;
	assert_int_equal(++asked->n_told, 1);
	assert_memory_equal(&t->client, &miss->client, sizeof(t->client));
	assert_memory_equal(t->message, miss->message, 2);                                 /* id */
	assert_memory_equal(t->message + DNS_HEADER_SIZE, miss->message + DNS_HEADER_SIZE, /* letters */
		miss->size - DNS_HEADER_SIZE);
	assert_int_equal(t->message[DNS_FLAGS_AT] & (DNS_FLAG_QR | DNS_FLAG_RD), DNS_FLAG_QR | DNS_FLAG_RD);
	assert_true(t->message[DNS_FLAGS_AT + 1] & DNS_FLAG_RA);
	assert_int_equal(
		t->message[DNS_FLAGS_AT + 1] & DNS_FLAG_CD, miss->message[DNS_FLAGS_AT + 1] & DNS_FLAG_CD);
	assert_int_equal(t->message[DNS_FLAGS_AT + 1] & 15, t->rcode);
	assert_in_range(t->size, miss->size, miss->udp_size);
	assert_int_equal(t->message[DNS_ADDITIONALS_AT + 1], miss->has_opt);
	assert_int_not_equal(t->rcode, 5); /* REFUSED */
}

static bool
fake_tell(void *arg, unsigned worker, const struct dns_told *told)
{
	struct resolve_world *w = arg;

	assert_int_equal(worker, told->client.port % 2);
	check_told(w, told);
	assert_in_range(w->n_told, 0, WORLD_TOLD_MAX - 1);
	w->told[w->n_told++] = *told;
	return true;
}

/* --- the table */

static struct dns_name_entry
name_entry(const char *text)
{
	struct dns_name_entry e = { 0 };
	struct dns_wire wire = { 0 };

	assert_true(dns_wire_parse(text, &wire));
	e.len = (uint8_t)wire.len;
	memcpy(e.name, wire.bytes, wire.len);
	for (unsigned at = 0; e.name[at] != 0; at += 1u + e.name[at])
		e.labels++;
	return e;
}

static struct dns_server
server_of(char letter)
{
	struct dns_server s = { .port = 53 };

	assert_true(ip_addr_parse(letter == 'h' ? "2001:db8::" : "192.0.2.0", &s.addr));
	s.addr.b[15] = (uint8_t)(letter - 'a' + 1);
	return s;
}

void
world_servers(struct resolve_world *w, const char *zone, const char *servers)
{
	struct dns_name_entry name = name_entry(zone);
	struct dns_forward *f = NULL;

	for (unsigned i = 0; i < w->table->n_forwards; i++)
		if (w->table->forwards[i].zone.len == name.len &&
			memcmp(w->table->forwards[i].zone.name, name.name, name.len) == 0)
			f = &w->table->forwards[i];
	if (f == NULL) {
		assert_in_range(w->table->n_forwards, 0, ZONES_MAX - 1);
		f = &w->table->forwards[w->table->n_forwards++];
	}
	*f = (struct dns_forward){ .zone = name };
	for (; *servers != '\0' && *servers != '-'; servers++)
		f->servers[f->n++] = server_of(*servers);
}

void
world_suffix(struct resolve_world *w, const char *suffix)
{
	assert_in_range(w->table->n_suffixes, 0, DNS_SUFFIXES_MAX - 1);
	w->table->suffixes[w->table->n_suffixes++] = name_entry(suffix);
}

void
world_service(struct resolve_world *w, const char *servers)
{
	w->table->zone = w->zone;
	w->table->backends[V4].n = w->table->backends[V6].n = 0;
	for (; *servers != '\0' && *servers != '-'; servers++) {
		unsigned family = *servers == 'h' ? V6 : V4;

		w->table->backends[family].servers[w->table->backends[family].n++] = server_of(*servers);
	}
}

static void
build_zone(struct resolve_world *w)
{
	struct dns_zone *before = w->zone;

	assert_int_equal(dns_builder_build(w->builder, &w->zone), 0);
	assert_non_null(w->zone);
	dns_builder_release(w->builder, before);
}

void
world_alias(struct resolve_world *w, const char *name, const char *target)
{
	struct namespace_object *namespace = calloc(1, sizeof(*namespace));
	struct service_object *service = calloc(1, sizeof(*service));

	assert_non_null(namespace);
	assert_non_null(service);
	namespace->object =
		(struct object){ .kind = OBJECT_NAMESPACE, .ns = strdup(""), .name = strdup("shop") };
	assert_int_equal(store_put(w->store, &namespace->object), 0);
	service->object =
		(struct object){ .kind = OBJECT_SERVICE, .ns = strdup("shop"), .name = strdup(name) };
	service->type = SERVICE_EXTERNAL_NAME;
	service->external_name = strdup(target);
	assert_int_equal(store_put(w->store, &service->object), 0);
	build_zone(w);
	w->table->zone = w->zone;
}

void
world_namespace(struct resolve_world *w, uint16_t pod, const char *ns)
{
	struct dns_namespace *n = &w->namespaces[pod];

	n->label[0] = (uint8_t)strlen(ns);
	n->len = (uint8_t)(n->label[0] + 1);
	memcpy(n->label + 1, ns, n->label[0]);
	w->table->zone = w->zone;
	w->table->namespaces = w->namespaces;
}

/* --- all of it */

struct resolve_world *
world_new(uint32_t queries_per_s, uint32_t in_flight_per_pod, const char *servers)
{
	struct resolve_world *w = calloc(1, sizeof(*w));
	struct resolve_config config = {
		.limits = { .negative_max_s = 900, .stale_max_s = 86400 },
		.queries_per_s = queries_per_s,
		.in_flight_per_pod = in_flight_per_pod,
		.transport = { .send = fake_send, .close = fake_close, .arg = w },
		.tell = fake_tell,
		.tell_arg = w,
	};

	assert_non_null(w);
	w->now_ns = 1000000 * WORLD_MS;
	w->snapshot = snapshot_new(1);
	w->store = store_new();
	assert_int_equal(dns_builder_new(&w->builder, w->store,
				 &(struct dns_build_config){ .zone = DNS_ZONE_DEFAULT,
					 .ttl_s = 30,
					 .server_ns = "kube-system",
					 .server = "kube-dns",
					 .serial = 1 }),
		0);
	build_zone(w);
	w->cache = dns_cache_new(&(struct dns_cache_config){ .memory_bytes = 1 << 20,
		.negative_percent = 25,
		.seed = w->zone->seed,
		.snapshot = w->snapshot });
	w->table = calloc(1, sizeof(*w->table) + ZONES_MAX * sizeof(w->table->forwards[0]));
	assert_non_null(w->cache);
	assert_non_null(w->table);
	w->table->cache = w->cache;
	world_servers(w, ".", servers);
	config.cache = w->cache;
	w->resolve = resolve_new(&config);
	assert_non_null(w->resolve);
	resolve_use(w->resolve, w->table);
	return w;
}

void
world_free(struct resolve_world *w)
{
	resolve_free(w->resolve);
	for (unsigned i = 0; i < w->n_sent; i++)
		assert_false(w->sent[i].is_open);
	dns_builder_release(w->builder, w->zone);
	dns_builder_free(w->builder);
	store_free(w->store);
	dns_cache_free(w->cache);
	snapshot_free(w->snapshot);
	free(w->table);
	free(w);
}

static void
give(struct resolve_world *w, const struct dns_miss *miss)
{
	resolve_miss(w->resolve, miss, w->now_ns);
	resolve_run(w->resolve, w->now_ns);
}

void
world_ask(struct resolve_world *w, uint16_t pod, const struct world_question *q)
{
	struct world_asked *asked = &w->asked[w->n_asked];
	struct dns_miss *m = &asked->miss;
	struct dns_wire name = { 0 };
	uint8_t *at = m->message;

	assert_in_range(w->n_asked, 0, WORLD_ASKED_MAX - 1);
	assert_true(dns_wire_parse(q->name, &name));
	*m = (struct dns_miss){
		.client = { .port = pod,
			.client_port = (uint16_t)(1024 + w->n_asked),
			.server_port = 53,
			.received_ns = w->now_ns },
		.udp_size = q->no_opt          ? DNS_UDP_SIZE_MIN
			    : q->udp_size != 0 ? q->udp_size
					       : DNS_UDP_SIZE_MAX,
		.has_opt = !q->no_opt,
		.wants_dnssec = q->dnssec,
		.kind = q->is_shadow       ? DNS_MISS_SHADOW
			: q->is_prefetch   ? DNS_MISS_PREFETCH
			: q->is_completion ? DNS_MISS_COMPLETION
					   : DNS_MISS_QUERY,
		.worker = (uint8_t)(pod % 2),
	};
	w->n_asked++;
	at[0] = (uint8_t)rand();
	at[1] = (uint8_t)rand();
	at[DNS_FLAGS_AT] = DNS_FLAG_RD;
	at[DNS_FLAGS_AT + 1] = q->checking_disabled ? DNS_FLAG_CD : 0;
	at[5] = 1;
	at[DNS_ADDITIONALS_AT + 1] = m->has_opt; /* as the client sent it, though OPT is not there */
	memcpy(at + DNS_HEADER_SIZE, name.bytes, name.len);
	for (unsigned i = 0; i < name.len; i++) { /* 0x20 */
		uint8_t *c = &at[DNS_HEADER_SIZE + i];

		if (*c >= 'a' && *c <= 'z' && rand() % 2 == 0)
			*c = (uint8_t)(*c - 'a' + 'A');
	}
	at += DNS_HEADER_SIZE + name.len;
	at[0] = (uint8_t)(q->type >> 8);
	at[1] = (uint8_t)q->type;
	at[3] = DNS_CLASS_IN;
	m->size = (uint16_t)(DNS_HEADER_SIZE + name.len + 4);
	give(w, m);
}

void
world_repeat(struct resolve_world *w)
{
	give(w, &w->asked[w->n_asked - 1].miss);
}

void
world_wait(struct resolve_world *w, uint64_t ms)
{
	uint64_t until = w->now_ns + ms * WORLD_MS, due;

	while ((due = resolve_due_ns(w->resolve, w->now_ns)) <= until) {
		if (due > w->now_ns)
			w->now_ns = due;
		resolve_run(w->resolve, w->now_ns);
		assert_true(resolve_due_ns(w->resolve, w->now_ns) > w->now_ns); /* it does not spin */
	}
	w->now_ns = until;
}

/* --- servers */

struct reply_writer {
	uint8_t bytes[WORLD_REPLY_MAX];
	unsigned len;
};

static void
put_u16(struct reply_writer *w, unsigned value)
{
	w->bytes[w->len++] = (uint8_t)(value >> 8);
	w->bytes[w->len++] = (uint8_t)value;
}

/* owner: an offset. */
static void
put_record(
	struct reply_writer *w, unsigned owner, uint16_t type, uint32_t ttl_s, const void *data, unsigned len)
{
	put_u16(w, 0xc000 | owner);
	put_u16(w, type);
	put_u16(w, DNS_CLASS_IN);
	put_u16(w, ttl_s >> 16);
	put_u16(w, ttl_s & 0xffff);
	put_u16(w, len);
	memcpy(w->bytes + w->len, data, len);
	w->len += len;
}

static void
put_address(struct reply_writer *w, unsigned owner, uint16_t type, uint32_t ttl_s, unsigned i)
{
	uint8_t addr[16] = { 198, 51, 100, (uint8_t)i };

	put_record(w, owner, type, ttl_s, addr, type == DNS_TYPE_AAAA ? 16 : 4);
	w->bytes[DNS_ANSWERS_AT] = (uint8_t)((i + 1) >> 8);
	w->bytes[DNS_ANSWERS_AT + 1] = (uint8_t)(i + 1);
}

static void
put_alias(struct reply_writer *w, uint16_t type, uint32_t ttl_s)
{
	static const uint8_t target[] = "\5there\7example";

	put_record(w, DNS_HEADER_SIZE, DNS_TYPE_CNAME, ttl_s, target, sizeof(target));
	put_address(w, w->len - (unsigned)sizeof(target), type, ttl_s, 1);
}

static void
put_soa(struct reply_writer *w, uint32_t ttl_s)
{
	uint8_t data[22] = { 0, 0, 0, 0, 0, 1 };

	for (unsigned i = 0; i < 4; i++)
		data[18 + i] = (uint8_t)(ttl_s >> (24 - 8 * i));
	put_record(w, DNS_HEADER_SIZE, DNS_TYPE_SOA, ttl_s, data, sizeof(data));
	w->bytes[DNS_AUTHORITIES_AT + 1] = 1;
}

static void
put_lost(struct reply_writer *w, uint32_t ttl_s)
{
	uint8_t target[4 * 60 + 1] = { 0 };
	unsigned owner = DNS_HEADER_SIZE, n = 6;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned at = 0; at < sizeof(target) - 1; at += 60) {
			memset(target + at, (int)('a' + i), 60);
			target[at] = 59;
		}
		put_record(w, owner, DNS_TYPE_CNAME, ttl_s, target, sizeof(target));
		owner = w->len - (unsigned)sizeof(target);
	}
	w->bytes[DNS_ANSWERS_AT + 1] = (uint8_t)n;
	put_soa(w, ttl_s);
	w->bytes[w->len - 34] = 0xc0 | (uint8_t)(owner >> 8); /* of the last one's zone */
	w->bytes[w->len - 33] = (uint8_t)owner;
}

static void
put_referral(struct reply_writer *w, uint32_t ttl_s)
{
	static const uint8_t target[] = "\2ns\7example";

	put_record(w, DNS_HEADER_SIZE, DNS_TYPE_NS, ttl_s, target, sizeof(target));
	w->bytes[DNS_AUTHORITIES_AT + 1] = 1;
}

static void
write_reply(struct reply_writer *w, enum world_reply reply, uint16_t type, uint32_t ttl_s)
{
	uint8_t *flags = w->bytes + DNS_FLAGS_AT;

	switch (reply) {
	case REPLY_ADDRESS:
		put_address(w, DNS_HEADER_SIZE, type, ttl_s, 0);
		break;
	case REPLY_ALIAS:
		put_alias(w, type, ttl_s);
		break;
	case REPLY_MANY:
		for (unsigned i = 0; i < 200; i++)
			put_address(w, DNS_HEADER_SIZE, type, ttl_s, i);
		break;
	case REPLY_NXDOMAIN:
		flags[1] |= DNS_RCODE_NXDOMAIN;
		put_soa(w, ttl_s);
		break;
	case REPLY_NODATA:
		put_soa(w, ttl_s);
		break;
	case REPLY_SERVFAIL:
		flags[1] |= DNS_RCODE_SERVFAIL;
		break;
	case REPLY_REFUSED:
		flags[1] |= 5;
		break;
	case REPLY_FORMERR:
		flags[1] |= 1;
		break;
	case REPLY_BARE_FORMERR:
		flags[1] |= 1;
		w->bytes[5] = 0;
		w->len = DNS_HEADER_SIZE;
		break;
	case REPLY_TRUNCATED:
		flags[0] |= DNS_FLAG_TC;
		break;
	case REPLY_REFERRAL:
		put_referral(w, ttl_s);
		break;
	case REPLY_WRONG_ID:
		w->bytes[1] ^= 1;
		put_address(w, DNS_HEADER_SIZE, type, ttl_s, 0);
		break;
	case REPLY_WRONG_NAME:
		w->bytes[DNS_HEADER_SIZE + 1] ^= 3;
		put_address(w, DNS_HEADER_SIZE, type, ttl_s, 0);
		break;
	case REPLY_GARBAGE:
		w->bytes[DNS_ANSWERS_AT + 1] = 3;
		put_u16(w, 0xffff);
		break;
	case REPLY_LOST:
		flags[1] |= DNS_RCODE_NXDOMAIN;
		put_lost(w, ttl_s);
		break;
	default:
		fail();
	}
}

static void
write_zone(const struct resolve_world *w, const struct world_sent *s, struct reply_writer *out)
{
	struct dns_reply reply;
	struct dns_query q;

	memcpy(out->bytes, s->message, s->size);
	assert_int_equal(dns_query_scan(out->bytes, s->size, w->zone->seed, &q), DNS_SCAN_QUERY);
	assert_int_not_equal(dns_answer(w->zone, &q, out->bytes, sizeof(out->bytes), 1, &reply), DNS_PASS);
	out->len = reply.size;
}

void
world_reply(struct resolve_world *w, unsigned n, enum world_reply reply, uint32_t ttl_s)
{
	struct reply_writer writer = { 0 };
	const struct world_sent *s = &w->sent[n - 1];
	unsigned end = DNS_HEADER_SIZE;

	assert_in_range(n, 1, w->n_sent);
	assert_true(s->is_open);
	while (s->message[end] != 0)
		end += 1u + s->message[end];
	end += 5;
	memcpy(writer.bytes, s->message, end);
	writer.len = end;
	writer.bytes[DNS_FLAGS_AT] |= DNS_FLAG_QR;
	writer.bytes[DNS_FLAGS_AT + 1] |= DNS_FLAG_RA;
	writer.bytes[DNS_ADDITIONALS_AT + 1] = 0;
	if (reply == REPLY_ZONE)
		write_zone(w, s, &writer);
	else
		write_reply(
			&writer, reply, (uint16_t)(s->message[end - 4] << 8 | s->message[end - 3]), ttl_s);
	memcpy(w->arrives, writer.bytes, writer.len);
	w->arrives_at = s;
	resolve_received(w->resolve, s->x, w->arrives, writer.len, w->now_ns);
	w->arrives_at = NULL;
	resolve_run(w->resolve, w->now_ns);
}

void
world_break(struct resolve_world *w, unsigned n)
{
	assert_in_range(n, 1, w->n_sent);
	assert_true(w->sent[n - 1].is_open);
	resolve_broken(w->resolve, w->sent[n - 1].x, w->now_ns);
	resolve_run(w->resolve, w->now_ns);
}

const char *
world_sent_name(const struct resolve_world *w, unsigned n, char *buf)
{
	return dns_wire_format(w->sent[n - 1].message + DNS_HEADER_SIZE, buf);
}

uint64_t
world_counter(const struct resolve_world *w, const char *label)
{
	for (enum resolver_counter i = 0; i < N_RESOLVER_COUNTERS; i++)
		if (strcmp(resolver_counter_label(i), label) == 0)
			return resolve_counters(w->resolve)[i];
	fail_msg("there is no counter %s", label);
	return 0;
}
