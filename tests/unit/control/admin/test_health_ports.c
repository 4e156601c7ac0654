/* What a load balancer hears on the health check ports, as services come and go. */
#include "control/admin/health_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/loop.h"
#include "tests/support/objects.h"

struct fixture {
	struct loop *loop;
	struct store *store;
	struct health_ports *ports;
	bool is_healthy;
	char warning[512];
};

static bool
is_healthy(void *arg)
{
	return ((struct fixture *)arg)->is_healthy;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct health_ports_config config = { .node_name = "node-a", .is_healthy = is_healthy, .arg = f };

	config.loop = f->loop = loop_new();
	config.store = f->store = store_new();
	f->is_healthy = true;
	assert_int_equal(health_ports_new(&f->ports, &config), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	health_ports_free(f->ports);
	loop_free(f->loop);
	store_free(f->store);
	free(f);
	return 0;
}

static int
try_connect(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A port that nobody has, as far as one can tell. */
static uint16_t
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void
rounds(struct fixture *f)
{
	for (unsigned i = 0; i < 5; i++)
		loop_round(f->loop, 0);
}

static void
changed(struct fixture *f)
{
	health_ports_changed(f->ports);
	rounds(f);
}

/* The whole answer. */
static const char *
get(struct fixture *f, uint16_t port)
{
	static const char request[] = "GET /anything HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	static char reply[2048];
	int fd = try_connect(port);
	size_t size = 0;
	ssize_t n = -1;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	while (n != 0) {
		assert_true(loop_round(f->loop, 1000) >= 0);
		n = recv(fd, reply + size, sizeof(reply) - 1 - size, MSG_DONTWAIT);
		assert_true(n >= 0 || errno == EAGAIN);
		size += n > 0 ? (size_t)n : 0;
	}
	reply[size] = '\0';
	close(fd);
	return reply;
}

static void
put_balancer(struct fixture *f, const char *name, uint16_t port)
{
	struct service_object *service;

	put_service(f->store, "shop", name, NULL, NULL, "10.96.0.1", NULL, 80, PROTO_TCP);
	service = (struct service_object *)store_get(f->store, OBJECT_SERVICE, "shop", name);
	service->type = SERVICE_LOAD_BALANCER;
	service->external_local = true;
	service->health_check_node_port = port;
}

static void
put_endpoint(struct fixture *f, const char *service, bool ready)
{
	put_slice(f->store, "shop", service, "10.244.0.1", 8080, PROTO_TCP, ready, "p", "node-a");
}

static void
note_warning(const char *text, void *arg)
{
	struct fixture *f = arg;

	snprintf(f->warning, sizeof(f->warning), "%s", text);
}

static const char *
warning(struct fixture *f)
{
	f->warning[0] = '\0';
	health_ports_each_warning(f->ports, note_warning, f);
	return f->warning;
}

static void
assert_answer(const char *reply, const char *status, const char *body)
{
	char line[64];

	snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
	if (strncmp(reply, line, strlen(line)) != 0 || strcmp(strstr(reply, "\r\n\r\n") + 4, body) != 0)
		fail_msg("expected %s %s, got %s", status, body, reply);
}

static void
test_answers(void **state)
{
	struct fixture *f = *state;
	uint16_t port = free_port();
	const char *reply;

	put_balancer(f, "web", port);
	changed(f);
	assert_answer(get(f, port), "503",
		"{\"service\":{\"namespace\":\"shop\",\"name\":\"web\"},\"localEndpoints\":0,"
		"\"serviceProxyHealthy\":true}");
	put_endpoint(f, "web", true);
	changed(f);
	reply = get(f, port);
	assert_answer(reply, "200",
		"{\"service\":{\"namespace\":\"shop\",\"name\":\"web\"},\"localEndpoints\":1,"
		"\"serviceProxyHealthy\":true}");
	assert_non_null(strstr(reply, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(reply, "X-Load-Balancing-Endpoint-Weight: 1\r\n"));
	f->is_healthy = false;
	assert_answer(get(f, port), "503",
		"{\"service\":{\"namespace\":\"shop\",\"name\":\"web\"},\"localEndpoints\":1,"
		"\"serviceProxyHealthy\":false}");
	f->is_healthy = true;
	put_endpoint(f, "web", false);
	changed(f);
	assert_non_null(strstr(get(f, port), "\"localEndpoints\":0"));
	assert_string_equal(warning(f), "");
}

static void
test_ports_come_and_go_with_services(void **state)
{
	struct fixture *f = *state;
	uint16_t port = free_port(), other;
	int fd;

	put_balancer(f, "web", port);
	put_balancer(f, "api", other = free_port());
	changed(f);
	assert_non_null(strstr(get(f, port), "\"name\":\"web\""));
	assert_non_null(strstr(get(f, other), "\"name\":\"api\""));
	store_remove(f->store, OBJECT_SERVICE, "shop", "api");
	changed(f);
	assert_int_equal(try_connect(other), -1);
	assert_non_null(strstr(get(f, port), "\"name\":\"web\""));
	/* another port for web, whose old one another service gets: with a connection open to it */
	fd = try_connect(port);
	rounds(f);
	put_balancer(f, "web", other);
	put_balancer(f, "api", port);
	changed(f);
	assert_non_null(strstr(get(f, port), "\"name\":\"api\""));
	assert_non_null(strstr(get(f, other), "\"name\":\"web\""));
	close(fd);
}

static void
test_a_port_in_use_is_told(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in at = { .sin_family = AF_INET };
	uint16_t port = free_port();
	char expected[256];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons(port);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	put_balancer(f, "web", port);
	changed(f);
	snprintf(expected, sizeof(expected),
		"service shop/web: its healthCheckNodePort %u cannot be opened (Address already in use), so "
		"load balancers take this node for unhealthy",
		port);
	assert_string_equal(warning(f), expected);
	close(fd);
	put_endpoint(f, "web", true); /* any change: tries again, as the tick does */
	changed(f);
	assert_string_equal(warning(f), "");
	assert_non_null(strstr(get(f, port), "\"localEndpoints\":1"));

	put_balancer(f, "zebra", port);
	changed(f);
	snprintf(expected, sizeof(expected),
		"healthCheckNodePort %u cannot be opened (service shop/web has it)", port);
	assert_non_null(strstr(warning(f), expected));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports_come_and_go_with_services, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_port_in_use_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
