/* Network configurations in the directory where container runtimes look for them. They take the first file by name, in the
 * order of bytes, whose name ends in .conf, .conflist or .json (libcni's ConfFiles()), so files are there as a whole or not
 * at all, and half-written ones have names that no runtime reads. No state, no thread of its own. */
#ifndef RINGWAY_NODE_CNI_CONF_FILE_H
#define RINGWAY_NODE_CNI_CONF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CNI_CONF_NAME "00-ringway.conflist"
#define CNI_SHIM_NAME "ringway-cni"
#define CNI_CONF_KEPT CNI_CONF_NAME ".displaced" /* what others had under our name; no runtime reads it */

#define CNI_CONF_TEXT_SIZE 256

/* Whether runtimes read a file of this name. */
bool cni_conf_is_name(const char *name);

/* What our file has to say: conf/00-ringway.conflist, with the admin socket of this run.dir, and this state.dir. For the caller to free; NULL if out
 * of memory. */
char *cni_conf_text(const char *run_dir, const char *state_dir);

/* Puts a file into the directory, which is made with its parents if missing: written beside it, synced, renamed over what is
 * there, and the directory synced, so that a crash leaves the old one or the new one. 0 or -errno. */
int cni_file_put(const char *dir, const char *name, const void *bytes, size_t size, mode_t mode);

/* What a directory has for runtimes. */
struct cni_conf_scan {
	char first[NAME_MAX + 1]; /* what they take; "": nothing */
	char next[NAME_MAX + 1];  /* what they would take without ours; "": nothing */
	unsigned n_others;
};

/* 0 or -errno; -ENOENT when there is no such directory. */
int cni_conf_look(const char *dir, struct cni_conf_scan *out);

/* Whether a configuration is for our shim, whatever else it says. False if it cannot be read. */
bool cni_conf_is_ours(const char *dir, const char *name);

/* A configuration for people: its network, plugin and owner, as far as that can be read. Returns buf. */
const char *cni_conf_describe(const char *dir, const char *name, char buf[static CNI_CONF_TEXT_SIZE]);

/* Puts ours there, and keeps the configuration that others had under its name, if it is one, as CNI_CONF_KEPT. 0 or -errno. */
int cni_conf_put(const char *dir, const char *text);

/* Takes ours away, if it is ours, and puts back what it displaced. 1 when something was done, 0 when there was nothing to do,
 * -errno. */
int cni_conf_remove(const char *dir);

/* Whether that has something to do. */
bool cni_conf_is_there(const char *dir);

#endif
