#include "control/source/source.h"

#include <errno.h>
#include <string.h>

#include "control/follow.h"
#include "control/log.h"
#include "control/model/store.h"
#include "control/source/files.h"

static void
tell_follow(void *arg)
{
	follow_changed(((struct daemon *)arg)->follow);
}

int
source_start(struct daemon *d)
{
	struct source_config config = { d->config.cluster.manifests, d->store, d->loop, tell_follow, d };
	int result;

	if (*config.dir == '\0') {
		log_error("cluster.manifests is not set: name the directory with the cluster's manifests");
		return -EINVAL;
	}
	result = source_new(&d->source, &config);
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

void
source_stop(struct daemon *d)
{
	source_free(d->source);
	d->source = NULL;
}
