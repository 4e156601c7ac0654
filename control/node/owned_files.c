#include "control/node/owned_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/admin/admin.h"
#include "control/handover.h"
#include "control/instance.h"
#include "control/node/state.h"
#include "control/plane.h"
#include "control/source/api/api_saved.h"

/* Patterns as of fnmatch(3). */
static const char *const run_files[] = { ADMIN_SOCKET, ARENA_FILE, INSTANCE_LOCK, INSTANCE_NEXT_LOCK,
	HANDOVER_SOCKET, NULL };
static const char *const state_files[] = { STATE_FILE, STATE_FILE "-wal", STATE_FILE "-shm", API_SAVED_FILE,
	API_SAVED_FILE "-wal", API_SAVED_FILE "-shm", NULL };
static const char *const spool_files[] = { "*.del", "*.corrupt", ".[0-9]*", NULL };

static bool
matches(const char *name, const char *const *patterns)
{
	for (; *patterns != NULL; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

static bool
is_self(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int
owned_count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += !is_self(e->d_name);
	closedir(dir);
	return n;
}

static bool
has_any(const char *path, const char *const *patterns)
{
	DIR *dir = opendir(path);
	bool found = false;

	if (dir == NULL)
		return false;
	for (struct dirent *e; !found && (e = readdir(dir)) != NULL;)
		found = matches(e->d_name, patterns);
	closedir(dir);
	return found;
}

/* Removes what matches, and then the directory. */
static int
empty(const char *path, const char *const *patterns)
{
	DIR *dir = opendir(path);
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (matches(e->d_name, patterns) && unlinkat(dirfd(dir), e->d_name, 0) < 0 && errno != ENOENT)
			rc = -errno;
	closedir(dir);
	if (rc == 0 && rmdir(path) < 0 && errno != EBUSY && errno != ENOENT)
		rc = -errno;
	return rc;
}

bool
owned_is_empty_shell(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, 0, 0, &st) == 0 && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 &&
	       owned_count_entries(path) == 0;
}

bool
owned_run_dir_look(const char *path)
{
	return has_any(path, run_files) || owned_is_empty_shell(path);
}

int
owned_run_dir_remove(const char *path)
{
	return empty(path, run_files);
}

static void
spool_of(const char *path, char out[static 4096])
{
	snprintf(out, 4096, "%s/spool", path);
}

bool
owned_state_dir_look(const char *path)
{
	char spool[4096];

	spool_of(path, spool);
	return has_any(path, state_files) || access(spool, F_OK) == 0 || owned_is_empty_shell(path);
}

int
owned_state_dir_remove(const char *path)
{
	char spool[4096];
	int rc;

	spool_of(path, spool);
	rc = empty(spool, spool_files);
	return rc < 0 ? rc : empty(path, state_files);
}
