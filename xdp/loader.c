#include "xdp/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "xdp/mode.h"
#include "xdp/steer.h"
#include "pod.skel.h"
#include "uplink.skel.h"

#define BPF_FS_MAGIC 0xcafe4a11 /* <linux/magic.h> */

/* Queues of a pod's veth or of the host port: one. */
#define POD_QUEUES 1

struct xdp {
	char dir[PATH_MAX / 2];
};

/* What the attach functions differ in. */
struct program {
	struct bpf_program *program;
	struct {
		const char *name;
		struct bpf_map *map;
	} maps[2]; /* those without a name are not pinned */
};

/* All that may be pinned for an attachment. */
static const char *const pins[] = { "link", STEER_SOCKETS, STEER_EXPOSED };
#define N_PINS (sizeof(pins) / sizeof(pins[0]))

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

/* Fills in the error and returns err. */
__attribute__((format(printf, 3, 4))) static int
fail(char error[static XDP_ERROR_SIZE], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, XDP_ERROR_SIZE, format, args);
	va_end(args);
	return err;
}

const char *
xdp_mode_label(enum xdp_mode mode)
{
	return mode == XDP_MODE_NATIVE ? "native" : "skb";
}

static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < XDP_NAME_MAX && strpbrk(name, "/.") == NULL;
}

static void
pin_path(const struct xdp *x, const char *name, const char *what, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s", x->dir, name, what[0] == '\0' ? "" : "/", what);
}

/* The pinned link or map of an attachment, or -errno. */
static int
open_pin(const struct xdp *x, const char *name, const char *what)
{
	char path[PATH_MAX];
	int fd;

	if (!is_name(name))
		return -ENOENT;
	pin_path(x, name, what, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Which interface an attachment is on; 0: none, or one that is gone. */
static unsigned
attached_ifindex(const struct xdp *x, const char *name)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = open_pin(x, name, "link");

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		info.xdp.ifindex = 0;
	close(fd);
	return info.xdp.ifindex;
}

static int
remove_pins(const struct xdp *x, const char *name)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < N_PINS; i++) {
		pin_path(x, name, pins[i], path);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	pin_path(x, name, "", path);
	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

void
xdp_each(struct xdp *x, void (*fn)(void *arg, const char *name, unsigned ifindex), void *arg)
{
	struct dirent **entries;
	int n = scandir(x->dir, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (is_name(entries[i]->d_name))
			fn(arg, entries[i]->d_name, attached_ifindex(x, entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void
remove_if_gone(void *arg, const char *name, unsigned ifindex)
{
	if (ifindex == 0)
		remove_pins(arg, name);
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
		return fail(error, err, "cannot make the directory %s: %s", dir, strerror(-err));
	if (is_on_bpffs(dir))
		return 0;
	if (mount("bpf", dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	err = -errno;
	if (err == -EPERM || err == -EACCES)
		return fail(error, err,
			"not allowed to mount a bpffs at %s: run as root with CAP_SYS_ADMIN (in Kubernetes: "
			"privileged), or mount one there before: mount -t bpf bpf %s",
			dir, dir);
	if (err == -ENODEV)
		return fail(error, err, "this kernel has no bpffs: it needs CONFIG_BPF_SYSCALL");
	return fail(error, err, "cannot mount a bpffs at %s: %s", dir, strerror(-err));
}

int
xdp_open(struct xdp **out, const char *dir, void (*log)(const char *text), char error[static XDP_ERROR_SIZE])
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct xdp *x;
	int err;

	if (dir[0] != '/' || strlen(dir) >= sizeof(x->dir))
		return fail(error, -EINVAL, "'%s' is not the absolute path of a directory for BPF pins", dir);
	log_warning = log;
	libbpf_set_print(print_libbpf);
	/* before 5.11 maps count against it; without permission that shows when they are made */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	err = make_bpffs(dir, error);
	if (err < 0)
		return err;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return fail(error, -ENOMEM, "out of memory");
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

/* Why the kernel did not take a program, or its map. */
static int
explain_load(int err, char error[static XDP_ERROR_SIZE])
{
	if (err == -EPERM || err == -EACCES)
		return fail(error, err,
			"not allowed to load an XDP program: it needs CAP_BPF and CAP_NET_ADMIN (in "
			"Kubernetes: "
			"privileged), and RLIMIT_MEMLOCK raised on kernels before 5.11");
	if (err == -ENOSYS)
		return fail(error, err, "this kernel has no bpf(): it needs CONFIG_BPF_SYSCALL");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) == 0)
		return fail(error, err,
			"this kernel lacks XDP programs: it needs CONFIG_BPF_SYSCALL and CONFIG_NET");
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_XSKMAP, NULL) == 0)
		return fail(error, err,
			"this kernel lacks AF_XDP: it needs CONFIG_XDP_SOCKETS (Linux 5.10 or later)");
	return fail(error, err, "cannot load an XDP program: %s", strerror(-err));
}

static int
explain_attach(int err, unsigned ifindex, char error[static XDP_ERROR_SIZE])
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return fail(error, err,
			"interface %u has another XDP program: see 'ip link show' and 'bpftool net', and "
			"detach it",
			ifindex);
	case -ENODEV:
		return fail(error, err, "interface %u is gone", ifindex);
	case -EPERM:
		return fail(error, err, "not allowed to attach an XDP program: it needs CAP_NET_ADMIN");
	case -EOPNOTSUPP:
		return fail(error, err,
			"the driver of interface %u has no XDP in this mode: choose the mode auto, or skb",
			ifindex);
	case -ERANGE:
		return fail(error, err,
			"the MTU at the other end of interface %u is too large for native XDP: choose the "
			"mode "
			"auto or skb, or a smaller MTU",
			ifindex);
	case -EINVAL:
		return fail(error, err,
			"interface %u refuses an XDP program; before Linux 5.9 they cannot be attached by "
			"links",
			ifindex);
	default:
		return fail(error, err, "cannot attach an XDP program to interface %u: %s", ifindex,
			strerror(-err));
	}
}

static bool
is_chosen(enum xdp_choice choice, enum xdp_mode mode)
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

		if (!is_chosen(choice, tries[i].mode))
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

static int
pin_map(const struct xdp *x, const char *name, const char *what, struct bpf_map *map,
	char error[static XDP_ERROR_SIZE])
{
	char path[PATH_MAX];

	pin_path(x, name, what, path);
	if (bpf_obj_pin(bpf_map__fd(map), path) < 0)
		return fail(error, -errno, "cannot pin a map at %s: %s", path, strerror(errno));
	return 0;
}

/* Attaches a loaded program and pins link and maps: the maps first, so that a pinned link always has its maps
 * beside it. */
static int
attach_and_pin(struct xdp *x, const struct program *p, unsigned ifindex, const char *name,
	enum xdp_choice choice, enum xdp_mode *mode, char error[static XDP_ERROR_SIZE])
{
	char path[PATH_MAX];
	int link, err = 0;

	pin_path(x, name, "", path);
	if (mkdir(path, 0700) < 0)
		return fail(error, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	for (unsigned i = 0; err == 0 && i < 2 && p->maps[i].name != NULL; i++)
		err = pin_map(x, name, p->maps[i].name, p->maps[i].map, error);
	link = err < 0 ? err : create_link(bpf_program__fd(p->program), ifindex, choice, mode);
	if (err == 0 && link < 0)
		err = explain_attach(link, ifindex, error);
	pin_path(x, name, "link", path);
	if (err == 0 && bpf_obj_pin(link, path) < 0)
		err = fail(error, -errno, "cannot pin a link at %s: %s", path, strerror(errno));
	if (link >= 0)
		close(link);
	if (err < 0)
		remove_pins(x, name);
	return err;
}

/* True when an attachment of that name is on this interface; one on another, or on none, is removed. */
static bool
keep_or_remove(struct xdp *x, unsigned ifindex, const char *name, enum xdp_mode *mode)
{
	if (attached_ifindex(x, name) != ifindex) {
		remove_pins(x, name);
		return false;
	}
	xdp_query_mode(ifindex, mode);
	return true;
}

int
xdp_attach_pod(struct xdp *x, unsigned ifindex, const char *name, enum xdp_choice choice, enum xdp_mode *mode,
	char error[static XDP_ERROR_SIZE])
{
	enum xdp_mode unused;
	struct pod_bpf *pod;
	int err;

	if (mode == NULL)
		mode = &unused;
	if (!is_name(name))
		return fail(error, -EINVAL, "'%s' cannot be the name of an attachment", name);
	if (keep_or_remove(x, ifindex, name, mode))
		return 0;
	pod = pod_bpf__open();
	if (pod == NULL)
		return explain_load(-errno, error);
	bpf_map__set_max_entries(pod->maps.sockets, POD_QUEUES);
	err = pod_bpf__load(pod);
	if (err < 0) {
		err = explain_load(err, error);
	} else {
		const struct program p = { pod->progs.steer_pod, { { STEER_SOCKETS, pod->maps.sockets } } };

		err = attach_and_pin(x, &p, ifindex, name, choice, mode, error);
	}
	pod_bpf__destroy(pod);
	return err;
}

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
	int fd = open_pin(x, name, STEER_SOCKETS);

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.max_entries >= n_queues)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
exchange_program(
	struct xdp *x, const char *name, const struct bpf_program *program, char error[static XDP_ERROR_SIZE])
{
	int link = open_pin(x, name, "link");
	int err = link < 0 ? link : 0;

	if (err == 0 && bpf_link_update(link, bpf_program__fd(program), NULL) < 0)
		err = -errno;
	if (link >= 0)
		close(link);
	return err < 0 ? fail(error, err, "cannot exchange the XDP program of %s: %s", name, strerror(-err))
		       : 0;
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
	if (!is_name(name))
		return fail(error, -EINVAL, "'%s' cannot be the name of an attachment", name);
	uplink = uplink_bpf__open();
	if (uplink == NULL)
		return explain_load(-errno, error);
	if (keep_or_remove(x, ifindex, name, mode)) {
		sockets = is_chosen(choice, *mode) ? open_sockets(x, name, config->n_queues) : -1;
		if (sockets < 0)
			remove_pins(x, name); /* more queues, or another mode: sockets are set anew */
	}
	set_uplink((struct steer_uplink *)&uplink->rodata->config, config);
	if (sockets >= 0)
		bpf_map__reuse_fd(uplink->maps.sockets, sockets);
	else
		bpf_map__set_max_entries(uplink->maps.sockets, config->n_queues);
	if (sockets >= 0)
		exposed = open_pin(x, name, STEER_EXPOSED);
	if (exposed >= 0)
		bpf_map__reuse_fd(uplink->maps.exposed, exposed);
	err = uplink_bpf__load(uplink);
	if (err < 0) {
		err = explain_load(err, error);
	} else if (sockets >= 0) {
		if (exposed < 0) /* an older program had none */
			err = pin_map(x, name, STEER_EXPOSED, uplink->maps.exposed, error);
		if (err == 0)
			err = exchange_program(x, name, uplink->progs.steer_uplink, error);
	} else {
		const struct program p = { uplink->progs.steer_uplink,
			{ { STEER_SOCKETS, uplink->maps.sockets },
				{ STEER_EXPOSED, uplink->maps.exposed } } };

		err = attach_and_pin(x, &p, ifindex, name, choice, mode, error);
	}
	if (sockets >= 0)
		close(sockets);
	if (exposed >= 0)
		close(exposed);
	uplink_bpf__destroy(uplink);
	return err;
}

int
xdp_set_socket(struct xdp *x, const char *name, uint32_t queue, int socket)
{
	int map = open_pin(x, name, STEER_SOCKETS);
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
	int map = open_pin(x, name, STEER_SOCKETS);
	int err;

	if (map < 0)
		return map;
	err = bpf_map_delete_elem(map, &queue) < 0 && errno != ENOENT ? -errno : 0;
	close(map);
	return err;
}

/* Sorted, so that both sides can be compared. */
static int
compare_frontends(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct steer_frontend));
}

/* All keys of a map, sorted, in a list of the caller's. How many, or -errno. */
static ssize_t
read_exposed(int map, struct steer_frontend **out)
{
	struct steer_frontend *keys = NULL, *grown;
	size_t n = 0, room = 0;

	for (;; n++) {
		if (n == room) {
			room = room == 0 ? 64 : 2 * room;
			grown = realloc(keys, room * sizeof(*keys));
			if (grown == NULL) {
				free(keys);
				return -ENOMEM;
			}
			keys = grown;
		}
		if (bpf_map_get_next_key(map, n == 0 ? NULL : &keys[n - 1], &keys[n]) < 0)
			break;
	}
	qsort(keys, n, sizeof(*keys), compare_frontends);
	*out = keys;
	return (ssize_t)n;
}

/* Brings the map from 'is' to 'wanted', both sorted: what goes, first, since room is limited. */
static int
change_exposed(int map, const struct steer_frontend *is, size_t n_is, const struct steer_frontend *wanted,
	size_t n_wanted)
{
	const uint8_t yes = 1;

	for (size_t i = 0; i < n_is; i++)
		if (bsearch(&is[i], wanted, n_wanted, sizeof(*is), compare_frontends) == NULL)
			bpf_map_delete_elem(map, &is[i]);
	for (size_t i = 0; i < n_wanted; i++)
		if (bsearch(&wanted[i], is, n_is, sizeof(*is), compare_frontends) == NULL &&
			bpf_map_update_elem(map, &wanted[i], &yes, BPF_ANY) < 0)
			return -errno;
	return 0;
}

int
xdp_set_exposed(struct xdp *x, const char *name, const struct xdp_frontend *frontends, size_t n)
{
	struct steer_frontend *wanted = calloc(n + 1, sizeof(*wanted)), *is = NULL;
	int map = open_pin(x, name, STEER_EXPOSED);
	ssize_t n_is = wanted == NULL ? -ENOMEM : map < 0 ? map : read_exposed(map, &is);

	for (size_t i = 0; n_is >= 0 && i < n; i++) {
		memcpy(wanted[i].addr, frontends[i].addr.b, sizeof(wanted[i].addr));
		wanted[i].port = htobe16(frontends[i].port);
		wanted[i].proto = frontends[i].proto;
	}
	if (n_is >= 0) {
		qsort(wanted, n, sizeof(*wanted), compare_frontends);
		n_is = change_exposed(map, is, (size_t)n_is, wanted, n);
	}
	if (map >= 0)
		close(map);
	free(is);
	free(wanted);
	return (int)n_is;
}

int
xdp_detach(struct xdp *x, const char *name)
{
	return is_name(name) ? remove_pins(x, name) : -EINVAL;
}

static void
detach_any(void *arg, const char *name, unsigned ifindex)
{
	remove_pins(arg, name);
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
		err = fail(error, -errno, "cannot unmount %s: %s", x->dir, strerror(errno));
	if (err == 0 && rmdir(x->dir) < 0 && errno != ENOENT && errno != EBUSY)
		err = fail(error, -errno, "cannot remove %s: %s", x->dir, strerror(errno));
	xdp_close(x);
	return err;
}
