/* Requests to the API server, on the event loop: libcurl's multi interface, over one HTTP/2 connection where the server
 * offers it, else a connection of HTTP/1.1 for each request at a time. Nothing blocks; only a server that is given by name costs
 * a thread of libcurl's for each look-up, and what answers must not depend on what we serve. No proxy of the environment is used
 * and no redirection followed: the token goes to the server that was configured and nowhere else. Control thread only. */
#ifndef RINGWAY_SOURCE_API_CLIENT_H
#define RINGWAY_SOURCE_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_client;
struct api_request;
struct kubeconfig;
struct loop;

#define API_ERROR_SIZE 384

/* How a request ended. */
struct api_answer {
	long status;                /* of HTTP; 0: there was no answer */
	uint32_t retry_after_s;     /* as the server asked for; 0: it did not */
	bool is_ending;             /* refused since the namespace is being deleted */
	char error[API_ERROR_SIZE]; /* for people; "" when a 2xx answer came to its end */
};

struct api_request_config {
	const char *method; /* NULL: GET; static storage */
	const char *path;   /* "/api/v1/pods?limit=500"; copied, like what follows */
	const char *accept;
	const char *content_type, *body; /* of what is sent; NULL: nothing is */
	/* All but done may be NULL. A request may be cancelled in done and outside of these, not in the first two. */
	void (*opened)(void *arg); /* a 2xx answer begins */
	int (*bytes)(
		const char *bytes, size_t size, void *arg); /* of a 2xx answer; below 0: no more, please */
	void (*done)(const struct api_answer *answer,
		void *arg); /* the last call, with the request gone already */
	void *arg;
};

/* credentials: the client's from now on, also when it fails. idle_s: a request for which nothing came for so long has failed, and
 * its connection is closed, since the server may be gone without a word; one that waits (below) only when the server does not
 * answer a small request either. 0 or -errno. */
int api_client_new(
	struct api_client **out, struct loop *loop, struct kubeconfig *credentials, uint32_t idle_s);

/* From now on credentials are read again with read, as a whole, not only the files that they name; 0, or below 0 with the error, then they
 * stay. For a kubeconfig, which somebody may replace. */
void api_client_read_by(struct api_client *c,
	int (*read)(struct kubeconfig *out, const void *arg, char *error), const void *arg);

/* All requests must be over or cancelled. NULL is fine. */
void api_client_free(struct api_client *c);

/* 0 or -ENOMEM. */
int api_client_ask(struct api_client *c, struct api_request **out, const struct api_request_config *config);

/* From now on what comes for it is news, of which there may be none. */
void api_request_wait(struct api_request *r);

/* done is not called. NULL is fine. */
void api_request_cancel(struct api_request *r);

/* Why the credentials' files could not be read the last time, "" when they could. */
const char *api_client_trouble(const struct api_client *c);

/* What a server says may be anything, and may have been cut within a character: it becomes part of JSON, and of lines. */
void api_text_make_printable(char *text);

/* "https://192.0.2.1:6443" */
const char *api_client_server(const struct api_client *c);

#endif
