/* ringway-cni: what a container runtime starts to give a pod its network, and to take it away. It makes the
 * links; all decisions and all state are the daemon's, asked over its admin socket in two steps (cf.
 * control/node/attach.h): what is to be made, then that it was made. It forks nothing
 * and always ends in time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/agent.h"
#include "cni/link.h"
#include "cni/netconf.h"
#include "cni/port_mappings.h"
#include "cni/result.h"
#include "cni/spool.h"
#include "cni/steps.h"
#include "cni/wiring.h"

#define STDIN_MAX (1024 * 1024)
#define DEADLINE_S 30 /* beyond all limits below: only a kernel that hangs makes us reach it */

/* A DEL does not wait for a daemon that is away, since it can be kept for it: with many pods to take down, each second counts.
 * One that is there may have a hundred others to do first. */
#define DEL_AWAY_MS 200
#define DEL_WAIT_MS 5000

/* An ADD waits for AGENT_WAIT_MS when the daemon is away. One that is there may have the pods of a whole node to attach, on a machine
 * that is just starting: whoever gives up has his pod made anew, which helps nobody. */
#define ADD_WAIT_MS 20000
#define STATUS_WAIT_MS 1000

static const char *
environment(const char *name)
{
	return getenv(name);
}

/* Says so and ends, whatever hangs. Only async-signal-safe calls. */
static void
deadline_passed(int signal)
{
	static const char message[] =
		"{\"cniVersion\":\"0.3.1\",\"code\":11,\"msg\":\"ringway-cni did not finish in 30 s\"}\n";

	if (write(STDOUT_FILENO, message, sizeof(message) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* All of stdin; NULL when it cannot be read or is too long. */
static char *
stdin_read(size_t *size)
{
	char *text = malloc(STDIN_MAX);
	ssize_t n = 1;

	*size = 0;
	while (text != NULL && n != 0 && *size < STDIN_MAX) {
		n = read(STDIN_FILENO, text + *size, STDIN_MAX - *size);
		if (n < 0 && errno != EINTR)
			break;
		*size += n > 0 ? (size_t)n : 0;
	}
	if (n == 0)
		return text;
	free(text);
	return NULL;
}

static json_t *
key_to_json(const struct netconf *n)
{
	return json_pack("{s:s, s:s}", "containerId", n->container_id, "ifname", n->ifname);
}

/* Of what an ADD makes: void once the runtime has begun another. */
static json_t *
attempt_to_json(const struct netconf *n, const struct wiring *w)
{
	json_t *key = key_to_json(n);

	if (w->attempt != 0)
		json_object_set_new(key, "attempt", json_integer(w->attempt));
	return key;
}

static struct agent_limits
limits_of(int64_t away_ms, int64_t wait_ms)
{
	int64_t now_ms = agent_now_ms();

	return (struct agent_limits){ now_ms + away_ms, now_ms + wait_ms };
}

/* Asks the daemon; an HTTP error becomes ours. */
static enum cni_code
ask(const struct netconf *n, const char *path, json_t *body, const struct agent_limits *limits,
	json_t **reply, struct cni_error *e)
{
	unsigned status = 0;
	const json_t *code;

	agent_call(n->socket, path, body, limits, &status, reply, e);
	json_decref(body);
	if (e->code != CNI_OK || status == 200)
		return e->code;
	code = json_object_get(*reply, "cniCode");
	cni_fail(e, json_is_integer(code) ? (enum cni_code)json_integer_value(code) : CNI_FAILED,
		json_string_value(json_object_get(*reply, "hint")), "%s",
		json_object_get(*reply, "error") == NULL
			? "ringwayd refused without a reason"
			: json_string_value(json_object_get(*reply, "error")));
	json_decref(*reply);
	*reply = NULL;
	return e->code;
}

/* Takes back what an ADD that failed has made. Best effort: the daemon undoes an intent by itself, too. */
static void
undo(const struct netconf *n, const struct wiring *w, unsigned ifindex)
{
	struct agent_limits limits = limits_of(DEL_AWAY_MS, DEL_WAIT_MS);
	struct cni_error ignored = { CNI_OK };
	json_t *reply = NULL;

	link_delete(ifindex);
	ask(n, "/v1/cni/del", attempt_to_json(n, w), &limits, &reply, &ignored);
	json_decref(reply);
}

static enum cni_code
add(const struct netconf *n, const struct agent_limits *limits, json_t **result, struct cni_error *e)
{
	json_t *reply = NULL, *ignored = NULL, *host_ports;
	struct wiring w;
	unsigned ifindex;
	int netns;

	if (port_mappings_parse(n->config, &host_ports, e) != CNI_OK)
		return e->code;
	if (netns_open(n->netns, &netns, e) != CNI_OK) {
		json_decref(host_ports);
		return e->code;
	}
	ask(n, "/v1/cni/add",
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "containerId", n->container_id, "ifname",
			n->ifname, "netns", n->netns, "podNamespace", n->pod_ns, "podName", n->pod, "podUid",
			n->pod_uid, "hostPorts", host_ports),
		limits, &reply, e);
	steps_mark("intent");
	if (e->code == CNI_OK && wiring_decode(&w, reply, e) == CNI_OK) {
		if (w.is_attached) {
			link_check(&w, netns, n->ifname, e);
		} else if (link_create(&w, netns, n->ifname, &ifindex, e) != CNI_OK ||
			   ask(n, "/v1/cni/commit", attempt_to_json(n, &w), limits, &ignored, e) != CNI_OK) {
			undo(n, &w, ifindex);
		}
		steps_mark("commit");
		steps_take(json_object_get(ignored, "steps"));
		if (e->code == CNI_OK)
			*result = result_new(n, &w);
	}
	json_decref(ignored);
	json_decref(reply);
	close(netns);
	return e->code;
}

static enum cni_code
del(const struct netconf *n, struct cni_error *e)
{
	struct agent_limits limits = limits_of(DEL_AWAY_MS, DEL_WAIT_MS);
	json_t *reply = NULL;

	/* the daemon removes the links; the namespace may be gone or, by the third DEL, not even be named */
	ask(n, "/v1/cni/del", key_to_json(n), &limits, &reply, e);
	json_decref(reply);
	return e->code == CNI_TRY_AGAIN || e->code == CNI_IO_FAILURE ? spool_write(n, e) : e->code;
}

static enum cni_code
check(const struct netconf *n, const struct agent_limits *limits, struct cni_error *e)
{
	json_t *reply = NULL;
	struct wiring w;
	int netns;

	if (netns_open(n->netns, &netns, e) != CNI_OK)
		return e->code;
	if (ask(n, "/v1/cni/check", key_to_json(n), limits, &reply, e) == CNI_OK &&
		wiring_decode(&w, reply, e) == CNI_OK && result_compare(n, &w, e) == CNI_OK)
		link_check(&w, netns, n->ifname, e);
	json_decref(reply);
	close(netns);
	return e->code;
}

/* Would an ADD work now? A runtime that asks does not want to wait for the answer. The specification has 50 for a plugin that
 * cannot serve an ADD, and 51 for one that cannot and whose containers may have lost connectivity. The daemon knows which; when
 * there is none, there are no workers either, and no packet of a pod goes anywhere. One that is there and does not answer in time
 * may have its workers at work: 50. */
static enum cni_code
status(const struct netconf *n, struct cni_error *e)
{
	struct agent_limits limits = limits_of(DEL_AWAY_MS, STATUS_WAIT_MS);
	json_t *reply = NULL;

	ask(n, "/v1/cni/status", NULL, &limits, &reply, e);
	json_decref(reply);
	if (e->code == CNI_TRY_AGAIN && agent_now_ms() < limits.deadline_ms)
		e->code = CNI_IMPAIRED;
	else if (e->code != CNI_OK && e->code != CNI_IMPAIRED)
		e->code = CNI_UNAVAILABLE;
	return e->code;
}

/* What the runtime lists is a hint: the daemon removes what is gone besides, and never a live pod's. It collects without being
 * asked, too, so that one which is away is no error. */
static enum cni_code
gc(const struct netconf *n, struct cni_error *e)
{
	const json_t *valid = json_object_get(n->config, "cni.dev/valid-attachments");
	struct agent_limits limits = limits_of(DEL_AWAY_MS, DEL_WAIT_MS);
	json_t *reply = NULL;

	if (!json_is_array(valid)) /* libcni's first name for it */
		valid = json_object_get(n->config, "cni.dev/attachments");
	if (!json_is_array(valid))
		return CNI_OK;
	ask(n, "/v1/cni/gc", json_pack("{s:O}", "valid", valid), &limits, &reply, e);
	json_decref(reply);
	if (e->code == CNI_TRY_AGAIN)
		*e = (struct cni_error){ CNI_OK };
	return e->code;
}

static void
print(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

int
main(void)
{
	struct cni_error e = { CNI_OK };
	struct netconf n = { .version = "0.3.1" };
	json_t *result = NULL;
	size_t size;
	char *text;
	struct agent_limits limits;

	steps_start();
	signal(SIGALRM, deadline_passed);
	signal(SIGPIPE, SIG_IGN);
	alarm(DEADLINE_S);
	limits = limits_of(AGENT_WAIT_MS, ADD_WAIT_MS);
	text = stdin_read(&size);
	if (text == NULL) {
		cni_fail(&e, CNI_DECODE_FAILURE, NULL,
			"the network configuration on stdin cannot be read or is over 1 MB");
	} else if (netconf_parse(&n, environment, text, size, &e) == CNI_OK) {
		switch (n.command) {
		case CNI_ADD:
			add(&n, &limits, &result, &e);
			break;
		case CNI_DEL:
			del(&n, &e);
			break;
		case CNI_CHECK:
			check(&n, &limits, &e);
			break;
		case CNI_STATUS:
			status(&n, &e);
			break;
		case CNI_GC:
			gc(&n, &e);
			break;
		case CNI_VERSION:
			result = result_versions(n.version);
			break;
		}
	}
	if (e.code != CNI_OK)
		print(result_error(n.version, &e));
	else if (result != NULL)
		print(result);
	netconf_fini(&n);
	free(text);
	steps_write();
	return e.code == CNI_OK && fflush(stdout) == 0 ? 0 : 1;
}
