#include "xdp/link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xdp/error.h"
#include "xdp/pinned.h"

bool
link_is_chosen(enum xdp_choice choice, enum xdp_mode mode)
{
	return choice == XDP_CHOICE_AUTO || (choice == XDP_CHOICE_SKB) == (mode == XDP_MODE_SKB);
}

/* As chosen; AUTO: native, or where the driver cannot, generic. veth refuses native XDP (ERANGE) when its peer's
 * MTU exceeds what one page takes. Returns the link's descriptor. */
static int
create_link(int program, unsigned ifindex, enum xdp_choice choice, enum xdp_mode *mode)
{
	static const struct {
		enum xdp_mode mode;
		uint32_t flag;
	} tries[] = {
		{ XDP_MODE_NATIVE, XDP_FLAGS_DRV_MODE },
		{ XDP_MODE_SKB, XDP_FLAGS_SKB_MODE },
	};
	int err = -EOPNOTSUPP;

	for (unsigned i = 0; i < 2 && (err == -EOPNOTSUPP || err == -ERANGE); i++) {
		LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = tries[i].flag);
		int fd;

		if (!link_is_chosen(choice, tries[i].mode))
			continue;
		fd = bpf_link_create(program, (int)ifindex, BPF_XDP, &opts);
		if (fd >= 0) {
			*mode = tries[i].mode;
			return fd;
		}
		err = -errno;
	}
	return err;
}

int
link_pin_map(const struct xdp *x, const char *name, const char *what, struct bpf_map *map,
	char error[static XDP_ERROR_SIZE])
{
	char path[PATH_MAX];

	pinned_path(x, name, what, path);
	if (bpf_obj_pin(bpf_map__fd(map), path) < 0)
		return error_set(error, -errno, "cannot pin a map at %s: %s", path, strerror(errno));
	return 0;
}

int
link_new(struct xdp *x, const struct link_program *p, unsigned ifindex, const char *name,
	enum xdp_choice choice, enum xdp_mode *mode, char error[static XDP_ERROR_SIZE])
{
	char path[PATH_MAX];
	int link, err = 0;

	pinned_path(x, name, "", path);
	if (mkdir(path, 0700) < 0)
		return error_set(error, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	for (unsigned i = 0; err == 0 && i < 2 && p->maps[i].name != NULL; i++)
		err = link_pin_map(x, name, p->maps[i].name, p->maps[i].map, error);
	link = err < 0 ? err : create_link(bpf_program__fd(p->program), ifindex, choice, mode);
	if (err == 0 && link < 0)
		err = error_of_attach(link, ifindex, error);
	pinned_path(x, name, "link", path);
	if (err == 0 && bpf_obj_pin(link, path) < 0)
		err = error_set(error, -errno, "cannot pin a link at %s: %s", path, strerror(errno));
	if (link >= 0)
		close(link);
	if (err < 0)
		pinned_remove(x, name);
	return err;
}

bool
link_keep_or_remove(struct xdp *x, unsigned ifindex, const char *name, enum xdp_mode *mode)
{
	if (pinned_ifindex(x, name) != ifindex) {
		pinned_remove(x, name);
		return false;
	}
	xdp_query_mode(ifindex, mode);
	return true;
}

int
link_exchange(
	struct xdp *x, const char *name, const struct bpf_program *program, char error[static XDP_ERROR_SIZE])
{
	int link = pinned_open(x, name, "link");
	int err = link < 0 ? link : 0;

	if (err == 0 && bpf_link_update(link, bpf_program__fd(program), NULL) < 0)
		err = -errno;
	if (link >= 0)
		close(link);
	return err < 0 ? error_set(error, err, "cannot exchange the XDP program of %s: %s", name,
				 strerror(-err))
		       : 0;
}
