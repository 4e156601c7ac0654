/* What is written to the API server: of each kind one request at a time, over the client that reads. After one that failed comes a
 * wait with jitter, and at least as long as the server asked for; what to write then is for the caller to say anew. Control thread
 * only. */
#ifndef RINGWAY_SOURCE_API_WRITER_H
#define RINGWAY_SOURCE_API_WRITER_H

#include "control/source/api/api_client.h"
#include "control/source/api/api_kind.h"

#define API_FORBIDDEN_WAIT_S 60 /* rights are given by people */
#define API_WRITE_REASON_SIZE (API_ERROR_SIZE + 256)

struct api_writer;

struct api_writer_config {
	struct loop *loop;
	struct api_client *client; /* outlives the writer */
	uint64_t seed;             /* of what is random */
};

/* How a write ended. */
enum api_write_result {
	API_WRITE_DONE,
	API_WRITE_STALE,   /* 409: it exists already, or is of another version than was said */
	API_WRITE_REFUSED, /* the same will never do */
	API_WRITE_LATER,   /* worth another try */
};

struct api_write {
	const char *method, *path, *content_type, *body; /* copied */
	/* status: of HTTP, 0: there was no answer; 404 also when the namespace is being deleted */
	void (*done)(enum api_write_result result, long status, void *arg);
	void *arg;
};

struct api_write_status {
	uint64_t n_done, n_stale, n_failed;
	char reason[API_WRITE_REASON_SIZE]; /* why the last one failed, "" when it did not */
	int64_t since_s;                    /* CLOCK_REALTIME seconds: since when they fail; 0: they do not */
};

/* NULL if out of memory. */
struct api_writer *api_writer_new(const struct api_writer_config *config);

/* What is under way is given up, done is not called. NULL is fine. */
void api_writer_free(struct api_writer *w);

/* Who is told that something may be written again; NULL: nobody, and what is under way is given up as above. */
void api_writer_listen(struct api_writer *w, void (*ready)(void *arg), void *arg);

/* Tells them so, since what is there is another now. */
void api_writer_wake(struct api_writer *w);

/* Whether one of this kind may be sent now. */
bool api_writer_is_ready(const struct api_writer *w, enum api_write_kind kind);

/* When it is ready. 0, or -ENOMEM: done is not called then, and it is ready again after a wait. */
int api_writer_send(struct api_writer *w, enum api_write_kind kind, const struct api_write *write);

const struct api_write_status *api_writer_status(const struct api_writer *w, enum api_write_kind kind);

/* By the HTTP status; 0: there was no answer. Pure. */
enum api_write_result api_write_judge(long status);

#endif
