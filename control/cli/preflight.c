#include "control/cli/preflight.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct check *const lists[] = { kernel_checks, network_checks };

unsigned
preflight_kernel(const char *release)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 ? KERNEL(major, minor) : 0;
}

const char *
check_status_name(enum check_status status)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail"
	};

	return names[status];
}

void
check_say(struct check_result *result, enum check_status status, const char *advice, const char *fmt, ...)
{
	va_list args;

	result->status = status;
	va_start(args, fmt);
	vsnprintf(result->found, sizeof(result->found), fmt, args);
	va_end(args);
	snprintf(result->advice, sizeof(result->advice), "%s", advice == NULL ? "" : advice);
}

void
preflight_add(json_t *results, const char *name, const struct check_result *result)
{
	json_array_append_new(results,
		json_pack("{s:s, s:s, s:s, s:s}", "check", name, "status", check_status_name(result->status),
			"found", result->found, "advice", result->advice));
}

enum check_status
preflight_run(const struct preflight *p, json_t *results)
{
	enum check_status worst = CHECK_OK;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct check *c = lists[i]; c->name != NULL; c++) {
			struct check_result result = { 0 };

			c->run(p, &result);
			preflight_add(results, c->name, &result);
			worst = result.status > worst ? result.status : worst;
		}
	return worst;
}
