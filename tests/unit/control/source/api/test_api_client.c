#include "control/source/api/api_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/loop.h"
#include "control/source/api/kubeconfig.h"

#define GIVE_UP_S 20
#define PEERS_MAX 16

/* --- a resolver that has no answer, in place of libc's */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_asked, is_over, has_given_up;
} lookup = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct timespec until;
	int result = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += GIVE_UP_S;
	pthread_mutex_lock(&lookup.lock);
	lookup.is_asked = true;
	while (!lookup.is_over && result == 0)
		result = pthread_cond_timedwait(&lookup.changed, &lookup.lock, &until);
	lookup.has_given_up |= !lookup.is_over;
	pthread_mutex_unlock(&lookup.lock);
	return EAI_AGAIN;
}

static bool
is_asked(void)
{
	bool is;

	pthread_mutex_lock(&lookup.lock);
	is = lookup.is_asked;
	pthread_mutex_unlock(&lookup.lock);
	return is;
}

static bool
lookup_end(void)
{
	bool has_given_up;

	pthread_mutex_lock(&lookup.lock);
	has_given_up = lookup.has_given_up;
	lookup.is_over = true;
	pthread_cond_broadcast(&lookup.changed);
	pthread_mutex_unlock(&lookup.lock);
	return has_given_up;
}

/* --- a server on the client's own loop: it begins to answer whatever it is asked, and is silent from then on; but it answers
 * /version as long as it is well */

struct world {
	struct loop *loop;
	struct api_client *client;
	int listener, peers[PEERS_MAX];
	unsigned n_peers, n_probes;
	struct loop_fd *watched, *watched_peers[PEERS_MAX];
	bool is_ill, is_opened;
	unsigned n_opened, n_done;
	char error[API_ERROR_SIZE];
};

static void
on_asked(uint32_t events, void *arg)
{
	static const char begin[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			  version[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	struct world *w = arg;
	char bytes[4096];

	for (unsigned i = 0; i < w->n_peers; i++) {
		ssize_t n = recv(w->peers[i], bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
		bool is_probe;

		if (n == 0) {
			loop_fd_remove(w->watched_peers[i]);
			w->watched_peers[i] = NULL;
		}
		if (n <= 0)
			continue;
		bytes[n] = '\0';
		is_probe = strncmp(bytes, "GET /version ", 13) == 0;
		w->n_probes += is_probe;
		if (!w->is_ill && is_probe)
			send(w->peers[i], version, sizeof(version) - 1, MSG_NOSIGNAL);
		else if (!w->is_ill)
			send(w->peers[i], begin, sizeof(begin) - 1, MSG_NOSIGNAL);
	}
}

static void
on_peer(uint32_t events, void *arg)
{
	struct world *w = arg;
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0 && w->n_peers < PEERS_MAX);
	w->peers[w->n_peers] = fd;
	w->watched_peers[w->n_peers++] = loop_fd_add(w->loop, fd, EPOLLIN, on_asked, w);
}

static void
make_world(struct world *w, const char *host, unsigned idle_s)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	struct kubeconfig k = { 0 };

	*w = (struct world){ .loop = loop_new(), .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(w->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(w->listener, PEERS_MAX), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&addr, &size), 0);
	w->watched = loop_fd_add(w->loop, w->listener, EPOLLIN, on_peer, w);
	assert_true(asprintf(&k.server, "http://%s:%d", host, ntohs(addr.sin_port)) > 0);
	assert_int_equal(api_client_new(&w->client, w->loop, &k, idle_s), 0);
}

static void
free_world(struct world *w)
{
	api_client_free(w->client);
	for (unsigned i = 0; i < w->n_peers; i++) {
		loop_fd_remove(w->watched_peers[i]);
		close(w->peers[i]);
	}
	loop_fd_remove(w->watched);
	close(w->listener);
	loop_free(w->loop);
}

static void
on_opened(void *arg)
{
	struct world *w = arg;

	w->is_opened = true;
	w->n_opened++;
}

static void
on_done(const struct api_answer *answer, void *arg)
{
	struct world *w = arg;

	w->n_done++;
	memcpy(w->error, answer->error, sizeof(w->error));
}

static struct api_request *
ask(struct world *w)
{
	struct api_request_config config = {
		.path = "/watch", .accept = "application/json", .opened = on_opened, .done = on_done, .arg = w
	};
	struct api_request *r;

	assert_int_equal(api_client_ask(w->client, &r, &config), 0);
	return r;
}

static void
a_cancelled_request_waits_for_no_lookup(void **state)
{
	struct world w;
	struct api_request *r;

	make_world(&w, "server.invalid", 60);
	r = ask(&w);
	while (!is_asked())
		loop_round(w.loop, 10);
	api_request_cancel(r);
	free_world(&w);
	assert_false(lookup_end());
}

/* Over http nothing tells whether one connection will do for all. */
static void
requests_do_not_wait_for_those_that_never_end(void **state)
{
	struct api_request *r[2];
	struct world w;

	make_world(&w, "127.0.0.1", 60);
	for (unsigned i = 0; i < 2; i++)
		r[i] = ask(&w);
	while (w.n_opened < 2 && w.n_done == 0)
		loop_round(w.loop, -1);
	assert_int_equal(w.n_done, 0);
	for (unsigned i = 0; i < 2; i++)
		api_request_cancel(r[i]);
	free_world(&w);
}

static void
silence_is_no_failure_while_the_server_answers(void **state)
{
	struct world w;
	struct api_request *r;

	make_world(&w, "127.0.0.1", 1);
	r = ask(&w);
	while (!w.is_opened)
		loop_round(w.loop, -1);
	api_request_wait(r);
	while (w.n_probes < 2)
		loop_round(w.loop, -1);
	assert_int_equal(w.n_done, 0);
	w.is_ill = true;
	while (w.n_done == 0)
		loop_round(w.loop, -1);
	assert_string_equal(w.error, "nothing came from the server for 1 s");
	free_world(&w);
}

static void
silence_in_the_middle_of_an_answer_is_a_failure(void **state)
{
	struct world w;

	make_world(&w, "127.0.0.1", 1);
	ask(&w);
	while (w.n_done == 0)
		loop_round(w.loop, -1);
	assert_string_equal(w.error, "nothing came from the server for 1 s");
	assert_int_equal(w.n_probes, 0);
	free_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_do_not_wait_for_those_that_never_end),
		cmocka_unit_test(silence_is_no_failure_while_the_server_answers),
		cmocka_unit_test(silence_in_the_middle_of_an_answer_is_a_failure),
		cmocka_unit_test(a_cancelled_request_waits_for_no_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
