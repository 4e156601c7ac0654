#include "xdp/mode.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

const char *
xdp_mode_label(enum xdp_mode mode)
{
	return mode == XDP_MODE_NATIVE ? "native" : "skb";
}

/* libbpf's bpf_xdp_query() has the kernel list all interfaces and takes the one: at a restart on a node with a
 * hundred pods, ten thousand of them. */
struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr mask_attr;
	uint32_t mask;
};

static const struct rtattr *
find_attr(const void *attrs, int len, unsigned type) /* signed: RTA_NEXT() may take it below zero */
{
	const struct rtattr *a = attrs;

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

static int
read_mode(const struct nlmsghdr *answer, enum xdp_mode *mode)
{
	const struct ifinfomsg *link = NLMSG_DATA(answer);
	const struct rtattr *a;

	if (answer->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
	if (answer->nlmsg_type != RTM_NEWLINK)
		return -EPROTO;
	a = find_attr(IFLA_RTA(link), (int)IFLA_PAYLOAD(answer), IFLA_XDP);
	if (a != NULL)
		a = find_attr(RTA_DATA(a), (int)RTA_PAYLOAD(a), IFLA_XDP_ATTACHED);
	if (a == NULL)
		return -EPROTO;
	if (*(const uint8_t *)RTA_DATA(a) != XDP_ATTACHED_NONE)
		*mode = *(const uint8_t *)RTA_DATA(a) == XDP_ATTACHED_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	return 0;
}

int
xdp_query_mode(unsigned ifindex, enum xdp_mode *mode)
{
	struct request request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.link = { .ifi_index = (int)ifindex },
		.mask_attr = { .rta_len = RTA_LENGTH(sizeof(request.mask)), .rta_type = IFLA_EXT_MASK },
		.mask = RTEXT_FILTER_SKIP_STATS,
	};
	union {
		struct nlmsghdr header;
		char bytes[16384];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t len = -1;
	int err;

	if (fd < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), 0) >= 0)
		len = recv(fd, &answer, sizeof(answer), 0);
	err = errno;
	close(fd);
	if (len < 0)
		return -err;
	return NLMSG_OK(&answer.header, (size_t)len) ? read_mode(&answer.header, mode) : -EPROTO;
}
