#include "dataplane/io/fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct kept {
	char name[FD_STORE_NAME_MAX];
	int fd; /* -1: taken */
};

struct fd_store {
	int socket;
	size_t n;
	struct kept *kept; /* what was inherited */
};

int
fd_message_send(int socket, const char *text, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)text, .iov_len = strlen(text) + 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int
fd_message_receive(int socket, char *text, size_t text_size, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = text_size - 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;
	ssize_t received;

	*fd = -1;
	do
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	text[received] = '\0';
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return (int)received;
}

static bool
remember(struct fd_store *s, const char *name, int fd)
{
	struct kept *grown = realloc(s->kept, (s->n + 1) * sizeof(*grown));

	if (grown == NULL)
		return false;
	s->kept = grown;
	snprintf(grown[s->n].name, sizeof(grown[s->n].name), "%s", name);
	grown[s->n].fd = fd;
	s->n++;
	return true;
}

/* The holder's greeting: "have NAME" for each descriptor, then "end". */
static bool
receive_inherited(struct fd_store *s)
{
	char text[FD_STORE_NAME_MAX + 8];
	int fd;

	while (fd_message_receive(s->socket, text, sizeof(text), &fd) > 0) {
		if (strcmp(text, "end") == 0)
			return true;
		if (fd < 0 || strncmp(text, "have ", 5) != 0 || !remember(s, text + 5, fd))
			return false;
	}
	return false;
}

struct fd_store *
fd_store_open(int socket)
{
	struct fd_store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->socket = socket;
	if (socket >= 0 && !receive_inherited(s)) {
		fd_store_free(s);
		return NULL;
	}
	return s;
}

void
fd_store_close_rest(struct fd_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->kept[i].fd < 0)
			continue;
		close(s->kept[i].fd);
		s->kept[i].fd = -1;
		fd_store_drop(s, s->kept[i].name);
	}
}

void
fd_store_free(struct fd_store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->kept[i].fd >= 0)
			close(s->kept[i].fd);
	if (s->socket >= 0)
		close(s->socket);
	free(s->kept);
	free(s);
}

static int
say(const struct fd_store *s, const char *verb, const char *name, int fd)
{
	char text[FD_STORE_NAME_MAX + 8];

	if (s->socket < 0)
		return 0;
	snprintf(text, sizeof(text), "%s %s", verb, name);
	return fd_message_send(s->socket, text, fd);
}

int
fd_store_put(struct fd_store *s, const char *name, int fd)
{
	if (strlen(name) >= FD_STORE_NAME_MAX)
		return -ENAMETOOLONG;
	return say(s, "put", name, fd);
}

void
fd_store_drop(struct fd_store *s, const char *name)
{
	say(s, "drop", name, -1);
}

int
fd_store_take(struct fd_store *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->kept[i].fd >= 0 && strcmp(s->kept[i].name, name) == 0) {
			int fd = s->kept[i].fd;

			s->kept[i].fd = -1;
			return fd;
		}
	}
	return -1;
}

void
fd_store_each(struct fd_store *s, void (*fn)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->kept[i].fd >= 0)
			fn(s->kept[i].name, arg);
}

void
fd_store_ready(struct fd_store *s)
{
	if (s->socket >= 0)
		fd_message_send(s->socket, "ready", -1);
}
