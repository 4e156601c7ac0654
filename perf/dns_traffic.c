#include "perf/dns_traffic.h"

#include <math.h>

#include "perf/dns_cached.h"
#include "perf/frame.h"
#include "perf/mix.h"

#define HEADER 12
#define PORT 53
#define RD 0x0100
#define OPT_BYTES 11
#define CLIENT_SIZE 1232

/* What a reply must have in its flags, and what it must not. */
#define FLAGS_WANTED 0x8180 /* QR, RD, RA */
#define FLAG_AA 0x0400
#define FLAGS_MASK 0xff80

enum { TYPE_A = 1, TYPE_SOA = 6, TYPE_AAAA = 28, TYPE_SRV = 33 };

static const char *const ask_names[N_DNS_ASKS] = {
	[DNS_ASK_A] = "a",
	[DNS_ASK_AAAA] = "aaaa",
	[DNS_ASK_SRV] = "srv",
	[DNS_ASK_JUNK] = "junk",
	[DNS_ASK_MIX] = "mix",
	[DNS_ASK_OUTSIDE] = "outside",
};

const char *
dns_ask_name(enum dns_ask ask)
{
	return ask_names[ask];
}

void
dns_traffic_init(struct dns_traffic *t, const struct cluster *c, const struct mac_addr *gateway_mac,
	enum dns_ask ask, uint32_t n_names, bool is_uniform)
{
	*t = (struct dns_traffic){
		.cluster = c,
		.gateway_mac = *gateway_mac,
		.ask = ask,
		.n_names = n_names,
		.is_uniform = is_uniform,
		.server = dns_names_addr(DNS_NAMES_SERVER, c->shape.ipv6 ? V6 : V4),
		.random = mix(n_names),
	};
}

void
dns_traffic_begin(struct dns_traffic *t)
{
	t->n = 0;
}

/* --- which question */

static uint64_t
next_random(struct dns_traffic *t)
{
	return mix(t->random++);
}

static uint32_t
pick_name(struct dns_traffic *t)
{
	uint32_t random = (uint32_t)next_random(t), number;

	if (t->is_uniform)
		return below(random, t->n_names);
	/* the logarithm of the rank is even: about 1/n for rank n */
	number = (uint32_t)exp((double)random / 4294967296.0 * log((double)t->n_names + 1)) - 1;
	return number < t->n_names ? number : t->n_names - 1;
}

static enum dns_ask
pick_ask(struct dns_traffic *t, unsigned percent)
{
	if (t->ask != DNS_ASK_MIX)
		return t->ask;
	if (percent < 70)
		return percent < 35 ? DNS_ASK_A : DNS_ASK_AAAA;
	return percent < 75 ? DNS_ASK_SRV : DNS_ASK_JUNK;
}

static struct dns_asked
pick(struct dns_traffic *t)
{
	uint64_t random = next_random(t);
	unsigned percent = below((uint32_t)random, 100);
	struct dns_asked a = {
		.ask = (uint8_t)pick_ask(t, percent),
		.has_opt = random >> 63,
		.port = (uint16_t)(EPHEMERAL_FIRST + (random >> 40) % EPHEMERAL_COUNT),
		.pod = (uint32_t)(random >> 32) % t->cluster->shape.n_pods,
		.number = pick_name(t),
	};

	if (a.ask == DNS_ASK_SRV)
		a.type = TYPE_SRV;
	else if (a.ask == DNS_ASK_JUNK)
		a.type = random >> 62 & 1 ? TYPE_A : TYPE_AAAA;
	else
		a.type = a.ask == DNS_ASK_AAAA ? TYPE_AAAA : TYPE_A;
	return a;
}

/* --- messages */

static void
put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned
get_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static unsigned
put_name(uint8_t *at, const char *text)
{
	unsigned label = 0, n = 1;

	for (; *text != '\0'; text++, n++) {
		if (*text == '.') {
			at[label] = (uint8_t)(n - label - 1);
			label = n;
		} else {
			at[n] = (uint8_t)*text;
		}
	}
	at[label] = (uint8_t)(n - label - 1);
	at[n] = 0;
	return n + 1;
}

/* Name, type and class. Returns how many bytes. */
static unsigned
put_question(uint8_t *at, const struct dns_asked *a)
{
	char text[DNS_NAME_TEXT_MAX];
	unsigned n;

	if (a->ask == DNS_ASK_JUNK)
		dns_names_junk(a->number, a->number % 3, text);
	else if (a->ask == DNS_ASK_OUTSIDE)
		dns_names_outside(a->number, text);
	else if (a->ask == DNS_ASK_SRV)
		dns_names_srv(a->number, text);
	else
		dns_names_service(a->number, text);
	n = put_name(at, text);
	put_u16(at + n, a->type);
	put_u16(at + n + 2, 1);
	return n + 4;
}

static unsigned
put_query(uint8_t *at, unsigned id, const struct dns_asked *a)
{
	unsigned n = HEADER;

	memset(at, 0, HEADER);
	put_u16(at, id);
	put_u16(at + 2, RD);
	put_u16(at + 4, 1);
	put_u16(at + 10, a->has_opt);
	n += put_question(at + n, a);
	if (!a->has_opt)
		return n;
	memset(at + n, 0, OPT_BYTES);
	put_u16(at + n + 1, 41);
	put_u16(at + n + 3, CLIENT_SIZE);
	return n + OPT_BYTES;
}

void
dns_traffic_write(struct dns_traffic *t, uint8_t *frame, uint16_t *len, uint16_t *port)
{
	struct dns_asked *a = &t->asked[t->n];
	unsigned headers = sizeof(struct eth_hdr) + sizeof(struct udp_hdr) +
			   (t->cluster->shape.ipv6 ? sizeof(struct ipv6_hdr) : sizeof(struct ipv4_hdr));
	struct frame f;

	*a = pick(t);
	*len = (uint16_t)(headers + put_query(frame + headers, t->n, a));
	*port = (uint16_t)a->pod;
	f = (struct frame){
		.eth_dst = t->gateway_mac,
		.eth_src = cluster_pod_mac(a->pod),
		.src = cluster_pod_addr(t->cluster, 0, a->pod),
		.dst = t->server,
		.sport = a->port,
		.dport = PORT,
		.proto = PROTO_UDP,
		.ttl = FRAME_TTL,
		.size = *len,
		.tag = t->n << 16 | RD,
	};
	frame_write(frame, &f);
	t->n++;
}

/* --- replies */

/* The one record that there is, behind the question. */
static const char *
check_record(const struct dns_asked *a, const uint8_t *at, unsigned left)
{
	unsigned len = left < 12 ? 0 : get_u16(at + 10);
	struct ip_addr addr;

	if (left < 12 + len || get_u16(at + 4) != 1)
		return "the reply ends within a record, or its class is wrong";
	if (a->ask == DNS_ASK_JUNK)
		return get_u16(at + 2) == TYPE_SOA ? NULL : "no SOA for what does not exist";
	if (get_u16(at + 2) != a->type || get_u16(at) != (0xc000 | HEADER))
		return "a record of another type or name";
	if (a->type == TYPE_SRV)
		return get_u16(at + 16) == SERVICE_PORT ? NULL : "another port in SRV";
	addr = a->ask == DNS_ASK_OUTSIDE ? dns_cached_addr(a->number)
					 : dns_names_addr(a->number, a->type == TYPE_A ? V4 : V6);
	if (len != (a->type == TYPE_A ? 4 : 16) || memcmp(at + 12, addr.b + 16 - len, len) != 0)
		return "another address";
	return NULL;
}

static const char *
check_message(const struct dns_asked *a, const uint8_t *at, unsigned size)
{
	uint8_t question[DNS_NAME_TEXT_MAX + 8];
	unsigned n = put_question(question, a), flags = get_u16(at + 2);
	unsigned wanted = FLAGS_WANTED | (a->ask == DNS_ASK_OUTSIDE ? 0 : FLAG_AA);
	bool is_junk = a->ask == DNS_ASK_JUNK;

	if ((flags & FLAGS_MASK) != wanted || (flags & 15) != (is_junk ? 3 : 0))
		return "flags or result code";
	if (size < HEADER + n || get_u16(at + 4) != 1 || memcmp(at + HEADER, question, n) != 0)
		return "the question is not as it was asked";
	if (get_u16(at + 6) != !is_junk || get_u16(at + 8) != is_junk)
		return "not one record";
	if (get_u16(at + 10) != (unsigned)a->has_opt + (a->type == TYPE_SRV ? 2 : 0))
		return "not as many additional records as there should be";
	return check_record(a, at + HEADER + n, size - HEADER - n);
}

const char *
dns_traffic_check(const struct dns_traffic *t, uint16_t port, const uint8_t *frame, unsigned len)
{
	const struct dns_asked *a;
	struct ip_addr client;
	struct frame f = { 0 };
	const char *wrong = frame_read(frame, len, &f);
	unsigned headers = sizeof(struct eth_hdr) + sizeof(struct udp_hdr) +
			   (t->cluster->shape.ipv6 ? sizeof(struct ipv6_hdr) : sizeof(struct ipv4_hdr));

	if (wrong != NULL)
		return wrong;
	if (f.tag >> 16 >= t->n || len < headers + HEADER)
		return "the reply's id is nobody's";
	a = &t->asked[f.tag >> 16];
	client = cluster_pod_addr(t->cluster, 0, a->pod);
	if (f.proto != PROTO_UDP || !ip_addr_eq(&f.src, &t->server) || f.sport != PORT)
		return "the reply does not come from the address that was asked";
	if (port != a->pod || !ip_addr_eq(&f.dst, &client) || f.dport != a->port)
		return "the reply does not go to who asked";
	return check_message(a, frame + headers, len - headers);
}
