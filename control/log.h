/* The daemon's log: one line per message on stderr, where the container runtime or journald picks it up. Each call site
 * has a budget of LOG_BURST lines, refilled at one a second, so that no misbehaving peer can fill a disk; what was held
 * back is counted on that site's next line. Control thread only: workers count, they do not log. */
#ifndef RINGWAY_LOG_H
#define RINGWAY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST 20

/* In the order of the choices of option log.level. */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

struct log_site {
	uint64_t refilled_s;
	uint32_t tokens, held_back;
};

/* The least urgent level that is printed; LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Where lines go instead of stderr; NULL: stderr again. For tests. */
void log_set_sink(void (*sink)(enum log_level level, const char *line, void *arg), void *arg);

/* Takes one line from the site's budget; false when there is none left. Apart from log_write() for tests. */
bool log_site_admits(struct log_site *site, uint64_t now_s, uint32_t *held_back);

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define LOG_AT(level, ...)                                         \
	do {                                                       \
		static struct log_site log_site_;                  \
		if ((level) <= log_get_level())                    \
			log_write(&log_site_, level, __VA_ARGS__); \
	} while (0)

#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
