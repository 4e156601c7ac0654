#include "perf/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void
end(void)
{
	perror("ringway-perf");
	exit(1);
}

void *
must_alloc(size_t n, size_t size)
{
	void *memory = calloc(n == 0 ? 1 : n, size);

	if (memory == NULL)
		end();
	return memory;
}

char *
must_text(const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		end();
	return text;
}
