#include "perf/bench.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "perf/lab.h"
#include "perf/output.h"
#include "perf/stats.h"

/* All of it in the /run that lab_isolate() makes and that goes with us. */
#define DIR "/run/ringway-perf"
#define SOCKET DIR "/run/ringway.sock"
#define START_TIMEOUT_MS 30000
#define PODS_MAX 200
#define STEPS_MAX 32
#define TEXT_MAX 4096

/* An ADD may take so much longer than ptp's: attaching XDP alone costs 10 to 23 ms on some kernels. */
#define WITHIN_MS 25

struct arguments {
	unsigned n_pods;
	bool is_dual;
	const char *build, *plugins, *json;
};

/* Of one plugin. */
struct plugin {
	const char *name, *path, *conf;
	bool has_steps;
	double add_ms[PODS_MAX], del_ms[PODS_MAX];
};

struct step {
	char name[32];
	unsigned n;
	double ms[PODS_MAX];
};

struct bench {
	struct arguments args;
	char ringwayd[256], cni[256], ptp[256], ringway_conf[512], ptp_conf[1024];
	struct plugin plugins[2]; /* ringway-cni, ptp */
	unsigned n_steps;
	struct step steps[STEPS_MAX]; /* of ringway-cni's ADDs, in the order in which they come */
	pid_t daemon;
};

static bool __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* --- the node */

static bool __attribute__((format(printf, 2, 3))) write_file(const char *path, const char *format, ...)
{
	FILE *f = fopen(path, "we");
	va_list args;

	if (f == NULL)
		return complain("%s: %s", path, strerror(errno));
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	return fclose(f) == 0;
}

static bool
run(const char *command)
{
	return system(command) == 0 || complain("failed: %s", command);
}

/* The node's namespace, in which we are then, with an uplink that leads nowhere. */
static bool
node_make(const struct bench *b)
{
	const char *ranges =
		b->args.is_dual ? "\"10.244.1.0/24\", \"fd00:10:244:1::/64\"" : "\"10.244.1.0/24\"";

	if (unshare(CLONE_NEWNET) < 0)
		return complain("network namespace: %s", strerror(errno));
	return run("mkdir -p " DIR "/run " DIR "/state " DIR "/manifests /run/netns && ip link set lo up && "
		   "ip link add uplink type veth peer name wire && ip addr add 172.30.0.1/24 dev uplink && "
		   "ip link set uplink up && ip link set wire up") &&
	       write_file(DIR "/manifests/node.json",
		       "{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"a\"}, "
		       "\"spec\": {\"podCIDR\": "
		       "\"10.244.1.0/24\", \"podCIDRs\": [%s]}, \"status\": {\"addresses\": [{\"type\": "
		       "\"InternalIP\", "
		       "\"address\": \"172.30.0.1\"}]}}\n",
		       ranges) &&
	       write_file(DIR "/ringway.yaml", "node: {name: a}\nrun: {dir: " DIR "/run}\nstate: {dir: " DIR
					       "/state}\nmetrics: {listen: ''}\n"
					       "uplink: {interface: uplink}\n"
					       "cluster: {manifests: " DIR
					       "/manifests, podCIDRs: [10.244.0.0/16, 'fd00:10:244::/48'], "
					       "serviceCIDRs: [10.96.0.0/16, 'fd00:10:96::/112']}\n");
}

static bool
is_ready(void)
{
	static const char request[] = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct sockaddr_un where = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char reply[64] = "";
	bool ready = fd >= 0 && connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0 &&
		     send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 &&
		     recv(fd, reply, sizeof(reply) - 1, 0) > 0 && strncmp(reply, "HTTP/1.1 200", 12) == 0;

	if (fd >= 0)
		close(fd);
	return ready;
}

static bool
daemon_start(struct bench *b)
{
	int64_t until = clock_now_ms() + START_TIMEOUT_MS;

	b->daemon = fork();
	if (b->daemon == 0) {
		int log = open(DIR "/log", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		execl(b->ringwayd, b->ringwayd, "--config", DIR "/ringway.yaml", NULL);
		_exit(127);
	}
	while (b->daemon > 0 && clock_now_ms() < until && waitpid(b->daemon, NULL, WNOHANG) == 0) {
		if (is_ready())
			return true;
		poll(NULL, 0, 20);
	}
	run("cat " DIR "/log >&2");
	return complain("%s did not become ready", b->ringwayd);
}

static void
daemon_stop(const struct bench *b)
{
	if (b->daemon <= 0)
		return;
	kill(b->daemon, SIGTERM);
	waitpid(b->daemon, NULL, 0);
}

/* A namespace for pod n of a plugin, under a name as runtimes give it. */
static bool
pod_make(const char *plugin, unsigned n)
{
	char path[64];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	bool ok;

	snprintf(path, sizeof(path), "/run/netns/%s-%u", plugin, n);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = home >= 0 && fd >= 0 && unshare(CLONE_NEWNET) == 0 &&
	     mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) == 0;
	ok = lab_enter(home) == 0 && ok;
	if (!ok)
		complain("%s: %s", path, strerror(errno));
	close(home);
	close(fd);
	return ok;
}

/* --- plugins, as a runtime calls them */

struct call {
	const struct plugin *plugin;
	const char *command, *plugins;
	unsigned pod;
	int input, output, steps; /* of the child; steps -1: none are wanted */
};

static void
exec_plugin(const struct call *c)
{
	char container[64], netns[64], steps[32];

	snprintf(container, sizeof(container), "%s-%u", c->plugin->name, c->pod);
	snprintf(netns, sizeof(netns), "/run/netns/%s-%u", c->plugin->name, c->pod);
	clearenv();
	setenv("CNI_COMMAND", c->command, 1);
	setenv("CNI_CONTAINERID", container, 1);
	setenv("CNI_NETNS", netns, 1);
	setenv("CNI_IFNAME", "eth0", 1);
	setenv("CNI_PATH", c->plugins, 1);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (c->steps >= 0) {
		snprintf(steps, sizeof(steps), "%d", c->steps);
		setenv("RINGWAY_CNI_STEPS", steps, 1);
	}
	dup2(c->input, STDIN_FILENO);
	dup2(c->output, STDOUT_FILENO);
	execl(c->plugin->path, c->plugin->path, NULL);
	_exit(127);
}

/* An anonymous file with this text, at its beginning. */
static int
text_file(const char *text)
{
	int fd = memfd_create("cni", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
text_read(int fd, char text[static TEXT_MAX])
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
}

static void
step_note(struct bench *b, const char *name, double ms)
{
	unsigned i = 0;

	while (i < b->n_steps && strcmp(b->steps[i].name, name) != 0)
		i++;
	if (i == STEPS_MAX)
		return;
	if (i == b->n_steps)
		snprintf(b->steps[b->n_steps++].name, sizeof(b->steps[i].name), "%s", name);
	if (b->steps[i].n < PODS_MAX)
		b->steps[i].ms[b->steps[i].n++] = ms;
}

/* "START_NS NAME=NS ...", see cni/steps.h; what is between its steps and ours is the start and the end of the program. */
static void
steps_note(struct bench *b, char *line, uint64_t from_ns, uint64_t until_ns)
{
	char *rest = NULL, *word = strtok_r(line, " \n", &rest);
	uint64_t at_ns = word == NULL ? from_ns : strtoull(word, NULL, 10);

	step_note(b, "start", (double)(at_ns - from_ns) / 1e6);
	while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
		char *value = strchr(word, '=');
		uint64_t ns;

		if (value == NULL)
			continue;
		*value++ = '\0';
		ns = strtoull(value, NULL, 10);
		step_note(b, word, (double)ns / 1e6);
		if (strncmp(word, "ringwayd.", 9) != 0)
			at_ns += ns;
	}
	step_note(b, "end", (double)(until_ns - at_ns) / 1e6);
}

/* False when the plugin fails. */
static bool
call_plugin(struct bench *b, const struct plugin *p, const char *command, unsigned pod, double *ms)
{
	bool wants_steps = p->has_steps && strcmp(command, "ADD") == 0;
	/* the third is not closed by exec */
	struct call c = { p, command, b->args.plugins, pod, text_file(p->conf), text_file(""),
		wants_steps ? memfd_create("steps", 0) : -1 };
	uint64_t from = clock_now_ns(), until;
	char text[TEXT_MAX];
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		exec_plugin(&c);
	if (child > 0)
		waitpid(child, &status, 0);
	until = clock_now_ns();
	*ms = (double)(until - from) / 1e6;
	text_read(c.output, text);
	if (status != 0)
		complain("%s %s: status %d: %s", p->path, command, status, text);
	if (wants_steps) {
		text_read(c.steps, text);
		steps_note(b, text, from, until);
		close(c.steps);
	}
	close(c.input);
	close(c.output);
	return status == 0;
}

static bool
run_all(struct bench *b)
{
	for (unsigned i = 0; i < b->args.n_pods; i++)
		for (unsigned k = 0; k < 2; k++) {
			/* whoever goes first has no advantage in the median */
			struct plugin *p = &b->plugins[(i + k) % 2];

			if (!pod_make(p->name, i) || !call_plugin(b, p, "ADD", i, &p->add_ms[i]))
				return false;
		}
	for (unsigned i = 0; i < b->args.n_pods; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct plugin *p = &b->plugins[(i + k) % 2];

			if (!call_plugin(b, p, "DEL", i, &p->del_ms[i]))
				return false;
		}
	return true;
}

/* --- what was found */

static double
quantile(double *values, unsigned n, unsigned percent)
{
	median(values, n); /* sorts */
	return n == 0 ? 0 : values[n * percent / 100 < n ? n * percent / 100 : n - 1];
}

/* By how much an ADD takes longer than ptp's. */
static double
difference_ms(struct bench *b)
{
	return quantile(b->plugins[0].add_ms, b->args.n_pods, 50) -
	       quantile(b->plugins[1].add_ms, b->args.n_pods, 50);
}

static void
print_table(struct bench *b)
{
	printf("cni: %u pods each, one after the other and interleaved, %s\n\n", b->args.n_pods,
		b->args.is_dual ? "IPv4 and IPv6" : "IPv4");
	printf("  %-24s %10s %10s %10s %10s\n", "", "ADD p50 ms", "ADD p99", "DEL p50", "DEL p99");
	for (unsigned k = 0; k < 2; k++) {
		struct plugin *p = &b->plugins[k];

		printf("  %-24s %10.2f %10.2f %10.2f %10.2f\n", p->name,
			quantile(p->add_ms, b->args.n_pods, 50), quantile(p->add_ms, b->args.n_pods, 99),
			quantile(p->del_ms, b->args.n_pods, 50), quantile(p->del_ms, b->args.n_pods, 99));
	}
	printf("  %-24s %10.2f           (at most %d, or the exit code is 1)\n", "difference",
		difference_ms(b), WITHIN_MS);
	printf("\n  %-24s %10s %10s\n", "ringway's ADD, by step", "p50 ms", "p99");
	for (unsigned i = 0; i < b->n_steps; i++)
		printf("  %-24s %10.2f %10.2f\n", b->steps[i].name,
			quantile(b->steps[i].ms, b->steps[i].n, 50),
			quantile(b->steps[i].ms, b->steps[i].n, 99));
}

static bool
print_json(struct bench *b)
{
	FILE *out = output_open(b->args.json);

	if (out == NULL)
		return false;
	fprintf(out, "{\"mode\": \"cni\"");
	for (unsigned k = 0; k < 2; k++) {
		struct plugin *p = &b->plugins[k];

		fprintf(out,
			", \"%s\": {\"add_p50_ms\": %.3f, \"add_p99_ms\": %.3f, \"del_p50_ms\": %.3f, "
			"\"del_p99_ms\": %.3f}",
			p->name, quantile(p->add_ms, b->args.n_pods, 50),
			quantile(p->add_ms, b->args.n_pods, 99), quantile(p->del_ms, b->args.n_pods, 50),
			quantile(p->del_ms, b->args.n_pods, 99));
	}
	fprintf(out, ", \"difference_ms\": %.3f, \"steps_p50_ms\": {", difference_ms(b));
	for (unsigned i = 0; i < b->n_steps; i++)
		fprintf(out, "%s\"%s\": %.3f", i == 0 ? "" : ", ", b->steps[i].name,
			quantile(b->steps[i].ms, b->steps[i].n, 50));
	fprintf(out, "}, \"parameters\": {\"pods\": %u, \"dual\": %s}}\n", b->args.n_pods,
		b->args.is_dual ? "true" : "false");
	return output_close(out, b->args.json) == 0;
}

/* --- arguments */

enum { KEY_PODS = 'a', KEY_DUAL, KEY_BUILD, KEY_PLUGINS, KEY_JSON };

static const struct argp_option options[] = {
	{ "pods", KEY_PODS, "N", 0, "pods of each plugin (40)", 1 },
	{ "dual", KEY_DUAL, NULL, 0, "pods get an IPv6 address, too", 1 },
	{ "build", KEY_BUILD, "DIR", 0, "where ringwayd and ringway-cni were built (this program's)", 2 },
	{ "plugins", KEY_PLUGINS, "DIR", 0, "where ptp and host-local are (/usr/lib/cni)", 2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 2 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case KEY_PODS:
		args->n_pods = (unsigned)params_number(state, "pods", arg, 1, PODS_MAX);
		return 0;
	case KEY_DUAL:
		args->is_dual = true;
		return 0;
	case KEY_BUILD:
		args->build = arg;
		return 0;
	case KEY_PLUGINS:
		args->plugins = arg;
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool
prepare(struct bench *b)
{
	char own[200] = "";

	if (geteuid() != 0)
		return complain("ringway-perf cni: needs root, for namespaces and BPF");
	if (b->args.build == NULL) {
		if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0)
			return complain("/proc/self/exe: %s", strerror(errno));
		for (unsigned up = 0; up < 2; up++) /* .../perf/ringway-perf */
			if (strrchr(own, '/') != NULL)
				*strrchr(own, '/') = '\0';
		b->args.build = own;
	}
	snprintf(b->ringwayd, sizeof(b->ringwayd), "%.200s/control/ringwayd", b->args.build);
	snprintf(b->cni, sizeof(b->cni), "%.200s/cni/ringway-cni", b->args.build);
	snprintf(b->ptp, sizeof(b->ptp), "%.200s/ptp", b->args.plugins);
	b->args.build = NULL;
	if (access(b->cni, X_OK) < 0 || access(b->ringwayd, X_OK) < 0 || access(b->ptp, X_OK) < 0)
		return complain(
			"%s, %s or %s is missing; the last is in Debian's containernetworking-plugins",
			b->cni, b->ringwayd, b->ptp);
	snprintf(b->ringway_conf, sizeof(b->ringway_conf),
		"{\"cniVersion\": \"1.0.0\", \"name\": \"ringway\", \"type\": \"ringway-cni\", \"socket\": "
		"\"" SOCKET "\", \"stateDir\": \"" DIR "/state\"}");
	snprintf(b->ptp_conf, sizeof(b->ptp_conf),
		"{\"cniVersion\": \"1.0.0\", \"name\": \"ptp\", \"type\": \"ptp\", \"mtu\": 1450, \"ipam\": "
		"{\"type\": "
		"\"host-local\", \"dataDir\": \"" DIR
		"/host-local\", \"ranges\": [[{\"subnet\": \"10.9.0.0/16\"}]%s], "
		"\"routes\": [{\"dst\": \"0.0.0.0/0\"}%s]}}",
		b->args.is_dual ? ", [{\"subnet\": \"fd00:9::/64\"}]" : "",
		b->args.is_dual ? ", {\"dst\": \"::/0\"}" : "");
	b->plugins[0] = (struct plugin){
		.name = "ringway", .path = b->cni, .conf = b->ringway_conf, .has_steps = true
	};
	b->plugins[1] = (struct plugin){ .name = "ptp", .path = b->ptp, .conf = b->ptp_conf };
	return lab_isolate() == 0 && node_make(b) && daemon_start(b);
}

int
bench_cni(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"How long a pod waits for its network: ringway-cni with a ringwayd of its own, and beside it "
		"Debian's plugin ptp "
		"with host-local, both called as a runtime does, in namespaces that go with this process.",
		NULL, NULL, NULL };
	struct bench *b = calloc(1, sizeof(*b));
	bool ok;

	if (b == NULL)
		return 1;
	b->args = (struct arguments){ .n_pods = 40, .plugins = "/usr/lib/cni" };
	argp_parse(&argp, argc, argv, 0, NULL, &b->args);
	ok = prepare(b) && run_all(b);
	daemon_stop(b);
	if (ok && output_has_table(b->args.json))
		print_table(b);
	if (ok && b->args.json != NULL)
		ok = print_json(b);
	ok = ok && difference_ms(b) <= WITHIN_MS;
	free(b);
	return ok ? 0 : 1;
}
