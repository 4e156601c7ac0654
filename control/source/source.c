#include "control/source/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "control/follow.h"
#include "control/log.h"
#include "control/model/store.h"
#include "control/source/api/api_saved.h"
#include "control/source/api/api_source.h"
#include "control/source/files.h"

static void
tell_follow(void *arg)
{
	follow_changed(((struct daemon *)arg)->follow);
}

static int
start_files(struct daemon *d)
{
	struct source_config config = { d->config.cluster.manifests, d->store, d->loop, tell_follow, d };
	int result = source_new(&d->source, &config);

	if (result < 0) {
		log_error("%s cannot be watched: %s", config.dir, strerror(-result));
		return result;
	}
	log_info("%zu files in %s: %zu nodes, %zu services, %zu endpoint slices, %zu pods; %zu errors",
		source_n_files(d->source), config.dir, store_count(d->store, OBJECT_NODE),
		store_count(d->store, OBJECT_SERVICE), store_count(d->store, OBJECT_ENDPOINT_SLICE),
		store_count(d->store, OBJECT_POD), source_n_errors(d->source));
	return 0;
}

static void
on_synced(void *arg)
{
	struct daemon *d = arg;

	log_info("%s: %zu nodes, %zu services, %zu endpoint slices, %zu pods",
		api_source_server(d->api_source), store_count(d->store, OBJECT_NODE),
		store_count(d->store, OBJECT_SERVICE), store_count(d->store, OBJECT_ENDPOINT_SLICE),
		store_count(d->store, OBJECT_POD));
	follow_release(d->follow);
}

static int
start_api(struct daemon *d)
{
	char saved[PATH_MAX];
	struct api_source_config config = {
		.loop = d->loop,
		.store = d->store,
		.config = &d->config,
		.saved = d->config.cluster.api_wait == 0 ? NULL : saved,
		.changed = tell_follow,
		.synced = on_synced,
		.arg = d,
	};

	snprintf(saved, sizeof(saved), "%s/%s", d->config.state.dir, API_SAVED_FILE);
	follow_hold(d->follow);
	return api_source_new(&d->api_source, &config);
}

int
source_start(struct daemon *d)
{
	if (config_has_api_server(&d->config))
		return start_api(d);
	if (*d->config.cluster.manifests != '\0')
		return start_files(d);
	log_error("cluster.manifests is not set: name the directory with the cluster's manifests, or set "
		  "cluster.apiServer or cluster.kubeconfig");
	return -EINVAL;
}

void
source_stop(struct daemon *d)
{
	source_free(d->source);
	api_source_free(d->api_source);
	d->source = NULL;
	d->api_source = NULL;
}

size_t
source_n_problems(const struct daemon *d)
{
	if (d->api_source != NULL)
		return api_source_n_errors(d->api_source);
	return d->source == NULL ? 0 : source_n_errors(d->source);
}

void
source_each_problem(
	const struct daemon *d, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg)
{
	if (d->api_source != NULL)
		api_source_each_error(d->api_source, fn, arg);
	else if (d->source != NULL)
		source_each_error(d->source, fn, arg);
}
