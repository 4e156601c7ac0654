/* A directory of the test's own for its files, and commands that run in it. For a program of one file. */
#ifndef RINGWAY_SUPPORT_SCRATCH_H
#define RINGWAY_SUPPORT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch_dir[64];

/* As cmocka's setup and teardown, of a test or a group. */
static inline int
scratch_make(void **state)
{
	(void)state;
	snprintf(scratch_dir, sizeof(scratch_dir), "/tmp/ringway-test.XXXXXX");
	return mkdtemp(scratch_dir) == NULL;
}

static inline int
scratch_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", scratch_dir);
	return system(command);
}

static inline void
scratch_write(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Runs a shell's command line in the directory. Returns its exit status, with what it wrote on both streams in out, as
 * much of it as there is room for. */
static inline int __attribute__((format(printf, 3, 4)))
scratch_run(char *out, size_t size, const char *format, ...)
{
	char line[2048], command[2304];
	va_list args;
	int status;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	snprintf(command, sizeof(command), "cd %s && %s 2>&1", scratch_dir, line);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	out[fread(out, 1, size - 1, pipe)] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
