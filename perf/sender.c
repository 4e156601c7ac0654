#include "perf/sender.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "wire.skel.h"

#define BATCH 64
#define PACED_BATCH 8
#define SETTLE_NS 50000000

struct sender {
	struct sender_config config;
	struct wire_bpf *bpf;
	uint8_t frame[2048];
	uint32_t frame_len;
	pthread_t thread;
	bool stop; /* atomic */
	bool is_running;
	int error;
};

static uint32_t
sum16(const void *data, unsigned len)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (; len >= 2; at += 2, len -= 2) {
		uint16_t word;

		memcpy(&word, at, 2);
		sum += word;
	}
	return len == 0 ? sum : sum + *at;
}

static uint32_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The frame of flow 0 with all that varies set to zero, and the sums of the rest. */
static void
make_template(struct sender *s, struct wire_config *c)
{
	const struct traffic *t = s->config.traffic;
	bool v6 = t->cluster->shape.ipv6, is_service = t->scenario == SCENARIO_SERVICE;
	unsigned l3_len = v6 ? sizeof(struct ipv6_hdr) : sizeof(struct ipv4_hdr);
	unsigned addr_len = v6 ? 16 : 4;
	struct wire_payload payload = { .magic = WIRE_MAGIC };
	uint8_t *ip = s->frame + sizeof(struct eth_hdr), *udp = ip + l3_len, *addrs = udp - 2 * addr_len;
	struct frame f = {
		.eth_dst = t->node.gateway_mac,
		.eth_src = cluster_pod_mac(0),
		.src = cluster_pod_addr(t->cluster, 0, 0),
		.dst = is_service ? cluster_service_addr(t->cluster, 0) : cluster_pod_addr(t->cluster, 0, 1),
		.dport = is_service ? SERVICE_PORT : EPHEMERAL_FIRST,
		.proto = PROTO_UDP,
		.ttl = FRAME_TTL,
		.size = t->size,
	};
	unsigned udp_len = t->size - (unsigned)sizeof(struct eth_hdr) - l3_len;

	s->frame_len = t->size;
	frame_write(s->frame, &f);
	memcpy(udp + sizeof(struct udp_hdr), &payload, sizeof(payload));
	memset(udp + 6, 0, 2);
	if (!v6)
		memset(ip + 10, 0, 2);
	c->received_sum = sum16(addrs, addr_len) + sum16(udp, udp_len) + be16_from(PROTO_UDP).raw +
			  be16_from((uint16_t)udp_len).raw - be16_from(f.dport).raw;
	if (is_service)
		memset(udp - 4, 0, 4);
	c->received_sum = fold(c->received_sum);
	c->udp_sum = fold(c->received_sum + be16_from(f.dport).raw + sum16(addrs + addr_len, addr_len));
	c->ip_sum = v6 ? 0 : fold(sum16(ip, l3_len));
}

static void
configure(struct sender *s)
{
	const struct traffic *t = s->config.traffic;
	struct wire_config *c = &s->bpf->bss->config;
	struct ip_addr backend = cluster_pod_addr(t->cluster, 0, 1);
	struct ip_addr service = cluster_service_addr(t->cluster, 0);

	make_template(s, c);
	c->ifindex = s->config.lab->pod_ifindex[0];
	c->n_flows = t->n_flows;
	c->l3_len = t->cluster->shape.ipv6 ? 40 : 20;
	c->sport_first = EPHEMERAL_FIRST;
	c->n_sports = EPHEMERAL_COUNT;
	if (t->scenario == SCENARIO_SERVICE) {
		c->n_services = t->cluster->shape.n_services;
		c->hot_percent = t->hot_percent;
		c->n_hot = t->hot_services;
		c->service_base = __builtin_bswap32(service.d[3]);
	}
	memcpy(c->backend, backend.d, sizeof(c->backend));
	c->backend_port_first = EPHEMERAL_FIRST;
	c->n_backend_ports = s->config.is_translated || t->scenario == SCENARIO_L3 ? EPHEMERAL_COUNT : 0;
}

static int
attach_receiver(struct sender *s)
{
	const struct lab *lab = s->config.lab;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)lab->pod_ifindex[1], .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(s->bpf->progs.receive));
	int err = lab_enter(lab->pods[1]);

	if (err == 0)
		err = bpf_tc_hook_create(&hook);
	if (err == 0)
		err = bpf_tc_attach(&hook, &opts);
	lab_enter(lab->home);
	return err;
}

struct sender *
sender_new(const struct sender_config *config)
{
	struct sender *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (s != NULL) {
		s->config = *config;
		s->bpf = wire_bpf__open_and_load();
		err = s->bpf == NULL ? -errno : 0;
	}
	if (err == 0) {
		configure(s);
		err = attach_receiver(s);
	}
	if (err == 0)
		return s;
	fprintf(stderr, "cannot load the traffic generator: %s\n", strerror(-err));
	sender_free(s);
	return NULL;
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	if (s->is_running)
		sender_stop(s, NULL);
	wire_bpf__destroy(s->bpf);
	free(s);
}

/* One call sends until a signal ends it. Each call patches the kernel's text, which takes 20 ms; so there
 * is but one, and the program itself keeps to the rate. */
static void *
send_all(void *arg)
{
	struct sender *s = arg;
	struct xdp_md context = { .data_end = s->frame_len };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->frame, .data_size_in = s->frame_len,
		.ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = INT_MAX,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = s->bpf->bss->gap_ns == 0 ? BATCH : PACED_BATCH);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(s->config.cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	s->error = lab_enter(s->config.lab->pods[0]);
	while (s->error == 0 && !__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		s->error = bpf_prog_test_run_opts(bpf_program__fd(s->bpf->progs.generate), &opts);
		if (s->error == -EINTR)
			s->error = 0;
	}
	return NULL;
}

static void
on_signal(int number)
{
	/* its arrival ends the system call */
}

int
sender_start(struct sender *s, double rate)
{
	struct sigaction action = { .sa_handler = on_signal };
	int err;

	sigaction(SIGUSR1, &action, NULL);
	memset(&s->bpf->bss->counts, 0, sizeof(s->bpf->bss->counts));
	s->bpf->bss->gap_ns = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
	s->bpf->bss->due_ns = 0;
	s->stop = false;
	err = pthread_create(&s->thread, NULL, send_all, s);
	s->is_running = err == 0;
	return -err;
}

void
sender_counts(const struct sender *s, struct wire_counts *counts)
{
	memcpy(counts, &s->bpf->bss->counts, sizeof(*counts));
}

void
sender_stop(struct sender *s, struct wire_counts *counts)
{
	const struct timespec settle = { .tv_nsec = SETTLE_NS };

	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	do {
		pthread_kill(s->thread, SIGUSR1);
		nanosleep(&settle, NULL);
	} while (pthread_tryjoin_np(s->thread, NULL) != 0);
	s->is_running = false;
	if (s->error != 0)
		fprintf(stderr, "cannot send: %s\n", strerror(-s->error));
	nanosleep(&settle, NULL);
	if (counts != NULL)
		sender_counts(s, counts);
}
