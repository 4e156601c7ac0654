/* ringwayd. The list below is the daemon: its parts in the order in which they start; stopping walks it backwards, also
 * after half a start. SIGTERM ends the process and nothing else: pods keep their links, programs and addresses, and the
 * next start takes up from there. SIGHUP reads log.level anew. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/admin/uninstall.h"
#include "control/admin/version.h"
#include "control/config_check.h"
#include "control/config_options.h"
#include "control/daemon.h"
#include "control/dns_watch.h"
#include "control/holder.h"
#include "control/instance.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/model/store.h"
#include "control/node/node_start.h"
#include "control/plane.h"
#include "control/plane_dns.h"
#include "control/report/report.h"
#include "control/source/source.h"

#define CONFIG_FILE "/etc/ringway/ringway.yaml"

const char *argp_program_version = "ringwayd " RINGWAY_VERSION;

struct arguments {
	const char *config; /* NULL: CONFIG_FILE, if it exists */
	size_t n_sets;
	const char *sets[64];
	bool checks_only;
	bool waits; /* for another instance to end */
};

enum {
	KEY_SET = 256,
	KEY_CHECK,
	KEY_WAIT,
	KEY_HELP_CONFIG,
};

static const struct argp_option argp_options[] = {
	{ "config", 'c', "FILE", 0, "read this configuration instead of " CONFIG_FILE },
	{ "set", KEY_SET, "KEY=VALUE", 0, "set an option, above the file; may be repeated" },
	{ "check", KEY_CHECK, NULL, 0, "check configuration and manifests, and exit" },
	{ "wait", KEY_WAIT, NULL, 0,
		"when another ringwayd runs on this run.dir, wait until it ends and take over, instead of "
		"failing" },
	{ "help-config", KEY_HELP_CONFIG, "markdown", OPTION_ARG_OPTIONAL,
		"list the options of the configuration" },
	{ 0 },
};

static error_t
parse_argument(int key, char *value, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'c':
		args->config = value;
		return 0;
	case KEY_SET:
		if (args->n_sets == sizeof(args->sets) / sizeof(args->sets[0]))
			argp_error(state, "--set is given too often; use a file");
		else
			args->sets[args->n_sets++] = value;
		return 0;
	case KEY_CHECK:
		args->checks_only = true;
		return 0;
	case KEY_WAIT:
		args->waits = true;
		return 0;
	case KEY_HELP_CONFIG:
		if (value != NULL && strcmp(value, "markdown") != 0)
			argp_error(state, "--help-config takes \"markdown\" or nothing");
		(value == NULL ? config_help : config_help_markdown)(stdout);
		exit(0);
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": there are no arguments besides options", value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_argument,
	.doc = "Ringway's daemon: the node's dataplane and its control.",
};

/* False when something is wrong, all of which has been said. */
static bool
read_config(struct config *c, const struct arguments *args)
{
	const char *file = args->config != NULL ? args->config : CONFIG_FILE;
	int n_errors = 0;

	if (config_init(c) < 0)
		return false;
	if (args->config != NULL || access(file, F_OK) == 0)
		n_errors += config_read(c, file, stderr) != 0;
	for (size_t i = 0; i < args->n_sets; i++)
		n_errors += config_set(c, args->sets[i], stderr) != 0;
	/* networks and quotas are judged only once each option is good by itself */
	if (n_errors != 0 || config_check(c, stderr) != 0) {
		config_fini(c);
		return false;
	}
	return true;
}

struct part {
	const char *name;
	int (*start)(struct daemon *d); /* 0 or -errno, having logged what is wrong */
	void (*stop)(struct daemon *d);
};

struct process {
	struct daemon daemon;
	const struct arguments *args;
};

static void
stop_on_signal(int signo, void *arg)
{
	log_info("stopping: pods keep their links and addresses");
	loop_stop(((struct daemon *)arg)->loop);
}

static void
reread_log_level(int signo, void *arg)
{
	struct process *process = arg;
	struct config fresh;

	if (!read_config(&fresh, process->args)) {
		log_error("SIGHUP: the configuration has errors; nothing changes");
		return;
	}
	log_set_level(fresh.log.level);
	log_info("SIGHUP: log.level is read anew, all else needs a restart");
	config_fini(&fresh);
}

static int
loop_start(struct daemon *d)
{
	int result;

	d->loop = loop_new();
	if (d->loop == NULL)
		return -errno;
	/* struct process begins with the daemon */
	result = loop_on_signal(d->loop, SIGHUP, reread_log_level, d);
	if (result == 0)
		result = loop_on_signal(d->loop, SIGTERM, stop_on_signal, d);
	return result < 0 ? result : loop_on_signal(d->loop, SIGINT, stop_on_signal, d);
}

static void
loop_stop_part(struct daemon *d)
{
	loop_free(d->loop);
}

static int
store_start(struct daemon *d)
{
	d->store = store_new();
	return d->store == NULL ? -ENOMEM : 0;
}

static void
store_stop(struct daemon *d)
{
	store_free(d->store);
}

static const struct part parts[] = {
	{ "event loop", loop_start, loop_stop_part },
	{ "store", store_start, store_stop },
	{ "state", node_state_start, node_state_stop },
	{ "kept descriptors", plane_fds_start, plane_fds_stop },
	{ "arena", plane_arena_start, plane_arena_stop },
	{ "engine", plane_engine_start, plane_engine_stop },
	{ "XDP", plane_xdp_start, plane_xdp_stop },
	{ "attachments", node_attach_start, node_attach_stop },
	{ "publication", plane_follow_start, plane_follow_stop },
	{ "source", source_start, source_stop },
	{ "resolver", plane_resolver_start, plane_resolver_stop },
	{ "workers", plane_workers_start, plane_workers_stop },
	{ "book of DNS", dns_watch_start, dns_watch_stop },
	{ "spool", node_spool_start, node_spool_stop },
	{ "admin server", node_admin_start, node_admin_stop },
	{ "health check ports", node_health_start, node_health_stop },
	{ "CNI configuration", node_cni_conf_start, node_cni_conf_stop },
	{ "reports", report_start, report_stop },
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void
parts_stop(struct daemon *d, size_t n)
{
	while (n-- > 0) {
		uint64_t start_ns = clock_now_ns();

		parts[n].stop(d);
		log_debug("%s stopped: %.1f ms", parts[n].name,
			(double)(clock_now_ns() - start_ns) / NS_PER_MS);
	}
}

static int
parts_start(struct daemon *d)
{
	for (size_t i = 0; i < N_PARTS; i++) {
		uint64_t start_ns = clock_now_ns();
		int result = parts[i].start(d);

		log_debug("%s: %.1f ms", parts[i].name, (double)(clock_now_ns() - start_ns) / NS_PER_MS);
		if (result < 0) {
			log_error("%s did not start: %s", parts[i].name, strerror(-result));
			/* a part that failed cleans up after its half start, too */
			parts_stop(d, i + 1);
			return result;
		}
	}
	return 0;
}

static int
serve(int holder_socket, void *arg)
{
	struct process *process = arg;
	struct daemon *d = &process->daemon;
	int result;

	d->holder_socket = holder_socket;
	d->started_ns = clock_now_ns();
	signal(SIGPIPE, SIG_IGN); /* a peer that closes its end is an error of the write */
	result = parts_start(d);
	if (result < 0)
		return 1;
	log_info("ringwayd %s runs as node %s", RINGWAY_VERSION, d->config.node.name);
	result = loop_run(d->loop);
	if (result < 0)
		log_error("the event loop failed: %s", strerror(-result));
	parts_stop(d, N_PARTS);
	if (d->is_uninstalled)
		uninstall_at_end(&d->config, d->keeps_shim);
	return result < 0;
}

int
main(int argc, char **argv)
{
	struct arguments args = { 0 };
	struct process process = { .args = &args };
	struct config *config = &process.daemon.config;
	struct kept kept = { 0 };
	struct holder_config holder = { .serve = serve, .arg = &process, .kept = &kept };
	int status = 1;

	argp_err_exit_status = 2; /* as for errors of the configuration */
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!read_config(config, &args))
		return 2;
	log_set_level(config->log.level);
	if (args.checks_only) {
		status = source_check(config, stdout) == 0 ? 0 : 2;
	} else {
		plane_hurry(&process.daemon);
		holder.run_dir = config->run.dir;
		if ((args.waits ? instance_wait(config, &kept) : instance_lock(config)) == 0)
			status = holder_run(&holder);
	}
	config_fini(config);
	return status;
}
