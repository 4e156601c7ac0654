/* ringway-udp-load: a sender and a receiver of UDP datagrams on plain sockets, for measurements from pod to
 * pod. Each datagram carries the time at which it was sent, so the two must run on one machine. Results are
 * one JSON object on stdout. send ADDRESS PORT [FLOWS SIZE SECONDS RATE]   RATE is packets per second, 0: as
 * many as can be receive PORT                                  until standard input ends */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "perf/stats.h"

#define BATCH 32
#define FLOWS_MAX 1024
#define SIZE_MAX_BYTES 1400
#define RECEIVE_BUFFER_BYTES (16 << 20)
#define MAGIC UINT64_C(0x52494e4757415921)

struct stamp {
	uint64_t magic;
	uint64_t sent_ns; /* CLOCK_MONOTONIC */
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
sleep_until(uint64_t at_ns)
{
	struct timespec t = { (time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* A connected socket: the kernel picks another source port for each, which makes it another flow. */
static int
connect_flow(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *to;
	int fd, rc;

	if ((rc = getaddrinfo(address, port, &hints, &to)) != 0)
		errx(2, "%s port %s: %s", address, port, gai_strerror(rc));
	fd = socket(to->ai_family, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) != 0)
		err(1, "connect to %s port %s", address, port);
	freeaddrinfo(to);
	return fd;
}

struct load {
	unsigned flows;
	size_t size; /* bytes of payload */
	double seconds;
	double rate; /* packets per second, 0: no limit */
	int fds[FLOWS_MAX];
	uint8_t payload[SIZE_MAX_BYTES];
	uint64_t sent, refused;
};

/* One burst on one flow, all with the same time. */
static void
send_burst(struct load *l, int fd, unsigned n)
{
	struct stamp stamp = { MAGIC, now_ns() };
	struct iovec iov = { l->payload, l->size };
	struct mmsghdr messages[BATCH];
	int done;

	memcpy(l->payload, &stamp, sizeof(stamp));
	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < n; i++) {
		messages[i].msg_hdr.msg_iov = &iov;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	done = sendmmsg(fd, messages, n, 0);
	if (done > 0)
		l->sent += (uint64_t)done;
	if (done < (int)n)
		l->refused++; /* an ICMP error came back, or the queue was full */
}

static int
send_main(struct load *l, const char *address, const char *port)
{
	unsigned burst = l->rate > 0 ? 1 : BATCH;
	uint64_t start, next, end;

	for (unsigned i = 0; i < l->flows; i++)
		l->fds[i] = connect_flow(address, port);
	start = next = now_ns();
	end = start + (uint64_t)(l->seconds * 1e9);
	for (unsigned i = 0; now_ns() < end; i = i + 1 < l->flows ? i + 1 : 0) {
		send_burst(l, l->fds[i], burst);
		if (l->rate > 0)
			sleep_until(next += (uint64_t)(1e9 / l->rate));
	}
	printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"seconds\": %.3f, \"mpps\": %.4f}\n",
		l->sent, l->refused, (double)(now_ns() - start) / 1e9,
		(double)l->sent * 1e3 / (double)(now_ns() - start));
	return 0;
}

static int
bind_receiver(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = RECEIVE_BUFFER_BYTES, off = 0;

	if (fd < 0)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		warn("receive buffer");
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0 ||
		bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0)
		err(1, "bind to port %s", port);
	return fd;
}

struct tally {
	struct hist latency_ns;
	uint64_t packets, bytes, strangers;
	uint64_t first_ns, last_ns;
};

/* Takes what is there; one look at the clock serves a batch. */
static void
receive_batch(int fd, struct tally *t)
{
	static uint8_t data[BATCH][SIZE_MAX_BYTES];
	struct iovec iov[BATCH];
	struct mmsghdr messages[BATCH];
	uint64_t now;
	int n;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while ((n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL)) > 0) {
		now = now_ns();
		for (int i = 0; i < n; i++) {
			struct stamp stamp = { 0 };

			memcpy(&stamp, data[i],
				messages[i].msg_len < sizeof(stamp) ? messages[i].msg_len : sizeof(stamp));
			if (stamp.magic != MAGIC) {
				t->strangers++;
				continue;
			}
			hist_add(&t->latency_ns, now - stamp.sent_ns, 1);
			t->packets++;
			t->bytes += messages[i].msg_len;
		}
		t->first_ns = t->first_ns == 0 ? now : t->first_ns;
		t->last_ns = now;
	}
}

static int
receive_main(const char *port)
{
	static struct tally t;
	struct pollfd fds[] = { { bind_receiver(port), POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	double seconds;

	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0 && fds[1].revents == 0)
		receive_batch(fds[0].fd, &t);
	receive_batch(fds[0].fd, &t);
	seconds = (double)(t.last_ns - t.first_ns) / 1e9;
	printf("{\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"strangers\": %" PRIu64
	       ", \"seconds\": %.3f, \"mpps\": %.4f, \"p50_ns\": %.0f, \"p99_ns\": %.0f}\n",
		t.packets, t.bytes, t.strangers, seconds, seconds > 0 ? (double)t.packets / seconds / 1e6 : 0,
		hist_quantile(&t.latency_ns, 0.5), hist_quantile(&t.latency_ns, 0.99));
	return 0;
}

static double
number(int argc, char **argv, int i, double otherwise, double min, double max)
{
	double value = i < argc ? strtod(argv[i], NULL) : otherwise;

	if (value < min || value > max)
		errx(2, "%s is not within %g and %g", argv[i], min, max);
	return value;
}

int
main(int argc, char **argv)
{
	static struct load l;

	if (argc >= 4 && argc <= 8 && strcmp(argv[1], "send") == 0) {
		l.flows = (unsigned)number(argc, argv, 4, 64, 1, FLOWS_MAX);
		l.size = (size_t)number(argc, argv, 5, 18, sizeof(struct stamp), SIZE_MAX_BYTES);
		l.seconds = number(argc, argv, 6, 5, 0.1, 3600);
		l.rate = number(argc, argv, 7, 0, 0, 1e7);
		return send_main(&l, argv[2], argv[3]);
	}
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		return receive_main(argv[2]);
	errx(2, "usage: ringway-udp-load send ADDRESS PORT [FLOWS SIZE SECONDS RATE] | receive PORT");
}
