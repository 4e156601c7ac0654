#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/dns/dns_answer.h"
#include "perf/dns_traffic.h"
#include "perf/frame.h"

static const struct mac_addr gateway_mac = { { 2, 1, 1, 1, 1, 1 } };

struct setup {
	struct cluster cluster;
	struct dns_names *names;
	struct dns_traffic traffic;
	uint8_t frame[2048];
	uint16_t len, port;
	unsigned l4; /* where UDP begins */
	struct frame sent;
};

static void
set_up(struct setup *s, enum dns_ask ask, bool ipv6)
{
	const struct cluster_shape shape = {
		.n_pods = CLUSTER_PODS, .n_services = 300, .n_endpoints = 300, .ipv6 = ipv6
	};

	assert_int_equal(cluster_init(&s->cluster, &shape), 0);
	s->names = dns_names_new(300);
	assert_non_null(s->names);
	s->l4 = 14 + (ipv6 ? 40 : 20);
	dns_traffic_init(&s->traffic, &s->cluster, &gateway_mac, ask, 300, false);
}

static void
query(struct setup *s)
{
	if (s->traffic.n == BURST_MAX)
		dns_traffic_begin(&s->traffic);
	dns_traffic_write(&s->traffic, s->frame, &s->len, &s->port);
	assert_null(frame_read(s->frame, s->len, &s->sent));
}

/* What the node makes of the query, put into a frame by hand. */
static void
reply(struct setup *s)
{
	uint8_t *payload = s->frame + s->l4 + 8;
	struct dns_query q;
	struct dns_reply out;
	struct frame f = s->sent;

	assert_int_equal(
		dns_query_scan(payload, s->len - s->l4 - 8, s->names->zone->seed, &q), DNS_SCAN_QUERY);
	assert_int_equal(dns_answer(s->names->zone, &q, payload, 1232, 0, &out), DNS_ANSWERED);
	f.src = s->sent.dst;
	f.dst = s->sent.src;
	f.sport = s->sent.dport;
	f.dport = s->sent.sport;
	f.tag = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 |
		payload[3];
	s->len = f.size = (uint16_t)(s->l4 + 8 + out.size);
	frame_write(s->frame, &f);
}

static const char *
check(const struct setup *s)
{
	return dns_traffic_check(&s->traffic, s->port, s->frame, s->len);
}

/* Writes the frame's checksums anew after a change of the payload. */
static void
seal(struct setup *s)
{
	const uint8_t *payload = s->frame + s->l4 + 8;
	struct frame f = s->sent;

	f.src = s->sent.dst;
	f.dst = s->sent.src;
	f.sport = s->sent.dport;
	f.dport = s->sent.sport;
	f.size = s->len;
	f.tag = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 |
		payload[3];
	frame_write(s->frame, &f);
}

static void
replies_of_the_zone_are_right(void **state)
{
	for (enum dns_ask ask = 0; ask <= DNS_ASK_MIX; ask++)
		for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
			struct setup s = { 0 };

			set_up(&s, ask, ipv6);
			for (unsigned i = 0; i < 500; i++) {
				query(&s);
				reply(&s);
				assert_null(check(&s));
			}
			dns_names_free(s.names);
		}
}

static void
wrong_replies_are_noticed(void **state)
{
	struct setup s = { 0 };
	uint8_t *payload;

	set_up(&s, DNS_ASK_A, false);
	payload = s.frame + s.l4 + 8;

	query(&s); /* not answered at all */
	assert_non_null(check(&s));

	query(&s);
	reply(&s);
	s.frame[s.len - 1] ^= 1; /* without its checksum */
	assert_non_null(check(&s));
	seal(&s);
	s.port++;
	assert_non_null(check(&s));

	query(&s);
	reply(&s);
	payload[3] |= 3; /* NXDOMAIN */
	seal(&s);
	assert_non_null(check(&s));

	query(&s);
	reply(&s);
	payload[13] ^= 0x20; /* a letter of the question */
	seal(&s);
	assert_non_null(check(&s));

	query(&s);
	reply(&s);
	payload[1] ^= 1; /* another query's id, with another name */
	seal(&s);
	assert_non_null(check(&s));
	dns_names_free(s.names);
}

static void
the_first_names_are_asked_for_most(void **state)
{
	struct setup s = { 0 };
	unsigned first = 0, tenth = 0;

	set_up(&s, DNS_ASK_A, false);
	for (unsigned i = 0; i < 50000; i++) {
		query(&s);
		first += s.traffic.asked[s.traffic.n - 1].number == 0;
		tenth += s.traffic.asked[s.traffic.n - 1].number == 9;
		assert_in_range(s.traffic.asked[s.traffic.n - 1].number, 0, 299);
	}
	/* ln(2)/ln(301) of all, and ln(11/10)/ln(301) */
	assert_in_range(first, 5500, 6700);
	assert_in_range(tenth, 650, 1050);
	dns_names_free(s.names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_of_the_zone_are_right),
		cmocka_unit_test(wrong_replies_are_noticed),
		cmocka_unit_test(the_first_names_are_asked_for_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
