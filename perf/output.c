#include "perf/output.h"

#include <errno.h>
#include <string.h>

bool
output_has_table(const char *json)
{
	return json == NULL || strcmp(json, "-") != 0;
}

FILE *
output_open(const char *path)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (out == NULL)
		perror(path);
	return out;
}

int
output_close(FILE *out, const char *path)
{
	bool ok = ferror(out) == 0;

	ok = (out == stdout ? fflush(out) : fclose(out)) == 0 && ok;
	if (!ok)
		fprintf(stderr, "%s: not all could be written\n", path);
	return ok ? 0 : -EIO;
}
