#include "control/cli/client.h"

#include <curl/curl.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 2000L
#define TIMEOUT_MS 15000L

struct answer {
	char *text;
	size_t len;
};

static size_t
collect(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	char *text = realloc(a->text, a->len + size * n + 1);

	if (text == NULL)
		return 0;
	memcpy(text + a->len, data, size * n);
	a->text = text;
	a->len += size * n;
	a->text[a->len] = '\0';
	return size * n;
}

static int
complain_unreachable(const struct cli *cli, CURLcode code, long os_errno)
{
	if (os_errno == EACCES || os_errno == EPERM)
		warnx("no permission to open %s: run this as root", cli->socket);
	else if (os_errno == ENOENT)
		warnx("ringwayd does not run on this node: there is no %s\n"
		      "start it, or name its socket with --socket or RINGWAY_SOCKET; `ringway doctor "
		      "--preflight` tells "
		      "whether it can run here",
			cli->socket);
	else if (os_errno == ECONNREFUSED)
		warnx("ringwayd does not run: nobody listens on %s\n"
		      "look at its log, or name another socket with --socket or RINGWAY_SOCKET",
			cli->socket);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		warnx("ringwayd does not answer on %s: its control thread is busy or hangs", cli->socket);
	else
		warnx("no answer from ringwayd on %s: %s", cli->socket, curl_easy_strerror(code));
	return CLI_UNREACHABLE;
}

/* The daemon says {"error": ..., "hint": ...} with every status from 400 on. */
static int
complain_status(const char *path, long status, const json_t *doc)
{
	const char *error = field_str(doc, "error");
	const char *hint = field_str(doc, "hint");

	if (*error != '\0')
		warnx("%s%s%s", error, *hint == '\0' ? "" : "\n", hint);
	else
		warnx("ringwayd answered %ld to %s", status, path);
	return CLI_PROBLEM;
}

static CURLcode
perform(const struct cli *cli, const char *path, const char *body, struct answer *answer, long *status,
	long *os_errno)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = NULL;
	char url[512];
	CURLcode code;

	if (curl == NULL)
		return CURLE_OUT_OF_MEMORY;
	snprintf(url, sizeof(url), "http://ringwayd%s", path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, cli->socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (body != NULL) {
		headers = curl_slist_append(NULL, "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, os_errno);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return code;
}

int
client_request(const struct cli *cli, const char *path, const json_t *body, json_t **out)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	struct answer answer = { 0 };
	long status = 0, os_errno = 0;
	json_error_t error;
	json_t *doc;
	CURLcode code;
	int rc = CLI_FINE;

	code = perform(cli, path, text, &answer, &status, &os_errno);
	free(text);
	if (code != CURLE_OK) {
		free(answer.text);
		return complain_unreachable(cli, code, os_errno);
	}
	doc = json_loadb(answer.text == NULL ? "" : answer.text, answer.len, 0, &error);
	if (status >= 400) {
		rc = complain_status(path, status, doc);
	} else if (doc == NULL) {
		warnx("ringwayd's answer to %s is not JSON (%s): do ringway and ringwayd have the same "
		      "version?",
			path, error.text);
		rc = CLI_PROBLEM;
	}
	free(answer.text);
	if (rc != CLI_FINE)
		json_decref(doc);
	else
		*out = doc;
	return rc;
}

bool
client_is_reachable(const struct cli *cli)
{
	struct answer answer = { 0 };
	long status = 0, os_errno = 0;
	CURLcode code = perform(cli, "/healthz", NULL, &answer, &status, &os_errno);

	free(answer.text);
	return code == CURLE_OK;
}
