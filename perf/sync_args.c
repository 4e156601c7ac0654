#include <argp.h>
#include <stdlib.h>

#include "perf/bench_sync.h"
#include "perf/params.h"

enum {
	KEY_NODES = 'a',
	KEY_SERVICES,
	KEY_ENDPOINTS,
	KEY_PODS,
	KEY_PAGES,
	KEY_SAVE,
	KEY_CHANGES,
	KEY_HEARTBEAT,
	KEY_SECONDS,
	KEY_JSON,
	KEY_HTML,
};

static const struct argp_option options[] = {
	{ "nodes", KEY_NODES, "N", 0, "nodes of the cluster (5000)", 1 },
	{ "services", KEY_SERVICES, "N", 0, "services (10000)", 1 },
	{ "endpoints", KEY_ENDPOINTS, "N", 0, "endpoints of all services, in slices of at most 100 (100000)",
		1 },
	{ "pods", KEY_PODS, "N", 0, "pods of all nodes, with a policy for which all of them are watched (0)",
		1 },
	{ "pages", KEY_PAGES, NULL, 0, "the server has no WatchList: lists come in pages", 1 },
	{ "save", KEY_SAVE, "FILE", 0, "save what is known there, as ringwayd does", 1 },
	{ "changes", KEY_CHANGES, "N", 0, "slices of which an endpoint changes each second (100)", 2 },
	{ "heartbeat", KEY_HEARTBEAT, "SECONDS", 0, "each node's status changes so often (300); 0: never",
		2 },
	{ "seconds", KEY_SECONDS, "SECONDS", 0, "how long changes go on (10); 0: not at all", 2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 3 },
	{ "html", KEY_HTML, "FILE", 0, "write a page with plots", 3 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct sync_args *args = state->input;

	switch (key) {
	case KEY_NODES:
		args->shape.n_nodes = (uint32_t)params_number(state, "nodes", arg, 1, 20000);
		return 0;
	case KEY_SERVICES:
		args->shape.n_services = (uint32_t)params_number(state, "services", arg, 1, 200000);
		return 0;
	case KEY_ENDPOINTS:
		args->shape.n_endpoints = (uint32_t)params_number(state, "endpoints", arg, 0, 1000000);
		return 0;
	case KEY_PODS:
		args->shape.n_pods = (uint32_t)params_number(state, "pods", arg, 0, 1000000);
		return 0;
	case KEY_PAGES:
		args->in_pages = true;
		return 0;
	case KEY_SAVE:
		args->saved = arg;
		return 0;
	case KEY_CHANGES:
		args->changes_per_s = (uint32_t)params_number(state, "changes", arg, 0, 10000);
		return 0;
	case KEY_HEARTBEAT:
		args->heartbeat_s = (uint32_t)params_number(state, "heartbeat", arg, 0, 86400);
		return 0;
	case KEY_SECONDS:
		args->seconds = (uint32_t)params_number(state, "seconds", arg, 0, 86400);
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	case KEY_HTML:
		args->html = arg;
		return 0;
	case ARGP_KEY_END:
		if (replay_check(&args->shape) < 0)
			argp_error(state, "a node has at most %u pods", REPLAY_NODE_PODS);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
sync_args_parse(int argc, char **argv, struct sync_args *args)
{
	static const struct argp argp = { options, parse, NULL,
		"A whole cluster's objects from an API server into tables: time, memory, and what changes "
		"cost.",
		NULL, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, args);
}
