#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "xdp/error.h"
#include "xdp/link.h"
#include "xdp/loader.h"
#include "xdp/pinned.h"
#include "xdp/steer.h"
#include "uplink.skel.h"

static void
set_uplink(struct steer_uplink *to, const struct xdp_uplink_config *config)
{
	const struct ip_prefix *pods4 = &config->pods[0], *pods6 = &config->pods[1];
	struct ip_addr ones = { .w = { ~UINT64_C(0), ~UINT64_C(0) } }, mask;

	memcpy(to->vtep, config->vtep.b, sizeof(to->vtep));
	to->vxlan_port = htobe16(config->vxlan_port);
	to->is_v4 = ip_addr_is_v4(&config->vtep);
	if (config->ports != NULL) {
		if (!ip_addr_is_none(&config->masquerade[0]))
			to->masquerade_v4 = ip_addr_to_v4(&config->masquerade[0]).raw;
		memcpy(to->masquerade_v6, config->masquerade[1].b, sizeof(to->masquerade_v6));
		memcpy(to->ports, config->ports, sizeof(to->ports));
	}
	to->takes_pods = pods4->len != 0 || pods6->len != 0;
	if (pods4->len != 0) {
		mask = ip_addr_mask(&ones, pods4->len);
		to->pods_v4_mask = mask.d[3];
		to->pods_v4 = ip_addr_to_v4(&pods4->addr).raw;
	}
	if (pods6->len != 0) {
		mask = ip_addr_mask(&ones, pods6->len);
		memcpy(to->pods_v6_mask, mask.b, sizeof(to->pods_v6_mask));
		memcpy(to->pods_v6, pods6->addr.b, sizeof(to->pods_v6));
	}
}

/* The sockets of a program that is attached, when there are as many queues as we need; else -1. */
static int
open_sockets(struct xdp *x, const char *name, uint32_t n_queues)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = pinned_open(x, name, STEER_SOCKETS);

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.max_entries >= n_queues)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
xdp_attach_uplink(struct xdp *x, unsigned ifindex, const char *name, const struct xdp_uplink_config *config,
	enum xdp_choice choice, enum xdp_mode *mode, char error[static XDP_ERROR_SIZE])
{
	enum xdp_mode unused;
	struct uplink_bpf *uplink;
	int sockets = -1, exposed = -1, err;

	if (mode == NULL)
		mode = &unused;
	if (!pinned_is_name(name))
		return error_set(error, -EINVAL, "'%s' cannot be the name of an attachment", name);
	uplink = uplink_bpf__open();
	if (uplink == NULL)
		return error_of_load(-errno, error);
	if (link_keep_or_remove(x, ifindex, name, mode)) {
		sockets = link_is_chosen(choice, *mode) ? open_sockets(x, name, config->n_queues) : -1;
		if (sockets < 0)
			pinned_remove(x, name); /* more queues, or another mode: sockets are set anew */
	}
	set_uplink((struct steer_uplink *)&uplink->rodata->config, config);
	if (sockets >= 0)
		bpf_map__reuse_fd(uplink->maps.sockets, sockets);
	else
		bpf_map__set_max_entries(uplink->maps.sockets, config->n_queues);
	if (sockets >= 0)
		exposed = pinned_open(x, name, STEER_EXPOSED);
	if (exposed >= 0)
		bpf_map__reuse_fd(uplink->maps.exposed, exposed);
	err = uplink_bpf__load(uplink);
	if (err < 0) {
		err = error_of_load(err, error);
	} else if (sockets >= 0) {
		if (exposed < 0) /* an older program had none */
			err = link_pin_map(x, name, STEER_EXPOSED, uplink->maps.exposed, error);
		if (err == 0)
			err = link_exchange(x, name, uplink->progs.steer_uplink, error);
	} else {
		const struct link_program p = { uplink->progs.steer_uplink,
			{ { STEER_SOCKETS, uplink->maps.sockets },
				{ STEER_EXPOSED, uplink->maps.exposed } } };

		err = link_new(x, &p, ifindex, name, choice, mode, error);
	}
	if (sockets >= 0)
		close(sockets);
	if (exposed >= 0)
		close(exposed);
	uplink_bpf__destroy(uplink);
	return err;
}
