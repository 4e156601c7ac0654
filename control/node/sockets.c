#include "control/node/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int
open_here(void)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

int
sockets_open(const char *netns)
{
	int ours, theirs, fd;

	if (netns == NULL)
		return open_here();
	theirs = open(netns, O_RDONLY | O_CLOEXEC);
	if (theirs < 0)
		return -errno;
	ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ours < 0 || setns(theirs, CLONE_NEWNET) < 0) {
		fd = -errno;
	} else {
		fd = open_here();
		/* a daemon in the wrong namespace would attach pods to a stranger's interfaces */
		if (setns(ours, CLONE_NEWNET) < 0)
			abort();
	}
	if (ours >= 0)
		close(ours);
	close(theirs);
	return fd;
}

static void
put_addr(uint32_t to[4], const struct ip_addr *addr)
{
	bool v4 = ip_addr_is_v4(addr);

	memcpy(to, v4 ? &addr->b[12] : addr->b, v4 ? 4 : 16);
}

static struct ip_addr
get_addr(uint8_t family, const uint32_t from[4])
{
	struct ip_addr addr = { 0 };

	if (family == AF_INET6)
		memcpy(addr.b, from, sizeof(addr.b));
	else if (from[0] != 0)
		addr = ip_addr_v4((be32){ from[0] });
	/* "::ffff:0.0.0.0" is what an IPv6 socket bound to all of IPv4 has */
	if (ip_addr_is_v4(&addr) && addr.d[3] == 0)
		addr = (struct ip_addr){ 0 };
	return addr;
}

/* The answer to a question for one socket: its state, or an error. */
static int
read_answer(int view, uint16_t remote_port)
{
	union {
		struct nlmsghdr header;
		char bytes[4096];
	} answer;
	const struct inet_diag_msg *found;
	ssize_t n;

	do
		n = recv(view, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(&answer.header, (size_t)n))
		return -EPROTO;
	if (answer.header.nlmsg_type == NLMSG_ERROR) {
		int error = ((const struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;

		return error == -ENOENT ? 0 : error;
	}
	/* where there is no such connection the kernel names a listener of the local port */
	found = NLMSG_DATA(&answer.header);
	return found->id.idiag_dport == htons(remote_port) ? found->idiag_state : 0;
}

int
sockets_tcp_state(int view, const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
	uint16_t remote_port)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} question = {
		.header = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.request = {
			.sdiag_family = ip_addr_is_v4(local) ? AF_INET : AF_INET6,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u,
			.id = {
				.idiag_sport = htons(local_port),
				.idiag_dport = htons(remote_port),
				.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
			},
		},
	};

	put_addr(question.request.id.idiag_src, local);
	put_addr(question.request.id.idiag_dst, remote);
	if (send(view, &question, sizeof(question), 0) < 0)
		return -errno;
	return read_answer(view, remote_port);
}

/* As large as the kernel makes its messages of a dump. */
#define DUMP_BYTES 32768

struct dump {
	uint8_t proto;
	void (*fn)(const struct socket_seen *socket, void *arg);
	void *arg;
};

static void
tell(const struct dump *d, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	struct socket_seen seen = {
		.proto = d->proto,
		.state = msg->idiag_state,
		.local = get_addr(msg->idiag_family, msg->id.idiag_src),
		.remote = get_addr(msg->idiag_family, msg->id.idiag_dst),
		.local_port = ntohs(msg->id.idiag_sport),
		.remote_port = ntohs(msg->id.idiag_dport),
	};

	d->fn(&seen, d->arg);
}

/* One message of a dump: 1 while more are to come, 0 at the end, or -errno. */
static int
read_some(int view, const struct dump *d)
{
	union {
		struct nlmsghdr header;
		char bytes[DUMP_BYTES];
	} answer;
	ssize_t n;

	do
		n = recv(view, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (const struct nlmsghdr *h = &answer.header; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			return -EPROTO;
		tell(d, h);
	}
	return 1;
}

static int
dump_family(int view, uint8_t family, const struct sockets_wanted *wanted, const struct dump *d)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} question = {
		.header = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.request = {
			.sdiag_family = family,
			.sdiag_protocol = wanted->proto,
			.idiag_states = wanted->states,
			.id = { .idiag_sport = htons(wanted->local_port) },
		},
	};
	int result;

	if (send(view, &question, sizeof(question), 0) < 0)
		return -errno;
	do
		result = read_some(view, d);
	while (result > 0);
	return result;
}

int
sockets_each(int view, const struct sockets_wanted *wanted,
	void (*fn)(const struct socket_seen *socket, void *arg), void *arg)
{
	struct dump d = { wanted->proto, fn, arg };
	int result = dump_family(view, AF_INET, wanted, &d);

	return result < 0 ? result : dump_family(view, AF_INET6, wanted, &d);
}
