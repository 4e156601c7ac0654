/* ringway doctor: what is wrong with this node, and what to do about it. */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/preflight.h"
#include "control/cli/table.h"
#include "control/config.h"
#include "control/config_check.h"
#include "control/node/owned.h"
#include "dataplane/service/slot.h"

#define DEFAULT_CONFIG "/etc/ringway/ringway.yaml"
#define DEFAULT_CNI_DIR "/etc/cni/net.d"

struct doctor_args {
	bool preflight;
	const char *config, *cni_dir;
};

static const struct argp_option doctor_options[] = {
	{ "preflight", 'p', NULL, 0, "only whether Ringway can run here; needs no daemon", 0 },
	{ "config", 'c', "FILE", 0, "ringwayd's configuration (default: " DEFAULT_CONFIG ", if it is there)",
		0 },
	{ "cni-dir", 'd', "DIRECTORY", 0,
		"where the container runtime looks for networks (default: " DEFAULT_CNI_DIR ")", 0 },
	{ 0 },
};

static error_t
doctor_parse(int key, char *arg, struct argp_state *state)
{
	struct doctor_args *args = state->input;

	switch (key) {
	case 'p':
		args->preflight = true;
		return 0;
	case 'c':
		args->config = arg;
		return 0;
	case 'd':
		args->cni_dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'doctor' takes no arguments, but was given '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
print_results(const struct cli *cli, const json_t *results)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result) {
		fprintf(cli->out, "%-4s  %-17s  %s\n", field_str(result, "status"),
			field_str(result, "check"), field_str(result, "found"));
		if (*field_str(result, "advice") != '\0')
			fprintf(cli->out, "      %-17s  -> %s\n", "", field_str(result, "advice"));
	}
}

static enum check_status
worse(enum check_status a, enum check_status b)
{
	return a > b ? a : b;
}

/* What a pod's network namespace says: its range of source ports, in a child that enters it. False when it cannot be
 * entered: the pod is gone, or we are not root. */
static bool
read_port_range(const char *netns, unsigned *low, unsigned *high)
{
	int fds[2], fd;
	FILE *f;
	pid_t pid;
	bool ok;

	if (pipe(fds) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		char text[64] = "";
		ssize_t len = -1;

		fd = open(netns, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0 &&
			(fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC)) >= 0)
			len = read(fd, text, sizeof(text));
		_exit(len > 0 && write(fds[1], text, (size_t)len) == len ? 0 : 1);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	ok = pid > 0 && f != NULL && fscanf(f, "%u %u", low, high) == 2;
	if (f != NULL)
		fclose(f);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return ok;
}

/* Pods whose range is another one work, but through the bounded table of exceptions (DESIGN 5.2). */
static enum check_status
check_port_ranges(const struct cli *cli, json_t *results)
{
	struct check_result result = { 0 };
	unsigned n_pods = 0, n_other = 0, low, high;
	char first[128] = "";
	json_t *doc;
	const json_t *pod;
	size_t i;

	if (client_request(cli, "/v1/pods", NULL, &doc) != CLI_FINE)
		return CHECK_OK;
	json_array_foreach (json_object_get(doc, "pods"), i, pod) {
		if (!read_port_range(field_str(pod, "netns"), &low, &high))
			continue;
		n_pods++;
		if ((low < CLIENT_PORT_FIRST || high > CLIENT_PORT_LAST) && n_other++ == 0)
			snprintf(first, sizeof(first), "%.60s has %u to %u", pod_text(pod), low, high);
	}
	json_decref(doc);
	if (n_other == 0)
		check_say(&result, CHECK_OK, NULL, "%u pods have the usual one", n_pods);
	else
		check_say(&result, CHECK_WARN,
			"leave net.ipv4.ip_local_port_range of pods alone: services reach these pods' "
			"clients through a bounded "
			"table of exceptions only",
			"%u of %u pods have another than %u to %u, the first is %s", n_other, n_pods,
			CLIENT_PORT_FIRST, CLIENT_PORT_LAST, first);
	preflight_add(results, "pods' port range", &result);
	return result.status;
}

/* The daemon judges itself (GET /v1/doctor), with what only it can see. */
static enum check_status
ask_daemon(const struct cli *cli, json_t *results, int *rc)
{
	enum check_status worst = CHECK_OK;
	json_t *doc, *item;
	size_t i;

	*rc = client_request(cli, "/v1/doctor", NULL, &doc);
	if (*rc != CLI_FINE)
		return CHECK_FAIL;
	json_array_foreach (json_object_get(doc, "checks"), i, item) {
		const char *status = field_str(item, "status");

		json_array_append(results, item);
		worst = worse(worst, strcmp(status, "fail") == 0   ? CHECK_FAIL
				     : strcmp(status, "warn") == 0 ? CHECK_WARN
								   : CHECK_OK);
	}
	json_decref(doc);
	return worse(worst, check_port_ranges(cli, results));
}

/* A file that was named must be there; without one, the defaults are judged. */
static enum check_status
read_config(const struct doctor_args *args, struct config *config, json_t *results)
{
	const char *path = args->config == NULL ? DEFAULT_CONFIG : args->config;
	struct check_result result = { 0 };
	char *errors = NULL;
	size_t size;
	FILE *f = open_memstream(&errors, &size);

	if (f == NULL || config_init(config) < 0)
		err(CLI_PROBLEM, "no memory");
	if (args->config == NULL && access(path, F_OK) != 0) {
		check_say(&result, CHECK_OK, NULL, "no %s: the defaults", path);
	} else if (config_read(config, path, f) != 0 || config_check(config, f) != 0) {
		fflush(f);
		errors[strcspn(errors, "\n")] = '\0';
		check_say(&result, CHECK_FAIL,
			"correct it (ringwayd --check lists all errors); what follows goes by what could be "
			"read",
			"%s", errors);
	} else {
		check_say(&result, CHECK_OK, NULL, "%s", path);
	}
	fclose(f);
	free(errors);
	preflight_add(results, "configuration", &result);
	return result.status;
}

/* What is in force without a daemon. The state file stays closed: looking is all that is done here. */
static enum check_status
check_leftovers(const struct config *config, json_t *results)
{
	struct owned *o = owned_open(config, NULL, NULL);
	char text[OWNED_TEXT_SIZE], list[256] = "";
	struct check_result result = { 0 };
	size_t len = 0;

	for (enum owned_kind kind = 0; o != NULL && kind < N_OWNED && len < sizeof(list); kind++)
		if (owned_look(o, kind, text) == 1)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len == 0 ? "" : ", ",
				owned_name(kind));
	owned_close(o);
	if (len == 0)
		check_say(&result, CHECK_OK, NULL, "nothing of a former ringwayd");
	else
		check_say(&result, CHECK_WARN,
			"start ringwayd, which goes on with it, or take it away with `ringway uninstall`",
			"no ringwayd runs, but there is what one had: %s", list);
	preflight_add(results, "leftovers", &result);
	return result.status;
}

static struct preflight
preflight_of(const struct config *config, const struct doctor_args *args)
{
	struct utsname name;

	uname(&name);
	return (struct preflight){
		.kernel = preflight_kernel(name.release),
		.cni_dir = args->cni_dir == NULL ? DEFAULT_CNI_DIR : args->cni_dir,
		.uplink = config->uplink.interface,
		.host_interface = config->host.interface,
		.overlay_mtu = config->overlay.mtu,
		.pods_max = config->pods.max,
		.pod_cidrs = { config->cluster.pod_cidrs.n, config->cluster.pod_cidrs.items },
		.service_cidrs = { config->cluster.service_cidrs.n, config->cluster.service_cidrs.items },
	};
}

static int
doctor_run(const struct cli *cli, void *input)
{
	const struct doctor_args *args = input;
	json_t *results = json_array(), *doc;
	struct config config;
	enum check_status worst = read_config(args, &config, results);
	struct preflight p = preflight_of(&config, args);
	int rc = CLI_FINE;

	worst = worse(worst, preflight_run(&p, results));
	if (!client_is_reachable(cli))
		worst = worse(worst, check_leftovers(&config, results));
	if (!args->preflight)
		worst = worse(worst, ask_daemon(cli, results, &rc));
	doc = json_pack("{s:s, s:o}", "status", check_status_name(worst), "checks", results);
	if (cli->json)
		cli_print_json(cli, doc);
	else
		print_results(cli, results);
	json_decref(doc);
	config_fini(&config);
	if (rc != CLI_FINE)
		return rc;
	return worst == CHECK_FAIL ? CLI_PROBLEM : CLI_FINE;
}

const struct command doctor_command = {
	.name = "doctor",
	.help = "What is wrong with this node, and what to do about it.",
	.json_help = "{\"status\": the worst of \"ok\", \"warn\" and \"fail\", \"checks\": [{\"check\", "
		     "\"status\", \"found\", "
		     "\"advice\": \"\" when ok}]}. Exit status 1 when a check fails, 3 when ringwayd cannot "
		     "be reached "
		     "(without --preflight).",
	.options = doctor_options,
	.parse = doctor_parse,
	.run = doctor_run,
	.input_size = sizeof(struct doctor_args),
};
