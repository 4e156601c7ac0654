/* A flood for the system tests, from a packet socket: flood INTERFACE FIRST COUNT RATE < lines of hex
 *
 * Each line is a TCP segment in an Ethernet frame, over IPv4 without options or IPv6 without extension headers. They are
 * sent in turn, COUNT in all, from the FIRSTth one on, so many in a second, and after each turn from another source port: all
 * of them are tried, those of 1024 and above. The window takes up what the port adds, so that a checksum that was right stays so. */
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/if_packet.h>

#define BATCH 64
#define TEMPLATES_MAX 64
#define FRAME_MAX 256
#define PORT_FIRST 1024u

struct template
{
	uint8_t bytes[FRAME_MAX];
	size_t len, tcp;
};

static struct template templates[TEMPLATES_MAX];
static unsigned n_templates;

static void
put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void
read_templates(void)
{
	char line[2 * FRAME_MAX + 2];

	while (n_templates < TEMPLATES_MAX && fgets(line, sizeof(line), stdin) != NULL) {
		struct template *t = &templates[n_templates];
		unsigned byte;

		for (t->len = 0; sscanf(line + 2 * t->len, "%2x", &byte) == 1; t->len++)
			t->bytes[t->len] = (uint8_t)byte;
		t->tcp = 14 + (t->bytes[12] == 0x08 ? 20 : 40);
		if (t->len >= t->tcp + 20)
			n_templates++;
	}
	if (n_templates == 0)
		errx(2, "no frames");
}

/* Source port and window always add up to the same, in ones' complement too. */
static void
fill(uint8_t *frame, const struct template *t, unsigned long n)
{
	unsigned port = PORT_FIRST + (unsigned)(n % (65536 - PORT_FIRST));

	memcpy(frame, t->bytes, t->len);
	put16(frame + t->tcp, port);
	put16(frame + t->tcp + 14, 0xffff - port);
}

static void
send_all(int fd, struct mmsghdr *messages, unsigned n)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	for (unsigned sent = 0; sent < n;) {
		int rc = sendmmsg(fd, messages + sent, n - sent, 0);

		if (rc > 0)
			sent += (unsigned)rc;
		else if (errno == ENOBUFS || errno == EAGAIN)
			poll(&writable, 1, 1);
		else
			err(1, "sendmmsg");
	}
}

static double
seconds_since(const struct timespec *start, const struct timespec *now)
{
	return (double)(now->tv_sec - start->tv_sec) + 1e-9 * (double)(now->tv_nsec - start->tv_nsec);
}

int
main(int argc, char **argv)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	unsigned long first, end, rate, n;
	struct timespec start, now;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (argc != 5 || (to.sll_ifindex = (int)if_nametoindex(argv[1])) == 0)
		errx(2, "usage: flood INTERFACE FIRST COUNT RATE < frames");
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "packet socket");
	first = strtoul(argv[2], NULL, 10);
	end = first + strtoul(argv[3], NULL, 10);
	rate = strtoul(argv[4], NULL, 10);
	read_templates();
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (n = first; n < end;) {
		unsigned batch = 0;

		for (; batch < BATCH && n < end; batch++, n++) {
			const struct template *t = &templates[n % n_templates];

			fill(frames[batch], t, n / n_templates);
			parts[batch] = (struct iovec){ frames[batch], t->len };
			messages[batch].msg_hdr =
				(struct msghdr){ .msg_iov = &parts[batch], .msg_iovlen = 1 };
		}
		send_all(fd, messages, batch);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((double)(n - first) > (double)rate * seconds_since(&start, &now))
			nanosleep(&(struct timespec){ .tv_nsec = BATCH * 1000000000L / (long)rate }, NULL);
	}
	printf("sent %lu\n", n - first);
	return 0;
}
