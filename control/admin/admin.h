/* The daemon's HTTP server: JSON over a unix socket for ringway and ringway-cni, and a TCP listener that
 * offers only what is marked public (metrics and health). The API is one table (routes.c); this file knows
 * none of its entries. Handlers run on the control thread, one at a time, and answer before they return.
 * libmicrohttpd does the protocol; its epoll descriptor hangs in control's event loop. */
#ifndef RINGWAY_ADMIN_ADMIN_H
#define RINGWAY_ADMIN_ADMIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define ADMIN_BODY_MAX (256 * 1024) /* bytes of a request's body; more is refused with 413 */
#define ADMIN_ERROR_SIZE 256        /* bytes of a message, for callers of admin_new() */
#define ADMIN_SOCKET "ringway.sock" /* in run.dir */

struct admin;
struct daemon;

struct admin_request {
	const char *method, *path;
	json_t *query; /* object of strings, never NULL */
	json_t *body;  /* what was posted, parsed; NULL when there was none */
};

/* What a handler fills in. Untouched: 200 with an empty object. */
struct admin_reply {
	unsigned status;
	json_t *json;             /* given away to the server; NULL when text is set */
	char *text;               /* malloc'ed, given away */
	const char *content_type; /* of text; NULL: text/plain */
};

typedef void admin_handler(struct daemon *d, const struct admin_request *req, struct admin_reply *reply);

struct admin_route {
	const char *method, *path;
	admin_handler *handler;
	const char *help; /* one line, shown by a 404 */
	bool is_public;   /* offered on the TCP listener too */
};

/* The API (routes.c), ended by an entry without a path. */
extern const struct admin_route admin_routes[];

/* Opens socket_path (mode 0600; one left by a dead daemon is replaced) and, unless listen is "", the TCP address
 * ("host:port", ":port", "[v6]:port"). Returns 0, or -errno with a message in error, and then nothing stays
 * open. -EADDRINUSE: another daemon answers there. */
int admin_new(struct admin **out, struct daemon *d, const struct admin_route *routes, const char *socket_path,
	const char *listen, char error[static ADMIN_ERROR_SIZE]);

/* Removes the socket and drops all connections; NULL is fine. */
void admin_free(struct admin *a);

/* Readable when there is something for admin_run() to do. */
int admin_fd(const struct admin *a);

/* Serves what is ready and drops connections that idled too long; never blocks. To be called when admin_fd()
 * is readable, and every few seconds. */
void admin_run(struct admin *a);

/* {"error": ..., "hint": ...}; hint may be NULL. 'format' as for printf. */
void admin_fail(struct admin_reply *reply, unsigned status, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A query parameter's value, or NULL. */
const char *admin_query(const struct admin_request *req, const char *key);

#endif
