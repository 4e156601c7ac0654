#include "control/node/collect.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum name_state {
	NAME_THERE,
	NAME_GONE,    /* or it names another namespace now */
	NAME_UNKNOWN, /* never the pod's, that we know of, or not to be seen just now */
};

int64_t
collect_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + 1;
}

static enum name_state
name_look(const struct collect_note *note, const char *netns)
{
	struct stat at;

	if (note->netns_ino == 0)
		return NAME_UNKNOWN;
	if (stat(netns, &at) < 0)
		return errno == ENOENT ? NAME_GONE : NAME_UNKNOWN;
	return at.st_dev == note->netns_dev && at.st_ino == note->netns_ino ? NAME_THERE : NAME_GONE;
}

static bool
process_is_in(const char *pid, const struct collect_note *note)
{
	char path[64];
	struct stat at;

	snprintf(path, sizeof(path), "/proc/%.16s/ns/net", pid);
	return stat(path, &at) == 0 && at.st_dev == note->netns_dev && at.st_ino == note->netns_ino;
}

/* Costs a look at each process of the machine: asked until a pod has its first, and when all else speaks for its end. */
static bool
has_process(struct collect_note *note)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool found = proc == NULL; /* not known: then nothing is concluded */

	while (!found && (entry = readdir(proc)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && process_is_in(entry->d_name, note);
	if (proc == NULL)
		return true;
	closedir(proc);
	note->had_process |= found;
	return found;
}

/* The second sighting, a grace period after the first. */
static bool
is_second(int64_t *first_s, int64_t now_s)
{
	if (*first_s == 0)
		*first_s = now_s;
	return now_s - *first_s >= COLLECT_GRACE_S;
}

void
collect_begin(struct collect_note *note, const char *netns)
{
	struct stat at;

	*note = (struct collect_note){ 0 };
	if (stat(netns, &at) == 0) {
		note->netns_dev = at.st_dev;
		note->netns_ino = at.st_ino;
	}
}

bool
collect_look(struct collect_note *note, const char *netns, int64_t now_s)
{
	enum name_state name = name_look(note, netns);

	if (name == NAME_THERE && !note->had_process)
		has_process(note); /* which begins right after the ADD */
	if (name != NAME_GONE) {
		note->gone_s = 0;
		return false;
	}
	return note->had_process && is_second(&note->gone_s, now_s) && !has_process(note);
}

bool
collect_look_unlisted(struct collect_note *note, const char *netns, int64_t now_s)
{
	enum name_state name = name_look(note, netns);
	bool has_ended;

	if (name == NAME_UNKNOWN)
		return false;
	has_ended = !has_process(note) && note->had_process;
	if (name == NAME_GONE)
		return has_ended;
	return is_second(&note->unlisted_s, now_s) && has_ended;
}

void
collect_note_listed(struct collect_note *note, const char *netns)
{
	note->unlisted_s = 0;
	if (!note->had_process && name_look(note, netns) == NAME_THERE)
		has_process(note);
}
