#include "xdp/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "xdp/error.h"
#include "xdp/pinned.h"
#include "xdp/steer.h"

#define BPF_FS_MAGIC 0xcafe4a11 /* <linux/magic.h> */

/* libbpf has one print function for the process. */
static void (*log_warning)(const char *text);

static int
print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[1024];

	if (level != LIBBPF_WARN || log_warning == NULL)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_warning(text);
	return 0;
}

void
xdp_each(struct xdp *x, void (*fn)(void *arg, const char *name, unsigned ifindex), void *arg)
{
	struct dirent **entries;
	int n = scandir(x->dir, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (pinned_is_name(entries[i]->d_name))
			fn(arg, entries[i]->d_name, pinned_ifindex(x, entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void
remove_if_gone(void *arg, const char *name, unsigned ifindex)
{
	if (ifindex == 0)
		pinned_remove(arg, name);
}

static bool
is_on_bpffs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && (uint32_t)fs.f_type == BPF_FS_MAGIC;
}

/* mkdir -p */
static int
make_dirs(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", dir);
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int
make_bpffs(const char *dir, char error[static XDP_ERROR_SIZE])
{
	int err = make_dirs(dir);

	if (err < 0)
		return error_set(error, err, "cannot make the directory %s: %s", dir, strerror(-err));
	if (is_on_bpffs(dir))
		return 0;
	if (mount("bpf", dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	err = -errno;
	if (err == -EPERM || err == -EACCES)
		return error_set(error, err,
			"not allowed to mount a bpffs at %s: run as root with CAP_SYS_ADMIN (in Kubernetes: "
			"privileged), or mount one there before: mount -t bpf bpf %s",
			dir, dir);
	if (err == -ENODEV)
		return error_set(error, err, "this kernel has no bpffs: it needs CONFIG_BPF_SYSCALL");
	return error_set(error, err, "cannot mount a bpffs at %s: %s", dir, strerror(-err));
}

int
xdp_open(struct xdp **out, const char *dir, void (*log)(const char *text), char error[static XDP_ERROR_SIZE])
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct xdp *x;
	int err;

	if (dir[0] != '/' || strlen(dir) >= sizeof(x->dir))
		return error_set(
			error, -EINVAL, "'%s' is not the absolute path of a directory for BPF pins", dir);
	log_warning = log;
	libbpf_set_print(print_libbpf);
	/* before 5.11 maps count against it; without permission that shows when they are made */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	err = make_bpffs(dir, error);
	if (err < 0)
		return err;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return error_set(error, -ENOMEM, "out of memory");
	snprintf(x->dir, sizeof(x->dir), "%s", dir);
	xdp_each(x, remove_if_gone, x);
	*out = x;
	return 0;
}

void
xdp_close(struct xdp *x)
{
	free(x);
}

int
xdp_set_socket(struct xdp *x, const char *name, uint32_t queue, int socket)
{
	int map = pinned_open(x, name, STEER_SOCKETS);
	int err;

	if (map < 0)
		return map;
	err = bpf_map_update_elem(map, &queue, &socket, BPF_ANY) < 0 ? -errno : 0;
	close(map);
	return err;
}

int
xdp_clear_socket(struct xdp *x, const char *name, uint32_t queue)
{
	int map = pinned_open(x, name, STEER_SOCKETS);
	int err;

	if (map < 0)
		return map;
	err = bpf_map_delete_elem(map, &queue) < 0 && errno != ENOENT ? -errno : 0;
	close(map);
	return err;
}

int
xdp_detach(struct xdp *x, const char *name)
{
	return pinned_is_name(name) ? pinned_remove(x, name) : -EINVAL;
}

static void
detach_any(void *arg, const char *name, unsigned ifindex)
{
	pinned_remove(arg, name);
}

/* True when a filesystem is mounted at this very directory. */
static bool
is_mount_point(const char *dir)
{
	char parent[PATH_MAX];
	struct stat here, above;

	snprintf(parent, sizeof(parent), "%s/..", dir);
	return stat(dir, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

int
xdp_uninstall(struct xdp *x, char error[static XDP_ERROR_SIZE])
{
	int err = 0;

	xdp_each(x, detach_any, x);
	/* the system's own mount is not ours to undo, and is never a directory of its own for an instance */
	if (is_mount_point(x->dir) && strcmp(x->dir, "/sys/fs/bpf") != 0 && umount2(x->dir, 0) < 0)
		err = error_set(error, -errno, "cannot unmount %s: %s", x->dir, strerror(errno));
	if (err == 0 && rmdir(x->dir) < 0 && errno != ENOENT && errno != EBUSY)
		err = error_set(error, -errno, "cannot remove %s: %s", x->dir, strerror(errno));
	xdp_close(x);
	return err;
}
