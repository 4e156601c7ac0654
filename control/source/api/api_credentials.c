#include "control/source/api/api_credentials.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/text_file.h"
#include "dataplane/net/ip_addr.h"

#define SECRET_SIZE_MAX (1 << 20)
#define BLANKS " \t\r\n"

static int
secret_refresh(struct kube_secret *s, const char *what, char error[static KUBECONFIG_ERROR_SIZE])
{
	char *data;
	size_t size;
	int result;

	if (s->file == NULL)
		return 0;
	result = text_file_read(s->file, SECRET_SIZE_MAX, &data, &size);
	if (result == 0 && strspn(data, BLANKS) == size) {
		free(data);
		result = -ENODATA;
	}
	if (result < 0) {
		snprintf(error, KUBECONFIG_ERROR_SIZE, "the %s, %.300s, cannot be read: %s", what, s->file,
			result == -ENODATA ? "it is empty" : strerror(-result));
		return result;
	}
	if (s->data != NULL)
		explicit_bzero(s->data, s->size);
	free(s->data);
	s->data = data;
	s->size = size;
	return 0;
}

/* It becomes a line of a header: what comes after the first word would be another header. */
static void
trim_token(struct kube_secret *token)
{
	size_t before, len = 0;

	if (token->data == NULL)
		return;
	before = strspn(token->data, BLANKS);
	while (isgraph((unsigned char)token->data[before + len]))
		len++;
	memmove(token->data, token->data + before, len);
	token->data[len] = '\0';
	token->size = len;
}

int
api_credentials_refresh(struct kubeconfig *k, char error[static KUBECONFIG_ERROR_SIZE])
{
	int result = 0;
	struct {
		struct kube_secret *secret;
		const char *what;
	} secrets[] = {
		{ &k->ca, "CA" },
		{ &k->token, "token" },
		{ &k->cert, "client certificate" },
		{ &k->key, "client's key" },
	};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		int rc = secret_refresh(secrets[i].secret, secrets[i].what, error);

		result = result < 0 ? result : rc;
	}
	trim_token(&k->token);
	return result;
}

static bool
begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether it is on this machine: there is nobody to listen to what is sent in the clear. */
static bool
is_loopback(const char *authority)
{
	static const char *const hosts[] = { "127.0.0.1", "[::1]", "localhost" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		size_t len = strlen(hosts[i]);

		if (strncmp(authority, hosts[i], len) == 0 && strchr(":/", authority[len]) != NULL)
			return true;
	}
	return false;
}

/* Paths are put behind it. */
static int
check_server(struct kubeconfig *k, char error[static KUBECONFIG_ERROR_SIZE])
{
	size_t len = strlen(k->server);
	bool is_plain = begins_with(k->server, "http://");

	while (len != 0 && k->server[len - 1] == '/')
		k->server[--len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)k->server[i]) || strchr("?#@", k->server[i]) != NULL)
			len = 0;
	if (len > strlen("https://") && begins_with(k->server, "https://"))
		return 0;
	if (is_plain && len != 0 && is_loopback(k->server + strlen("http://")))
		return 0;
	snprintf(error, KUBECONFIG_ERROR_SIZE,
		"cluster.apiServer: \"%.200s\" must be as https://192.0.2.1:6443%s", k->server,
		is_plain ? "; http is for this machine's own addresses" : "");
	return -EINVAL;
}

/* The server's address, if it is given as one. */
static bool
server_addr(const char *server, struct ip_addr *out)
{
	const char *host = strstr(server, "://") + 3;
	size_t len = *host == '[' ? strcspn(++host, "]") : strcspn(host, ":/");
	char text[IP_ADDR_STRLEN];

	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return ip_addr_parse(text, out);
}

/* The service "kubernetes" is served with what the API server says: nobody could ever ask it there. */
static int
check_is_no_service(
	const struct kubeconfig *k, const struct config *config, char error[static KUBECONFIG_ERROR_SIZE])
{
	const struct string_list *list = &config->cluster.service_cidrs;
	struct ip_prefix services;
	struct ip_addr addr;

	for (size_t i = 0; i < list->n && server_addr(k->server, &addr); i++) {
		if (!ip_prefix_parse(list->items[i], &services) || !ip_prefix_contains(&services, &addr))
			continue;
		snprintf(error, KUBECONFIG_ERROR_SIZE,
			"cluster.apiServer: %.200s is in cluster.serviceCIDRs (%.60s): services work here "
			"only once the "
			"API server was asked; give its own address",
			k->server, list->items[i]);
		return -EINVAL;
	}
	return 0;
}

static int
set_text(char **member, const char *text)
{
	free(*member);
	*member = strdup(text);
	return *member == NULL ? -ENOMEM : 0;
}

/* What each option adds to a kubeconfig, or stands for without one. */
static int
read_options(struct kubeconfig *k, const struct config *config)
{
	int result = 0;

	if (*config->cluster.api_server != '\0')
		result = set_text(&k->server, config->cluster.api_server);
	if (*config->cluster.kubeconfig != '\0' || result < 0)
		return result;
	if (*config->cluster.ca_file != '\0')
		result = set_text(&k->ca.file, config->cluster.ca_file);
	if (result == 0 && *config->cluster.token_file != '\0')
		result = set_text(&k->token.file, config->cluster.token_file);
	return result;
}

int
api_credentials_read(
	struct kubeconfig *out, const struct config *config, char error[static KUBECONFIG_ERROR_SIZE])
{
	int result = 0;

	*out = (struct kubeconfig){ 0 };
	*error = '\0';
	if (*config->cluster.kubeconfig != '\0')
		result = kubeconfig_read(out, config->cluster.kubeconfig, error);
	if (result == 0)
		result = read_options(out, config);
	if (result == 0)
		result = check_server(out, error);
	if (result == 0)
		result = check_is_no_service(out, config, error);
	if (result == 0)
		result = api_credentials_refresh(out, error);
	if (result < 0) {
		if (*error == '\0')
			snprintf(error, KUBECONFIG_ERROR_SIZE, "%s", strerror(-result));
		kubeconfig_fini(out);
	}
	return result;
}
