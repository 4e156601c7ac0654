#include "perf/replay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/clock.h"

#define VERSION_FIRST 1000000
#define BLOCK_SIZE (64u << 10) /* what a reader is asked to write at once */
#define CONNECTION_MEMORY (256u << 10)
#define IDLE_LOOK_NS 5000000 /* how often a watch without changes looks whether there are some */
#define NS_PER_S 1000000000ull

struct server {
	struct replay_config config;
	struct replay_shared *shared;
};

enum phase {
	PHASE_BEGIN,
	PHASE_ITEMS,
	PHASE_END,
	PHASE_LIVE,
	PHASE_OVER,
};

/* An answer on its way; each has a thread. */
struct answer {
	const struct server *server;
	enum replay_kind kind;
	bool is_watch, is_local; /* only pods of this node */
	enum phase phase;
	uint32_t next, end; /* objects */
	bool has_item;
	double per_s;      /* of a watch: changes */
	uint64_t start_ns; /* when they began; 0: they did not */
	uint32_t n_changes;
	size_t at; /* of text: what was sent */
	struct replay_text text;
};

/* --- what is sent, piece by piece */

static uint64_t
version_of(const struct answer *a)
{
	return VERSION_FIRST + a->n_changes;
}

static bool
is_wanted(const struct answer *a, uint32_t number)
{
	return !a->is_local || replay_is_local(&a->server->config.shape, number);
}

static void
write_event(struct answer *a, const char *type, uint32_t number, uint32_t toggle)
{
	replay_print(&a->text, "{\"type\":\"%s\",\"object\":", type);
	replay_object(&a->text, &a->server->config.shape, a->kind, number, version_of(a), false, toggle);
	replay_print(&a->text, "}\n");
}

static void
write_bookmark(struct answer *a)
{
	bool is_partial = a->kind == REPLAY_NAMESPACES;

	replay_print(&a->text,
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
		"\"resourceVersion\":\"%u\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
		is_partial ? "PartialObjectMetadata" : replay_kind_name(a->kind),
		is_partial ? "meta.k8s.io/v1" : replay_kind_version(a->kind), VERSION_FIRST);
}

static void
write_head(struct answer *a)
{
	uint32_t all = replay_count(&a->server->config.shape, a->kind);

	a->phase = PHASE_ITEMS;
	if (a->is_watch)
		return;
	replay_print(&a->text,
		"{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%u\"",
		a->kind == REPLAY_NAMESPACES ? "PartialObjectMetadata" : replay_kind_name(a->kind),
		replay_kind_version(a->kind), VERSION_FIRST);
	if (a->end < all)
		replay_print(
			&a->text, ",\"continue\":\"%u\",\"remainingItemCount\":%u", a->end, all - a->end);
	replay_print(&a->text, "},\"items\":[");
}

static void
write_item(struct answer *a)
{
	uint32_t number = a->next++;

	if (!is_wanted(a, number))
		return;
	if (a->is_watch) {
		write_event(a, "ADDED", number, 0);
		return;
	}
	if (a->has_item)
		replay_print(&a->text, ",");
	a->has_item = true;
	replay_object(&a->text, &a->server->config.shape, a->kind, number, VERSION_FIRST, true, 0);
}

static void
sleep_until(uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
		.tv_nsec = (long)(until_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Waits until a change is due, and writes it: one object after the other, each in turn in one state and the other. */
static void
write_change(struct answer *a)
{
	struct replay_shared *shared = a->server->shared;
	uint32_t n_objects = replay_count(&a->server->config.shape, a->kind);
	uint32_t number, toggle;

	while (a->per_s <= 0 || !__atomic_load_n(&shared->is_churning, __ATOMIC_ACQUIRE)) {
		a->start_ns = 0;
		sleep_until(clock_now_ns() + IDLE_LOOK_NS);
	}
	if (a->start_ns == 0)
		a->start_ns = clock_now_ns() - (uint64_t)(a->n_changes / a->per_s * 1e9);
	sleep_until(a->start_ns + (uint64_t)((a->n_changes + 1) / a->per_s * 1e9));
	/* an odd stride, so that changes are spread over all objects */
	number = (uint32_t)((uint64_t)a->n_changes * 7919 % n_objects);
	toggle = a->n_changes / n_objects + 1;
	a->n_changes++;
	write_event(a, "MODIFIED", number, toggle);
	if (a->kind == REPLAY_SLICES && a->n_changes <= REPLAY_EVENTS_MAX) {
		shared->sent_ns[a->n_changes - 1] = clock_now_ns();
		__atomic_store_n(&shared->n_sent, a->n_changes, __ATOMIC_RELEASE);
	}
}

static void
write_more(struct answer *a)
{
	switch (a->phase) {
	case PHASE_BEGIN:
		write_head(a);
		break;
	case PHASE_ITEMS:
		if (a->next < a->end)
			write_item(a);
		else
			a->phase = PHASE_END;
		break;
	case PHASE_END:
		if (a->is_watch)
			write_bookmark(a);
		else
			replay_print(&a->text, "]}\n");
		a->phase = a->is_watch ? PHASE_LIVE : PHASE_OVER;
		break;
	default:
		write_change(a);
		break;
	}
}

static ssize_t
read_answer(void *cls, uint64_t at, char *out, size_t size)
{
	struct answer *a = cls;
	size_t used = 0;

	while (used < size) {
		size_t n = a->text.n - a->at;

		if (n == 0) {
			if (a->phase == PHASE_OVER)
				break;
			if (a->phase == PHASE_LIVE && used != 0)
				break; /* what there is goes out before the next is waited for */
			a->text.n = a->at = 0;
			write_more(a);
			continue;
		}
		n = n < size - used ? n : size - used;
		memcpy(out + used, a->text.bytes + a->at, n);
		a->at += n;
		used += n;
	}
	return used == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)used;
}

/* --- requests */

static struct answer *
answer_new(const struct server *server, struct MHD_Connection *connection, enum replay_kind kind)
{
	const char *watch = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "watch");
	const char *limit = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "limit");
	const char *from = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "continue");
	const char *version =
		MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "resourceVersion");
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->server = server;
	a->kind = kind;
	a->is_watch = watch != NULL;
	a->is_local = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "fieldSelector") != NULL;
	a->end = replay_count(&server->config.shape, kind);
	a->next = from == NULL ? 0 : (uint32_t)strtoul(from, NULL, 10);
	if (limit != NULL && !a->is_local && a->next + strtoul(limit, NULL, 10) < a->end)
		a->end = a->next + (uint32_t)strtoul(limit, NULL, 10);
	if (kind == REPLAY_SLICES)
		a->per_s = server->config.slices_per_s;
	if (kind == REPLAY_NODES)
		a->per_s = server->config.nodes_per_s;
	if (a->is_watch && version != NULL)
		a->phase = PHASE_LIVE;
	return a;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status)
{
	static const char text[] = "{\"kind\":\"Status\",\"message\":\"the replay does not do this\"}";
	struct MHD_Response *response =
		MHD_create_response_from_buffer(sizeof(text) - 1, (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_queue_response(connection, status, response);

	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **state)
{
	const struct server *server = cls;
	struct MHD_Response *response;
	enum replay_kind kind = 0;
	enum MHD_Result result;
	struct answer *a;

	while (kind < N_REPLAY_KINDS && strcmp(url, replay_kind_path(kind)) != 0)
		kind++;
	if (kind == N_REPLAY_KINDS)
		return refuse(connection, MHD_HTTP_NOT_FOUND);
	if (!server->config.has_watch_list &&
		MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "sendInitialEvents") != NULL)
		return refuse(connection, MHD_HTTP_UNPROCESSABLE_CONTENT);
	a = answer_new(server, connection, kind);
	if (a == NULL)
		return MHD_NO;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_answer, a, free);
	if (response == NULL) {
		free(a);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/json");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* --- the process */

static int
serve(const struct server *server)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *http = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG, 0, NULL,
		NULL, on_request, (void *)server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&addr,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);

	info = http == NULL ? NULL : MHD_get_daemon_info(http, MHD_DAEMON_INFO_BIND_PORT);
	if (info == NULL) {
		fprintf(stderr, "the replay cannot listen\n");
		return 1;
	}
	__atomic_store_n(&server->shared->port, info->port, __ATOMIC_RELEASE);
	for (;;)
		pause(); /* until the parent ends us */
}

int
replay_start(struct replay *r, const struct replay_config *config)
{
	struct server server = { .config = *config };
	pid_t parent = getpid();
	int status;

	r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->shared == MAP_FAILED) {
		r->shared = NULL;
		return -errno;
	}
	server.shared = r->shared;
	r->pid = fork();
	if (r->pid < 0)
		return -errno;
	if (r->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			_exit(serve(&server));
		_exit(1);
	}
	while (__atomic_load_n(&r->shared->port, __ATOMIC_ACQUIRE) == 0) {
		if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
			r->pid = 0;
			return -ECHILD;
		}
		sleep_until(clock_now_ns() + IDLE_LOOK_NS);
	}
	return 0;
}

void
replay_stop(struct replay *r)
{
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
	}
	if (r->shared != NULL)
		munmap(r->shared, sizeof(*r->shared));
	*r = (struct replay){ 0 };
}
