#include "control/node/port_list.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* No list is longer: "65535," for every other port, and the end. */
#define LIST_SIZE (65536 / 2 * 6 + 1)

void
port_list_parse(const char *text, struct port_set *out)
{
	*out = (struct port_set){ 0 };
	for (char *end; text != NULL && *text >= '0' && *text <= '9'; text = *end == ',' ? end + 1 : NULL) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first <= UINT16_MAX; first++)
			out->bits[first / 64] |= UINT64_C(1) << first % 64;
	}
}

char *
port_list_format(const struct port_set *s)
{
	char *text = malloc(LIST_SIZE), *grown;
	size_t len = 0;

	if (text == NULL)
		return NULL;
	text[0] = '\0';
	for (uint32_t first = 0, last; first <= UINT16_MAX; first = last + 1) {
		last = first;
		if (!port_set_has(s, (uint16_t)first))
			continue;
		while (last < UINT16_MAX && port_set_has(s, (uint16_t)(last + 1)))
			last++;
		len += (size_t)snprintf(text + len, LIST_SIZE - len, last == first ? "%s%u" : "%s%u-%u",
			len == 0 ? "" : ",", first, last);
	}
	grown = realloc(text, len + 1);
	return grown != NULL ? grown : text;
}
