/* Client of the daemon's admin socket: one request per connection, no library, since this program is static
 * and lives for milliseconds. */
#ifndef RINGWAY_CNI_AGENT_H
#define RINGWAY_CNI_AGENT_H

#include <jansson.h>
#include <stdint.h>

#include "cni/netconf.h"

#define AGENT_WAIT_MS 8000 /* for a daemon that restarts or is not ready */

/* How long a request may take (agent_now_ms()'s clock). */
struct agent_limits {
	int64_t away_ms;     /* until then, a daemon that is away or answers 503 is asked again */
	int64_t deadline_ms; /* until then, one that was reached may work on its answer */
};

/* Sends a request (body NULL: a GET) and returns the reply's object in *out, owned by the caller, also with
 * an HTTP error status, which is in *status. CNI_TRY_AGAIN when the limits are passed. */
enum cni_code agent_call(const char *socket_path, const char *path, const json_t *body,
	const struct agent_limits *limits, unsigned *status, json_t **out, struct cni_error *e);

/* CLOCK_MONOTONIC. */
int64_t agent_now_ms(void);

/* Splits what the daemon sent: the status, and the body's place in text. False when it is not an HTTP reply
 * or cut short. */
bool agent_reply_split(const char *text, size_t size, unsigned *status, const char **body, size_t *body_size);

#endif
