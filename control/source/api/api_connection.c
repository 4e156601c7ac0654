#include "control/source/api/api_connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/source/api/kubeconfig.h"

#define CONNECT_TIMEOUT_S 10L
#define KEEPALIVE_IDLE_S 15L
#define KEEPALIVE_INTERVAL_S 5L
#define UNANSWERED_MS 30000u /* for bytes and keepalive probes that the peer's kernel does not acknowledge */

static int
prepare_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned unanswered_ms = UNANSWERED_MS;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
	return CURL_SOCKOPT_OK;
}

bool
api_header_add(struct curl_slist **headers, const char *name, const char *value)
{
	struct curl_slist *list;
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return false;
	list = curl_slist_append(*headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
	if (list != NULL)
		*headers = list;
	return list != NULL;
}

static CURLcode
set_blob(CURL *easy, CURLoption option, const struct kube_secret *secret)
{
	struct curl_blob blob = { .data = secret->data, .len = secret->size, .flags = CURL_BLOB_COPY };

	return secret->data == NULL ? CURLE_OK : curl_easy_setopt(easy, option, &blob);
}

static bool
set_credentials(CURL *easy, const struct kubeconfig *k, struct curl_slist **headers)
{
	char *bearer = NULL;
	bool is_set;

	/* the blob takes the place of the system's file, but not of its directory */
	if ((k->ca.data != NULL && curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK) ||
		set_blob(easy, CURLOPT_CAINFO_BLOB, &k->ca) != CURLE_OK ||
		set_blob(easy, CURLOPT_SSLCERT_BLOB, &k->cert) != CURLE_OK ||
		set_blob(easy, CURLOPT_SSLKEY_BLOB, &k->key) != CURLE_OK)
		return false;
	if (k->token.data == NULL)
		return true;
	if (asprintf(&bearer, "Bearer %s", k->token.data) < 0)
		return false;
	is_set = api_header_add(headers, "Authorization", bearer);
	explicit_bzero(bearer, strlen(bearer));
	free(bearer);
	return is_set;
}

static bool
set_connection(CURL *easy, const char *server)
{
	/* over http nothing tells that there will be no HTTP/2: requests would wait for the first one's end */
	long waits = strncmp(server, "https:", strlen("https:")) == 0;

	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PIPEWAIT, waits) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       /* else a request's end waits for the thread that looks its server up */
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, prepare_socket) == CURLE_OK;
}

bool
api_connection_set(CURL *easy, const struct kubeconfig *k, struct curl_slist **headers)
{
	return set_credentials(easy, k, headers) && set_connection(easy, k->server);
}
