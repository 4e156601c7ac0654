/* Where an attachment's link and maps are pinned: <dir>/<name>/<what>. For the loader's files; control thread only. */
#ifndef RINGWAY_XDP_PINNED_H
#define RINGWAY_XDP_PINNED_H

#include <limits.h>
#include <stdbool.h>

/* Names of attachments are the caller's choice: at most this long, with the terminating zero, and without '/'
 * and '.'. */
#define XDP_NAME_MAX 64

/* An instance of the loader; its own business. */
struct xdp {
	char dir[PATH_MAX / 2];
};

/* Whether it can be the name of an attachment: see above. */
bool pinned_is_name(const char *name);

/* "" for what: the attachment's directory. */
void pinned_path(const struct xdp *x, const char *name, const char *what, char path[static PATH_MAX]);

/* A descriptor of the pinned link or map of an attachment, or -errno. */
int pinned_open(const struct xdp *x, const char *name, const char *what);

/* Which interface an attachment is on; 0: none, or one that is gone. */
unsigned pinned_ifindex(const struct xdp *x, const char *name);

/* Whatever is pinned for an attachment goes, and with the link the program. 0, also if there was nothing, or -errno. */
int pinned_remove(const struct xdp *x, const char *name);

#endif
