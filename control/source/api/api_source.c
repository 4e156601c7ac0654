#include "control/source/api/api_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/config.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/model/network_policy.h"
#include "control/model/store.h"
#include "control/source/api/api_credentials.h"

struct api_source {
	struct api_source_config config;
	struct api_client *client;
	struct api_watch *watches[N_API_KINDS];
	struct api_writer *writer;
	struct api_own_node own_node;
	bool has_watch_list, has_all_pods, is_synced;
	struct loop_task look;
	uint64_t n_pods_seen,
		n_policies_seen; /* the store's generations when we looked whether all pods are needed */
};

/* --- do policies need all pods */

struct question {
	const struct store *store;
	const char *node, *ns;
	bool is_yes;
};

static bool
has_pod_peers(const struct network_policy_object *policy)
{
	for (unsigned d = 0; d < 2; d++)
		for (size_t i = 0; i < policy->n_rules[d]; i++)
			for (size_t j = 0; j < policy->rules[d][i].n_peers; j++)
				if (policy->rules[d][i].peers[j].block == NULL)
					return true;
	return false;
}

static void
find_pod(const struct object *object, void *arg)
{
	struct question *q = arg;

	q->is_yes |= strcmp(object->ns, q->ns) == 0 &&
		     strcmp(((const struct pod_object *)object)->node, q->node) == 0;
}

static void
ask_policy(const struct object *object, void *arg)
{
	struct question *q = arg;

	if (q->is_yes || !has_pod_peers((const struct network_policy_object *)object))
		return;
	q->ns = object->ns;
	store_each(q->store, OBJECT_POD, find_pod, q);
}

/* While only this node's pods are known, so there are few. */
static bool
needs_all_pods(const struct api_source *s)
{
	struct question q = { .store = s->config.store, .node = s->config.config->node.name };

	store_each(s->config.store, OBJECT_NETWORK_POLICY, ask_policy, &q);
	return q.is_yes;
}

static struct api_watch *
pod_watch(const struct api_source *s)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (api_kinds[i].kind == OBJECT_POD)
			return s->watches[i];
	return NULL;
}

static void
widen_if_needed(struct api_source *s)
{
	uint64_t pods = store_generation(s->config.store, OBJECT_POD);
	uint64_t policies = store_generation(s->config.store, OBJECT_NETWORK_POLICY);

	if (s->has_all_pods || (pods == s->n_pods_seen && policies == s->n_policies_seen))
		return;
	s->n_pods_seen = pods;
	s->n_policies_seen = policies;
	if (!needs_all_pods(s))
		return;
	log_info("a policy here has pods as peers: pods of all nodes are watched from now on");
	s->has_all_pods = true;
	api_watch_widen(pod_watch(s));
}

/* --- changes */

static bool
are_all_synced(const struct api_source *s)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (!api_watch_status(s->watches[i])->is_synced)
			return false;
	return true;
}

static void
look(void *arg)
{
	struct api_source *s = arg;

	/* the first answer counts once both are known; what it needs is part of being in sync */
	if (s->is_synced || are_all_synced(s))
		widen_if_needed(s);
	if (!s->is_synced && are_all_synced(s)) {
		s->is_synced = true;
		s->config.synced(s->config.arg);
	}
	s->config.changed(s->config.arg);
}

static void
on_changed(void *arg)
{
	struct api_source *s = arg;

	loop_defer(s->config.loop, &s->look);
}

/* --- life */

static uint64_t
random_seed(unsigned i)
{
	uint64_t seed = clock_now_ns();

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed ^= 0x9e3779b97f4a7c15;
	return seed + i;
}

static void
on_node(const json_t *object, void *arg)
{
	struct api_source *s = arg;

	if (api_own_node_note(&s->own_node, s->config.config->node.name, object))
		api_writer_wake(s->writer);
}

static int
start_writer(struct api_source *s)
{
	struct api_writer_config config = {
		.loop = s->config.loop,
		.client = s->client,
		.seed = random_seed(N_API_KINDS),
	};

	s->writer = api_writer_new(&config);
	return s->writer == NULL ? -ENOMEM : 0;
}

static int
start_watches(struct api_source *s)
{
	for (unsigned i = 0; i < N_API_KINDS; i++) {
		struct api_watch_config config = {
			.loop = s->config.loop,
			.client = s->client,
			.store = s->config.store,
			.kind = &api_kinds[i],
			.node = api_kinds[i].is_of_node ? s->config.config->node.name : NULL,
			.has_watch_list = &s->has_watch_list,
			.seed = random_seed(i),
			.changed = on_changed,
			.sees = api_kinds[i].kind == OBJECT_NODE ? on_node : NULL,
			.arg = s,
		};

		s->watches[i] = api_watch_new(&config);
		if (s->watches[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int
api_source_new(struct api_source **out, const struct api_source_config *config)
{
	struct api_source *s = calloc(1, sizeof(*s));
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig credentials;
	int result;

	if (s == NULL)
		return -ENOMEM;
	s->config = *config;
	s->has_watch_list = true;
	s->look = (struct loop_task){ .fn = look, .arg = s };
	result = api_credentials_read(&credentials, config->config, error);
	if (result < 0) {
		log_error("%s", error);
		free(s);
		return result;
	}
	result = api_client_new(&s->client, config->loop, &credentials, config->config->cluster.api_idle);
	if (result == 0)
		result = start_writer(s);
	if (result == 0)
		result = start_watches(s);
	if (result < 0) {
		log_error("the API server cannot be asked: %s", strerror(-result));
		api_source_free(s);
		return result;
	}
	*out = s;
	return 0;
}

void
api_source_free(struct api_source *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < N_API_KINDS; i++)
		api_watch_free(s->watches[i]);
	loop_cancel(s->config.loop, &s->look);
	api_writer_free(s->writer);
	api_own_node_fini(&s->own_node);
	api_client_free(s->client);
	free(s);
}

const char *
api_source_server(const struct api_source *s)
{
	return api_client_server(s->client);
}

size_t
api_source_n_errors(const struct api_source *s)
{
	size_t n = *api_client_trouble(s->client) != '\0';

	for (unsigned i = 0; i < N_API_KINDS; i++)
		n += api_objects_n_errors(api_watch_objects(s->watches[i]));
	return n;
}

void
api_source_each_error(
	const struct api_source *s, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg)
{
	if (*api_client_trouble(s->client) != '\0')
		fn(api_client_trouble(s->client), 0, arg);
	for (unsigned i = 0; i < N_API_KINDS; i++)
		api_objects_each_error(api_watch_objects(s->watches[i]), fn, arg);
}

const struct api_watch_status *
api_source_status(const struct api_source *s, unsigned i)
{
	return api_watch_status(s->watches[i]);
}

const struct api_own_node *
api_source_own_node(const struct api_source *s)
{
	return &s->own_node;
}

struct api_writer *
api_source_writer(const struct api_source *s)
{
	return s->writer;
}

bool
api_source_has_all_pods(const struct api_source *s)
{
	return s->has_all_pods;
}

size_t
api_source_check(const struct config *config, FILE *out)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig credentials;

	if (api_credentials_read(&credentials, config, error) < 0) {
		fprintf(out, "%s\n", error);
		return 1;
	}
	fprintf(out, "%s with %s; it was not asked: 0 errors\n", credentials.server,
		credentials.token.data != NULL  ? "a token"
		: credentials.cert.data != NULL ? "a client certificate"
						: "no credentials");
	kubeconfig_fini(&credentials);
	return 0;
}
