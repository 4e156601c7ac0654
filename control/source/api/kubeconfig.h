/* A kubeconfig file, as far as a daemon can use one: its current context's server, CA, and token or client certificate. What
 * would need a program to run (exec), a person (passwords) or trust without proof (insecure-skip-tls-verify) is an error that
 * says so. Pure but for reading the file; any thread. */
#ifndef RINGWAY_SOURCE_KUBECONFIG_H
#define RINGWAY_SOURCE_KUBECONFIG_H

#include <stddef.h>

#define KUBECONFIG_ERROR_SIZE 512
#define KUBECONFIG_SIZE_MAX (1 << 20)

/* Either a file to be read, and read again since it may change, or the bytes themselves; neither: there is none. */
struct kube_secret {
	char *file; /* an absolute path, if the kubeconfig's is */
	char *data; /* with a NUL behind it */
	size_t size;
};

struct kubeconfig {
	char *server; /* "https://192.0.2.1:6443" */
	struct kube_secret ca, token, cert, key;
};

/* Reads the file. 0, or -EINVAL or -errno with the error as "file:line: field: what is wrong". */
int kubeconfig_read(struct kubeconfig *k, const char *path, char error[static KUBECONFIG_ERROR_SIZE]);

/* The same for text in memory; path stands for the file's in messages, and its directory for relative paths. */
int kubeconfig_parse(struct kubeconfig *k, const char *path, const char *text, size_t size,
	char error[static KUBECONFIG_ERROR_SIZE]);

/* Wipes what is secret. */
void kubeconfig_fini(struct kubeconfig *k);
void kube_secret_fini(struct kube_secret *s);

/* The bytes that base64 text (RFC 4648 section 4, line breaks aside) stands for, with a NUL behind them, for the caller to free;
 * NULL when it is none, or out of memory. */
char *base64_decode(const char *text, size_t *size);

#endif
