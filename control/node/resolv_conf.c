#include "control/node/resolv_conf.h"

#include <stdlib.h>
#include <string.h>

#include "control/source/text_file.h"

#define RESOLV_CONF_MAX 65536
#define BLANKS " \t\r\n"

/* What follows the keyword; NULL: another one. */
static char *
after(char *line, const char *keyword)
{
	size_t n = strlen(keyword);

	line += strspn(line, " \t");
	return strncmp(line, keyword, n) == 0 && (line[n] == ' ' || line[n] == '\t') ? line + n : NULL;
}

int
resolv_conf_search(const char *path, void (*fn)(const char *suffix, void *arg), void *arg)
{
	char *text, *rest, *list = NULL, *state;
	size_t size;
	int result = text_file_read(path, RESOLV_CONF_MAX, &text, &size);

	if (result < 0)
		return result;
	rest = text;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		char *search = after(line, "search"), *domain = after(line, "domain");

		if (search != NULL || domain != NULL)
			list = search != NULL ? search : domain;
	}
	for (char *suffix = list == NULL ? NULL : strtok_r(list, BLANKS, &state); suffix != NULL;
		suffix = strtok_r(NULL, BLANKS, &state))
		fn(suffix, arg);
	free(text);
	return 0;
}
