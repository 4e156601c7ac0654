#include "control/admin/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 64 /* of libmicrohttpd per wake-up */

int
http_listen(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	const char *tries[] = { host[0] == '\0' ? "::" : host, "0.0.0.0" };
	int fd = -EINVAL;

	for (unsigned i = 0; i < (host[0] == '\0' ? 2 : 1) && fd < 0; i++) {
		if (getaddrinfo(tries[i], port, &hints, &found) != 0)
			return -EINVAL;
		fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0) {
			fd = -errno;
		} else {
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
			if (found->ai_family == AF_INET6)
				setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
			if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
				int saved = errno;

				close(fd);
				fd = -saved;
			}
		}
		freeaddrinfo(found);
	}
	return fd;
}

/* libmicrohttpd keeps a list of connections with work left, of which its descriptor says nothing: a timeout
 * of zero does. Bounded, so that a client who never stops sending does not hold up the control thread. */
void
http_run(struct MHD_Daemon *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	unsigned rounds = 0;

	do
		MHD_run(http);
	while (MHD_get_timeout(http, &timeout_ms) == MHD_YES && timeout_ms == 0 && ++rounds < ROUNDS_MAX);
}
