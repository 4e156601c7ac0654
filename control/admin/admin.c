#include "control/admin/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/admin/http.h"

#define IDLE_S 10           /* a connection without a request for so long is dropped */
#define CONNECTIONS_MAX 256 /* per listener: a burst of pods starting, not a crowd */

struct listener {
	struct MHD_Daemon *http;
	struct admin *admin;
	bool is_public; /* serves public routes only */
};

struct admin {
	struct daemon *daemon;
	const struct admin_route *routes;
	struct listener local, tcp;
	int epoll_fd;
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* One request while its body arrives. */
struct exchange {
	char *body;
	size_t size;
	bool is_too_big;
};

void
admin_fail(struct admin_reply *reply, unsigned status, const char *hint, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json_decref(reply->json);
	reply->status = status;
	/* a message may quote bytes that are not UTF-8, which %s would refuse */
	reply->json = json_pack("{s:s}", "error", message);
	if (reply->json == NULL)
		reply->json = json_pack("{s:s}", "error", "the request holds bytes that are not UTF-8");
	if (hint != NULL)
		json_object_set_new(reply->json, "hint", json_string(hint));
}

const char *
admin_query(const struct admin_request *req, const char *key)
{
	return json_string_value(json_object_get(req->query, key));
}

static json_t *
routes_to_json(const struct listener *l)
{
	json_t *list = json_array();

	for (const struct admin_route *r = l->admin->routes; r->path != NULL; r++)
		if (r->is_public || !l->is_public)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "method", r->method, "path",
							    r->path, "help", r->help));
	return list;
}

/* The route for a request; NULL with *other set when the path exists under another method. */
static const struct admin_route *
route_find(const struct listener *l, const char *method, const char *path, const struct admin_route **other)
{
	*other = NULL;
	for (const struct admin_route *r = l->admin->routes; r->path != NULL; r++) {
		if (strcmp(r->path, path) != 0 || (l->is_public && !r->is_public))
			continue;
		if (strcmp(r->method, method) == 0)
			return r;
		*other = r;
	}
	return NULL;
}

static enum MHD_Result
query_add(void *query, enum MHD_ValueKind kind, const char *key, const char *value)
{
	json_object_set_new(query, key, json_string(value == NULL ? "" : value));
	return MHD_YES;
}

static enum MHD_Result
reply_send(struct MHD_Connection *connection, struct admin_reply *reply)
{
	const char *type = "application/json";
	struct MHD_Response *response;
	enum MHD_Result queued;
	char *text = reply->text;

	if (text != NULL) {
		type = reply->content_type == NULL ? "text/plain; charset=utf-8" : reply->content_type;
	} else {
		if (reply->json == NULL)
			reply->json = json_object();
		text = json_dumps(reply->json, JSON_COMPACT);
	}
	json_decref(reply->json);
	if (text == NULL)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	queued = MHD_queue_response(connection, reply->status == 0 ? MHD_HTTP_OK : reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

static void
request_dispatch(struct listener *l, struct MHD_Connection *connection, struct admin_request *req,
	const struct exchange *x, struct admin_reply *reply)
{
	const struct admin_route *other;
	const struct admin_route *route = route_find(l, req->method, req->path, &other);
	json_error_t where;

	if (route == NULL && other != NULL) {
		admin_fail(reply, MHD_HTTP_METHOD_NOT_ALLOWED, other->help, "%s takes %s, not %s", req->path,
			other->method, req->method);
		return;
	}
	if (route == NULL) {
		admin_fail(reply, MHD_HTTP_NOT_FOUND, NULL, "nothing is called %s", req->path);
		json_object_set_new(reply->json, "routes", routes_to_json(l));
		return;
	}
	if (x->is_too_big) {
		admin_fail(reply, MHD_HTTP_CONTENT_TOO_LARGE, NULL, "the body is larger than %d bytes",
			ADMIN_BODY_MAX);
		return;
	}
	if (x->size > 0) {
		req->body = json_loadb(x->body, x->size, JSON_REJECT_DUPLICATES, &where);
		if (req->body == NULL) {
			admin_fail(reply, MHD_HTTP_BAD_REQUEST, NULL, "the body is not JSON: line %d: %s",
				where.line, where.text);
			return;
		}
	}
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, query_add, req->query);
	route->handler(l->admin->daemon, req, reply);
}

static void
body_append(struct exchange *x, const char *data, size_t size)
{
	char *grown;

	if (x->is_too_big)
		return;
	if (size > ADMIN_BODY_MAX - x->size || (grown = realloc(x->body, x->size + size)) == NULL) {
		x->is_too_big = true;
		return;
	}
	memcpy(grown + x->size, data, size);
	x->body = grown;
	x->size += size;
}

/* Called by libmicrohttpd first with the headers, then with pieces of the body, last without any. */
static enum MHD_Result
request_serve(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *data, size_t *data_size, void **state)
{
	struct admin_reply reply = { .status = MHD_HTTP_OK };
	struct exchange *x = *state;
	struct admin_request req = { .method = method, .path = path };
	enum MHD_Result queued;

	if (x == NULL) {
		*state = calloc(1, sizeof(*x));
		return *state == NULL ? MHD_NO : MHD_YES;
	}
	if (*data_size > 0) {
		body_append(x, data, *data_size);
		*data_size = 0;
		return MHD_YES;
	}
	req.query = json_object();
	request_dispatch(cls, connection, &req, x, &reply);
	queued = reply_send(connection, &reply);
	json_decref(req.query);
	json_decref(req.body);
	return queued;
}

static void
request_done(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;

	if (x != NULL) {
		free(x->body);
		free(x);
	}
	*state = NULL;
}

/* Takes the descriptor over, also when it fails. */
static int
listener_start(struct listener *l, struct admin *a, int fd, bool is_public)
{
	struct epoll_event event = { .events = EPOLLIN };
	const union MHD_DaemonInfo *info;

	l->admin = a;
	l->is_public = is_public;
	l->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, request_serve, l, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_NOTIFY_COMPLETED, request_done, NULL, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
	if (l->http == NULL) {
		close(fd);
		return -ENOMEM;
	}
	info = MHD_get_daemon_info(l->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) < 0)
		return -EINVAL;
	return 0;
}

/* True when a process accepts connections there; a socket file outlives the daemon that was killed. */
static bool
is_answered(const struct sockaddr_un *where)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0;

	close(fd);
	return answered;
}

static int
local_open(struct admin *a, char error[static ADMIN_ERROR_SIZE])
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd, saved;
	mode_t mask;

	memcpy(where.sun_path, a->socket_path, sizeof(where.sun_path));
	if (is_answered(&where)) {
		snprintf(error, ADMIN_ERROR_SIZE, "another ringwayd answers on %s", a->socket_path);
		return -EADDRINUSE;
	}
	unlink(a->socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177); /* 0600 from the first moment on */
	if (bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 || listen(fd, SOMAXCONN) < 0) {
		saved = errno;
		umask(mask);
		close(fd);
		snprintf(error, ADMIN_ERROR_SIZE, "cannot listen on %s: %s", a->socket_path, strerror(saved));
		return -saved;
	}
	umask(mask);
	return listener_start(&a->local, a, fd, false);
}

/* Splits "host:port", ":port" and "[v6]:port"; NULL host: all addresses. */
static bool
listen_split(const char *text, char host[static 64], const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || colon[1] == '\0')
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return false;
	}
	if (len >= 64)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*port = colon + 1;
	return true;
}

static int
tcp_open(struct admin *a, const char *where, char error[static ADMIN_ERROR_SIZE])
{
	char host[64];
	const char *port;
	int fd;

	if (!listen_split(where, host, &port)) {
		snprintf(error, ADMIN_ERROR_SIZE,
			"metrics.listen: \"%s\" is not an address and port, such as :9965 or [::1]:9965",
			where);
		return -EINVAL;
	}
	fd = http_listen(host, port);
	if (fd < 0) {
		snprintf(error, ADMIN_ERROR_SIZE, "metrics.listen: cannot listen on %s: %s", where,
			strerror(-fd));
		return fd;
	}
	return listener_start(&a->tcp, a, fd, true);
}

int
admin_new(struct admin **out, struct daemon *d, const struct admin_route *routes, const char *socket_path,
	const char *listen, char error[static ADMIN_ERROR_SIZE])
{
	struct admin *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return -ENOMEM;
	snprintf(error, ADMIN_ERROR_SIZE, "the HTTP server does not start");
	a->daemon = d;
	a->routes = routes;
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (strlen(socket_path) >= sizeof(a->socket_path)) {
		snprintf(error, ADMIN_ERROR_SIZE,
			"%s is too long for a unix socket (at most %zu bytes): shorten run.dir", socket_path,
			sizeof(a->socket_path) - 1);
		rc = -ENAMETOOLONG;
	} else if (a->epoll_fd < 0) {
		rc = -errno;
	} else {
		char path[sizeof(a->socket_path)];

		/* only a socket that is ours is removed again */
		memcpy(a->socket_path, socket_path, strlen(socket_path) + 1);
		memcpy(path, a->socket_path, sizeof(path));
		rc = local_open(a, error);
		if (rc < 0 && a->local.http == NULL)
			a->socket_path[0] = '\0';
		if (rc == 0 && listen[0] != '\0')
			rc = tcp_open(a, listen, error);
	}
	if (rc < 0) {
		admin_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void
admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	if (a->socket_path[0] != '\0')
		unlink(a->socket_path);
	if (a->local.http != NULL)
		MHD_stop_daemon(a->local.http);
	if (a->tcp.http != NULL)
		MHD_stop_daemon(a->tcp.http);
	if (a->epoll_fd >= 0)
		close(a->epoll_fd);
	free(a);
}

int
admin_fd(const struct admin *a)
{
	return a->epoll_fd;
}

static void
listener_run(struct listener *l)
{
	if (l->http != NULL)
		http_run(l->http);
}

void
admin_run(struct admin *a)
{
	listener_run(&a->local);
	listener_run(&a->tcp);
}
