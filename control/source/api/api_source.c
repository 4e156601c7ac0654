#include "control/source/api/api_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/build/dns_options.h"
#include "control/config.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/model/store.h"
#include "control/source/api/api_credentials.h"
#include "control/source/api/api_saved.h"
#include "control/source/api/api_scope.h"

#define SCOPE_NS (2 * NS_PER_S)

struct api_source {
	struct api_source_config config;
	struct api_client *client;
	struct api_watch *watches[N_API_KINDS];
	struct api_writer *writer;
	struct api_own_node own_node;
	struct api_saved *saved;
	struct loop_timer *wait;   /* for all to be listed, before what was saved has to do */
	int64_t saved_s;           /* when that was saved; 0: it is not in use */
	bool is_synced, is_listed; /* there is something to go on with; all was listed since the start */
	bool has_watch_list;
	struct api_scope scope; /* of pods */
	bool needs_all_pods;
	struct loop_timer *
		scope_timer; /* while all are watched: with many of them to look at each change is too much */
	struct loop_task look;
	uint64_t n_pods_seen,
		n_policies_seen; /* the store's generations when we looked whether all pods are needed */
};

/* --- whose pods */

static struct api_watch *
pod_watch(const struct api_source *s)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (api_kinds[i].kind == OBJECT_POD)
			return s->watches[i];
	return NULL;
}

/* The zone has a name for each pod of the cluster. */
static bool
are_named(const struct config *config)
{
	return config->dns.mode != DNS_MODE_OFF && config->dns.pod_records == DNS_PODS_VERIFIED;
}

static void
judge_scope(struct api_source *s)
{
	const struct config *config = s->config.config;
	uint64_t pods = store_generation(s->config.store, OBJECT_POD);
	uint64_t policies = store_generation(s->config.store, OBJECT_NETWORK_POLICY);

	if (pods != s->n_pods_seen || policies != s->n_policies_seen)
		s->needs_all_pods = api_scope_needs_all(s->config.store, config->node.name);
	s->n_pods_seen = pods;
	s->n_policies_seen = policies;
	switch (api_scope_look(&s->scope, s->needs_all_pods || are_named(config), clock_now_ns(),
		config->cluster.pods_grace * NS_PER_S)) {
	case API_SCOPE_WIDEN:
		log_info("%s: pods of all nodes are watched from now on",
			are_named(config) ? "dns.podRecords is verified" : "a policy here has pods as peers");
		api_watch_widen(pod_watch(s));
		loop_timer_set(s->scope_timer, SCOPE_NS, SCOPE_NS);
		break;
	case API_SCOPE_NARROW:
		log_info("no policy here has had pods as peers for %u s: pods of this node are watched from "
			 "now on",
			config->cluster.pods_grace);
		api_watch_narrow(pod_watch(s));
		loop_timer_cancel(s->scope_timer);
		break;
	case API_SCOPE_STAY:
		break;
	}
}

static void
on_scope_timer(void *arg)
{
	judge_scope(arg);
}

/* --- changes */

static bool
are_all_synced(const struct api_source *s)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (!api_kinds[i].is_optional && !api_watch_status(s->watches[i])->is_synced)
			return false;
	return true;
}

static void
note_listed(struct api_source *s)
{
	bool was_synced = s->is_synced;

	s->is_listed = s->is_synced = true;
	loop_timer_cancel(s->wait);
	for (unsigned i = 0; i < N_API_KINDS; i++)
		api_watch_settle(s->watches[i]);
	api_saved_note_complete(s->saved);
	if (!was_synced)
		s->config.synced(s->config.arg);
	else
		log_info("%s has told everything: objects are no longer those that were saved",
			api_client_server(s->client));
	s->saved_s = 0;
}

static void
look(void *arg)
{
	struct api_source *s = arg;

	/* the first answer counts once both are known; what it needs is part of being in sync */
	if (!s->scope.is_wide && (s->is_synced || are_all_synced(s)))
		judge_scope(s);
	if (!s->is_listed && are_all_synced(s))
		note_listed(s);
	s->config.changed(s->config.arg);
}

/* The server is away, or slow. */
static void
load_saved(void *arg)
{
	struct api_source *s = arg;

	s->saved_s = api_saved_time(s->saved);
	if (s->is_synced || s->saved_s == 0)
		return;
	log_warn("%s has not told everything within %u s: objects are those that were saved %lld s ago",
		api_client_server(s->client), s->config.config->cluster.api_wait,
		(long long)(time(NULL) - s->saved_s));
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (api_watch_load(s->watches[i]) < 0) {
			s->saved_s = 0;
			return; /* a part of what there was may leave open what was closed */
		}
	s->is_synced = true;
	if (!s->scope.is_wide)
		judge_scope(s);
	s->config.synced(s->config.arg);
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
read_credentials(struct kubeconfig *out, const void *config, char *error)
{
	return api_credentials_read(out, config, error);
}

/* Without it all works as well, but for a start without the server. */
static int
open_saved(struct api_source *s)
{
	const struct config *config = s->config.config;

	s->wait = loop_timer_new(s->config.loop, load_saved, s);
	if (s->wait == NULL)
		return -ENOMEM;
	if (s->config.saved == NULL)
		return 0;
	s->saved = api_saved_open(
		s->config.loop, s->config.saved, api_client_server(s->client), config->node.name);
	if (api_saved_time(s->saved) != 0)
		loop_timer_set(s->wait, config->cluster.api_wait * NS_PER_S, 0);
	s->config.saved = NULL; /* it was for the call */
	return 0;
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
			.saved = s->saved,
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
	s->scope_timer = loop_timer_new(config->loop, on_scope_timer, s);
	if (result == 0 && s->scope_timer == NULL)
		result = -ENOMEM;
	if (result == 0 && *config->config->cluster.kubeconfig != '\0')
		api_client_read_by(s->client, read_credentials, config->config);
	if (result == 0)
		result = start_writer(s);
	if (result == 0)
		result = open_saved(s);
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
	loop_timer_free(s->scope_timer);
	api_writer_free(s->writer);
	api_own_node_fini(&s->own_node);
	api_client_free(s->client);
	loop_timer_free(s->wait);
	api_saved_close(s->saved);
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

int64_t
api_source_saved_s(const struct api_source *s)
{
	return s->saved_s;
}

bool
api_source_has_all_pods(const struct api_source *s)
{
	return s->scope.is_wide;
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
