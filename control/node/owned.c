#include "control/node/owned.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config.h"
#include "control/node/attachment.h"
#include "control/node/cni_conf_file.h"
#include "control/node/exposed.h"
#include "control/node/netdev.h"
#include "control/node/owned_files.h"
#include "control/node/reserved_ports.h"
#include "control/node/state.h"
#include "control/plane.h"
#include "xdp/loader.h"

struct owned {
	const struct config *config;
	struct netdev *netdev;
	struct state *state;
	bool is_our_state; /* opened here */
};

static int __attribute__((format(printf, 3, 4)))
tell(char text[static OWNED_TEXT_SIZE], int result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, OWNED_TEXT_SIZE, format, args);
	va_end(args);
	return result;
}

/* --- the network configuration */

static int
look_conf(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	const char *dir = o->config->cni.conf_dir;

	if (*dir == '\0' || !cni_conf_is_there(dir))
		return 0;
	return tell(text, 1, "%.200s/" CNI_CONF_NAME, dir);
}

bool
owned_has_successor(const struct owned *o)
{
	const char *dir = o->config->cni.conf_dir;
	struct cni_conf_scan scan;
	char kept[PATH_MAX];

	snprintf(kept, sizeof(kept), "%s/" CNI_CONF_KEPT, dir);
	return *dir != '\0' &&
	       (access(kept, F_OK) == 0 || (cni_conf_look(dir, &scan) == 0 && *scan.next != '\0'));
}

static int
remove_conf(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	const char *dir = o->config->cni.conf_dir;
	char about[CNI_CONF_TEXT_SIZE];
	struct cni_conf_scan scan;
	int rc = *dir == '\0' ? 0 : cni_conf_remove(dir);

	if (rc < 0)
		return tell(text, rc, "%.200s/" CNI_CONF_NAME ": %s", dir, strerror(-rc));
	if (rc == 0 || cni_conf_look(dir, &scan) < 0)
		return 0;
	if (*scan.first == '\0')
		return tell(text, 0, "no other is there: new pods wait until another network is installed");
	return tell(text, 0, "new pods get what is first now: %s (%s)", scan.first,
		cni_conf_describe(dir, scan.first, about));
}

/* --- pods' links */

struct attached_walk {
	struct netdev *netdev;
	void (*fn)(const struct attachment_record *a, void *arg);
	void *arg;
	size_t n;
};

static int
walk_attached(const struct attachment_record *a, void *arg)
{
	struct attached_walk *w = arg;
	struct netdev_link link;

	/* where the kernel does not answer, it may be there: nobody is cut off because of that */
	if (netdev_get(w->netdev, a->link, &link) == -ENODEV)
		return 0;
	w->n++;
	if (w->fn != NULL)
		w->fn(a, w->arg);
	return 0;
}

size_t
owned_each_attached(struct owned *o, void (*fn)(const struct attachment_record *a, void *arg), void *arg)
{
	struct attached_walk w = { .netdev = o->netdev, .fn = fn, .arg = arg };

	if (o->state != NULL)
		state_each_attachment(o->state, walk_attached, &w);
	return w.n;
}

static int
look_links(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	size_t n = owned_each_attached(o, NULL, NULL);

	return n == 0 ? 0 : tell(text, 1, "of %zu pods", n);
}

struct link_removal {
	struct netdev *netdev;
	char *text;
	int result;
};

static void
remove_link(const struct attachment_record *a, void *arg)
{
	struct link_removal *r = arg;
	int rc = netdev_delete(r->netdev, a->link);

	if (rc < 0)
		r->result = tell(r->text, rc, "%s of %s/%s: %s", a->link, a->pod_ns, a->pod, strerror(-rc));
}

static int
remove_links(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	struct link_removal r = { .netdev = o->netdev, .text = text };

	owned_each_attached(o, remove_link, &r);
	return r.result;
}

/* --- programs */

static void
bpf_dir(const struct owned *o, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/" BPFFS_DIR, o->config->run.dir);
}

static int
look_programs(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	char path[PATH_MAX];
	int n;

	bpf_dir(o, path);
	n = owned_count_entries(path);
	/* the mount may have ended with the daemon's mount namespace */
	return n <= 0 && !owned_is_empty_shell(path) ? 0 : tell(text, 1, "%d, pinned in %.200s", n, path);
}

static int
remove_programs(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	char path[PATH_MAX], error[XDP_ERROR_SIZE];
	struct xdp *x;
	int rc;

	bpf_dir(o, path);
	if (owned_is_empty_shell(path))
		return rmdir(path) < 0 ? tell(text, -errno, "%.200s: %s", path, strerror(errno)) : 0;
	rc = xdp_open(&x, path, NULL, error);
	if (rc == 0)
		rc = xdp_uninstall(x, error);
	return rc < 0 ? tell(text, rc, "%s", error) : 0;
}

/* --- routes, rules, the host's pair */

static int
look_ways(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	struct netdev_owned found;
	int rc = netdev_count_owned(o->netdev, &found);

	if (rc < 0)
		return tell(text, rc, "cannot be listed: %s", strerror(-rc));
	if (found.n_routes + found.n_rules == 0)
		return 0;
	return tell(text, 1, "%u routes, %u rules", found.n_routes, found.n_rules);
}

static int
remove_ways(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	int rc = netdev_remove_owned(o->netdev);

	return rc < 0 ? tell(text, rc, "some are left: %s", strerror(-rc)) : 0;
}

/* A pair whose two names are as we choose them. */
static int
look_host(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	const char *name = o->config->host.interface;
	struct netdev_link link;
	char peer[IF_NAMESIZE];

	snprintf(peer, sizeof(peer), "%.*s-x", IF_NAMESIZE - 3, name);
	if (netdev_get(o->netdev, name, &link) < 0 || netdev_get(o->netdev, peer, &link) < 0)
		return 0;
	return tell(text, 1, "%s and %s", name, peer);
}

static int
remove_host(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	int rc = look_host(o, text) == 1 ? netdev_delete(o->netdev, o->config->host.interface) : 0;

	*text = '\0';
	return rc < 0 ? tell(text, rc, "%s: %s", o->config->host.interface, strerror(-rc)) : 0;
}

/* --- reserved ports */

static int
look_ports(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	struct port_set ours = { 0 }, listed = { 0 };
	unsigned n = 0;

	if (o->state == NULL || reserved_ports_read(o->state, &ours) < 0 ||
		reserved_ports_listed(&listed) < 0)
		return 0;
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		n += (unsigned)__builtin_popcountll(ours.bits[i] & listed.bits[i]);
	return n == 0 ? 0 : tell(text, 1, "%u in net.ipv4.ip_local_reserved_ports", n);
}

static int
remove_ports(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	const struct exposed nothing = { .version = 1 };
	struct reserved_ports *ports = o->state == NULL ? NULL : reserved_ports_new(o->state);
	char error[RESERVED_PORTS_ERROR_SIZE];
	int rc = ports == NULL ? 0 : reserved_ports_follow(ports, &nothing, true, error);

	reserved_ports_free(ports);
	return rc < 0 ? tell(text, rc, "net.ipv4.ip_local_reserved_ports: %s", strerror(-rc)) : 0;
}

/* --- files */

static int
look_shim(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	char path[PATH_MAX];

	if (*o->config->cni.bin_dir == '\0')
		return 0;
	snprintf(path, sizeof(path), "%s/" CNI_SHIM_NAME, o->config->cni.bin_dir);
	return access(path, F_OK) < 0 ? 0 : tell(text, 1, "%.300s", path);
}

static int
remove_shim(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	char path[PATH_MAX];

	if (*o->config->cni.bin_dir == '\0')
		return 0;
	snprintf(path, sizeof(path), "%s/" CNI_SHIM_NAME, o->config->cni.bin_dir);
	return unlink(path) < 0 && errno != ENOENT ? tell(text, -errno, "%.300s: %s", path, strerror(errno))
						   : 0;
}

static int
look_run(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	return owned_run_dir_look(o->config->run.dir) ? tell(text, 1, "%.300s", o->config->run.dir) : 0;
}

static int
remove_run(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	int rc = owned_run_dir_remove(o->config->run.dir);

	return rc < 0 ? tell(text, rc, "%.300s: %s", o->config->run.dir, strerror(-rc)) : 0;
}

static void
close_state(struct owned *o)
{
	if (o->is_our_state)
		state_close(o->state);
	o->state = NULL;
}

static int
look_state(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	return owned_state_dir_look(o->config->state.dir) ? tell(text, 1, "%.300s", o->config->state.dir) : 0;
}

static int
remove_state(struct owned *o, char text[static OWNED_TEXT_SIZE])
{
	int rc;

	close_state(o);
	rc = owned_state_dir_remove(o->config->state.dir);
	return rc < 0 ? tell(text, rc, "%.300s: %s", o->config->state.dir, strerror(-rc)) : 0;
}

/* --- the list */

static const struct {
	const char *name;
	int (*look)(struct owned *o, char text[static OWNED_TEXT_SIZE]);
	int (*remove)(struct owned *o, char text[static OWNED_TEXT_SIZE]);
} kinds[N_OWNED] = {
	[OWNED_CONF] = { "network configuration", look_conf, remove_conf },
	[OWNED_LINKS] = { "interfaces of pods", look_links, remove_links },
	[OWNED_PROGRAMS] = { "XDP programs", look_programs, remove_programs },
	[OWNED_WAYS] = { "routes and rules", look_ways, remove_ways },
	[OWNED_HOST] = { "host interface", look_host, remove_host },
	[OWNED_PORTS] = { "reserved ports", look_ports, remove_ports },
	[OWNED_SHIM] = { "network plugin", look_shim, remove_shim },
	[OWNED_STATE] = { "state directory", look_state, remove_state },
	[OWNED_RUN] = { "run directory", look_run, remove_run },
};

const char *
owned_name(enum owned_kind kind)
{
	return kinds[kind].name;
}

int
owned_look(struct owned *o, enum owned_kind kind, char text[static OWNED_TEXT_SIZE])
{
	*text = '\0';
	return kinds[kind].look(o, text);
}

int
owned_remove(struct owned *o, enum owned_kind kind, char text[static OWNED_TEXT_SIZE])
{
	*text = '\0';
	return kinds[kind].remove(o, text);
}

/* Interfaces with names as pods' have them. */
static unsigned
count_pod_links(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned n = 0;

	for (const struct if_nameindex *i = all; i != NULL && i->if_index != 0; i++)
		n += fnmatch(ATTACHMENT_LINK_PATTERN, i->if_name, 0) == 0;
	if (all != NULL)
		if_freenameindex(all);
	return n;
}

static void
open_state(struct owned *o, char trouble[static OWNED_TEXT_SIZE])
{
	char path[PATH_MAX], error[STATE_ERROR_SIZE];
	bool is_new_boot;
	unsigned n;

	snprintf(path, sizeof(path), "%s/" STATE_FILE, o->config->state.dir);
	if (access(path, F_OK) < 0) {
		n = count_pod_links();
		if (n != 0)
			tell(trouble, 0,
				"%.200s is missing, but %u interfaces of pods (rw...) are here: name the "
				"--config of the ringwayd that made them, if it has another state.dir",
				path, n);
	} else if (state_open(&o->state, path, NULL, &is_new_boot, error) < 0) {
		tell(trouble, 0, "%s", error);
	} else {
		o->is_our_state = true;
	}
}

struct owned *
owned_open(const struct config *config, struct state *state, char *trouble)
{
	struct owned *o = calloc(1, sizeof(*o));

	if (trouble != NULL)
		*trouble = '\0';
	if (o == NULL)
		return NULL;
	*o = (struct owned){ .config = config, .netdev = netdev_open(), .state = state };
	if (o->netdev == NULL) {
		free(o);
		return NULL;
	}
	if (state == NULL && trouble != NULL)
		open_state(o, trouble);
	return o;
}

void
owned_close(struct owned *o)
{
	if (o == NULL)
		return;
	close_state(o);
	netdev_close(o->netdev);
	free(o);
}
