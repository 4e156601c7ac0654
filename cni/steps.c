#include "cni/steps.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	FILE *line; /* NULL: nobody wants to know */
	char *text;
	size_t size;
	int fd;
	uint64_t last_ns;
} steps;

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
steps_start(void)
{
	const char *fd = getenv("RINGWAY_CNI_STEPS");

	if (fd == NULL)
		return;
	steps.fd = (int)strtol(fd, NULL, 10);
	steps.line = open_memstream(&steps.text, &steps.size);
	steps.last_ns = now_ns();
	if (steps.line != NULL)
		fprintf(steps.line, "%llu", (unsigned long long)steps.last_ns);
}

void
steps_mark(const char *name)
{
	uint64_t now;

	if (steps.line == NULL)
		return;
	now = now_ns();
	fprintf(steps.line, " %s=%llu", name, (unsigned long long)(now - steps.last_ns));
	steps.last_ns = now;
}

void
steps_take(const json_t *daemon_steps)
{
	const char *name;
	const json_t *ns;

	if (steps.line == NULL)
		return;
	json_object_foreach ((json_t *)daemon_steps, name, ns)
		fprintf(steps.line, " ringwayd.%s=%lld", name, (long long)json_integer_value(ns));
}

void
steps_write(void)
{
	if (steps.line == NULL)
		return;
	fputc('\n', steps.line);
	fclose(steps.line);
	if (write(steps.fd, steps.text, steps.size) < 0)
		perror("RINGWAY_CNI_STEPS");
	free(steps.text);
}
