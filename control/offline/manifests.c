#include "control/offline/manifests.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "control/log.h"
#include "control/source/files.h"

static void
write_error(const char *text, int64_t since_s, void *arg)
{
	fprintf(arg, "%s\n", text);
}

/* Errors are written once, by write_error(). */
static void
drop_line(enum log_level level, const char *line, void *arg)
{
}

static int
read_all(struct manifests *m, const char *dir, FILE *errors)
{
	const struct source_config config = { .dir = dir, .store = m->store, .are_drafts = true };
	struct source *source;
	int result;

	log_set_sink(drop_line, NULL);
	result = source_new(&source, &config);
	log_set_sink(NULL, NULL);
	if (result < 0)
		return result;
	source_each_error(source, write_error, errors);
	m->n_errors = source_n_errors(source);
	m->n_files = source_n_files(source);
	source_free(source);
	return 0;
}

/* For a daemon a missing directory is an error that may pass. */
static int
look_for(const char *dir)
{
	DIR *found = opendir(dir);

	if (found == NULL)
		return -errno;
	closedir(found);
	return 0;
}

int
manifests_load(struct manifests *out, const char *dir, FILE *errors)
{
	int result = look_for(dir);

	*out = (struct manifests){ 0 };
	if (result == 0) {
		out->store = store_new();
		result = out->store == NULL ? -ENOMEM : read_all(out, dir, errors);
	}
	if (result < 0) {
		fprintf(errors, "%s: %s\n", dir, strerror(-result));
		manifests_fini(out);
	}
	return result;
}

void
manifests_fini(struct manifests *m)
{
	store_free(m->store);
	*m = (struct manifests){ 0 };
}
