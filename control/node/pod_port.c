#include "control/node/pod_port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "control/log.h"
#include "dataplane/engine.h"
#include "dataplane/io/arena.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/roles.h"
#include "dataplane/worker.h"

/* What a pod's regions in the arena are called by, before its link's name. */
#define ROLES "roles"
#define POLICY "policy"

static int
trouble(struct attached *pod, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(pod->trouble, sizeof(pod->trouble), format, args);
	va_end(args);
	return rc;
}

static void
region_name(const struct attached *pod, const char *kind, char out[static ARENA_NAME_MAX])
{
	snprintf(out, ARENA_NAME_MAX, "%s-%s", kind, pod->record.link);
}

/* What workers know of the pod, as a former process left it. */
static int
memory_open(struct attached *pod, struct arena *arena)
{
	char region[ARENA_NAME_MAX];
	uint64_t key[2];

	region_name(pod, ROLES, region);
	pod->roles = arena_region(arena, region, sizeof(*pod->roles), NULL);
	region_name(pod, POLICY, region);
	pod->policy_state = arena_region(arena, region, sizeof(*pod->policy_state), NULL);
	if (pod->roles == NULL || pod->policy_state == NULL)
		return trouble(pod, -ENOMEM,
			"no memory is left in the arena for the pod's port roles and policy state");
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return trouble(pod, -EIO, "no random key for the pod's policy state: %s", strerror(errno));
	roles_adopt(pod->roles);
	policy_state_adopt(pod->policy_state, key);
	return 0;
}

void
pod_memory_release(struct attached *pod, const struct attach_config *config)
{
	char region[ARENA_NAME_MAX];

	region_name(pod, ROLES, region);
	arena_release(config->arena, region);
	region_name(pod, POLICY, region);
	arena_release(config->arena, region);
	pod->roles = NULL;
	pod->policy_state = NULL;
}

struct memory_search {
	struct attached *const *pods;
	size_t n;
	struct arena *arena;
};

static void
release_if_nobodys(void *arg, const char *name)
{
	const struct memory_search *search = arg;
	char region[ARENA_NAME_MAX];

	if (strncmp(name, ROLES "-", strlen(ROLES "-")) != 0 &&
		strncmp(name, POLICY "-", strlen(POLICY "-")) != 0)
		return;
	for (size_t i = 0; i < search->n; i++) {
		region_name(search->pods[i], ROLES, region);
		if (strcmp(name, region) == 0)
			return;
		region_name(search->pods[i], POLICY, region);
		if (strcmp(name, region) == 0)
			return;
	}
	arena_release(search->arena, name);
}

void
pod_memory_release_others(struct attached *const *pods, size_t n, struct arena *arena)
{
	arena_each(arena, release_if_nobodys, &(struct memory_search){ pods, n, arena });
}

static int
socket_open(struct attached *pod, const struct attach_config *config)
{
	struct engine_port_config port = {
		.origin = ORIGIN_POD,
		.ifindex = (unsigned)pod->ifindex,
		.worker = -1,
		.mtu = pod->record.mtu,
	};
	int rc = engine_add_port(config->engine, &port, &pod->port);

	if (rc < 0) {
		pod->port = NULL;
		return trouble(
			pod, rc, "cannot open an AF_XDP socket on %s: %s", pod->record.link, strerror(-rc));
	}
	rc = xdp_set_socket(config->xdp, pod->record.link, 0, engine_port_fd(pod->port));
	if (rc < 0) {
		engine_remove_port(config->engine, pod->port);
		pod->port = NULL;
		return trouble(pod, rc, "cannot put the socket of %s into its program's map: %s",
			pod->record.link, strerror(-rc));
	}
	return 0;
}

int
pod_port_open(struct attached *pod, const struct attach_config *config, struct netdev *netdev)
{
	char why[XDP_ERROR_SIZE];
	struct netdev_link link;
	int rc = netdev_get(netdev, pod->record.link, &link);

	if (rc < 0) {
		pod->ifindex = 0;
		return trouble(pod, rc, "the interface %s is not there", pod->record.link);
	}
	pod->ifindex = link.ifindex;
	rc = memory_open(pod, config->arena);
	if (rc < 0)
		return rc;
	/* the node's own stack must not speak on this interface; without IPv6 there is nothing to forbid */
	rc = netdev_sysctl("ipv6", pod->record.link, "disable_ipv6", "1");
	if (rc < 0 && rc != -ENOENT)
		log_warn("%s: cannot set disable_ipv6: %s", pod->record.link, strerror(-rc));
	steps_end(&pod->steps, "memory");
	/* the program before "up": no packet of the pod ever reaches the node's stack */
	rc = xdp_attach_pod(
		config->xdp, (unsigned)link.ifindex, pod->record.link, config->xdp_choice, &pod->mode, why);
	if (rc < 0)
		return trouble(pod, rc, "%.250s", why);
	steps_end(&pod->steps, "xdp");
	if (!link.is_up && (rc = netdev_set_up(netdev, link.ifindex)) < 0)
		return trouble(pod, rc, "cannot switch %s on: %s", pod->record.link, strerror(-rc));
	steps_end(&pod->steps, "up");
	rc = socket_open(pod, config);
	steps_end(&pod->steps, "socket");
	if (rc == 0)
		pod->trouble[0] = '\0';
	return rc;
}

void
pod_port_close(struct attached *pod, const struct attach_config *config)
{
	if (pod->port == NULL)
		return;
	/* first out of the map: while a holder has the socket too, closing it does not end its receiving */
	xdp_clear_socket(config->xdp, pod->record.link, 0);
	engine_remove_port(config->engine, pod->port);
	pod->port = NULL;
}

/* On each worker: a pod's exceptions are where its port was, flows from outside to it are anywhere. */
static void
forget_flows(struct worker *w, void *arg)
{
	const struct attached *pod = arg;

	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct ip_addr *addr = &pod->record.addrs[family];

		if (ip_addr_is_none(addr))
			continue;
		if (w->exceptions != NULL) {
			nat_flows_delete_client(w->exceptions, addr);
			nat_flows_delete_backend(w->exceptions, addr);
		}
		if (!nat_flows_is_empty(w->outbound))
			nat_flows_delete_client(w->outbound, addr);
		if (!nat_flows_is_empty(w->inbound))
			nat_flows_delete_backend(w->inbound, addr);
		if (!nat_flows_is_empty(w->half_open))
			nat_flows_delete_backend(w->half_open, addr);
	}
}

int
pod_port_destroy(struct attached *pod, const struct attach_config *config, struct netdev *netdev)
{
	int rc;

	pod_port_close(pod, config);
	rc = netdev_delete(netdev, pod->record.link);
	if (rc < 0)
		return rc;
	pod->ifindex = 0;
	for (unsigned w = 0; w < engine_n_workers(config->engine); w++)
		worker_call(engine_worker(config->engine, w), forget_flows, pod);
	xdp_detach(config->xdp, pod->record.link);
	return 0;
}
