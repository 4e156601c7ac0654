#include "control/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_SIZE 1024

static enum log_level max_level = LOG_LEVEL_INFO;
static void (*sink_fn)(enum log_level level, const char *line, void *arg);
static void *sink_arg;

void
log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level
log_get_level(void)
{
	return max_level;
}

void
log_set_sink(void (*sink)(enum log_level level, const char *line, void *arg), void *arg)
{
	sink_fn = sink;
	sink_arg = arg;
}

bool
log_site_admits(struct log_site *site, uint64_t now_s, uint32_t *held_back)
{
	uint64_t earned = now_s - site->refilled_s;

	/* a site that was never used has refilled_s 0: a full budget */
	site->tokens = site->tokens + earned > LOG_BURST ? LOG_BURST : (uint32_t)(site->tokens + earned);
	site->refilled_s = now_s;
	if (site->tokens == 0) {
		site->held_back++;
		return false;
	}
	site->tokens--;
	*held_back = site->held_back;
	site->held_back = 0;
	return true;
}

/* A message may quote what a manifest or a peer said: one line stays one line. */
static void
flatten(char *line)
{
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static void
print(enum log_level level, const char *line)
{
	static const char *const names[] = { [LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug" };
	struct timespec now;
	struct tm tm;
	char when[32];

	if (sink_fn != NULL) {
		sink_fn(level, line, sink_arg);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ldZ %-5s %s\n", when, now.tv_nsec / 1000000, names[level], line);
}

void
log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
	char line[LINE_SIZE];
	struct timespec now;
	uint32_t held_back;
	va_list args;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* offset: early after boot, too, a fresh site has its whole budget */
	if (!log_site_admits(site, (uint64_t)now.tv_sec + LOG_BURST, &held_back))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (held_back != 0) {
		size_t used = strlen(line);

		snprintf(line + used, sizeof(line) - used, " (%u like it were held back)", held_back);
	}
	flatten(line);
	print(level, line);
}
