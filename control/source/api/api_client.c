#include "control/source/api/api_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/source/api/api_connection.h"
#include "control/source/api/api_credentials.h"
#include "control/source/api/curl_loop.h"
#include "control/admin/version.h"

#define REREAD_NS (60 * NS_PER_S) /* kubelet replaces tokens when they have a fifth of their life left */
#define STATUS_SIZE 4096          /* of an error's text, as far as it is kept */

struct api_client {
	struct kubeconfig credentials;
	char trouble[KUBECONFIG_ERROR_SIZE];
	int (*read)(struct kubeconfig *out, const void *arg,
		char *error); /* NULL: only the files are read again */
	const void *read_arg;
	uint64_t idle_ns;
	struct curl_loop curl;
	struct loop_timer *watchdog; /* for requests that nothing comes for */
	struct loop_timer *reread;
	struct api_request *first;
	struct api_request *probe; /* one of them: asks whether the server is there; NULL: it is not asked */
};

struct api_request {
	struct api_client *client;
	struct api_request_config config;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t heard_ns;
	bool is_waiting;   /* for what there may not be */
	bool is_suspected; /* nothing had come for too long when the watchdog looked */
	int stopped;       /* what config.bytes said below 0 */
	char error[CURL_ERROR_SIZE];
	char status[STATUS_SIZE]; /* the body of what is not 2xx */
	size_t status_len;
	struct api_request *next;
};

/* --- a request's end */

static void
request_unlink(struct api_request *r)
{
	struct api_request **at = &r->client->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static void
request_free(struct api_request *r)
{
	if (r->easy != NULL) {
		curl_multi_remove_handle(r->client->curl.multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	free(r);
}

void
api_request_cancel(struct api_request *r)
{
	if (r == NULL)
		return;
	request_unlink(r);
	request_free(r);
}

void
api_request_wait(struct api_request *r)
{
	r->is_waiting = true;
}

static bool
has_cause(const json_t *status, const char *reason)
{
	const json_t *cause;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(status, "details"), "causes"), i, cause) {
		const char *text = json_string_value(json_object_get(cause, "reason"));

		if (text != NULL && strcmp(text, reason) == 0)
			return true;
	}
	return false;
}

/* What the server says is wrong: an object of kind Status, or plain text. */
static void
describe_status(const struct api_request *r, struct api_answer *answer)
{
	json_t *body = json_loadb(r->status, r->status_len, 0, NULL);
	const char *message = json_string_value(json_object_get(body, "message"));
	int plain = (int)strcspn(r->status, "\r\n");

	if (message != NULL)
		snprintf(answer->error, sizeof(answer->error), "HTTP %ld: %.300s", answer->status, message);
	else
		snprintf(answer->error, sizeof(answer->error), "HTTP %ld%s%.*s", answer->status,
			plain == 0 ? "" : ": ", plain > 200 ? 200 : plain, r->status);
	answer->is_ending = has_cause(body, "NamespaceTerminating");
	json_decref(body);
}

static void
request_end(struct api_request *r, struct api_answer *answer)
{
	struct api_request_config config = r->config;

	request_unlink(r);
	request_free(r);
	config.done(answer, config.arg);
}

static int
read_again(struct api_client *c, char error[static KUBECONFIG_ERROR_SIZE])
{
	struct kubeconfig fresh;
	int result;

	if (c->read == NULL)
		return api_credentials_refresh(&c->credentials, error);
	result = c->read(&fresh, c->read_arg, error);
	if (result < 0)
		return result;
	if (strcmp(fresh.server, c->credentials.server) != 0)
		log_info("the API server is %s from now on", fresh.server);
	kubeconfig_fini(&c->credentials);
	c->credentials = fresh;
	return 0;
}

static void
reread(void *arg)
{
	struct api_client *c = arg;
	char error[KUBECONFIG_ERROR_SIZE] = "";

	if (read_again(c, error) < 0 && strcmp(error, c->trouble) != 0)
		log_warn("%s; what it was stays in use", error);
	memcpy(c->trouble, error, sizeof(c->trouble));
}

static void
request_settle(CURL *easy, CURLcode code)
{
	struct api_answer answer = { 0 };
	struct api_request *r = NULL;
	curl_off_t retry_after_s = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (retry_after_s > 0)
		answer.retry_after_s = retry_after_s > UINT32_MAX ? UINT32_MAX : (uint32_t)retry_after_s;
	if (answer.status >= 300)
		describe_status(r, &answer);
	else if (r->stopped < 0)
		snprintf(answer.error, sizeof(answer.error), "the answer cannot be used: %s",
			strerror(-r->stopped));
	else if (code != CURLE_OK)
		snprintf(answer.error, sizeof(answer.error), "%.300s",
			*r->error != '\0' ? r->error : curl_easy_strerror(code));
	if (answer.status == 401)
		reread(r->client);
	request_end(r, &answer);
}

/* --- silence */

static void
note_heard(struct api_request *r)
{
	r->heard_ns = clock_now_ns();
	r->is_suspected = false;
}

/* A new request would go over the same connection: it must not be there any more. */
static void
close_connection(struct api_request *r)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (curl_easy_getinfo(r->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
		shutdown(fd, SHUT_RDWR);
}

static void
fail_silent(struct api_request *r)
{
	struct api_answer answer = { 0 };

	snprintf(answer.error, sizeof(answer.error), "nothing came from the server for %llu s",
		(unsigned long long)(r->client->idle_ns / NS_PER_S));
	close_connection(r);
	request_end(r, &answer);
}

/* Any answer says that the server is there: those that wait for news go on waiting. */
static void
on_probed(const struct api_answer *answer, void *arg)
{
	struct api_client *c = arg;

	c->probe = NULL;
	for (struct api_request *r = c->first; r != NULL; r = r->next) {
		if (!r->is_waiting || !r->is_suspected)
			continue;
		if (answer->status != 0)
			note_heard(r);
		else
			r->is_waiting =
				false; /* for long enough: it fails when the watchdog looks, at once */
	}
	if (answer->status == 0)
		loop_timer_set(c->watchdog, 0, 0);
}

/* A watch of what does not change is silent: servers send bookmarks only where there is a newer version to tell. And what came
 * may be there without having been read, when we were busy. */
static void
suspect(struct api_request *r)
{
	struct api_client *c = r->client;
	struct api_request_config probe = {
		.path = "/version", .accept = "application/json", .done = on_probed, .arg = c
	};

	r->is_suspected = !r->is_waiting || c->probe != NULL || api_client_ask(c, &c->probe, &probe) == 0;
}

static void
look_for_silence(void *arg)
{
	struct api_client *c = arg;
	uint64_t now_ns = clock_now_ns();
	struct api_request *silent = NULL;

	for (struct api_request *r = c->first; r != NULL; r = r->next)
		if (now_ns - r->heard_ns >= c->idle_ns && (!r->is_suspected || !r->is_waiting)) {
			if (r->is_suspected)
				silent = r;
			else
				suspect(r);
		}
	/* one at a time: closing its connection ends the others that go over it */
	if (silent != NULL)
		fail_silent(silent);
	loop_timer_set(c->watchdog, silent != NULL ? 0 : c->idle_ns / 4, 0);
}

/* --- a request */

static size_t
on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct api_request *r = arg;
	long status = 0;

	note_heard(r);
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (n == 2 && bytes[0] == '\r' && status / 100 == 2 && r->config.opened != NULL)
		r->config.opened(r->config.arg);
	return size * n;
}

static size_t
on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct api_request *r = arg;
	size_t room = sizeof(r->status) - 1 - r->status_len;
	long status = 0;

	note_heard(r);
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2) {
		room = room < n ? room : n;
		memcpy(r->status + r->status_len, bytes, room);
		r->status_len += room;
	} else if (r->config.bytes != NULL) {
		r->stopped = r->config.bytes(bytes, n, r->config.arg);
		if (r->stopped < 0)
			return CURL_WRITEFUNC_ERROR;
	}
	return size * n;
}

static bool
set_body(struct api_request *r)
{
	const struct api_request_config *config = &r->config;

	if (config->method != NULL &&
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, config->method) != CURLE_OK)
		return false;
	return config->body == NULL ||
	       (api_header_add(&r->headers, "Content-Type", config->content_type) &&
		       curl_easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS, config->body) == CURLE_OK);
}

static bool
set_request(struct api_request *r)
{
	char *url;
	bool is_set;

	if (asprintf(&url, "%s%s", r->client->credentials.server, r->config.path) < 0)
		return false;
	is_set = curl_easy_setopt(r->easy, CURLOPT_URL, url) == CURLE_OK;
	free(url);
	return is_set && api_header_add(&r->headers, "Accept", r->config.accept) && set_body(r) &&
	       curl_easy_setopt(r->easy, CURLOPT_USERAGENT, "ringwayd/" RINGWAY_VERSION) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r) == CURLE_OK;
}

int
api_client_ask(struct api_client *c, struct api_request **out, const struct api_request_config *config)
{
	struct api_request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->client = c;
	r->config = *config;
	r->heard_ns = clock_now_ns();
	r->easy = curl_easy_init();
	if (r->easy == NULL || !api_connection_set(r->easy, &c->credentials, &r->headers) ||
		!set_request(r) || curl_multi_add_handle(c->curl.multi, r->easy) != CURLM_OK) {
		request_free(r);
		return -ENOMEM;
	}
	r->next = c->first;
	c->first = r;
	*out = r;
	return 0;
}

/* --- the client */

int
api_client_new(struct api_client **out, struct loop *loop, struct kubeconfig *credentials, uint32_t idle_s)
{
	struct api_client *c = calloc(1, sizeof(*c));

	if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		kubeconfig_fini(credentials);
		free(c);
		return -ENOMEM;
	}
	c->credentials = *credentials;
	*credentials = (struct kubeconfig){ 0 };
	c->idle_ns = idle_s * NS_PER_S;
	c->watchdog = loop_timer_new(loop, look_for_silence, c);
	c->reread = loop_timer_new(loop, reread, c);
	if (curl_loop_init(&c->curl, loop, request_settle) < 0 || c->watchdog == NULL || c->reread == NULL) {
		api_client_free(c);
		return -ENOMEM;
	}
	loop_timer_set(c->watchdog, c->idle_ns / 4, 0);
	loop_timer_set(c->reread, REREAD_NS, REREAD_NS);
	*out = c;
	return 0;
}

void
api_client_read_by(struct api_client *c, int (*read)(struct kubeconfig *out, const void *arg, char *error),
	const void *arg)
{
	c->read = read;
	c->read_arg = arg;
}

void
api_client_free(struct api_client *c)
{
	if (c == NULL)
		return;
	api_request_cancel(c->probe);
	curl_loop_fini(&c->curl);
	loop_timer_free(c->watchdog);
	loop_timer_free(c->reread);
	kubeconfig_fini(&c->credentials);
	curl_global_cleanup();
	free(c);
}

void
api_text_make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

const char *
api_client_trouble(const struct api_client *c)
{
	return c->trouble;
}

const char *
api_client_server(const struct api_client *c)
{
	return c->credentials.server;
}
