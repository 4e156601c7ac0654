#include "control/source/api/kubeconfig.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/text_file.h"
#include "control/source/yaml.h"

struct reader {
	const char *path;
	const struct yaml_file *file;
	char *error;
	int result;
};

static void fail(struct reader *r, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The first error counts. */
static void
fail(struct reader *r, unsigned line, const char *format, ...)
{
	va_list args;
	int n;

	if (r->result < 0)
		return;
	if (line == 0)
		n = snprintf(r->error, KUBECONFIG_ERROR_SIZE, "%.200s: ", r->path);
	else
		n = snprintf(r->error, KUBECONFIG_ERROR_SIZE, "%.200s:%u: ", r->path, line);
	va_start(args, format);
	vsnprintf(r->error + n, KUBECONFIG_ERROR_SIZE - (size_t)n, format, args);
	va_end(args);
	r->result = -EINVAL;
}

/* 0..63, or -1 for what is no base64. */
static int
base64_value(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

char *
base64_decode(const char *text, size_t *size)
{
	char *out = malloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, n_digits = 0, n_pads = 0;
	uint32_t bits = 0;

	for (; out != NULL && *text != '\0'; text++) {
		int value = base64_value(*text);

		if (*text == '\n' || *text == '\r' || *text == ' ')
			continue;
		n_pads += *text == '=';
		n_digits++;
		if (*text != '=' && (value < 0 || n_pads != 0)) {
			n_digits = 1; /* not a multiple of four: refused below */
			break;
		}
		bits = bits << 6 | (value < 0 ? 0 : (uint32_t)value);
		if (n_digits % 4 != 0)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			out[n++] = (char)(bits >> shift & 0xff);
		if (n_pads > 2)
			n_digits = 1;
		if (n_pads != 0)
			break;
	}
	while (n_pads != 0 && *text != '\0' && strchr("=\n\r ", *text) != NULL)
		text++;
	if (out == NULL || n_digits % 4 != 0 || *text != '\0') {
		free(out);
		return NULL;
	}
	n -= n_pads;
	out[n] = '\0';
	*size = n;
	return out;
}

/* A member's text; NULL when it is missing, empty or, having failed, no text. */
static const char *
member_text(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
		return NULL;
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
		fail(r, yaml_member_line(r->file, object, key), "%s: must be text", key);
		return NULL;
	}
	return json_string_value(value);
}

/* The part `what` of the element of root's list that has this name: {name: NAME, what: {...}}. */
static const json_t *
find_named(struct reader *r, const json_t *root, const char *list, const char *name, const char *what)
{
	const json_t *elements = json_object_get(root, list), *element;
	size_t i;

	json_array_foreach (elements, i, element) {
		const char *its_name = json_string_value(json_object_get(element, "name"));

		if (its_name != NULL && strcmp(its_name, name) == 0 &&
			json_is_object(json_object_get(element, what)))
			return json_object_get(element, what);
	}
	fail(r, yaml_member_line(r->file, root, list), "%s: there is no %s named \"%.100s\"", list, what,
		name);
	return NULL;
}

/* Paths are relative to where the file is. */
static char *
resolve_path(const struct reader *r, const char *path)
{
	const char *slash = strrchr(r->path, '/');
	char *out;

	if (*path == '/' || slash == NULL)
		return strdup(path);
	return asprintf(&out, "%.*s/%s", (int)(slash - r->path), r->path, path) < 0 ? NULL : out;
}

/* Data goes above the file, as with kubectl. */
static void
read_secret(struct reader *r, const json_t *object, const char *file_key, const char *data_key,
	bool is_base64, struct kube_secret *out)
{
	const char *file = member_text(r, object, file_key), *data = member_text(r, object, data_key);

	if (data != NULL) {
		out->size = strlen(data);
		out->data = is_base64 ? base64_decode(data, &out->size) : strdup(data);
		if (out->data == NULL)
			fail(r, yaml_member_line(r->file, object, data_key), "%s: is not base64", data_key);
	} else if (file != NULL) {
		out->file = resolve_path(r, file);
		if (out->file == NULL)
			fail(r, 0, "out of memory");
	}
}

struct refusal {
	const char *key, *why;
};

/* A member that is there and means something which is not done here. */
static void
refuse_members(struct reader *r, const json_t *object, const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(object, refusals[i].key);

		if (value != NULL && !json_is_null(value) && !json_is_false(value) &&
			!(json_is_string(value) && json_string_length(value) == 0))
			fail(r, yaml_member_line(r->file, object, refusals[i].key), "%s: %s", refusals[i].key,
				refusals[i].why);
	}
}

static void
read_cluster(struct reader *r, const json_t *cluster, struct kubeconfig *k)
{
	static const struct refusal refusals[] = {
		{ "insecure-skip-tls-verify",
			"is refused: whoever answers could rewrite this node's network; give "
			"certificate-authority" },
		{ "proxy-url", "is not supported" },
		{ "tls-server-name", "is not supported; give a server name that the certificate has" },
	};
	const char *server = member_text(r, cluster, "server");

	refuse_members(r, cluster, refusals, sizeof(refusals) / sizeof(refusals[0]));
	if (server == NULL)
		fail(r, 0, "the cluster has no server");
	else if ((k->server = strdup(server)) == NULL)
		fail(r, 0, "out of memory");
	read_secret(r, cluster, "certificate-authority", "certificate-authority-data", true, &k->ca);
}

static void
read_user(struct reader *r, const json_t *user, struct kubeconfig *k)
{
	static const struct refusal refusals[] = {
		{ "exec", "credential plugins are not run by ringwayd; give a token, tokenFile or a client "
			  "certificate" },
		{ "auth-provider", "is not supported; give a token, tokenFile or a client certificate" },
		{ "username",
			"passwords are not supported; give a token, tokenFile or a client certificate" },
		{ "as", "impersonation is not supported" },
		{ "as-uid", "impersonation is not supported" },
		{ "as-groups", "impersonation is not supported" },
	};

	refuse_members(r, user, refusals, sizeof(refusals) / sizeof(refusals[0]));
	/* the file is the one that is kept fresh, and kubectl prefers it, too */
	if (member_text(r, user, "tokenFile") != NULL)
		read_secret(r, user, "tokenFile", "", false, &k->token);
	else
		read_secret(r, user, "", "token", false, &k->token);
	read_secret(r, user, "client-certificate", "client-certificate-data", true, &k->cert);
	read_secret(r, user, "client-key", "client-key-data", true, &k->key);
	if ((k->cert.data == NULL && k->cert.file == NULL) != (k->key.data == NULL && k->key.file == NULL))
		fail(r, 0, "client-certificate and client-key go together");
}

static void
read_root(struct reader *r, const json_t *root, struct kubeconfig *k)
{
	const char *context_name, *cluster_name, *user_name;
	const json_t *context, *cluster, *user;

	if (!json_is_object(root)) {
		fail(r, 0, "is not a kubeconfig: must be a mapping");
		return;
	}
	context_name = member_text(r, root, "current-context");
	if (context_name == NULL) {
		fail(r, 0, "current-context: is not set");
		return;
	}
	context = find_named(r, root, "contexts", context_name, "context");
	cluster_name = member_text(r, context, "cluster");
	user_name = member_text(r, context, "user");
	if (context != NULL && (cluster_name == NULL || user_name == NULL))
		fail(r, 0, "context \"%.100s\" must have cluster and user", context_name);
	if (r->result < 0)
		return;
	cluster = find_named(r, root, "clusters", cluster_name, "cluster");
	user = find_named(r, root, "users", user_name, "user");
	if (r->result < 0)
		return;
	read_cluster(r, cluster, k);
	read_user(r, user, k);
}

int
kubeconfig_parse(struct kubeconfig *k, const char *path, const char *text, size_t size,
	char error[static KUBECONFIG_ERROR_SIZE])
{
	struct reader r = { .path = path, .error = error };
	struct yaml_error yaml_error;
	struct yaml_file *file;

	*k = (struct kubeconfig){ 0 };
	*error = '\0';
	if (yaml_file_parse(&file, text, size, &yaml_error) < 0) {
		fail(&r, yaml_error.line, "%s", yaml_error.message);
		return r.result;
	}
	r.file = file;
	read_root(&r, yaml_n_documents(file) == 0 ? NULL : yaml_document(file, 0), k);
	yaml_file_free(file);
	if (r.result < 0)
		kubeconfig_fini(k);
	else
		*error = '\0';
	return r.result;
}

int
kubeconfig_read(struct kubeconfig *k, const char *path, char error[static KUBECONFIG_ERROR_SIZE])
{
	char *text;
	size_t size;
	int result = text_file_read(path, KUBECONFIG_SIZE_MAX, &text, &size);

	*k = (struct kubeconfig){ 0 };
	if (result < 0) {
		snprintf(error, KUBECONFIG_ERROR_SIZE, "%.300s: cannot be read: %s", path, strerror(-result));
		return result;
	}
	result = kubeconfig_parse(k, path, text, size, error);
	explicit_bzero(text, size);
	free(text);
	return result;
}

void
kube_secret_fini(struct kube_secret *s)
{
	if (s->data != NULL)
		explicit_bzero(s->data, s->size);
	free(s->data);
	free(s->file);
	*s = (struct kube_secret){ 0 };
}

void
kubeconfig_fini(struct kubeconfig *k)
{
	free(k->server);
	kube_secret_fini(&k->ca);
	kube_secret_fini(&k->token);
	kube_secret_fini(&k->cert);
	kube_secret_fini(&k->key);
	*k = (struct kubeconfig){ 0 };
}
