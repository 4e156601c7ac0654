#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/cli/command.h"

void
cli_print_json(const struct cli *cli, const json_t *doc)
{
	json_dumpf(doc, cli->out, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
	fputc('\n', cli->out);
}

const char *
field_str(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

json_int_t
field_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

double
field_real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

bool
field_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

const char *
list_text(const json_t *list)
{
	static char *texts[4];
	static unsigned turn;
	char **text = &texts[turn++ % 4];
	const json_t *item;
	size_t i, size;
	FILE *f;

	free(*text);
	f = open_memstream(text, &size);
	if (f == NULL)
		err(CLI_PROBLEM, "no memory");
	json_array_foreach (list, i, item)
		fprintf(f, "%s%s", i == 0 ? "" : ", ", json_is_string(item) ? json_string_value(item) : "?");
	fclose(f);
	return *text;
}

const char *
field_list(const json_t *object, const char *name)
{
	return list_text(json_object_get(object, name));
}

const char *
pod_text(const json_t *object)
{
	static char *texts[4];
	static unsigned turn;
	char **text = &texts[turn++ % 4];
	const char *ns = field_str(object, "namespace");

	free(*text);
	if (asprintf(text, "%s%s%s", ns, *ns == '\0' ? "" : "/", field_str(object, "name")) < 0)
		err(CLI_PROBLEM, "no memory");
	return *text;
}

const char *
bytes_text(json_int_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	static char texts[4][32];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	snprintf(text, sizeof(texts[0]), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return text;
}

const char *
duration_text(double seconds)
{
	static char texts[4][32];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	unsigned long s = (unsigned long)seconds;

	if (s < 10)
		snprintf(text, sizeof(texts[0]), "%.1f s", seconds);
	else if (s < 120)
		snprintf(text, sizeof(texts[0]), "%lu s", s);
	else if (s < 7200)
		snprintf(text, sizeof(texts[0]), "%lu min", s / 60);
	else if (s < 48 * 3600)
		snprintf(text, sizeof(texts[0]), "%lu h %lu min", s / 3600, s / 60 % 60);
	else
		snprintf(text, sizeof(texts[0]), "%lu d %lu h", s / 86400, s / 3600 % 24);
	return text;
}
