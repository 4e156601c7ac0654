#include "control/node/node_start.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "control/admin/admin.h"
#include "control/admin/health.h"
#include "control/admin/health_ports.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/follow.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/cni_conf.h"
#include "control/node/ipam.h"
#include "control/node/spool.h"
#include "control/node/state.h"

/* Longer than peers keep sending to a pod that is gone: TCP's first retries, DNS's time to live. */
#define COOLDOWN_S 30
#define ADMIN_TICK_NS (5 * NS_PER_S)
#define READY_TICK_NS (NS_PER_S / 4)
#define CIDRS_MAX 32

int
node_state_start(struct daemon *d)
{
	char path[PATH_MAX], error[STATE_ERROR_SIZE];
	bool is_new_boot;
	int rc;

	if (mkdir(d->config.state.dir, 0755) < 0 && errno != EEXIST) {
		rc = -errno;
		log_error("state.dir: cannot make %s: %s", d->config.state.dir, strerror(-rc));
		return rc;
	}
	snprintf(path, sizeof(path), "%s/%s", d->config.state.dir, STATE_FILE);
	rc = state_open(&d->state, path, NULL, &is_new_boot, error);
	if (rc < 0)
		log_error("%s", error);
	else if (is_new_boot)
		log_info("%s: nothing is attached yet since this boot", path);
	return rc;
}

void
node_state_stop(struct daemon *d)
{
	state_close(d->state);
	d->state = NULL;
}

static int
publish(void *arg)
{
	return follow_publish(((struct daemon *)arg)->follow);
}

/* config_check() has seen that they are prefixes. */
static size_t
prefixes_parse(const struct string_list *list, struct ip_prefix out[static CIDRS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < list->n && n < CIDRS_MAX; i++)
		n += ip_prefix_parse(list->items[i], &out[n]);
	return n;
}

int
node_attach_start(struct daemon *d)
{
	struct ip_prefix pods[CIDRS_MAX], services[CIDRS_MAX];
	struct attach_config config = {
		.state = d->state,
		.engine = d->engine,
		.xdp = d->xdp,
		.arena = d->arena,
		.host_interface = d->config.host.interface,
		.n_pod_cidrs = prefixes_parse(&d->config.cluster.pod_cidrs, pods),
		.n_service_cidrs = prefixes_parse(&d->config.cluster.service_cidrs, services),
		.pod_cidrs = pods,
		.service_cidrs = services,
		.pods_max = d->config.pods.max,
		.xdp_choice = (enum xdp_choice)d->config.pods.xdp,
		.publish = publish,
		.publish_arg = d,
	};
	char error[ATTACH_TEXT_SIZE] = "out of memory";
	int rc = -ENOMEM;

	if (config.n_pod_cidrs == 0 || config.n_service_cidrs == 0)
		log_warn("cluster.%s is not set: processes of this node do not reach %s",
			config.n_pod_cidrs == 0 ? "podCIDRs" : "serviceCIDRs",
			config.n_pod_cidrs == 0 ? "pods" : "services");
	d->ipam = ipam_new(COOLDOWN_S);
	config.ipam = d->ipam;
	if (d->ipam != NULL)
		rc = attach_new(&d->attach, &config, error);
	if (rc < 0)
		log_error("attachments: %s", error);
	return rc;
}

void
node_attach_stop(struct daemon *d)
{
	attach_free(d->attach);
	ipam_free(d->ipam);
	d->attach = NULL;
	d->ipam = NULL;
}

int
node_spool_start(struct daemon *d)
{
	const struct spool_config config = {
		.state_dir = d->config.state.dir, .loop = d->loop, .attach = d->attach
	};

	return spool_new(&d->spool, &config);
}

void
node_spool_stop(struct daemon *d)
{
	spool_free(d->spool);
	d->spool = NULL;
}

static void
admin_serve(uint32_t events, void *arg)
{
	admin_run(((struct daemon *)arg)->admin);
}

static void
admin_tick(void *arg)
{
	admin_run(((struct daemon *)arg)->admin);
}

int
node_admin_start(struct daemon *d)
{
	char path[PATH_MAX], error[ADMIN_ERROR_SIZE];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", d->config.run.dir, ADMIN_SOCKET);
	rc = admin_new(&d->admin, d, admin_routes, path, d->config.metrics.listen, error);
	if (rc < 0) {
		log_error("%s", error);
		return rc;
	}
	d->admin_fd = loop_fd_add(d->loop, admin_fd(d->admin), EPOLLIN, admin_serve, d);
	d->admin_timer = loop_timer_new(d->loop, admin_tick, d);
	if (d->admin_fd == NULL || d->admin_timer == NULL)
		return -ENOMEM;
	loop_timer_set(d->admin_timer, ADMIN_TICK_NS, ADMIN_TICK_NS);
	return 0;
}

void
node_admin_stop(struct daemon *d)
{
	loop_fd_remove(d->admin_fd);
	loop_timer_free(d->admin_timer);
	loop_timer_free(d->end_timer);
	admin_free(d->admin);
	d->admin_fd = NULL;
	d->admin_timer = NULL;
	d->end_timer = NULL;
	d->admin = NULL;
}

static bool
is_healthy(void *arg)
{
	struct daemon *d = arg;

	return publisher_tables(d->publisher) != NULL && health_workers_alive(d);
}

int
node_health_start(struct daemon *d)
{
	struct health_ports_config config = {
		.loop = d->loop,
		.store = d->store,
		.node_name = d->config.node.name,
		.is_healthy = is_healthy,
		.arg = d,
	};
	int rc = health_ports_new(&d->health_ports, &config);

	if (rc < 0)
		log_error("health check ports: %s", strerror(-rc));
	return rc;
}

void
node_health_stop(struct daemon *d)
{
	health_ports_free(d->health_ports);
	d->health_ports = NULL;
}

/* Until the node is ready for the first time. */
static void
cni_conf_tick(void *arg)
{
	struct daemon *d = arg;

	cni_conf_follow(d->cni_conf, health_is_ready(d));
	if (cni_conf_has_settled(d->cni_conf))
		loop_timer_cancel(d->cni_conf_timer);
}

int
node_cni_conf_start(struct daemon *d)
{
	struct cni_conf_config config = {
		.loop = d->loop,
		.conf_dir = d->config.cni.conf_dir,
		.bin_dir = d->config.cni.bin_dir,
		.run_dir = d->config.run.dir,
		.state_dir = d->config.state.dir,
	};
	int rc = cni_conf_new(&d->cni_conf, &config);

	if (rc < 0) {
		log_error("cni.confDir: %s", strerror(-rc));
		return rc;
	}
	d->cni_conf_timer = loop_timer_new(d->loop, cni_conf_tick, d);
	if (d->cni_conf_timer == NULL)
		return -ENOMEM;
	if (!cni_conf_has_settled(d->cni_conf))
		loop_timer_set(d->cni_conf_timer, 0, READY_TICK_NS);
	return 0;
}

void
node_cni_conf_stop(struct daemon *d)
{
	loop_timer_free(d->cni_conf_timer);
	cni_conf_free(d->cni_conf);
	d->cni_conf_timer = NULL;
	d->cni_conf = NULL;
}
