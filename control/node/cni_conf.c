#include "control/node/cni_conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/cni_conf_file.h"
#include "control/node/cni_shim.h"
#include "control/node/damper.h"
#include "control/source/text_file.h"

#define WATCH_MASK                                                                               \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)
#define LOOK_NS (10 * NS_PER_S) /* for what inotify cannot tell: a directory that comes, a mount over it */
#define INTERFERENCE_S 600      /* what happened longer ago is history */
#define TEXT_SIZE 768
#define CONF_SIZE_MAX (1u << 20)
#define EVENTS_READS 16 /* at a time: whoever keeps changing things does not keep us */

enum file {
	FILE_CONF,
	FILE_SHIM,
	N_FILES,
};

static const char *const file_names[] = { CNI_CONF_NAME, CNI_SHIM_NAME };

struct cni_conf {
	struct loop *loop;
	char *dirs[N_FILES]; /* "": not ours to fill */
	char *text;          /* of our configuration */
	struct cni_shim shim;
	bool is_ready;         /* it was, once */
	bool has_left;         /* nothing is done any more */
	bool was_put[N_FILES]; /* it was there before, so that somebody else took it away if it is not */
	int inotify_fd;
	struct loop_fd *events;
	struct loop_timer *look;
	struct loop_task task;
	struct damper damper;
	unsigned n_restored, n_recent;
	time_t interfered_s;      /* CLOCK_REALTIME; 0: never */
	char what[TEXT_SIZE / 2]; /* was done last, and by whom */
	char interference[TEXT_SIZE], trouble[TEXT_SIZE], told[TEXT_SIZE];
};

/* --- what is wrong */

static void
name_interference(struct cni_conf *c, enum file which, const char *found)
{
	time_t now = time(NULL);

	c->n_recent = now - c->interfered_s < INTERFERENCE_S ? c->n_recent + 1 : 1;
	c->interfered_s = now;
	c->n_restored++;
	snprintf(c->what, sizeof(c->what), "%.200s/%s was %s", c->dirs[which], file_names[which], found);
	log_warn("%s by somebody else, and is put back; an installation of another network on this node does "
		 "that, and has to go",
		c->what);
}

const char *
cni_conf_interference(const struct cni_conf *c)
{
	struct cni_conf *x = (struct cni_conf *)c; /* the text alone */
	time_t ago_s = time(NULL) - c->interfered_s;

	if (c->interfered_s == 0 || ago_s > INTERFERENCE_S)
		return NULL;
	snprintf(x->interference, sizeof(x->interference),
		"%s by somebody else %ld s ago, and put back; %u times lately: find what installs another "
		"network on this node",
		c->what, (long)ago_s, c->n_recent);
	return c->interference;
}

static void __attribute__((format(printf, 2, 3))) set_trouble(struct cni_conf *c, const char *format, ...)
{
	va_list args;

	if (*c->trouble != '\0')
		return; /* the first one is the reason of what follows */
	va_start(args, format);
	vsnprintf(c->trouble, sizeof(c->trouble), format, args);
	va_end(args);
}

/* Each trouble once, and its end. */
static void
tell(struct cni_conf *c)
{
	if (strcmp(c->trouble, c->told) == 0 || !c->is_ready)
		return;
	if (*c->trouble != '\0')
		log_error("%s", c->trouble);
	else
		log_info("%s/" CNI_CONF_NAME " is what container runtimes take", c->dirs[FILE_CONF]);
	memcpy(c->told, c->trouble, sizeof(c->told));
}

const char *
cni_conf_trouble(const struct cni_conf *c)
{
	return c == NULL || *c->trouble == '\0' ? NULL : c->trouble;
}

/* --- the two files */

/* Whether it may be written now. That it is missing or changed is somebody's doing if we had put it there before. */
static bool
may_put(struct cni_conf *c, enum file which)
{
	uint64_t wait_ns = c->was_put[which] ? damper_wait_ns(&c->damper, clock_now_ns()) : 0;

	if (wait_ns != 0 && wait_ns < LOOK_NS)
		loop_timer_set(c->look, wait_ns, LOOK_NS);
	return wait_ns == 0;
}

static void
note_put(struct cni_conf *c, enum file which, const char *found)
{
	if (c->was_put[which]) {
		name_interference(c, which, found);
		damper_note(&c->damper, clock_now_ns());
	}
	c->was_put[which] = true;
}

static void
set_held_back(struct cni_conf *c, enum file which, const char *found)
{
	/* without a figure that changes, since each text is told */
	set_trouble(c,
		"%.200s/%s was %s by somebody else again and again, and is put back ever more seldom: find "
		"what installs another network on this node",
		c->dirs[which], file_names[which], found);
}

static int
follow_shim(struct cni_conf *c)
{
	char error[CNI_SHIM_ERROR_SIZE];
	bool was_put;
	int rc;

	if (*c->dirs[FILE_SHIM] == '\0' || cni_shim_is_as_seen(&c->shim))
		return 0;
	if (!may_put(c, FILE_SHIM)) {
		set_held_back(c, FILE_SHIM, "removed or changed");
		return 0;
	}
	rc = cni_shim_follow(&c->shim, &was_put, error);
	if (rc < 0)
		set_trouble(c, "%s", error);
	else if (was_put)
		note_put(c, FILE_SHIM, "removed or changed");
	else
		c->was_put[FILE_SHIM] = true;
	return rc;
}

/* Whether ours is there as it has to be; else what is there, for people. */
static bool
is_right(const struct cni_conf *c, char found[static CNI_CONF_TEXT_SIZE + 32])
{
	char path[PATH_MAX], about[CNI_CONF_TEXT_SIZE], *text;
	size_t size;
	bool is_same;
	int rc;

	snprintf(path, sizeof(path), "%s/" CNI_CONF_NAME, c->dirs[FILE_CONF]);
	rc = text_file_read(path, CONF_SIZE_MAX, &text, &size);
	is_same = rc == 0 && size == strlen(c->text) && memcmp(text, c->text, size) == 0;
	free(text);
	if (rc == -ENOENT)
		snprintf(found, CNI_CONF_TEXT_SIZE + 32, "removed");
	else if (!is_same)
		snprintf(found, CNI_CONF_TEXT_SIZE + 32, "changed (%s)",
			cni_conf_describe(c->dirs[FILE_CONF], CNI_CONF_NAME, about));
	return is_same;
}

static void
follow_conf(struct cni_conf *c)
{
	char found[CNI_CONF_TEXT_SIZE + 32] = "";
	int rc;

	if (is_right(c, found)) {
		c->was_put[FILE_CONF] = true;
		return;
	}
	if (!c->is_ready) {
		set_trouble(c, CNI_CONF_NAME " is not written yet: the node cannot attach pods");
		return;
	}
	if (!may_put(c, FILE_CONF)) {
		set_held_back(c, FILE_CONF, found);
		return;
	}
	rc = cni_conf_put(c->dirs[FILE_CONF], c->text);
	if (rc < 0) {
		set_trouble(c, "cni.confDir: %.200s/" CNI_CONF_NAME " cannot be written: %s",
			c->dirs[FILE_CONF], strerror(-rc));
		return;
	}
	note_put(c, FILE_CONF, found);
}

/* Whether it is what runtimes take. */
static void
judge_order(struct cni_conf *c)
{
	char about[CNI_CONF_TEXT_SIZE];
	struct cni_conf_scan scan;
	int rc = cni_conf_look(c->dirs[FILE_CONF], &scan);

	if (rc < 0)
		set_trouble(c, "cni.confDir: %.200s: %s", c->dirs[FILE_CONF], strerror(-rc));
	else if (strcmp(scan.first, CNI_CONF_NAME) != 0)
		set_trouble(c,
			"%.200s/%s (%s) comes before " CNI_CONF_NAME
			", so that new pods get its network: remove "
			"it, or what installs it",
			c->dirs[FILE_CONF], scan.first,
			cni_conf_describe(c->dirs[FILE_CONF], scan.first, about));
}

static void
watch(struct cni_conf *c)
{
	for (unsigned i = 0; i < N_FILES && c->inotify_fd >= 0; i++)
		if (*c->dirs[i] != '\0') /* again, since another directory may be of that name by now */
			inotify_add_watch(c->inotify_fd, c->dirs[i], WATCH_MASK);
}

static void
check(struct cni_conf *c)
{
	*c->trouble = '\0';
	watch(c);
	/* without the program, the configuration would only have every pod fail */
	if (!c->is_ready || follow_shim(c) == 0)
		follow_conf(c);
	if (*c->trouble == '\0')
		judge_order(c);
	watch(c); /* a directory that was made just now */
	tell(c);
}

/* --- when */

static void
on_task(void *arg)
{
	check(arg);
}

static void
on_events(uint32_t events, void *arg)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct cni_conf *c = arg;

	for (unsigned i = 0; i < EVENTS_READS && read(c->inotify_fd, buf, sizeof(buf)) > 0; i++)
		;
	loop_defer(c->loop, &c->task); /* one look for many events, those of our own writing included */
}

void
cni_conf_follow(struct cni_conf *c, bool is_ready)
{
	if (!cni_conf_is_managed(c) || !is_ready || c->is_ready || c->has_left)
		return;
	c->is_ready = true;
	check(c);
}

bool
cni_conf_has_settled(const struct cni_conf *c)
{
	return !cni_conf_is_managed(c) || c->is_ready || c->has_left;
}

void
cni_conf_leave(struct cni_conf *c)
{
	if (!cni_conf_is_managed(c) || c->has_left)
		return;
	c->has_left = true;
	loop_timer_cancel(c->look);
	loop_cancel(c->loop, &c->task);
	loop_fd_remove(c->events);
	c->events = NULL;
	*c->trouble = '\0';
	set_trouble(c,
		"%.200s/" CNI_CONF_NAME
		" was taken away by `ringway uninstall`; another start of ringwayd puts "
		"it there again",
		c->dirs[FILE_CONF]);
}

bool
cni_conf_is_managed(const struct cni_conf *c)
{
	return c != NULL && *c->dirs[FILE_CONF] != '\0';
}

unsigned
cni_conf_restored(const struct cni_conf *c)
{
	return c->n_restored;
}

/* --- start */

static int
start(struct cni_conf *c)
{
	if (!cni_conf_is_managed(c))
		return 0;
	c->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (c->inotify_fd < 0)
		return -errno;
	c->events = loop_fd_add(c->loop, c->inotify_fd, EPOLLIN, on_events, c);
	c->look = loop_timer_new(c->loop, on_task, c);
	if (c->events == NULL || c->look == NULL)
		return -ENOMEM;
	loop_timer_set(c->look, LOOK_NS, LOOK_NS);
	check(c);
	return 0;
}

int
cni_conf_new(struct cni_conf **out, const struct cni_conf_config *config)
{
	struct cni_conf *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->loop = config->loop;
	c->task = (struct loop_task){ .fn = on_task, .arg = c };
	c->inotify_fd = -1;
	c->dirs[FILE_CONF] = strdup(config->conf_dir);
	c->dirs[FILE_SHIM] = strdup(config->bin_dir);
	c->text = cni_conf_text(config->run_dir, config->state_dir);
	rc = c->dirs[FILE_CONF] == NULL || c->dirs[FILE_SHIM] == NULL || c->text == NULL ? -ENOMEM : 0;
	if (rc == 0) {
		cni_shim_init(&c->shim, c->dirs[FILE_SHIM], config->shim);
		rc = start(c);
	}
	if (rc < 0) {
		cni_conf_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
cni_conf_free(struct cni_conf *c)
{
	if (c == NULL)
		return;
	loop_cancel(c->loop, &c->task);
	loop_fd_remove(c->events);
	loop_timer_free(c->look);
	if (c->inotify_fd >= 0)
		close(c->inotify_fd);
	free(c->dirs[FILE_CONF]);
	free(c->dirs[FILE_SHIM]);
	free(c->text);
	free(c);
}
