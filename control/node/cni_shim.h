/* The program that container runtimes start, in the directory where they look for it (option cni.binDir). It is replaced as a
 * whole, and only when it differs. Control thread only. */
#ifndef RINGWAY_NODE_CNI_SHIM_H
#define RINGWAY_NODE_CNI_SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define CNI_SHIM_ERROR_SIZE 512

struct cni_shim {
	const char *dir;       /* where it goes */
	char source[PATH_MAX]; /* "": not found */
	struct stat seen;      /* as it was when it was the same */
};

/* Where it comes from: source, or NULL: beside the running program, where build and installation have it. */
void cni_shim_init(struct cni_shim *s, const char *dir, const char *source);

/* Whether it is there, and nobody touched it since cni_shim_follow() found it right. */
bool cni_shim_is_as_seen(const struct cni_shim *s);

/* Brings it about. True in *was_put when it was put there. 0 or -errno with a message. */
int cni_shim_follow(struct cni_shim *s, bool *was_put, char error[static CNI_SHIM_ERROR_SIZE]);

#endif
