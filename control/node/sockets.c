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

/* The answer to a question for one socket: it, or an error. */
static int
read_answer(int view, uint16_t remote_port)
{
	union {
		struct nlmsghdr header;
		char bytes[4096];
	} answer;
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
	return ((const struct inet_diag_msg *)NLMSG_DATA(&answer.header))->id.idiag_dport ==
	       htons(remote_port);
}

int
sockets_has_tcp(int view, const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
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
