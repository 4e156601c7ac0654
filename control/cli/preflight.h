/* Can Ringway run on this machine, and run well? A list of checks, each with what was found and, unless all
 * is well, what to do. They need no daemon and change nothing: what must be tried (mounting bpffs, loading a
 * program, a veth pair) is tried in namespaces of a child process, which end with it. One thread. */
#ifndef RINGWAY_CLI_PREFLIGHT_H
#define RINGWAY_CLI_PREFLIGHT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum check_status {
	CHECK_OK,
	CHECK_WARN, /* runs, with something missing or slower */
	CHECK_FAIL, /* does not run, or not rightly */
};

struct check_result {
	enum check_status status;
	char found[320];
	char advice[320]; /* "" when ok */
};

struct network_list {
	size_t n;
	char **items; /* "10.244.0.0/16" */
};

struct preflight {
	unsigned kernel;     /* KERNEL(major, minor) of the running kernel */
	const char *cni_dir; /* where the container runtime looks for networks */

	/* from ringwayd's configuration, or its defaults */
	const char *uplink;         /* "": that of the default route */
	const char *host_interface; /* the daemon's own, whose addresses are no conflict */
	unsigned overlay_mtu;       /* 0: derived */
	unsigned pods_max;
	struct network_list pod_cidrs, service_cidrs;
};

struct check {
	const char *name;
	void (*run)(const struct preflight *p, struct check_result *result);
};

#define KERNEL(major, minor) ((major)*1000u + (minor))

/* "6.1.0-13-amd64" as KERNEL(6, 1); 0 when it says something else. */
unsigned preflight_kernel(const char *release);

/* Runs all checks and appends {"check", "status", "found", "advice"} for each to
 * results. Returns the worst status. */
enum check_status preflight_run(const struct preflight *p, json_t *results);

/* Appends one result to results. */
void preflight_add(json_t *results, const char *name, const struct check_result *result);

const char *check_status_name(enum check_status status);

/* Sets a result; advice may be NULL. */
void check_say(struct check_result *result, enum check_status status, const char *advice, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/* The lists, each ended by an entry without a name: preflight_kernel.c, preflight_network.c. */
extern const struct check kernel_checks[], network_checks[];

#endif
