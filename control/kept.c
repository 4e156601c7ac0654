#include "control/kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
kept_drop(struct kept *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->fds[i].name, name) == 0) {
			close(k->fds[i].fd);
			k->fds[i] = k->fds[--k->n];
			return;
		}
	}
}

void
kept_put(struct kept *k, const char *name, int fd)
{
	struct kept_fd *grown;

	kept_drop(k, name);
	grown = realloc(k->fds, (k->n + 1) * sizeof(*grown));
	if (grown == NULL) {
		close(fd);
		return;
	}
	k->fds = grown;
	snprintf(grown[k->n].name, sizeof(grown[k->n].name), "%s", name);
	grown[k->n].fd = fd;
	k->n++;
}

void
kept_drop_all(struct kept *k)
{
	while (k->n > 0)
		close(k->fds[--k->n].fd);
	free(k->fds);
	k->fds = NULL;
}

int
kept_send(const struct kept *k, int socket)
{
	char text[FD_STORE_NAME_MAX + 8];

	for (size_t i = 0; i < k->n; i++) {
		int err;

		snprintf(text, sizeof(text), "have %s", k->fds[i].name);
		err = fd_message_send(socket, text, k->fds[i].fd);
		if (err < 0)
			return err;
	}
	return fd_message_send(socket, "end", -1);
}
