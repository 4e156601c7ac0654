/* Keeps the tables in force up to date: notices what changed, builds, publishes, and frees what was replaced once no worker
 * can see it. A burst of changes is one build. When a build fails, the tables in force stay and the failure is told.
 * Control thread only. */
#ifndef RINGWAY_BUILD_PUBLISH_H
#define RINGWAY_BUILD_PUBLISH_H

#include "control/build/snapshot_build.h"

struct dns_table_builder;
struct loop;
struct policy_builder;
struct publisher;
struct service_builder;
struct snapshot;

struct publisher_config {
	struct loop *loop;
	struct store *store;
	struct slots *slots;
	struct snapshot *snapshot;

	/* Fills what is known of this node; called before each build. May ask for no publication itself. */
	void (*gather)(struct build_facts *facts, void *arg);

	/* Called before each publication, with what will be in force; publisher_tables() still are. May be NULL. */
	void (*publishing)(const struct tables *next, void *arg);

	/* Called after each publication, with the tables now in force; may be NULL. */
	void (*published)(const struct tables *tables, void *arg);
	void *arg;
};

/* The config's pointers are the caller's and stay. NULL if out of memory. */
struct publisher *publisher_new(const struct publisher_config *config);

/* Workers must have stopped: frees all tables. NULL is fine. */
void publisher_free(struct publisher *p);

/* Something that gather() tells has changed. Store changes are found by their generation: publisher_check(). */
void publisher_facts_changed(struct publisher *p);

/* Builds soon, from the loop, if the store changed. */
void publisher_check(struct publisher *p);

/* While it is held, nothing is built: what is in force stays, and what changes is built after the release. */
void publisher_hold(struct publisher *p);
void publisher_release(struct publisher *p);
bool publisher_is_held(const struct publisher *p);

/* Builds and publishes at once what changed (of the DNS zone as much as a step does), and returns when no worker uses older
 * tables. 0, or -EAGAIN or -ENOMEM as snapshot_build(). */
int publisher_flush(struct publisher *p);

struct publisher_status {
	uint64_t version;      /* in force; 0: none yet */
	uint64_t published_ns; /* when; CLOCK_MONOTONIC */
	uint64_t build_ns;     /* how long that build took */
	uint64_t n_builds, n_failures;
	char error[BUILD_ERROR_SIZE]; /* why the last build failed; "" when it did not */
	uint64_t failed_ns;           /* since when builds fail */
};

struct publisher_status publisher_status(const struct publisher *p);

/* Names of services, refused addresses. */
struct service_builder *publisher_services(const struct publisher *p);

/* Memory of the cluster's zone; NULL: there is no DNS, or not yet. */
const struct dns_table_builder *publisher_dns(const struct publisher *p);

/* Names of rules, and whom they isolate. */
struct policy_builder *publisher_policies(const struct publisher *p);

/* The version of the tables that a NetworkPolicy came into force with as the store has it; 0: its tables could not be built. */
uint64_t publisher_policy_version(struct publisher *p, const char *ns, const char *name);

/* The tables in force, or NULL. Valid until the loop runs again. */
const struct tables *publisher_tables(const struct publisher *p);

#endif
