/* The cluster's state from an API server: a watch for each kind of object; of pods, those that policies may need (api_scope.h),
 * or all when the zone has a name for each (dns.podRecords).
 * Control thread only. */
#ifndef RINGWAY_SOURCE_API_SOURCE_H
#define RINGWAY_SOURCE_API_SOURCE_H

#include <stdio.h>

#include "control/source/api/api_own_node.h"
#include "control/source/api/api_watch.h"
#include "control/source/api/api_writer.h"

struct api_source;
struct config;

struct api_source_config {
	struct loop *loop;
	struct store *store;
	const struct config *config;
	const char *
		saved; /* path of what is saved of the objects (api_saved.h), for the call; NULL: nothing is */
	void (*changed)(void *arg); /* the store, the errors or the state of a watch changed */
	/* once: all that there is has been listed, but for optional kinds, or, since that takes longer than cluster.apiWait, was loaded from what was saved */
	void (*synced)(void *arg);
	void *arg;
};

/* 0 or -errno, having logged why. */
int api_source_new(struct api_source **out, const struct api_source_config *config);

/* The objects stay in the store. NULL is fine. */
void api_source_free(struct api_source *s);

/* "https://192.0.2.1:6443" */
const char *api_source_server(const struct api_source *s);

/* What is wrong: objects that cannot be used, and credentials that cannot be read; since is CLOCK_REALTIME seconds, 0: not known. */
size_t api_source_n_errors(const struct api_source *s);
void api_source_each_error(
	const struct api_source *s, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg);

/* By i below N_API_KINDS, in the order of api_kinds. */
const struct api_watch_status *api_source_status(const struct api_source *s, unsigned i);

/* This node's object as it was told last; n_seen is 0 before. */
const struct api_own_node *api_source_own_node(const struct api_source *s);

/* For what is written there. */
struct api_writer *api_source_writer(const struct api_source *s);

/* CLOCK_REALTIME seconds of the save from which objects are that were not listed since the start; 0: there are none. */
int64_t api_source_saved_s(const struct api_source *s);

/* Whether pods of all nodes are watched. */
bool api_source_has_all_pods(const struct api_source *s);

/* Whether the configuration's credentials can be read, for --check: writes the error and returns 1, or 0. */
size_t api_source_check(const struct config *config, FILE *out);

#endif
