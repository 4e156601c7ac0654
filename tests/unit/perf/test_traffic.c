#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "perf/traffic.h"

static const struct traffic_node node = {
	.gateway_mac = { { 2, 1, 1, 1, 1, 1 } },
	.uplink_mac = { { 2, 2, 2, 2, 2, 2 } },
	.vxlan_port = 4789,
	.vni = 1,
};

struct setup {
	struct cluster cluster;
	struct traffic traffic;
	uint8_t buffer[2048];
};

static void
init_cluster(struct cluster *c, bool local_backends, bool ipv6, bool udp)
{
	const struct cluster_shape shape = {
		.n_pods = CLUSTER_PODS,
		.n_services = 1000,
		.n_endpoints = 5003,
		.local_backends = local_backends,
		.ipv6 = ipv6,
		.udp = udp,
	};

	assert_int_equal(cluster_init(c, &shape), 0);
}

static void
set_up(struct setup *s, enum scenario scenario, bool ipv6, bool udp)
{
	struct params p = {
		.scenario = scenario,
		.services = 1000,
		.endpoints = 5003,
		.flows = 100000,
		.hot_percent = 90,
		.hot_services = 20,
		.size = 100,
		.ipv6 = ipv6,
		.udp = udp,
	};

	init_cluster(&s->cluster, scenario == SCENARIO_SERVICE, ipv6, udp);
	traffic_init(&s->traffic, &s->cluster, &p, &node, 7);
}

static void
endpoints_are_found_where_they_were_put(void **state)
{
	for (unsigned local = 0; local < 2; local++) {
		struct cluster c;
		uint32_t total = 0;

		init_cluster(&c, local, local, false);
		for (uint32_t s = 0; s < c.shape.n_services; s++) {
			for (uint32_t j = 0; j < cluster_service_size(&c, s); j++) {
				uint32_t n, pod, found_n, found_pod;
				uint16_t port;
				struct ip_addr addr;

				cluster_endpoint(&c, s, j, &n, &pod, &port);
				addr = cluster_pod_addr(&c, n, pod);
				assert_true(cluster_find_pod(&c, &addr, &found_n, &found_pod));
				assert_int_equal(n, found_n);
				assert_int_equal(pod, found_pod);
				assert_true(cluster_is_endpoint(&c, s, n, pod, port));
				assert_false(
					cluster_is_endpoint(&c, (s + 1) % c.shape.n_services, n, pod, port));
				total++;
			}
		}
		assert_int_equal(total, c.shape.n_endpoints);
	}
}

static void
more_endpoints_than_local_pods_are_refused(void **state)
{
	struct cluster_shape shape = {
		.n_pods = 20, .first_backend = 5, .n_services = 10, .local_backends = true
	};
	struct cluster c;

	shape.n_endpoints = 10 * 15 + 1;
	assert_int_not_equal(cluster_init(&c, &shape), 0);
	shape.n_endpoints = 10 * 15;
	assert_int_equal(cluster_init(&c, &shape), 0);
}

static void
the_same_seed_gives_the_same_flows(void **state)
{
	struct setup a, b;

	set_up(&a, SCENARIO_SERVICE_ENCAP, false, false);
	set_up(&b, SCENARIO_SERVICE_ENCAP, false, false);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(traffic_pick(&a.traffic), traffic_pick(&b.traffic));
	assert_int_equal(traffic_pick(&a.traffic), 98609);
}

static void
the_hot_services_get_their_share(void **state)
{
	struct setup s;
	unsigned hot = 0, n = 100000;

	set_up(&s, SCENARIO_SERVICE_ENCAP, false, false);
	for (unsigned i = 0; i < n; i++) {
		struct flow f = traffic_flow(&s.traffic, traffic_pick(&s.traffic));

		assert_true(f.service < s.cluster.shape.n_services);
		assert_true(f.port >= EPHEMERAL_FIRST && f.port < EPHEMERAL_FIRST + EPHEMERAL_COUNT);
		hot += f.service < s.traffic.hot_services;
	}
	assert_true(hot > n / 100 * 89 && hot < n / 100 * 91);
}

/* What a correct pipeline would send for the flow's packet to its service's first backend; slot 1. */
static uint16_t
translate(const struct setup *s, uint32_t index, uint8_t *at, uint16_t *port)
{
	const struct cluster *c = &s->cluster;
	struct flow f = traffic_flow(&s->traffic, index);
	uint32_t n, pod;
	struct frame out = {
		.src = cluster_pod_addr(c, 0, f.pod),
		.sport = f.port ^ 1 << 14,
		.proto = c->proto,
		.ttl = FRAME_TTL - 1,
		.size = s->traffic.size,
		.tag = index,
	};
	struct tunnel tunnel = {
		.eth_src = node.uplink_mac, .src = cluster_node_addr(0), .port = 4789, .vni = 1
	};

	cluster_endpoint(c, f.service, f.pod == 0, &n, &pod, &out.dport);
	out.dst = cluster_pod_addr(c, n, pod);
	out.eth_dst = n == 0 ? cluster_pod_mac(pod) : cluster_tunnel_mac(n);
	out.eth_src = node.gateway_mac;
	frame_write(at, &out);
	*port = n == 0 ? (uint16_t)pod : TRAFFIC_UPLINK;
	if (n == 0)
		return out.size;
	tunnel.dst = cluster_node_addr(n);
	tunnel.eth_dst = cluster_next_hop(n);
	tunnel_write(at, out.size, &tunnel, 12345);
	return (uint16_t)(out.size + VXLAN_OUTER_V4);
}

static void
correct_translations_pass_and_any_changed_byte_fails(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		struct setup s;
		enum scenario scenario = i & 1 ? SCENARIO_SERVICE : SCENARIO_SERVICE_ENCAP;
		uint8_t *inner = s.buffer + 256, *start;
		uint16_t port, len;
		uint32_t index;

		set_up(&s, scenario, i & 2, i & 4);
		len = translate(&s, 4242, inner, &port);
		start = port == TRAFFIC_UPLINK ? inner - VXLAN_OUTER_V4 : inner;
		assert_null(traffic_check(&s.traffic, port, start, len, &index));
		assert_int_equal(index, 4242);
		assert_non_null(traffic_check(&s.traffic, port == 9 ? 8 : 9, start, len, &index));
		assert_non_null(traffic_check(&s.traffic, port, start, len - 1u, &index));
		for (unsigned at = 0; at < len; at++) {
			bool is_free =
				start + at == inner + 6 || /* inner source MAC: anybody's */
				(port == TRAFFIC_UPLINK && at >= 34 && at < 36) || /* outer source port */
				(i & 2 && at >= (unsigned)(inner - start) + 14 &&  /* class, flow label */
					at < (unsigned)(inner - start) + 18);

			start[at] ^= 0x10;
			if (!is_free &&
				!(port == TRAFFIC_UPLINK && start + at >= inner + 6 &&
					start + at < inner + 12) &&
				!(i & 2 && start + at == inner + 21)) /* hop limit */
				assert_non_null(traffic_check(&s.traffic, port, start, len, &index));
			start[at] ^= 0x10;
		}
	}
}

static void
replies_come_from_where_their_flow_went(void **state)
{
	struct setup s;
	uint8_t *inner = s.buffer + 256, *start;
	uint16_t port, len;
	struct flow f;
	struct frame reply;
	struct tunnel tunnel;
	uint32_t index;

	set_up(&s, SCENARIO_SERVICE_ENCAP, false, false);
	s.traffic.scenario = SCENARIO_REPLY;
	s.traffic.learned = calloc(s.traffic.n_flows, sizeof(*s.traffic.learned));
	len = translate(&s, 99, inner, &port);
	assert_null(traffic_learn(&s.traffic, port, inner - VXLAN_OUTER_V4, len));
	start = traffic_write(&s.traffic, 99, inner, &len, &port);
	assert_int_equal(port, TRAFFIC_UPLINK);
	assert_null(tunnel_read(start, len, &tunnel));
	assert_null(frame_read(start + VXLAN_OUTER_V4, len - (unsigned)VXLAN_OUTER_V4, &reply));
	f = traffic_flow(&s.traffic, 99);
	assert_int_equal(reply.sport, REMOTE_BACKEND_PORT);
	assert_int_equal(reply.dport, f.port ^ 1 << 14);
	reply.eth_dst = cluster_pod_mac(f.pod);
	reply.eth_src = node.gateway_mac;
	reply.dport = f.port;
	reply.sport = SERVICE_PORT;
	reply.src = cluster_service_addr(&s.cluster, f.service);
	frame_write(inner, &reply);
	assert_null(traffic_check(&s.traffic, (uint16_t)f.pod, inner, reply.size, &index));
	reply.sport = SERVICE_PORT + 1;
	frame_write(inner, &reply);
	assert_non_null(traffic_check(&s.traffic, (uint16_t)f.pod, inner, reply.size, &index));
	free(s.traffic.learned);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_found_where_they_were_put),
		cmocka_unit_test(more_endpoints_than_local_pods_are_refused),
		cmocka_unit_test(the_same_seed_gives_the_same_flows),
		cmocka_unit_test(the_hot_services_get_their_share),
		cmocka_unit_test(correct_translations_pass_and_any_changed_byte_fails),
		cmocka_unit_test(replies_come_from_where_their_flow_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
