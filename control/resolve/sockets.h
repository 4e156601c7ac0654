/* The kernel's sockets for queries to upstream servers: one for each try, so that the kernel picks a random port each time, and
 * connected, so that it drops what comes from elsewhere. UDP is a datagram each way; TCP has a length before each message
 * (RFC 1035 section 4.2.2), one query a connection. Nothing blocks. All of it runs in the loop's thread. */
#ifndef RINGWAY_RESOLVE_SOCKETS_H
#define RINGWAY_RESOLVE_SOCKETS_H

#include "control/loop.h"
#include "dataplane/dns/dns_table.h"

struct sockets;
struct try;

struct sockets_config {
	struct loop *loop;
	/* What came for x, and that nothing will come. The socket may be closed from within. */
	void (*received)(void *arg, struct try *x, const uint8_t *message, size_t size);
	void (*broken)(void *arg, struct try *x);
	void *arg;
};

/* NULL if out of memory. */
struct sockets *sockets_new(const struct sockets_config *config);

/* All have been closed. NULL is fine. */
void sockets_free(struct sockets *s);

/* As resolve.h's transport wants it; arg is a struct sockets. */
int sockets_send(void *arg, const struct dns_server *server, bool is_tcp, const uint8_t *message,
	uint16_t size, struct try *x, void **socket);
void sockets_close(void *arg, void *socket);

#endif
