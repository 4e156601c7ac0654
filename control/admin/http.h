/* What the daemon's HTTP servers share. Control thread only. */
#ifndef RINGWAY_ADMIN_HTTP_H
#define RINGWAY_ADMIN_HTTP_H

struct MHD_Daemon;

/* A listening TCP socket, or -errno. host "": all addresses of both families, on a kernel without IPv6 of the one there is;
 * else a numeric address. */
int http_listen(const char *host, const char *port);

/* Serves what is ready, and drops connections that idled too long; never blocks. */
void http_run(struct MHD_Daemon *http);

#endif
