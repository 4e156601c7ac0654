#include "control/source/files.h"

#include <dirent.h>
#include <errno.h>
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
#include "control/source/files_claims.h"
#include "control/source/manifest.h"

#define WATCH_MASK                                                                               \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)
#define RESCAN_MISSING_NS (2 * NS_PER_S) /* while the directory is not there */
#define RESCAN_NS (60 * NS_PER_S) /* for what inotify cannot tell: links whose target changed elsewhere */
#define GONE_GRACE_NS (100 * NS_PER_MS) /* some editors move a file away before they write the new one */

struct error {
	char *text;
	int64_t since_s;
};

struct file {
	char *name;
	bool is_dirty, is_seen, is_gone;
	uint64_t gone_ns; /* when it was first found missing; 0: it is there */
	struct stat st;   /* as it was read */
	struct file_claims claims;
	size_t n_errors;
	struct error errors[MANIFEST_ERRORS_MAX];
	struct file *next;
};

struct source {
	struct source_config config;
	char *dir;
	struct claims claims;
	struct file *files; /* by name */
	bool is_scan_due, is_dir_missing;
	bool has_started;      /* all files were read once */
	struct file dir_state; /* carries the directory's own error */
	int inotify_fd, watch;
	struct loop_fd *events;
	struct loop_timer *rescan;
	struct loop_task task;
	bool has_changed;
};

/* An error keeps its time while it stays the same. */
static void
set_errors(struct source *s, struct file *f, char *const *texts, size_t n)
{
	struct error fresh[MANIFEST_ERRORS_MAX];
	size_t n_fresh = 0;

	for (size_t i = 0; i < n; i++) {
		struct error e = { strdup(texts[i]), time(NULL) };

		if (e.text == NULL)
			continue;
		for (size_t j = 0; j < f->n_errors; j++)
			if (strcmp(f->errors[j].text, e.text) == 0)
				e.since_s = -f->errors[j].since_s;
		if (e.since_s < 0)
			e.since_s = -e.since_s;
		else
			log_error("%s", e.text);
		fresh[n_fresh++] = e;
	}
	s->has_changed |= n_fresh != f->n_errors || n_fresh != 0;
	for (size_t i = 0; i < f->n_errors; i++)
		free(f->errors[i].text);
	memcpy(f->errors, fresh, n_fresh * sizeof(fresh[0]));
	f->n_errors = n_fresh;
}

static void
file_fini(struct file *f)
{
	file_claims_fini(&f->claims);
	for (size_t i = 0; i < f->n_errors; i++)
		free(f->errors[i].text);
	free(f->name);
}

static void
file_free(struct file *f)
{
	file_fini(f);
	free(f);
}

static bool
is_manifest_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	/* editors' and sync tools' temporary files begin with a dot */
	return *name != '.' && dot != NULL &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

/* Looks from there on, which need not be the first: the list is sorted. NULL if out of memory. */
static struct file *
find_file(struct file **at, const char *name)
{
	struct file *f;

	while (*at != NULL && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	if (*at != NULL && strcmp((*at)->name, name) == 0)
		return *at;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->name = strdup(name);
	if (f->name == NULL) {
		free(f);
		return NULL;
	}
	f->claims.name = f->name;
	f->next = *at;
	*at = f;
	return f;
}

/* A file whose object lost against one that another gave up may give it now. */
static void
apply_manifest(struct source *s, struct file *f, struct manifest *m)
{
	if (claims_apply(&s->claims, &f->claims, m))
		for (struct file *other = s->files; other != NULL; other = other->next)
			other->is_dirty |= other->claims.has_conflict;
	s->has_changed |= s->claims.has_changed;
	s->claims.has_changed = false;
}

static void
remove_file(struct source *s, struct file *f)
{
	uint64_t now = clock_now_ns();
	struct manifest nothing = { 0 };

	if (f->gone_ns == 0)
		f->gone_ns = now;
	if (now - f->gone_ns < GONE_GRACE_NS && f->claims.n != 0)
		return;
	apply_manifest(s, f, &nothing);
	set_errors(s, f, NULL, 0);
	f->is_gone = true;
}

static void
read_file(struct source *s, struct file *f)
{
	struct manifest m;
	char path[PATH_MAX];

	f->is_dirty = false;
	snprintf(path, sizeof(path), "%s/%s", s->dir, f->name);
	if (stat(path, &f->st) < 0) {
		f->st = (struct stat){ 0 };
		if (errno == ENOENT) {
			remove_file(s, f);
			return;
		}
	}
	f->gone_ns = 0;
	f->is_gone = false;
	/* at the start it is not known what was in force before: what can be read is better than nothing, and what cannot
	 * be read closes pods */
	if (manifest_read(&m, path, f->name, s->config.are_drafts) || !s->has_started)
		apply_manifest(s, f, &m);
	set_errors(s, f, m.errors, m.n_errors);
	manifest_fini(&m);
}

static void
forget_gone_files(struct source *s)
{
	for (struct file **at = &s->files; *at != NULL;) {
		struct file *f = *at;

		if (!f->is_gone) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		file_free(f);
	}
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void
watch_directory(struct source *s)
{
	if (s->inotify_fd < 0 || s->watch >= 0)
		return;
	s->watch = inotify_add_watch(s->inotify_fd, s->dir, WATCH_MASK);
}

static int
filter_manifests(const struct dirent *item)
{
	return is_manifest_name(item->d_name);
}

static int
compare_items(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Of a directory that is missing since the start, nothing is known; until it is there. */
static void
hide_directory(struct source *s, bool is_missing)
{
	struct manifest m = { 0 };

	if (is_missing)
		manifest_hide_all(&m, s->dir);
	apply_manifest(s, &s->dir_state, &m);
	manifest_fini(&m);
}

static void
set_missing(struct source *s, int error)
{
	char text[PATH_MAX + 128], *texts[] = { text };

	s->is_dir_missing = error != 0;
	if (!s->has_started)
		hide_directory(s, error != 0);
	snprintf(text, sizeof(text), "cluster.manifests: %s: %s; what it gave before stays in force", s->dir,
		strerror(error));
	set_errors(s, &s->dir_state, texts, error != 0);
}

/* Marks what differs from what was read. With the directory gone, its files' objects stay: that is more likely a volume
 * that is not mounted yet than a wish. */
static void
scan(struct source *s)
{
	struct file **at = &s->files;
	struct dirent **items;
	int n;

	s->is_scan_due = false;
	watch_directory(s);
	n = scandir(s->dir, &items, filter_manifests, compare_items);
	set_missing(s, n < 0 ? errno : 0);
	if (n < 0)
		return;
	for (struct file *f = s->files; f != NULL; f = f->next)
		f->is_seen = false;
	for (int i = 0; i < n; i++) {
		struct file *f = find_file(at, items[i]->d_name);
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", s->dir, items[i]->d_name);
		free(items[i]);
		if (f == NULL)
			continue;
		at = &f->next;
		f->is_seen = true;
		f->is_dirty |= stat(path, &st) < 0 || !is_same_file(&st, &f->st);
	}
	free(items);
	for (struct file *f = s->files; f != NULL; f = f->next)
		f->is_dirty |= !f->is_seen;
}

static uint64_t
next_scan_ns(const struct source *s)
{
	for (const struct file *f = s->files; f != NULL; f = f->next)
		if (f->gone_ns != 0)
			return GONE_GRACE_NS;
	return s->is_dir_missing || s->watch < 0 ? RESCAN_MISSING_NS : RESCAN_NS;
}

/* All that events have marked, in one go, in the order of names. */
static void
refresh(void *arg)
{
	struct source *s = arg;
	bool is_again;

	if (s->is_scan_due)
		scan(s);
	/* what goes from one file may come from another with the same object: then a file is marked again */
	do {
		is_again = false;
		for (struct file *f = s->files; f != NULL; f = f->next) {
			if (!f->is_dirty)
				continue;
			read_file(s, f);
			is_again = true;
		}
	} while (is_again);
	forget_gone_files(s);
	s->has_started |= !s->is_dir_missing;
	if (s->rescan != NULL)
		loop_timer_set(s->rescan, next_scan_ns(s), 0);
	if (s->has_changed && s->config.changed != NULL)
		s->config.changed(s->config.arg);
	s->has_changed = false;
}

/* A file that was just made is not read before it is closed, unless it came complete: a symbolic or a hard link. */
static bool
is_complete(const struct source *s, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

static void
note_event(struct source *s, const struct inotify_event *event)
{
	struct file *f;

	if ((event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
		if ((event->mask & IN_MOVE_SELF) != 0)
			inotify_rm_watch(s->inotify_fd, s->watch);
		if ((event->mask & IN_IGNORED) != 0 && event->wd == s->watch)
			s->watch = -1;
		s->is_scan_due = true;
	} else if (event->len != 0 && strcmp(event->name, "..data") == 0) {
		s->is_scan_due = true; /* a ConfigMap's volume: all links lead elsewhere now */
	} else if (event->len != 0 && is_manifest_name(event->name)) {
		if ((event->mask & IN_CREATE) != 0 && !is_complete(s, event->name))
			return;
		f = find_file(&s->files, event->name);
		if (f != NULL)
			f->is_dirty = true;
	} else {
		return;
	}
	loop_defer(s->config.loop, &s->task);
}

static void
read_events(uint32_t events, void *arg)
{
	struct source *s = arg;
	_Alignas(struct inotify_event) char buffer[16384];
	ssize_t n;

	while ((n = read(s->inotify_fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			note_event(s, event);
			at += sizeof(*event) + event->len;
		}
	}
}

static void
rescan(void *arg)
{
	struct source *s = arg;

	s->is_scan_due = true;
	loop_defer(s->config.loop, &s->task);
}

static int
start_watching(struct source *s)
{
	s->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->inotify_fd < 0)
		return -errno;
	s->events = loop_fd_add(s->config.loop, s->inotify_fd, EPOLLIN, read_events, s);
	s->rescan = loop_timer_new(s->config.loop, rescan, s);
	return s->events == NULL || s->rescan == NULL ? -errno : 0;
}

int
source_new(struct source **out, const struct source_config *config)
{
	struct source *s = calloc(1, sizeof(*s));
	int result = 0;

	if (s == NULL)
		return -ENOMEM;
	*s = (struct source){ .config = *config,
		.inotify_fd = -1,
		.watch = -1,
		.is_scan_due = true,
		.claims.store = config->store };
	s->task = (struct loop_task){ .fn = refresh, .arg = s };
	s->dir = strdup(config->dir);
	s->dir_state.claims.name = s->dir;
	if (s->dir == NULL)
		result = -ENOMEM;
	if (result == 0 && config->loop != NULL)
		result = start_watching(s);
	if (result < 0) {
		source_free(s);
		return result;
	}
	refresh(s);
	*out = s;
	return 0;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	if (s->config.loop != NULL)
		loop_cancel(s->config.loop, &s->task);
	loop_fd_remove(s->events);
	loop_timer_free(s->rescan);
	if (s->inotify_fd >= 0)
		close(s->inotify_fd);
	while (s->files != NULL) {
		struct file *f = s->files;

		s->files = f->next;
		file_free(f);
	}
	file_fini(&s->dir_state);
	claims_fini(&s->claims);
	free(s->dir);
	free(s);
}

size_t
source_n_errors(const struct source *s)
{
	size_t n = s->dir_state.n_errors;

	for (const struct file *f = s->files; f != NULL; f = f->next)
		n += f->n_errors;
	return n;
}

void
source_each_error(const struct source *s, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg)
{
	for (size_t i = 0; i < s->dir_state.n_errors; i++)
		fn(s->dir_state.errors[i].text, s->dir_state.errors[i].since_s, arg);
	for (const struct file *f = s->files; f != NULL; f = f->next)
		for (size_t i = 0; i < f->n_errors; i++)
			fn(f->errors[i].text, f->errors[i].since_s, arg);
}

size_t
source_n_files(const struct source *s)
{
	size_t n = 0;

	for (const struct file *f = s->files; f != NULL; f = f->next)
		n++;
	return n;
}
