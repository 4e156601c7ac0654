#include "cni/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE 192 /* 128 of an id, 15 of an interface, "@" and ".del" */

/* The spool's directory, made when it is not there, in *out. 0 or the errno. */
static int
spool_open(const char *state_dir, int *out)
{
	int state, err = 0;

	if (mkdir(state_dir, 0755) < 0 && errno != EEXIST)
		return errno;
	state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		return errno;
	if (mkdirat(state, "spool", 0700) == 0)
		err = fsync(state) < 0 ? errno : 0;
	else if (errno != EEXIST)
		err = errno;
	if (err == 0) {
		*out = openat(state, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		err = *out < 0 ? errno : 0;
	}
	close(state);
	return err;
}

/* 0, or the errno: ENOSPC when there is no room for one more. */
static int
spool_check_room(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (list == NULL) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while (n <= SPOOL_MAX && readdir(list) != NULL)
		n++;
	closedir(list);
	return n > SPOOL_MAX ? ENOSPC : 0;
}

/* The content, as a file of that name which is on the disk. 0 or the errno. */
static int
file_write(int dir, const char *name, const char *text, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = 0;

	if (fd < 0)
		return errno;
	errno = 0;
	if (write(fd, text, size) != (ssize_t)size)
		err = errno == 0 ? ENOSPC : errno;
	else if (fsync(fd) < 0)
		err = errno;
	close(fd);
	return err;
}

static int
entry_write(int dir, const struct netconf *n)
{
	json_t *entry = json_pack("{s:s, s:s}", "containerId", n->container_id, "ifname", n->ifname);
	char *text = entry == NULL ? NULL : json_dumps(entry, JSON_COMPACT);
	char name[NAME_SIZE], temporary[NAME_SIZE];
	int err = ENOMEM;

	json_decref(entry);
	snprintf(name, sizeof(name), "%s@%s.del", n->container_id, n->ifname);
	snprintf(temporary, sizeof(temporary), ".%d", getpid());
	if (text != NULL)
		err = file_write(dir, temporary, text, strlen(text));
	if (err == 0 && renameat(dir, temporary, dir, name) < 0)
		err = errno;
	if (err == 0 && fsync(dir) < 0)
		err = errno;
	if (err != 0)
		unlinkat(dir, temporary, 0);
	free(text);
	return err;
}

enum cni_code
spool_write(const struct netconf *n, struct cni_error *e)
{
	int dir = -1, err = spool_open(n->state_dir, &dir);

	if (err == 0)
		err = spool_check_room(dir);
	if (err == 0)
		err = entry_write(dir, n);
	if (dir >= 0)
		close(dir);
	if (err == 0) {
		*e = (struct cni_error){ CNI_OK };
		return CNI_OK;
	}
	return cni_fail(e, CNI_TRY_AGAIN,
		"Does ringwayd run on this node? A DEL which it cannot be asked for is kept in \"stateDir\" "
		"of the "
		"network configuration (its state.dir).",
		"ringwayd is away, and %.120s/spool cannot keep the DEL for it: %s", n->state_dir,
		strerror(err));
}
