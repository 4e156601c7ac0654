#include "control/resolve/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUERY_MAX 512

/* A datagram of more is not what was asked for: OPT says 1,232. */
#define DATAGRAM_MAX 4096

/* Each may come to hold a message of 64 KB. */
#define TCP_MAX 64

struct socket {
	struct sockets *all;
	struct try *x;
	int fd;
	bool is_tcp;
	struct loop_fd *watch;
	/* TCP: the query with its length before it, the answer likewise */
	uint8_t out[2 + QUERY_MAX];
	uint16_t out_size, out_done;
	uint8_t in_size[2];
	uint8_t *in;
	uint32_t in_done; /* of in_size and in together */
};

struct sockets {
	struct sockets_config config;
	unsigned n_tcp;
	uint8_t datagram[DATAGRAM_MAX];
};

struct sockets *
sockets_new(const struct sockets_config *config)
{
	struct sockets *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->config = *config;
	return s;
}

void
sockets_free(struct sockets *s)
{
	free(s);
}

static void
tell_broken(struct socket *s)
{
	s->all->config.broken(s->all->config.arg, s->x);
}

static bool
is_later(int error)
{
	return error == EAGAIN || error == EINTR;
}

/* --- UDP */

/* One datagram: the socket may be gone afterwards. */
static void
on_datagram(uint32_t events, void *arg)
{
	struct socket *s = arg;
	struct sockets *all = s->all;
	ssize_t n = recv(s->fd, all->datagram, sizeof(all->datagram), 0);

	if (n >= 0)
		all->config.received(all->config.arg, s->x, all->datagram, (size_t)n);
	else if (!is_later(errno))
		tell_broken(s);
}

/* --- TCP */

/* 0: all is out; -EAGAIN: not yet; -errno. */
static int
push(struct socket *s)
{
	while (s->out_done < s->out_size) {
		ssize_t n = send(s->fd, s->out + s->out_done, s->out_size - s->out_done, MSG_NOSIGNAL);

		if (n < 0)
			return is_later(errno) ? -EAGAIN : -errno;
		s->out_done = (uint16_t)(s->out_done + n);
	}
	return 0;
}

static uint32_t
message_size(const struct socket *s)
{
	return (uint32_t)s->in_size[0] << 8 | s->in_size[1];
}

/* 0: the message is whole; -EAGAIN: not yet; -errno. */
static int
pull(struct socket *s)
{
	for (;;) {
		bool is_size = s->in_done < sizeof(s->in_size);
		uint8_t *to = is_size ? s->in_size + s->in_done : s->in + s->in_done - sizeof(s->in_size);
		size_t left = is_size ? sizeof(s->in_size) - s->in_done
				      : message_size(s) + sizeof(s->in_size) - s->in_done;
		ssize_t n;

		if (left == 0)
			return 0;
		n = recv(s->fd, to, left, 0);
		if (n < 0)
			return is_later(errno) ? -EAGAIN : -errno;
		if (n == 0)
			return -ECONNRESET;
		s->in_done += (uint32_t)n;
		if (s->in_done == sizeof(s->in_size) && s->in == NULL) {
			s->in = malloc(message_size(s) + 1u);
			if (s->in == NULL)
				return -ENOMEM;
		}
	}
}

static void
on_stream(uint32_t events, void *arg)
{
	struct socket *s = arg;
	struct sockets *all = s->all;
	int result;

	if (s->out_done < s->out_size) {
		result = push(s);
		if (result == 0)
			result = loop_fd_modify(s->watch, EPOLLIN);
		if (result < 0 && result != -EAGAIN)
			tell_broken(s);
		return;
	}
	result = pull(s);
	if (result == 0)
		all->config.received(all->config.arg, s->x, s->in, message_size(s));
	else if (result != -EAGAIN)
		tell_broken(s);
}

/* --- both */

static socklen_t
fill_addr(const struct dns_server *server, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (ip_addr_is_v4(&server->addr)) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)out;

		v4->sin_family = AF_INET;
		v4->sin_port = htons(server->port);
		v4->sin_addr.s_addr = ip_addr_to_v4(&server->addr).raw;
		return sizeof(*v4);
	}
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(server->port);
	memcpy(&v6->sin6_addr, server->addr.b, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

static int
open_socket(struct socket *s, const struct dns_server *server)
{
	struct sockaddr_storage addr;
	socklen_t len = fill_addr(server, &addr);
	int one = 1;

	s->fd = socket(
		addr.ss_family, (s->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	if (s->is_tcp)
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->fd, (struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS)
		return -errno;
	s->watch = loop_fd_add(s->all->config.loop, s->fd, s->is_tcp ? EPOLLOUT : EPOLLIN,
		s->is_tcp ? on_stream : on_datagram, s);
	return s->watch == NULL ? -errno : 0;
}

static void
free_socket(struct socket *s)
{
	loop_fd_remove(s->watch);
	if (s->fd >= 0)
		close(s->fd);
	if (s->is_tcp)
		s->all->n_tcp--;
	free(s->in);
	free(s);
}

int
sockets_send(void *arg, const struct dns_server *server, bool is_tcp, const uint8_t *message, uint16_t size,
	struct try *x, void **socket)
{
	struct sockets *all = arg;
	struct socket *s;
	int result;

	if (size > QUERY_MAX)
		return -EMSGSIZE;
	if (is_tcp && all->n_tcp >= TCP_MAX)
		return -ENOBUFS;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	*s = (struct socket){ .all = all, .x = x, .fd = -1, .is_tcp = is_tcp };
	all->n_tcp += is_tcp;
	if (is_tcp) {
		s->out[0] = (uint8_t)(size >> 8);
		s->out[1] = (uint8_t)size;
		memcpy(s->out + 2, message, size);
		s->out_size = (uint16_t)(size + 2);
	}
	result = open_socket(s, server);
	if (result == 0 && !is_tcp && send(s->fd, message, size, MSG_NOSIGNAL) < 0)
		result = -errno;
	if (result < 0) {
		free_socket(s);
		return result;
	}
	*socket = s;
	return 0;
}

void
sockets_close(void *arg, void *socket)
{
	free_socket(socket);
}
