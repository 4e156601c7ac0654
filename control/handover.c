#include "control/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* For each message; the other end is a process that does nothing else. */
static const struct timeval patience = { .tv_sec = 2 };

static int
make_socket(const char *run_dir, struct sockaddr_un *addr)
{
	int fd;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/" HANDOVER_SOCKET, run_dir) >=
		(int)sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int
handover_listen(const char *run_dir)
{
	struct sockaddr_un addr;
	struct rlimit files;
	int fd = make_socket(run_dir, &addr);
	mode_t mask;
	bool listens;

	if (fd < 0)
		return fd;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max; /* two or three per pod */
		setrlimit(RLIMIT_NOFILE, &files);
	}
	unlink(addr.sun_path); /* of one that was killed while it waited */
	mask = umask(0177);
	listens = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1) == 0;
	umask(mask);
	if (!listens) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* False unless all came. */
static bool
receive_all(int socket, struct kept *k)
{
	char text[FD_STORE_NAME_MAX + 8];
	int fd;

	while (fd_message_receive(socket, text, sizeof(text), &fd) > 0) {
		if (fd < 0)
			return strcmp(text, "end") == 0;
		if (strncmp(text, "have ", 5) != 0) {
			close(fd);
			return false;
		}
		kept_put(k, text + 5, fd);
	}
	return false;
}

void
handover_receive(int listener, struct kept *k)
{
	struct pollfd knock = { .fd = listener, .events = POLLIN };
	int socket;

	if (poll(&knock, 1, 0) <= 0 || (socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		return;
	kept_drop_all(k);
	setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!receive_all(socket, k))
		kept_drop_all(k);
	close(socket);
}

void
handover_close(int listener, const char *run_dir)
{
	struct sockaddr_un addr;
	int other = make_socket(run_dir, &addr);

	if (other >= 0) {
		unlink(addr.sun_path);
		close(other);
	}
	close(listener);
}

int
handover_give(const char *run_dir, const struct kept *k)
{
	struct sockaddr_un addr;
	int fd = make_socket(run_dir, &addr);
	int err;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	err = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : kept_send(k, fd);
	close(fd);
	return err;
}
