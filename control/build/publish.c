#include "control/build/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/dns_table_build.h"
#include "control/build/policy_build.h"
#include "control/build/policy_since.h"
#include "control/build/service_build.h"
#include "control/log.h"
#include "control/loop.h"
#include "dataplane/snapshot.h"

/* How soon to look again whether replaced tables can be freed. */
#define RECLAIM_NS (100 * NS_PER_MS)

/* Tables that were replaced and wait for their grace period. */
struct retired {
	const struct tables *tables;
	uint64_t grace;
	struct retired *next;
};

struct publisher {
	struct publisher_config config;
	struct snapshot_builder *builder;
	struct loop_task build;
	struct loop_timer *reclaim;
	struct retired *retired;
	const struct tables *current;
	bool facts_changed, is_held;
	uint64_t generations[N_OBJECT_KINDS]; /* of the store, at the last build */
	struct publisher_status status;
	struct policy_since *policies;
};

static void
reclaim(void *arg)
{
	struct publisher *p = arg;
	struct retired **next = &p->retired;

	while (*next != NULL) {
		struct retired *r = *next;

		if (!snapshot_is_over(p->config.snapshot, r->grace)) {
			next = &r->next;
			continue;
		}
		*next = r->next;
		snapshot_release(p->builder, r->tables);
		free(r);
	}
	if (p->retired != NULL)
		loop_timer_set(p->reclaim, RECLAIM_NS, 0);
}

static bool
has_changed(const struct publisher *p, enum object_kind kind)
{
	return store_generation(p->config.store, kind) != p->generations[kind];
}

/* What has to be built, as enum build_part. */
static unsigned
find_changes(const struct publisher *p)
{
	unsigned parts = 0;

	if (p->current == NULL)
		return BUILD_TOPOLOGY | BUILD_SERVICES;
	if (p->facts_changed || has_changed(p, OBJECT_NODE))
		parts |= BUILD_TOPOLOGY;
	if (!service_builder_is_idle(snapshot_services(p->builder)))
		parts |= BUILD_SERVICES;
	if (!policy_builder_is_idle(snapshot_policies(p->builder)))
		parts |= BUILD_POLICIES;
	if (snapshot_dns(p->builder) != NULL && dns_table_builder_is_due(snapshot_dns(p->builder)))
		parts |= BUILD_DNS;
	return parts | snapshot_owes(p->builder);
}

/* What is done in steps, before which and between which all else is published. */
static bool
has_work(const struct publisher *p)
{
	const struct dns_table_builder *dns = snapshot_dns(p->builder);

	return !p->is_held && dns != NULL && dns_table_builder_has_work(dns);
}

static void
put_in_force(struct publisher *p, const struct tables *next, struct retired *r)
{
	if (p->config.publishing != NULL)
		p->config.publishing(next, p->config.arg);
	r->tables = snapshot_publish(p->config.snapshot, next, &r->grace);
	p->current = next;
	policy_since_published(p->policies, next->version);
	if (r->tables == NULL) {
		free(r);
	} else {
		r->next = p->retired;
		p->retired = r;
		loop_timer_set(p->reclaim, RECLAIM_NS, 0);
	}
	if (p->config.published != NULL)
		p->config.published(next, p->config.arg);
}

static void
note_failure(struct publisher *p, const char *error)
{
	if (p->status.error[0] == '\0')
		p->status.failed_ns = clock_now_ns();
	if (strcmp(p->status.error, error) != 0)
		log_warn("tables cannot be built, %s: %s",
			p->current == NULL ? "none are in force yet" : "the last ones stay in force", error);
	snprintf(p->status.error, sizeof(p->status.error), "%s", error);
	p->status.n_failures++;
}

/* Builds what changed and publishes it. 0 also when nothing did. */
static int
build_changes(struct publisher *p)
{
	unsigned parts = find_changes(p);
	struct build_facts facts = { 0 };
	uint64_t start = clock_now_ns();
	char error[BUILD_ERROR_SIZE];
	const struct tables *next;
	struct retired *r;
	int result;

	if (parts == 0 || p->is_held)
		return 0;
	if (p->retired != NULL)
		reclaim(p); /* many changes in a row do not pile up versions */
	p->config.gather(&facts, p->config.arg);
	r = calloc(1, sizeof(*r)); /* before the build: from then on nothing may fail */
	if (r == NULL) {
		note_failure(p, "out of memory while building tables");
		return -ENOMEM;
	}
	result = snapshot_build(p->builder, &facts, parts, start, &next, error);
	if (result < 0) {
		free(r);
		note_failure(p, error);
		return result;
	}
	p->facts_changed = false;
	for (unsigned kind = 0; kind < N_OBJECT_KINDS; kind++)
		p->generations[kind] = store_generation(p->config.store, kind);
	p->status.error[0] = '\0';
	p->status.version = next->version;
	p->status.published_ns = clock_now_ns();
	p->status.build_ns = p->status.published_ns - start;
	p->status.n_builds++;
	put_in_force(p, next, r);
	if (has_work(p))
		loop_defer(p->config.loop, &p->build);
	return 0;
}

/* A step of it, which is all of it but after large changes. False: memory is short, and the next change tries again. */
static bool
work(struct publisher *p)
{
	return !has_work(p) || dns_table_builder_step(snapshot_dns(p->builder)) == 0;
}

static void
build_deferred(void *arg)
{
	struct publisher *p = arg;
	bool goes_on = work(p);

	build_changes(p);
	if (goes_on && has_work(p))
		loop_defer(p->config.loop, &p->build);
}

struct publisher *
publisher_new(const struct publisher_config *config)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->config = *config;
	p->build = (struct loop_task){ .fn = build_deferred, .arg = p };
	p->builder = snapshot_builder_new(config->store, config->slots);
	p->reclaim = loop_timer_new(config->loop, reclaim, p);
	p->policies = policy_since_new(config->store);
	if (p->builder == NULL || p->reclaim == NULL || p->policies == NULL) {
		publisher_free(p);
		return NULL;
	}
	return p;
}

void
publisher_free(struct publisher *p)
{
	uint64_t grace;

	if (p == NULL)
		return;
	loop_cancel(p->config.loop, &p->build);
	if (p->current != NULL)
		snapshot_publish(p->config.snapshot, NULL, &grace);
	while (p->retired != NULL) {
		struct retired *r = p->retired;

		p->retired = r->next;
		snapshot_release(p->builder, r->tables);
		free(r);
	}
	if (p->builder != NULL)
		snapshot_release(p->builder, p->current);
	snapshot_builder_free(p->builder);
	loop_timer_free(p->reclaim);
	policy_since_free(p->policies);
	free(p);
}

void
publisher_facts_changed(struct publisher *p)
{
	p->facts_changed = true;
	loop_defer(p->config.loop, &p->build);
}

void
publisher_check(struct publisher *p)
{
	if (find_changes(p) != 0 || has_work(p))
		loop_defer(p->config.loop, &p->build);
}

void
publisher_hold(struct publisher *p)
{
	p->is_held = true;
}

void
publisher_release(struct publisher *p)
{
	p->is_held = false;
	publisher_check(p);
}

bool
publisher_is_held(const struct publisher *p)
{
	return p->is_held;
}

int
publisher_flush(struct publisher *p)
{
	int result;

	work(p);
	result = build_changes(p);
	if (result < 0)
		return result;
	for (struct retired *r = p->retired; r != NULL; r = r->next)
		snapshot_wait(p->config.snapshot, r->grace);
	reclaim(p);
	return 0;
}

struct publisher_status
publisher_status(const struct publisher *p)
{
	return p->status;
}

const struct tables *
publisher_tables(const struct publisher *p)
{
	return p->current;
}

struct service_builder *
publisher_services(const struct publisher *p)
{
	return snapshot_services(p->builder);
}

const struct dns_table_builder *
publisher_dns(const struct publisher *p)
{
	return snapshot_dns(p->builder);
}

struct policy_builder *
publisher_policies(const struct publisher *p)
{
	return snapshot_policies(p->builder);
}

uint64_t
publisher_policy_version(struct publisher *p, const char *ns, const char *name)
{
	return policy_since_version(p->policies, ns, name);
}
