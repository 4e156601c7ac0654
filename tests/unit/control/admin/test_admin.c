/* The server over real sockets; the test's own thread plays both sides. */
#include "control/admin/admin.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct admin *a;
	char path[64], error[ADMIN_ERROR_SIZE];
};

static void
echo(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	assert_ptr_equal(d, (struct daemon *)0x1234);
	reply->json = json_pack("{s:O, s:O*}", "query", req->query, "body", req->body);
}

static void
text(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	reply->text = strdup("up 1\n");
}

static void
refuse(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	admin_fail(reply, 409, "look elsewhere", "no %s here", "luck");
}

static void
nothing(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
}

static const struct admin_route routes[] = {
	{ "GET", "/v1/echo", echo, "what you asked" },
	{ "POST", "/v1/echo2", echo, "what you sent" },
	{ "GET", "/v1/fail", refuse, "fails" },
	{ "GET", "/v1/nothing", nothing, "says nothing" },
	{ "GET", "/metrics", text, "counters", true },
	{ NULL },
};

static int
setup(void **arg)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/test_admin.%d.sock", getpid());
	assert_int_equal(admin_new(&f->a, (struct daemon *)0x1234, routes, f->path, "", f->error), 0);
	*arg = f;
	return 0;
}

static int
teardown(void **arg)
{
	struct fixture *f = *arg;
	struct stat st;

	admin_free(f->a);
	assert_int_equal(stat(f->path, &st), -1);
	free(f);
	return 0;
}

static int
dial(const char *path)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(where.sun_path, sizeof(where.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	return fd;
}

/* Sends bytes and returns all that comes back until the server closes. */
static char *
converse(struct admin *a, int fd, const char *request, size_t size)
{
	static char reply[65536];
	size_t sent = 0, got = 0;
	ssize_t n = -1;

	for (unsigned round = 0; round < 5000 && n != 0; round++) {
		struct pollfd ready = { .fd = admin_fd(a), .events = POLLIN };

		if (sent < size) {
			n = send(fd, request + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (poll(&ready, 1, 2) > 0)
			admin_run(a);
		n = recv(fd, reply + got, sizeof(reply) - 1 - got, MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(n, 0);
	close(fd);
	reply[got] = '\0';
	return reply;
}

static char *
ask(struct fixture *f, const char *method, const char *target, const char *body)
{
	char request[4096];
	int size = snprintf(request, sizeof(request),
		"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method,
		target, strlen(body), body);

	return converse(f->a, dial(f->path), request, (size_t)size);
}

static void
test_requests_and_their_replies(void **arg)
{
	static const struct {
		const char *method, *target, *body, *status, *says;
	} cases[] = {
		{ "GET", "/v1/echo?pod=a%2Fb&x=", "", "200", "{\"query\":{\"pod\":\"a/b\",\"x\":\"\"}}" },
		{ "POST", "/v1/echo2", "{\"a\":[1,2]}", "200", "\"body\":{\"a\":[1,2]}" },
		{ "GET", "/v1/nothing", "", "200", "{}" },
		{ "GET", "/metrics", "", "200", "up 1\n" },
		{ "GET", "/v1/fail", "", "409", "{\"error\":\"no luck here\",\"hint\":\"look elsewhere\"}" },
		{ "POST", "/v1/echo2", "{\"a\":", "400", "not JSON: line 1" },
		{ "POST", "/v1/echo2", "{\"a\":1,\"a\":2}", "400", "duplicate" },
		{ "GET", "/v1/echo2", "", "405", "/v1/echo2 takes POST, not GET" },
		{ "GET", "/v1/nope", "", "404", "\"path\":\"/v1/echo\"" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *reply = ask(*arg, cases[i].method, cases[i].target, cases[i].body);

		if (strncmp(reply + 9, cases[i].status, 3) != 0 || strstr(reply, cases[i].says) == NULL)
			fail_msg("%s %s: want %s and %s, got %s", cases[i].method, cases[i].target,
				cases[i].status, cases[i].says, reply);
	}
}

static void
test_a_body_beyond_the_limit_is_refused(void **arg)
{
	struct fixture *f = *arg;
	size_t size = ADMIN_BODY_MAX + 1000;
	char *request = malloc(size + 256);
	int head = sprintf(request,
		"POST /v1/echo2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		size);

	memset(request + head, ' ', size);
	assert_non_null(strstr(converse(f->a, dial(f->path), request, (size_t)head + size), "413"));
	free(request);
}

static void
test_connections_are_served_side_by_side(void **arg)
{
	static const char request[] = "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct fixture *f = *arg;
	int fds[100];

	for (unsigned i = 0; i < 100; i++) {
		fds[i] = dial(f->path);
		assert_int_equal(send(fds[i], request, 20, 0), 20);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_non_null(
			strstr(converse(f->a, fds[99 - i], request + 20, sizeof(request) - 21), "200 OK"));
}

static void
test_only_the_owner_may_use_the_socket(void **arg)
{
	struct fixture *f = *arg;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
test_a_stale_socket_is_replaced_and_a_live_one_is_not(void **arg)
{
	struct fixture *f = *arg;
	char stale[80], error[ADMIN_ERROR_SIZE];
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct admin *a;

	assert_int_equal(admin_new(&a, NULL, routes, f->path, "", error), -EADDRINUSE);
	assert_non_null(strstr(error, "another ringwayd"));
	assert_non_null(strstr(ask(f, "GET", "/v1/nothing", ""), "200 OK"));

	snprintf(stale, sizeof(stale), "%s.stale", f->path);
	snprintf(where.sun_path, sizeof(where.sun_path), "%s", stale);
	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	close(fd);
	assert_int_equal(admin_new(&a, NULL, routes, stale, "", error), 0);
	admin_free(a);
}

static uint16_t
free_tcp_port(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof(any);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &size), 0);
	close(fd);
	return ntohs(any.sin6_port);
}

static void
test_the_tcp_listener_offers_public_routes_only(void **arg)
{
	static const struct {
		const char *target, *status;
	} cases[] = { { "/metrics", "200" }, { "/v1/echo", "404" } };
	struct fixture *f = *arg;
	uint16_t port = free_tcp_port();
	char path[80], listen[16], error[ADMIN_ERROR_SIZE];
	struct admin *a;

	snprintf(path, sizeof(path), "%s.tcp", f->path);
	snprintf(listen, sizeof(listen), ":%u", port);
	assert_int_equal(admin_new(&a, NULL, routes, path, listen, error), 0);
	for (unsigned i = 0; i < 4; i++) { /* each over both families */
		struct sockaddr_in v4 = { .sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		struct sockaddr_in6 v6 = {
			.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT
		};
		int fd = socket(i < 2 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		char request[128];
		const char *reply;

		if (i < 2)
			assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
		else
			assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			cases[i % 2].target);
		reply = converse(a, fd, request, strlen(request));
		assert_memory_equal(reply + 9, cases[i % 2].status, 3);
		assert_null(strstr(reply, "/v1/fail"));
	}
	admin_free(a);
}

static void
test_bad_listen_addresses_say_so(void **arg)
{
	static const char *const bad[] = { "9965", "host:9965", ":", "::1:99", "127.0.0.1:notaport",
		"[::1]" };
	struct fixture *f = *arg;
	char path[80], error[ADMIN_ERROR_SIZE];
	struct admin *a;

	snprintf(path, sizeof(path), "%s.bad", f->path);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(admin_new(&a, NULL, routes, path, bad[i], error) < 0);
		assert_non_null(strstr(error, "metrics.listen"));
	}
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	{
		char longer[200];

		snprintf(longer, sizeof(longer), "/tmp/%s%s", path, path);
		assert_int_equal(admin_new(&a, NULL, routes, longer, "", error), -ENAMETOOLONG);
		assert_non_null(strstr(error, "run.dir"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests_and_their_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_body_beyond_the_limit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_are_served_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_owner_may_use_the_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_stale_socket_is_replaced_and_a_live_one_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_tcp_listener_offers_public_routes_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_listen_addresses_say_so, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
