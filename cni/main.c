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
#include "cni/wiring.h"

#define STDIN_MAX (1024 * 1024)
#define DEADLINE_S 30 /* far beyond AGENT_WAIT_MS: only a kernel that hangs makes us reach it */

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

/* Asks the daemon; an HTTP error becomes ours. */
static enum cni_code
ask(const struct netconf *n, const char *path, json_t *body, int64_t deadline_ms, json_t **reply,
	struct cni_error *e)
{
	unsigned status = 0;
	const json_t *code;

	agent_call(n->socket, path, body, deadline_ms, &status, reply, e);
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
undo(const struct netconf *n, const struct wiring *w)
{
	struct cni_error ignored = { CNI_OK };
	json_t *reply = NULL;

	link_delete(w->link);
	ask(n, "/v1/cni/del", key_to_json(n), agent_now_ms() + 1000, &reply, &ignored);
	json_decref(reply);
}

static enum cni_code
add(const struct netconf *n, int64_t deadline_ms, json_t **result, struct cni_error *e)
{
	json_t *reply = NULL, *ignored = NULL, *host_ports;
	struct wiring w;
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
		deadline_ms, &reply, e);
	if (e->code == CNI_OK && wiring_decode(&w, reply, e) == CNI_OK) {
		if (w.is_attached) {
			link_check(&w, netns, n->ifname, e);
		} else if (link_create(&w, netns, n->ifname, e) != CNI_OK ||
			   ask(n, "/v1/cni/commit", key_to_json(n), deadline_ms, &ignored, e) != CNI_OK) {
			undo(n, &w);
		}
		if (e->code == CNI_OK)
			*result = result_new(n, &w);
	}
	json_decref(ignored);
	json_decref(reply);
	close(netns);
	return e->code;
}

static enum cni_code
del(const struct netconf *n, int64_t deadline_ms, struct cni_error *e)
{
	json_t *reply = NULL;

	/* the daemon removes the links; the namespace may be gone or, by the third DEL, not even be named */
	ask(n, "/v1/cni/del", key_to_json(n), deadline_ms, &reply, e);
	json_decref(reply);
	return e->code;
}

static enum cni_code
check(const struct netconf *n, int64_t deadline_ms, struct cni_error *e)
{
	json_t *reply = NULL;
	struct wiring w;
	int netns;

	if (netns_open(n->netns, &netns, e) != CNI_OK)
		return e->code;
	if (ask(n, "/v1/cni/check", key_to_json(n), deadline_ms, &reply, e) == CNI_OK &&
		wiring_decode(&w, reply, e) == CNI_OK && result_compare(n, &w, e) == CNI_OK)
		link_check(&w, netns, n->ifname, e);
	json_decref(reply);
	close(netns);
	return e->code;
}

/* Would an ADD work now? A runtime that asks does not want to wait for the answer. */
static enum cni_code
status(const struct netconf *n, struct cni_error *e)
{
	json_t *reply = NULL;

	ask(n, "/readyz", NULL, agent_now_ms() + 1000, &reply, e);
	json_decref(reply);
	if (e->code != CNI_OK)
		e->code = CNI_UNAVAILABLE;
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
	int64_t deadline_ms;

	signal(SIGALRM, deadline_passed);
	signal(SIGPIPE, SIG_IGN);
	alarm(DEADLINE_S);
	deadline_ms = agent_now_ms() + AGENT_WAIT_MS;
	text = stdin_read(&size);
	if (text == NULL) {
		cni_fail(&e, CNI_DECODE_FAILURE, NULL,
			"the network configuration on stdin cannot be read or is over 1 MB");
	} else if (netconf_parse(&n, environment, text, size, &e) == CNI_OK) {
		switch (n.command) {
		case CNI_ADD:
			add(&n, deadline_ms, &result, &e);
			break;
		case CNI_DEL:
			del(&n, deadline_ms, &e);
			break;
		case CNI_CHECK:
			check(&n, deadline_ms, &e);
			break;
		case CNI_STATUS:
			status(&n, &e);
			break;
		case CNI_GC:
			/* A plugin may remove what the runtime does not list, and need not (specification 1.1.0). The
			 * daemon finds pods that are gone by itself, and no list that is wrong costs a live one its
			 * network. */
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
	return e.code == CNI_OK && fflush(stdout) == 0 ? 0 : 1;
}
