#include "control/node/cni_shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/node/cni_conf_file.h"
#include "control/source/text_file.h"

#define SHIM_SIZE_MAX (64u << 20)

/* From the directory of ringwayd: built, installed, side by side. */
static const char *const places[] = { "../cni/", "../libexec/cni/", "" };

static void
find_source(char out[static PATH_MAX])
{
	char program[PATH_MAX / 2];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	*out = '\0';
	if (len < 0)
		return;
	program[len] = '\0';
	*(strrchr(program, '/') + 1) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(out, PATH_MAX, "%s%s" CNI_SHIM_NAME, program, places[i]);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_MAX, "%s", RINGWAY_CNI_DIR "/" CNI_SHIM_NAME);
	if (access(out, X_OK) < 0)
		*out = '\0';
}

void
cni_shim_init(struct cni_shim *s, const char *dir, const char *source)
{
	*s = (struct cni_shim){ .dir = dir };
	if (source == NULL)
		find_source(s->source);
	else
		snprintf(s->source, sizeof(s->source), "%s", source);
}

static void
shim_path(const struct cni_shim *s, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/" CNI_SHIM_NAME, s->dir);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool
cni_shim_is_as_seen(const struct cni_shim *s)
{
	char path[PATH_MAX];
	struct stat st;

	shim_path(s, path);
	return stat(path, &st) == 0 && is_same(&st, &s->seen);
}

static bool
has_content(const char *path, const char *bytes, size_t size)
{
	char *there;
	size_t there_size;
	bool is_same;

	if (text_file_read(path, SHIM_SIZE_MAX, &there, &there_size) < 0)
		return false;
	is_same = there_size == size && memcmp(there, bytes, size) == 0;
	free(there);
	return is_same;
}

static int
put_if_other(
	const struct cni_shim *s, const char *path, bool *was_put, char error[static CNI_SHIM_ERROR_SIZE])
{
	char *bytes;
	size_t size;
	int rc = text_file_read(s->source, SHIM_SIZE_MAX, &bytes, &size);

	if (rc < 0) {
		snprintf(error, CNI_SHIM_ERROR_SIZE, "cni.binDir: %.200s cannot be read: %s", s->source,
			strerror(-rc));
		return rc;
	}
	if (access(path, X_OK) < 0 || !has_content(path, bytes, size)) {
		rc = cni_file_put(s->dir, CNI_SHIM_NAME, bytes, size, 0755);
		*was_put = rc == 0;
	}
	free(bytes);
	if (rc < 0)
		snprintf(error, CNI_SHIM_ERROR_SIZE, "cni.binDir: %.200s cannot be written: %s", path,
			strerror(-rc));
	return rc;
}

int
cni_shim_follow(struct cni_shim *s, bool *was_put, char error[static CNI_SHIM_ERROR_SIZE])
{
	char path[PATH_MAX];
	int rc;

	*was_put = false;
	if (*s->source == '\0') {
		snprintf(error, CNI_SHIM_ERROR_SIZE,
			"cni.binDir: there is no " CNI_SHIM_NAME " beside ringwayd");
		return -ENOENT;
	}
	shim_path(s, path);
	rc = put_if_other(s, path, was_put, error);
	if (rc < 0 || stat(path, &s->seen) < 0)
		s->seen = (struct stat){ 0 };
	return rc;
}
