#include "control/build/dns_wire.h"

#include <ctype.h>
#include <stdio.h>

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool
dns_wire_label(struct dns_wire *w, const char *text, size_t n)
{
	/* a root label must follow */
	if (n == 0 || n > DNS_LABEL_MAX || w->len + 1 + n + 1 > DNS_NAME_MAX)
		return false;
	w->bytes[w->len++] = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		w->bytes[w->len++] = lower((uint8_t)text[i]);
	return true;
}

bool
dns_wire_end(struct dns_wire *w, const uint8_t *name, unsigned len)
{
	if (w->len + len > DNS_NAME_MAX)
		return false;
	memcpy(w->bytes + w->len, name, len);
	w->len += len;
	return true;
}

/* One character of a label, which may be written as \X or \DDD. Behind it; NULL: it is not complete. */
static const char *
take_char(const char *text, char *out)
{
	if (*text != '\\') {
		*out = *text;
		return text + 1;
	}
	text++;
	if (isdigit((unsigned char)text[0]) && isdigit((unsigned char)text[1]) &&
		isdigit((unsigned char)text[2])) {
		int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0';

		*out = (char)value;
		return value > 255 ? NULL : text + 3;
	}
	*out = *text;
	return *text == '\0' ? NULL : text + 1;
}

bool
dns_wire_parse(const char *text, struct dns_wire *out)
{
	char label[DNS_LABEL_MAX];

	out->len = 0;
	if (strcmp(text, ".") == 0)
		return dns_wire_end(out, (const uint8_t *)"", 1);
	while (*text != '\0') {
		size_t n = 0;

		while (*text != '\0' && *text != '.') {
			if (n == sizeof(label))
				return false;
			text = take_char(text, &label[n++]);
			if (text == NULL)
				return false;
		}
		if (!dns_wire_label(out, label, n))
			return false;
		text += *text == '.';
	}
	return out->len != 0 && dns_wire_end(out, (const uint8_t *)"", 1);
}

void
dns_wire_reverse(const struct ip_addr *addr, struct dns_wire *out)
{
	bool is_v4 = ip_addr_is_v4(addr);
	char label[4];

	out->len = 0;
	for (int i = 15; i >= (is_v4 ? 12 : 0); i--) {
		if (is_v4) {
			dns_wire_label(out, label, (size_t)sprintf(label, "%u", addr->b[i]));
			continue;
		}
		dns_wire_label(out, label, (size_t)sprintf(label, "%x", addr->b[i] & 15));
		dns_wire_label(out, label, (size_t)sprintf(label, "%x", addr->b[i] >> 4));
	}
	if (is_v4)
		dns_wire_label(out, "in-addr", 7);
	else
		dns_wire_label(out, "ip6", 3);
	dns_wire_label(out, "arpa", 4);
	dns_wire_end(out, (const uint8_t *)"", 1);
}

const char *
dns_wire_format(const uint8_t *name, char buf[static DNS_TEXT_SIZE])
{
	char *at = buf;

	if (*name == 0)
		*at++ = '.';
	for (; *name != 0; name += 1 + *name) {
		for (unsigned i = 1; i <= *name; i++) {
			uint8_t c = name[i];

			if (c == '.' || c == '\\')
				at += sprintf(at, "\\%c", c);
			else if (c <= ' ' || c >= 127)
				at += sprintf(at, "\\%03u", c);
			else
				*at++ = (char)c;
		}
		*at++ = '.';
	}
	*at = '\0';
	return buf;
}
