/* ringway uninstall: takes away what Ringway has on this node, with the daemon's help if it runs. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "control/admin/uninstall.h"
#include "control/cli/client.h"
#include "control/cli/table.h"
#include "control/config.h"
#include "control/config_check.h"
#include "control/instance.h"
#include "control/node/owned.h"

#define DEFAULT_CONFIG "/etc/ringway/ringway.yaml"
#define END_WAIT_S 60 /* a node with many pods takes a second or two */

struct uninstall_args {
	bool is_dry, is_forced;
	const char *config;
};

static const struct argp_option uninstall_options[] = {
	{ "dry-run", 'n', NULL, 0, "only say what would be done", 0 },
	{ "force", 'f', NULL, 0, "also while pods are attached: they lose their network", 0 },
	{ "config", 'c', "FILE", 0, "ringwayd's configuration (default: " DEFAULT_CONFIG ", if it is there)",
		0 },
	{ 0 },
};

static error_t
uninstall_parse(int key, char *arg, struct argp_state *state)
{
	struct uninstall_args *args = state->input;

	switch (key) {
	case 'n':
		args->is_dry = true;
		return 0;
	case 'f':
		args->is_forced = true;
		return 0;
	case 'c':
		args->config = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'uninstall' takes no arguments, but was given '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What it is about, and what becomes of it. */
struct uninstall {
	const struct uninstall_args *args;
	struct config config;
	json_t *attached;
	json_t *steps; /* as of uninstall_run(); "result" may be "found", too */
};

static bool
read_config(struct config *c, const char *file)
{
	const char *path = file == NULL ? DEFAULT_CONFIG : file;

	if (config_init(c) < 0)
		err(CLI_PROBLEM, "no memory");
	if (file == NULL && access(path, F_OK) < 0)
		return true;
	return config_read(c, path, stderr) == 0 && config_check(c, stderr) == 0;
}

/* By those of the daemon that answers, whatever our own file says. */
static void
take_config(struct config *c, const json_t *told)
{
	const struct {
		const char *key;
		char **member;
	} members[] = {
		{ "run_dir", &c->run.dir },
		{ "state_dir", &c->state.dir },
		{ "conf_dir", &c->cni.conf_dir },
		{ "bin_dir", &c->cni.bin_dir },
		{ "host_interface", &c->host.interface },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		free(*members[i].member);
		*members[i].member = strdup(field_str(told, members[i].key));
		if (*members[i].member == NULL)
			err(CLI_PROBLEM, "no memory");
	}
}

/* Takes the lock of the run directory, without which no daemon works there; waits for its owner to end. The descriptor; -ENOENT
 * when there is no such directory; -EBUSY when the owner stays. */
static int
lock_run_dir(const struct config *c, unsigned wait_s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/" INSTANCE_LOCK, c->run.dir);
	for (unsigned i = 0;; i++) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		bool is_locked;

		if (fd < 0)
			return -errno;
		is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		/* one that was removed meanwhile does not keep the next ringwayd out, who may be there already */
		if (is_locked && instance_lock_is_there(fd, c->run.dir))
			return fd;
		close(fd);
		if (!is_locked && i >= wait_s * 20)
			return -EBUSY;
		if (!is_locked)
			nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
}

static void
add_found(json_t *steps, const json_t *found, const char *result)
{
	const json_t *item;
	size_t i;

	json_array_foreach (found, i, item)
		json_array_append_new(
			steps, json_pack("{s:s, s:s, s:s, s:s}", "what", field_str(item, "what"), "text",
				       field_str(item, "text"), "result", result, "note", ""));
}

static void
set_result(json_t *step, const char *result, const char *note)
{
	json_object_set_new(step, "result", json_string(result));
	json_object_set_new(step, "note", json_string(note));
}

/* The conf's step, which the daemon does before all others; it comes first. */
static void
note_conf(struct uninstall *u, bool goes, const char *note)
{
	json_t *first = json_array_get(u->steps, 0);

	if (strcmp(field_str(first, "what"), owned_name(OWNED_CONF)) == 0)
		set_result(first, !goes ? "kept" : u->args->is_dry ? "found" : "removed", note);
}

/* The daemon has ended, and so is all gone of which nothing is found; what it could not do is done now. */
static int
finish(struct uninstall *u)
{
	char trouble[OWNED_TEXT_SIZE];
	int lock = lock_run_dir(&u->config, END_WAIT_S);
	json_t *rest, *step;
	const json_t *left;
	struct owned *o;
	size_t i, k;

	if (lock == -EBUSY) {
		warnx("ringwayd did not end within %d s, or was started again: stop what starts it, and run "
		      "this again",
			END_WAIT_S);
		return CLI_PROBLEM;
	}
	o = owned_open(&u->config, NULL, trouble);
	if (o == NULL)
		err(CLI_PROBLEM, "no memory");
	rest = uninstall_run(o, json_array_size(u->attached) != 0);
	json_array_foreach (u->steps, i, step) {
		set_result(step, "removed", field_str(step, "note"));
		json_array_foreach (rest, k, left)
			if (strcmp(field_str(step, "what"), field_str(left, "what")) == 0)
				set_result(step, field_str(left, "result"), field_str(left, "note"));
	}
	json_decref(rest);
	owned_close(o);
	if (lock >= 0)
		close(lock);
	return CLI_FINE;
}

static int
with_daemon(const struct cli *cli, struct uninstall *u)
{
	json_t *body = json_pack("{s:b, s:b}", "dry_run", u->args->is_dry, "force", u->args->is_forced), *doc;
	int rc = client_request(cli, "/v1/uninstall", body, &doc);

	json_decref(body);
	if (rc != CLI_FINE)
		return rc;
	take_config(&u->config, json_object_get(doc, "config"));
	u->attached = json_incref(json_object_get(doc, "attached"));
	add_found(u->steps, json_object_get(doc, "found"), field_bool(doc, "ends") ? "found" : "kept");
	note_conf(u, field_bool(doc, "conf_goes"), field_str(doc, "conf"));
	if (!u->args->is_dry && field_bool(doc, "ends")) {
		if (!cli->json)
			fprintf(cli->out, "ringwayd ends, and takes away what is Ringway's on this node\n");
		fflush(cli->out); /* in its own container we end with it */
		rc = finish(u);
	}
	json_decref(doc);
	return rc;
}

static int
complain_of_state(const char *trouble)
{
	warnx("%s\nwithout it nobody knows which pods are attached; with --force all else is taken away, and "
	      "reserved ports in net.ipv4.ip_local_reserved_ports stay",
		trouble);
	return CLI_PROBLEM;
}

/* Nothing, with --dry-run, or no more than what pods that are attached can do without. */
static void
do_little(struct uninstall *u, struct owned *o)
{
	bool is_kept = json_array_size(u->attached) != 0 && !u->args->is_forced;
	bool conf_goes = uninstall_conf_goes(o, u->attached, u->args->is_forced);
	char text[OWNED_TEXT_SIZE] = "";
	json_t *found = uninstall_found(o);

	add_found(u->steps, found, is_kept ? "kept" : "found");
	json_decref(found);
	if (!conf_goes)
		snprintf(text, sizeof(text), UNINSTALL_NO_SUCCESSOR);
	else if (!u->args->is_dry)
		conf_goes = owned_remove(o, OWNED_CONF, text) == 0;
	note_conf(u, conf_goes, text);
}

static int
without_daemon(struct uninstall *u)
{
	int lock = lock_run_dir(&u->config, 0), rc = CLI_FINE;
	char trouble[OWNED_TEXT_SIZE];
	struct owned *o;

	if (lock == -EBUSY) {
		warnx("ringwayd runs, but does not answer: stop it, or name its socket with --socket");
		return CLI_UNREACHABLE;
	}
	o = owned_open(&u->config, NULL, trouble);
	if (o == NULL)
		err(CLI_PROBLEM, "no memory");
	u->attached = uninstall_attached(o);
	if (*trouble != '\0' && !u->args->is_forced) {
		rc = complain_of_state(trouble);
	} else if (u->args->is_dry || (json_array_size(u->attached) != 0 && !u->args->is_forced)) {
		do_little(u, o);
	} else {
		json_decref(u->steps);
		u->steps = uninstall_run(o, json_array_size(u->attached) != 0);
	}
	owned_close(o);
	if (lock >= 0)
		close(lock);
	return rc;
}

/* Whether nothing is left, or would be. */
static bool
is_complete(const struct uninstall *u)
{
	const json_t *step;
	size_t i;

	json_array_foreach (u->steps, i, step)
		if (strcmp(field_str(step, "result"), "kept") == 0 ||
			strcmp(field_str(step, "result"), "failed") == 0)
			return false;
	return true;
}

static void
print_steps(const struct cli *cli, const struct uninstall *u)
{
	static const struct column columns[] = {
		{ "WHAT", LEFT, 0 },
		{ "FOUND", LEFT, 24 },
		{ "RESULT", LEFT, 24 },
	};
	struct table *t = table_new(columns, 3);
	const json_t *step;
	size_t i, n_attached = json_array_size(u->attached);

	json_array_foreach (u->steps, i, step) {
		const char *result = field_str(step, "result"), *note = field_str(step, "note");
		bool is_plan = u->args->is_dry && strcmp(result, "kept") != 0;

		table_cell(t, "%s", field_str(step, "what"));
		table_cell(t, "%s", field_str(step, "text"));
		table_cell(
			t, "%s%s%s", is_plan ? "would be removed" : result, *note == '\0' ? "" : "; ", note);
	}
	if (table_rows(t) == 0)
		fprintf(cli->out, "nothing of Ringway is left on this node\n");
	else
		table_print(t, cli->out, cli->width);
	table_free(t);
	if (n_attached != 0 && !u->args->is_forced)
		fprintf(cli->out,
			"%zu pods are attached, the first is %s: what they need stays. Drain the node and "
			"run this again; --force takes their network away.\n",
			n_attached, json_string_value(json_array_get(u->attached, 0)));
	if (*u->config.cni.conf_dir == '\0')
		fprintf(cli->out, "cni.confDir is not set: a 00-ringway.conflist that somebody put there by "
				  "hand has to be removed by hand.\n");
}

static int
uninstall_main(const struct cli *cli, void *input)
{
	struct uninstall u = { .args = input, .steps = json_array() };
	struct cli asked = *cli;
	char socket[4096];
	json_t *doc;
	int rc;

	if (!read_config(&u.config, u.args->config)) {
		json_decref(u.steps);
		config_fini(&u.config);
		return CLI_USAGE;
	}
	if (u.args->config != NULL) {
		snprintf(socket, sizeof(socket), "%s/" ADMIN_SOCKET, u.config.run.dir);
		asked.socket = socket;
	}
	rc = client_is_reachable(&asked) ? with_daemon(&asked, &u) : without_daemon(&u);
	if (rc == CLI_FINE) {
		bool complete = is_complete(&u);

		if (cli->json) {
			doc = json_pack("{s:b, s:b, s:O, s:O}", "complete", complete, "dry_run",
				u.args->is_dry, "attached", u.attached, "steps", u.steps);
			cli_print_json(cli, doc);
			json_decref(doc);
		} else {
			print_steps(cli, &u);
		}
		rc = complete ? CLI_FINE : CLI_PROBLEM;
	}
	json_decref(u.attached);
	json_decref(u.steps);
	config_fini(&u.config);
	return rc;
}

const struct command uninstall_command = {
	.name = "uninstall",
	.help = "Takes away what Ringway has on this node.",
	.json_help =
		"{\"complete\": whether nothing is left (with --dry-run: would be), \"dry_run\", "
		"\"attached\": "
		"[\"NAMESPACE/NAME\"] of pods that still are, \"steps\": [{\"what\", \"text\": what was "
		"found, "
		"\"result\": \"removed\", \"kept\", \"failed\", or \"found\" with --dry-run, "
		"\"note\"}]}. "
		"The network configuration goes at once if there is another, which new pods get then, and "
		"all "
		"else "
		"once no pod is attached: the daemon, if it runs, ends and takes it away; stop what would "
		"start it "
		"again. Exit status 1 while something is left; run it again then.",
	.options = uninstall_options,
	.parse = uninstall_parse,
	.run = uninstall_main,
	.input_size = sizeof(struct uninstall_args),
};
