#include "control/node/spool.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"

#define SUFFIX ".del"
#define CORRUPT ".corrupt"
#define CONTENT_MAX 1024
#define RETRY_NS (5 * NS_PER_S)
#define TEMPORARY_S 60 /* a shim lives for 30 s at most */

struct spool {
	struct attach *attach;
	char path[PATH_MAX];
	int dir;    /* -1: cannot be read */
	int notify; /* of inotify, -1: none */
	struct loop_fd *watch;
	struct loop_timer *timer;
	unsigned n_corrupt, n_failed;
	char trouble[ATTACH_TEXT_SIZE]; /* of the last that failed, or of the directory */
	char warning[SPOOL_TEXT_SIZE];
};

struct key {
	char container_id[CONTAINER_ID_SIZE], ifname[IF_NAMESIZE];
};

static bool
ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* "ID@INTERFACE.del" */
static bool
key_of_name(const char *name, struct key *key)
{
	const char *at = strchr(name, '@');
	size_t id_len, if_len;

	if (at == NULL || !ends_with(name, SUFFIX))
		return false;
	id_len = (size_t)(at - name);
	if_len = strlen(at + 1) - strlen(SUFFIX);
	if (id_len == 0 || id_len >= sizeof(key->container_id) || if_len == 0 ||
		if_len >= sizeof(key->ifname))
		return false;
	snprintf(key->container_id, sizeof(key->container_id), "%.*s", (int)id_len, name);
	snprintf(key->ifname, sizeof(key->ifname), "%.*s", (int)if_len, at + 1);
	return true;
}

static bool
is_member(const json_t *object, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL && strcmp(text, value) == 0;
}

/* Whether the file says what its name says: 0, -EBADMSG, or why it cannot be read. */
static int
entry_check(const struct spool *s, const char *name, const struct key *key)
{
	int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[CONTENT_MAX];
	json_t *entry;
	ssize_t size;
	bool is_good;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	size = read(fd, text, sizeof(text));
	close(fd);
	if (size < 0)
		return errno == EISDIR ? -EBADMSG : -errno;
	entry = json_loadb(text, (size_t)size, 0, NULL);
	is_good =
		is_member(entry, "containerId", key->container_id) && is_member(entry, "ifname", key->ifname);
	json_decref(entry);
	return is_good ? 0 : -EBADMSG;
}

static void
entry_put_aside(const struct spool *s, const char *name)
{
	char aside[NAME_MAX + 1];

	if (snprintf(aside, sizeof(aside), "%s" CORRUPT, name) >= (int)sizeof(aside) ||
		renameat(s->dir, name, s->dir, aside) < 0)
		unlinkat(s->dir, name, 0);
	log_warn("%s/%s is not a DEL that ringway-cni has written, and is kept as " CORRUPT
		 ": if its pod is gone, it is found by itself",
		s->path, name);
}

/* Done, its file goes. 0 or -errno. */
static int
entry_do(struct spool *s, const char *name, const struct key *key)
{
	struct attach_request req = { .container_id = key->container_id, .ifname = key->ifname };
	struct attach_error e = { 0 };
	int rc = entry_check(s, name, key);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG) {
		entry_put_aside(s, name);
		return 0;
	}
	if (rc < 0) {
		snprintf(s->trouble, sizeof(s->trouble), "%.200s: %s", name, strerror(-rc));
		return rc;
	}
	if (attach_remove(s->attach, &req, &e) < 0) {
		snprintf(s->trouble, sizeof(s->trouble), "%s", e.text);
		return -EIO;
	}
	if (unlinkat(s->dir, name, 0) < 0 && errno != ENOENT) {
		rc = -errno;
		snprintf(s->trouble, sizeof(s->trouble), "cannot remove %.200s: %s", name, strerror(-rc));
		return rc;
	}
	log_info("container %.64s, interface %s: removed, as was asked while no daemon answered",
		key->container_id, key->ifname);
	return 0;
}

static void
warning_update(struct spool *s)
{
	char former[SPOOL_TEXT_SIZE];

	snprintf(former, sizeof(former), "%s", s->warning);
	if (s->dir < 0)
		snprintf(s->warning, sizeof(s->warning),
			"%.200s cannot be used: %.200s; DELs that come while the daemon is away fail",
			s->path, s->trouble);
	else if (s->n_failed != 0)
		snprintf(s->warning, sizeof(s->warning), "%u DELs in %.200s wait: %.256s", s->n_failed,
			s->path, s->trouble);
	else if (s->n_corrupt != 0)
		snprintf(s->warning, sizeof(s->warning),
			"%u files in %.200s are no DELs that ringway-cni has written; look at them, and "
			"remove them",
			s->n_corrupt, s->path);
	else
		s->warning[0] = '\0';
	/* a corrupt one was told when it was met */
	if (s->warning[0] != '\0' && strcmp(former, s->warning) != 0 && (s->dir < 0 || s->n_failed != 0))
		log_warn("%s", s->warning);
}

/* Whether what is open is what shims write into: somebody may have cleared the directory away, and they make it anew. */
static bool
directory_is_there(const struct spool *s)
{
	struct stat ours, there;

	return s->dir >= 0 && fstat(s->dir, &ours) == 0 && stat(s->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* 0, or -errno with the trouble noted. */
static int
directory_open(struct spool *s)
{
	if (directory_is_there(s))
		return 0;
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
	if (mkdir(s->path, 0700) < 0 && errno != EEXIST) {
		snprintf(s->trouble, sizeof(s->trouble), "%s", strerror(errno));
		return -errno;
	}
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		snprintf(s->trouble, sizeof(s->trouble), "%s", strerror(errno));
		return -errno;
	}
	/* without a watch it is looked at with each tick */
	if (s->notify >= 0)
		inotify_add_watch(s->notify, s->path, IN_MOVED_TO | IN_ONLYDIR);
	return 0;
}

/* What a shim that was killed has left half-written, once it cannot be at it any more. */
static void
temporary_remove(const struct spool *s, const char *name)
{
	struct stat st;

	if (name[0] == '.' && isdigit((unsigned char)name[1]) &&
		fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		time(NULL) - st.st_mtime > TEMPORARY_S)
		unlinkat(s->dir, name, 0);
}

static DIR *
directory_list(const struct spool *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL && fd >= 0)
		close(fd);
	return list;
}

void
spool_work(struct spool *s)
{
	const struct dirent *entry;
	struct key key;
	DIR *list;

	s->n_corrupt = s->n_failed = 0;
	if (directory_open(s) == 0 && (list = directory_list(s)) != NULL) {
		while ((entry = readdir(list)) != NULL) {
			if (ends_with(entry->d_name, SUFFIX) && !key_of_name(entry->d_name, &key))
				entry_put_aside(s, entry->d_name);
			else if (ends_with(entry->d_name, SUFFIX))
				s->n_failed += entry_do(s, entry->d_name, &key) < 0;
			else
				temporary_remove(s, entry->d_name);
		}
		rewinddir(list); /* some are kept aside just now */
		while ((entry = readdir(list)) != NULL)
			s->n_corrupt += ends_with(entry->d_name, CORRUPT);
		closedir(list);
	}
	warning_update(s);
}

int
spool_settle(struct spool *s, const char *container_id, const char *ifname)
{
	char name[NAME_MAX + 1];
	struct key key;

	if (s == NULL || directory_open(s) < 0 ||
		snprintf(name, sizeof(name), "%s@%s" SUFFIX, container_id, ifname) >= (int)sizeof(name) ||
		strchr(name, '/') != NULL || !key_of_name(name, &key))
		return 0;
	if (entry_do(s, name, &key) == 0)
		return 0;
	s->n_failed++; /* until the next look */
	warning_update(s);
	return -EIO;
}

const char *
spool_warning(const struct spool *s)
{
	return s == NULL ? "" : s->warning;
}

static void
on_notify(uint32_t events, void *arg)
{
	struct spool *s = arg;
	char buf[4096];

	while (read(s->notify, buf, sizeof(buf)) > 0)
		;
	spool_work(s);
}

static void
on_timer(void *arg)
{
	spool_work(arg);
}

static int
watch_start(struct spool *s, struct loop *loop)
{
	s->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->notify >= 0)
		s->watch = loop_fd_add(loop, s->notify, EPOLLIN, on_notify, s);
	s->timer = loop_timer_new(loop, on_timer, s);
	if (s->timer == NULL)
		return -ENOMEM;
	loop_timer_set(s->timer, RETRY_NS, RETRY_NS);
	return 0;
}

int
spool_new(struct spool **out, const struct spool_config *config)
{
	struct spool *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return -ENOMEM;
	s->attach = config->attach;
	s->dir = s->notify = -1;
	snprintf(s->path, sizeof(s->path), "%s/spool", config->state_dir);
	if (config->loop != NULL)
		rc = watch_start(s, config->loop);
	if (rc < 0) {
		spool_free(s);
		return rc;
	}
	spool_work(s);
	*out = s;
	return 0;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	loop_fd_remove(s->watch);
	loop_timer_free(s->timer);
	if (s->notify >= 0)
		close(s->notify);
	if (s->dir >= 0)
		close(s->dir);
	free(s);
}
