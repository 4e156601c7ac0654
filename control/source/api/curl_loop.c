#include "control/source/api/curl_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "control/loop.h"

static void
act(struct curl_loop *l, curl_socket_t fd, int events)
{
	const CURLMsg *message;
	int n_running, n_left;

	curl_multi_socket_action(l->multi, fd, events, &n_running);
	while ((message = curl_multi_info_read(l->multi, &n_left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			l->done(message->easy_handle, message->data.result);
}

/* One for each of libcurl's sockets. */
struct watched {
	struct curl_loop *l;
	curl_socket_t fd;
	struct loop_fd *loop_fd;
};

static void
on_socket(uint32_t events, void *arg)
{
	struct watched *w = arg;
	int action = 0;

	if ((events & (EPOLLIN | EPOLLHUP)) != 0)
		action |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		action |= CURL_CSELECT_OUT;
	if ((events & EPOLLERR) != 0)
		action |= CURL_CSELECT_ERR;
	act(w->l, w->fd, action);
}

/* libcurl says which events of a socket it waits for. */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	struct curl_loop *l = arg;
	struct watched *w = socket_arg;

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			loop_fd_remove(w->loop_fd);
		free(w);
		return 0;
	}
	if (w != NULL)
		return loop_fd_modify(w->loop_fd, events) < 0 ? -1 : 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -1;
	*w = (struct watched){ .l = l, .fd = fd, .loop_fd = loop_fd_add(l->loop, fd, events, on_socket, w) };
	if (w->loop_fd == NULL) {
		free(w);
		return -1;
	}
	curl_multi_assign(l->multi, fd, w);
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *l = arg;

	if (timeout_ms < 0)
		loop_timer_cancel(l->timer);
	else
		loop_timer_set(l->timer, (uint64_t)timeout_ms * NS_PER_MS, 0);
	return 0;
}

static void
on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

int
curl_loop_init(struct curl_loop *l, struct loop *loop, void (*done)(CURL *easy, CURLcode code))
{
	*l = (struct curl_loop){ .loop = loop, .done = done, .multi = curl_multi_init() };
	l->timer = loop_timer_new(loop, on_timer, l);
	if (l->multi == NULL || l->timer == NULL) {
		curl_loop_fini(l);
		return -ENOMEM;
	}
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	return 0;
}

void
curl_loop_fini(struct curl_loop *l)
{
	if (l->multi != NULL)
		curl_multi_cleanup(l->multi);
	loop_timer_free(l->timer);
	*l = (struct curl_loop){ 0 };
}
