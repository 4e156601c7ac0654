#include "control/node/cni_conf_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/dir.h"
#include "control/source/text_file.h"

#define CONF_SIZE_MAX (1u << 20)

/* conf/00-ringway.conflist */
static const char template[] =
#include "control/conflist.inc"
	;

bool
cni_conf_is_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL &&
	       (strcmp(dot, ".conf") == 0 || strcmp(dot, ".conflist") == 0 || strcmp(dot, ".json") == 0);
}

char *
cni_conf_text(const char *run_dir, const char *state_dir)
{
	json_t *conf = json_loads(template, 0, NULL);
	json_t *plugin = json_array_get(json_object_get(conf, "plugins"), 0);
	char *json = NULL, *text = NULL;

	if (json_object_set_new(plugin, "socket", json_sprintf("%s/ringway.sock", run_dir)) == 0 &&
		json_object_set_new(plugin, "stateDir", json_string(state_dir)) == 0)
		json = json_dumps(conf, JSON_INDENT(2));
	if (json != NULL && asprintf(&text, "%s\n", json) < 0)
		text = NULL;
	free(json);
	json_decref(conf);
	return text;
}

/* --- files as a whole */

static int
write_all(int fd, const char *bytes, size_t size)
{
	while (size != 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int
write_synced(int dir, const char *name, const void *bytes, size_t size, mode_t mode)
{
	int fd, rc;

	unlinkat(dir, name, 0); /* of a process that was killed meanwhile */
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, bytes, size);
	if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

int
cni_file_put(const char *dir, const char *name, const void *bytes, size_t size, mode_t mode)
{
	char temporary[NAME_MAX + 1];
	int rc = dir_make(dir), fd;

	if (rc < 0)
		return rc;
	if ((size_t)snprintf(temporary, sizeof(temporary), ".%s.new", name) >= sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write_synced(fd, temporary, bytes, size, mode);
	if (rc == 0 && renameat(fd, temporary, fd, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(fd, temporary, 0);
	else if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* --- what is there */

static bool
is_dir(DIR *dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void
keep_first(char first[static NAME_MAX + 1], const char *name)
{
	if (*first == '\0' || strcmp(name, first) < 0)
		snprintf(first, NAME_MAX + 1, "%s", name);
}

int
cni_conf_look(const char *path, struct cni_conf_scan *out)
{
	DIR *dir = opendir(path);

	*out = (struct cni_conf_scan){ 0 };
	if (dir == NULL)
		return -errno;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		bool is_ours = strcmp(e->d_name, CNI_CONF_NAME) == 0;

		if (!cni_conf_is_name(e->d_name) || is_dir(dir, e))
			continue;
		keep_first(out->first, e->d_name);
		if (is_ours)
			continue;
		keep_first(out->next, e->d_name);
		out->n_others++;
	}
	closedir(dir);
	return 0;
}

/* NULL when it cannot be read. */
static json_t *
load(const char *dir, const char *name)
{
	char path[PATH_MAX], *text;
	json_t *conf;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (text_file_read(path, CONF_SIZE_MAX, &text, &size) < 0)
		return NULL;
	conf = json_loadb(text, size, 0, NULL);
	free(text);
	return conf;
}

/* That of the first plugin; a file that ends in .conf is a plugin itself. */
static const char *
type_of(const json_t *conf)
{
	const json_t *plugin = json_array_get(json_object_get(conf, "plugins"), 0);

	return json_string_value(json_object_get(plugin == NULL ? conf : plugin, "type"));
}

bool
cni_conf_is_ours(const char *dir, const char *name)
{
	json_t *conf = load(dir, name);
	const char *type = type_of(conf);
	bool is_ours = type != NULL && strcmp(type, CNI_SHIM_NAME) == 0;

	json_decref(conf);
	return is_ours;
}

const char *
cni_conf_describe(const char *dir, const char *name, char buf[static CNI_CONF_TEXT_SIZE])
{
	json_t *conf = load(dir, name);
	const char *type = type_of(conf), *network = json_string_value(json_object_get(conf, "name"));
	char path[PATH_MAX], owner[32] = "";
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (stat(path, &st) == 0 && st.st_uid != 0)
		snprintf(owner, sizeof(owner), ", of user %u", (unsigned)st.st_uid);
	if (type == NULL)
		snprintf(buf, CNI_CONF_TEXT_SIZE, "no network configuration%s", owner);
	else
		snprintf(buf, CNI_CONF_TEXT_SIZE, "network \"%.60s\" by plugin %.60s%s",
			network == NULL ? "" : network, type, owner);
	json_decref(conf);
	return buf;
}

/* --- ours */

static void
join(char out[static PATH_MAX], const char *dir, const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

/* What is no configuration at all, such as a file cut short, is nobody's network: put back, it would keep runtimes from all others. */
static bool
is_others(const char *dir)
{
	json_t *conf = load(dir, CNI_CONF_NAME);
	const char *type = type_of(conf);
	bool is_others = type != NULL && strcmp(type, CNI_SHIM_NAME) != 0;

	json_decref(conf);
	return is_others;
}

int
cni_conf_put(const char *dir, const char *text)
{
	char ours[PATH_MAX], kept[PATH_MAX];

	join(ours, dir, CNI_CONF_NAME);
	join(kept, dir, CNI_CONF_KEPT);
	/* the first one that was kept is the one from before us; later ones are of those who fight with us */
	if (is_others(dir) && link(ours, kept) < 0 && errno != EEXIST)
		return -errno;
	return cni_file_put(dir, CNI_CONF_NAME, text, strlen(text), 0644);
}

static int
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* What is to be done to have the directory without us. */
enum removal {
	REMOVE_NOTHING,
	REMOVE_OURS,
	REMOVE_KEPT, /* it is what has our name: we were killed after the link, before the rename */
	PUT_KEPT_BACK,
};

static enum removal
removal_choose(const char *dir, const char *ours, const char *kept)
{
	bool is_ours = cni_conf_is_ours(dir, CNI_CONF_NAME);
	struct stat first, second;

	if (lstat(kept, &second) < 0)
		return is_ours ? REMOVE_OURS : REMOVE_NOTHING;
	if (is_ours || lstat(ours, &first) < 0)
		return PUT_KEPT_BACK;
	/* where somebody has put another one under our name, that one stays */
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino ? REMOVE_KEPT : REMOVE_NOTHING;
}

bool
cni_conf_is_there(const char *dir)
{
	char ours[PATH_MAX], kept[PATH_MAX];

	join(ours, dir, CNI_CONF_NAME);
	join(kept, dir, CNI_CONF_KEPT);
	return removal_choose(dir, ours, kept) != REMOVE_NOTHING;
}

int
cni_conf_remove(const char *dir)
{
	char ours[PATH_MAX], kept[PATH_MAX];
	enum removal removal;
	int rc = 0;

	join(ours, dir, CNI_CONF_NAME);
	join(kept, dir, CNI_CONF_KEPT);
	removal = removal_choose(dir, ours, kept);
	if (removal == REMOVE_NOTHING)
		return 0;
	if (removal == PUT_KEPT_BACK)
		rc = rename(kept, ours);
	else
		rc = unlink(removal == REMOVE_OURS ? ours : kept);
	if (rc < 0)
		return -errno;
	return sync_dir(dir) < 0 ? -EIO : 1;
}
