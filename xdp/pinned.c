#include "xdp/pinned.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xdp/steer.h"

/* All that may be pinned for an attachment. */
static const char *const pins[] = { "link", STEER_SOCKETS, STEER_EXPOSED };
#define N_PINS (sizeof(pins) / sizeof(pins[0]))

bool
pinned_is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < XDP_NAME_MAX && strpbrk(name, "/.") == NULL;
}

void
pinned_path(const struct xdp *x, const char *name, const char *what, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s", x->dir, name, what[0] == '\0' ? "" : "/", what);
}

int
pinned_open(const struct xdp *x, const char *name, const char *what)
{
	char path[PATH_MAX];
	int fd;

	if (!pinned_is_name(name))
		return -ENOENT;
	pinned_path(x, name, what, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

unsigned
pinned_ifindex(const struct xdp *x, const char *name)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = pinned_open(x, name, "link");

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		info.xdp.ifindex = 0;
	close(fd);
	return info.xdp.ifindex;
}

int
pinned_remove(const struct xdp *x, const char *name)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < N_PINS; i++) {
		pinned_path(x, name, pins[i], path);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	pinned_path(x, name, "", path);
	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}
