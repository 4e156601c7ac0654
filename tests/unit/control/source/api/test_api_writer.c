#include "control/source/api/api_writer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/source/api/kubeconfig.h"

/* A server on the client's own loop, of one connection, which answers each request as the test says. */
struct world {
	struct loop *loop;
	struct api_client *client;
	struct api_writer *writer;
	int listener, peer;
	struct loop_fd *watched, *watched_peer;
	enum api_write_kind kind;
	const char *answer;
	char request[4096];
	unsigned n_done, n_ready;
	enum api_write_result result;
	long status;
};

static void
on_asked(uint32_t events, void *arg)
{
	struct world *w = arg;
	size_t len = strlen(w->request);
	ssize_t n = recv(w->peer, w->request + len, sizeof(w->request) - 1 - len, MSG_DONTWAIT);

	assert_true(n > 0);
	w->request[len + (size_t)n] = '\0';
	/* its body may come later */
	if (strstr(w->request, "}}") != NULL)
		assert_true(send(w->peer, w->answer, strlen(w->answer), MSG_NOSIGNAL) > 0);
}

static void
on_peer(uint32_t events, void *arg)
{
	struct world *w = arg;

	assert_int_equal(w->peer, -1);
	w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	w->watched_peer = loop_fd_add(w->loop, w->peer, EPOLLIN, on_asked, w);
}

static void
on_ready(void *arg)
{
	((struct world *)arg)->n_ready++;
}

static void
on_done(enum api_write_result result, long status, void *arg)
{
	struct world *w = arg;

	w->n_done++;
	w->result = result;
	w->status = status;
}

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static void
make_world(struct world *w)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	struct kubeconfig k = { 0 };

	log_set_sink(quiet, NULL);
	*w = (struct world){
		.loop = loop_new(), .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .peer = -1
	};
	assert_int_equal(bind(w->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(w->listener, 1), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&addr, &size), 0);
	w->watched = loop_fd_add(w->loop, w->listener, EPOLLIN, on_peer, w);
	assert_true(asprintf(&k.server, "http://127.0.0.1:%d", ntohs(addr.sin_port)) > 0);
	assert_int_equal(api_client_new(&w->client, w->loop, &k, 60), 0);
	w->writer = api_writer_new(
		&(struct api_writer_config){ .loop = w->loop, .client = w->client, .seed = 1 });
	assert_non_null(w->writer);
	api_writer_listen(w->writer, on_ready, w);
}

static void
free_world(struct world *w)
{
	api_writer_free(w->writer);
	api_client_free(w->client);
	loop_fd_remove(w->watched_peer);
	close(w->peer);
	loop_fd_remove(w->watched);
	close(w->listener);
	loop_free(w->loop);
	log_set_sink(NULL, NULL);
}

static void
ask(struct world *w)
{
	const struct api_write write = {
		.method = "PATCH",
		.path = "/api/v1/nodes/a/status",
		.content_type = "application/strategic-merge-patch+json",
		.body = "{\"a\":{}}",
		.done = on_done,
		.arg = w,
	};

	w->request[0] = '\0';
	assert_true(api_writer_is_ready(w->writer, w->kind));
	assert_int_equal(api_writer_send(w->writer, w->kind, &write), 0);
	assert_false(api_writer_is_ready(w->writer, w->kind));
	assert_true(api_writer_is_ready(w->writer, API_WRITE_TAINT));
}

static void
send_one(struct world *w, const char *answer)
{
	unsigned n_done = w->n_done;

	w->answer = answer;
	ask(w);
	while (w->n_done == n_done)
		loop_round(w->loop, -1);
}

static void
wait_ready(struct world *w)
{
	while (!api_writer_is_ready(w->writer, w->kind))
		loop_round(w->loop, -1);
}

static void
one_is_sent_and_answered(void **state)
{
	const struct api_write_status *status;
	struct world w;

	make_world(&w);
	status = api_writer_status(w.writer, API_WRITE_CONDITION);
	send_one(&w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	assert_memory_equal(w.request, "PATCH /api/v1/nodes/a/status HTTP/1.1\r\n", 39);
	assert_non_null(strstr(w.request, "\r\nContent-Type: application/strategic-merge-patch+json\r\n"));
	assert_non_null(strstr(w.request, "\r\n\r\n{\"a\":{}}"));
	assert_int_equal(w.result, API_WRITE_DONE);
	assert_int_equal(w.n_ready, 1);
	/* over the same connection */
	send_one(&w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	assert_int_equal(status->n_done, 2);
	assert_string_equal(status->reason, "");
	free_world(&w);
}

static void
what_fails_waits(void **state)
{
	const struct api_write_status *status;
	struct world w;

	make_world(&w);
	status = api_writer_status(w.writer, API_WRITE_CONDITION);
	send_one(&w, "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w.result, API_WRITE_LATER);
	assert_int_equal(w.n_ready, 0);
	assert_true(status->n_failed == 1 && status->since_s != 0);
	wait_ready(&w);
	assert_int_equal(w.n_ready, 1);
	send_one(&w, "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w.result, API_WRITE_STALE);
	assert_true(status->n_stale == 1 && status->n_failed == 1);
	wait_ready(&w);
	send_one(&w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	assert_true(status->since_s == 0 && *status->reason == '\0');
	free_world(&w);
}

static void
a_missing_right_is_named(void **state)
{
	struct world w;

	make_world(&w);
	send_one(&w, "HTTP/1.1 403 Forbidden\r\nContent-Length: 41\r\n\r\n"
		     "{\"kind\":\"Status\",\"message\":\"no \xc3\xa4 right\"}");
	assert_int_equal(w.result, API_WRITE_LATER);
	assert_string_equal(api_writer_status(w.writer, API_WRITE_CONDITION)->reason,
		"ringwayd may not patch nodes/status: apply conf/kubernetes/rbac.yaml, which allows it (HTTP "
		"403: no ?? right)");
	assert_false(api_writer_is_ready(w.writer, API_WRITE_CONDITION));
	free_world(&w);
}

static void
an_event_about_what_is_gone_is_no_trouble(void **state)
{
	const struct api_write_status *status;
	struct world w;

	make_world(&w);
	w.kind = API_WRITE_EVENT;
	status = api_writer_status(w.writer, API_WRITE_EVENT);
	send_one(&w, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w.result, API_WRITE_REFUSED);
	assert_true(status->n_failed == 1 && status->since_s == 0 && *status->reason == '\0');
	wait_ready(&w);
	/* as of a namespace that is being deleted, which is no missing right: others' events go on */
	send_one(&w,
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 126\r\n\r\n"
		"{\"kind\":\"Status\",\"message\":\"no\",\"details\":{\"causes\":[{\"reason\":\"Other\"},"
		"{\"reason\":\"NamespaceTerminating\",\"message\":\"it is\"}]}}");
	assert_true(w.result == API_WRITE_REFUSED && w.status == 404);
	assert_true(status->n_failed == 2 && status->since_s == 0 && *status->reason == '\0');
	wait_ready(&w);
	/* and the node that we are on is another matter */
	w.kind = API_WRITE_CONDITION;
	send_one(&w, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	assert_true(api_writer_status(w.writer, API_WRITE_CONDITION)->since_s != 0);
	free_world(&w);
}

static void
nobody_is_told_who_does_not_listen(void **state)
{
	struct world w;

	make_world(&w);
	ask(&w);
	api_writer_listen(w.writer, NULL, NULL);
	assert_true(api_writer_is_ready(w.writer, API_WRITE_CONDITION));
	api_writer_wake(w.writer);
	loop_round(w.loop, 0);
	assert_true(w.n_done == 0 && w.n_ready == 0);
	if (w.peer < 0)
		w.peer = dup(w.listener);
	free_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_sent_and_answered),
		cmocka_unit_test(what_fails_waits),
		cmocka_unit_test(a_missing_right_is_named),
		cmocka_unit_test(an_event_about_what_is_gone_is_no_trouble),
		cmocka_unit_test(nobody_is_told_who_does_not_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
