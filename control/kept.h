/* Descriptors under names: what a holder keeps for its child (control/holder.h), and hands to the next one
 * (control/handover.h). One thread. */
#ifndef RINGWAY_KEPT_H
#define RINGWAY_KEPT_H

#include <stddef.h>

#include "dataplane/io/fd_store.h"

struct kept {
	size_t n;
	struct kept_fd {
		char name[FD_STORE_NAME_MAX];
		int fd;
	} * fds;
};

/* The descriptor is the list's from now on, instead of one that it had under this name. Without memory it is closed. */
void kept_put(struct kept *k, const char *name, int fd);

/* Closes it, if there is one of that name. */
void kept_drop(struct kept *k, const char *name);

/* Closes all; the list is empty, and owns no memory. */
void kept_drop_all(struct kept *k);

/* "have NAME" for each, with its descriptor, then "end". 0 or -errno: the other end is gone, or does not read. */
int kept_send(const struct kept *k, int socket);

#endif
