/* Which network namespace the other end of a pair is in: by the number that ours knows that one by. */
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <unistd.h>

#include "control/node/netdev_internal.h"

static int
note_number(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[NETNSA_MAX + 1];

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct rtgenmsg), attrs, NETNSA_MAX, NULL) == 0 &&
		attrs[NETNSA_NSID] != NULL)
		*(int *)arg = nla_get_s32(attrs[NETNSA_NSID]);
	return NL_OK;
}

/* The number of a namespace, negative when it has none. */
static int
number_of(struct netdev *n, int netns)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, 0);
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	int number = -1;

	if (msg != NULL && cb != NULL && nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
		nla_put_u32(msg, NETNSA_FD, (uint32_t)netns) == 0 &&
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, note_number, &number) == 0 &&
		nl_send_auto(n->sk, msg) >= 0) {
		/* an error comes alone, an answer before its acknowledgement */
		if (nl_recvmsgs(n->sk, cb) < 0 || nl_wait_for_ack(n->sk) < 0)
			number = -1;
	}
	nlmsg_free(msg);
	nl_cb_put(cb);
	return number;
}

bool
netdev_leads_to(struct netdev *n, const char *name, const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK), number = -1;
	struct rtnl_link *link;
	bool leads = false;

	if (fd < 0)
		return false;
	if (rtnl_link_get_kernel(n->sk, 0, name, &link) == 0) {
		/* asking for the link gives the other end's namespace its number */
		leads = rtnl_link_get_link_netnsid(link, &number) == 0 && number >= 0 &&
			number_of(n, fd) == number;
		rtnl_link_put(link);
	}
	close(fd);
	return leads;
}
