#include "cni/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX (256 * 1024)
#define RETRY_MS 50

int64_t
agent_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool
agent_reply_split(const char *text, size_t size, unsigned *status, const char **body, size_t *body_size)
{
	const char *end = memmem(text, size, "\r\n\r\n", 4);
	size_t expected = SIZE_MAX;

	if (end == NULL || size < 12 || memcmp(text, "HTTP/1.", 7) != 0 ||
		sscanf(text + 8, " %3u", status) != 1)
		return false;
	for (const char *line = text; line < end;
		line = (const char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2)
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			expected = strtoull(line + 15, NULL, 10);
	*body = end + 4;
	*body_size = size - (size_t)(*body - text);
	if (expected == SIZE_MAX)
		return true;
	if (*body_size < expected)
		return false;
	*body_size = expected;
	return true;
}

/* Waits until the socket is ready for the events; false at the deadline. */
static bool
socket_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int64_t left_ms = deadline_ms - agent_now_ms();

	return left_ms > 0 && poll(&ready, 1, (int)left_ms) > 0;
}

/* 0, or the errno. */
static int
send_all(int fd, const char *data, size_t size, int64_t deadline_ms)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return errno;
		} else if (!socket_wait(fd, POLLOUT, deadline_ms)) {
			return ETIMEDOUT;
		}
	}
	return 0;
}

/* Reads until the daemon closes. 0, or the errno. */
static int
receive_all(int fd, char *reply, size_t *size, int64_t deadline_ms)
{
	*size = 0;
	while (*size < REPLY_MAX) {
		ssize_t n = recv(fd, reply + *size, REPLY_MAX - *size, 0);

		if (n == 0)
			return 0;
		if (n > 0)
			*size += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return errno;
		else if (!socket_wait(fd, POLLIN, deadline_ms))
			return ETIMEDOUT;
	}
	return EMSGSIZE;
}

/* One exchange. 0, or the errno. */
static int
exchange(const char *socket_path, const char *path, const char *body, char *reply, size_t *reply_size,
	int64_t deadline_ms)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char head[512];
	int head_size, rc = 0;

	if (fd < 0)
		return errno;
	snprintf(where.sun_path, sizeof(where.sun_path), "%s", socket_path);
	head_size = snprintf(head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: ringway\r\nConnection: close\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		body == NULL ? "GET" : "POST", path, body == NULL ? 0 : strlen(body));
	if (connect(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		rc = errno;
	if (rc == 0)
		rc = send_all(fd, head, (size_t)head_size, deadline_ms);
	if (rc == 0 && body != NULL)
		rc = send_all(fd, body, strlen(body), deadline_ms);
	if (rc == 0)
		rc = receive_all(fd, reply, reply_size, deadline_ms);
	close(fd);
	return rc;
}

/* A daemon that is away, starts, or ends while it is asked. All requests may be repeated. */
static bool
is_passing(int err)
{
	return err == ENOENT || err == ECONNREFUSED || err == ECONNRESET || err == EPIPE || err == EAGAIN ||
	       err == ENODATA;
}

/* One try: fills *status and *out. 0, or the errno; ENODATA when the daemon closed without an answer. */
static int
try_once(const char *socket_path, const char *path, const char *body, int64_t deadline_ms, char *reply,
	unsigned *status, json_t **out)
{
	const char *content;
	size_t size, content_size;
	int err = exchange(socket_path, path, body, reply, &size, deadline_ms);

	if (err != 0)
		return err;
	if (size == 0)
		return ENODATA;
	if (!agent_reply_split(reply, size, status, &content, &content_size))
		return EPROTO;
	*out = json_loadb(content, content_size, 0, NULL);
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = json_object(); /* text, such as that of /readyz: the status tells */
	}
	return 0;
}

enum cni_code
agent_call(const char *socket_path, const char *path, const json_t *body, const struct agent_limits *limits,
	unsigned *status, json_t **out, struct cni_error *e)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	char *reply = malloc(REPLY_MAX);
	const char *reason = "";
	int err = reply == NULL || (body != NULL && text == NULL) ? ENOMEM : 0;

	*out = NULL;
	while (err == 0) {
		json_decref(*out);
		*out = NULL;
		err = try_once(socket_path, path, text, limits->deadline_ms, reply, status, out);
		if (err == 0 && *status != 503)
			break;
		if ((err != 0 && !is_passing(err)) || agent_now_ms() + RETRY_MS >= limits->away_ms)
			break;
		err = 0;
		nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000 }, NULL);
	}
	free(text);
	free(reply);
	if (err == 0 && *status != 503)
		return CNI_OK;
	if (err == 0)
		reason = json_string_value(json_object_get(*out, "error"));
	if (err == 0)
		cni_fail(e, CNI_TRY_AGAIN, json_string_value(json_object_get(*out, "hint")),
			"ringwayd is not ready: %s", reason == NULL ? "it did not say why" : reason);
	else
		cni_fail(e, is_passing(err) || err == ETIMEDOUT ? CNI_TRY_AGAIN : CNI_IO_FAILURE,
			"Does ringwayd run on this node, and is \"socket\" of the network configuration in "
			"its run.dir?",
			"ringwayd does not answer on %s: %s", socket_path,
			err == ENODATA ? "it closed the connection" : strerror(err));
	json_decref(*out);
	*out = NULL;
	return e->code;
}
