#include "dataplane/dns/dns_pod_name.h"

/* Three dashes, none beside another, are an IPv4 address; everything else can only be IPv6. As CoreDNS has it. */
static bool
looks_like_v4(const uint8_t *label, unsigned len)
{
	unsigned n = 0;

	for (unsigned i = 0; i < len; i++) {
		if (label[i] != '-')
			continue;
		if (i + 1 < len && label[i + 1] == '-')
			return false;
		n++;
	}
	return n == 3;
}

bool
dns_pod_name_parse(const uint8_t *label, unsigned len, struct ip_addr *out)
{
	char text[IP_ADDR_STRLEN];
	char separator;

	if (len >= sizeof(text))
		return false;
	separator = looks_like_v4(label, len) ? '.' : ':';
	for (unsigned i = 0; i < len; i++) {
		if (label[i] == '.' || label[i] == ':' || label[i] == '\0')
			return false;
		text[i] = label[i] == '-' ? separator : (char)label[i];
	}
	text[len] = '\0';
	return ip_addr_parse(text, out);
}

/* Of services with thousands of endpoints, each has such a name. */
static unsigned
format_v4(const uint8_t bytes[static 4], uint8_t *label)
{
	uint8_t *at = label;

	for (unsigned i = 0; i < 4; i++) {
		if (i != 0)
			*at++ = '-';
		if (bytes[i] >= 100)
			*at++ = (uint8_t)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*at++ = (uint8_t)('0' + bytes[i] / 10 % 10);
		*at++ = (uint8_t)('0' + bytes[i] % 10);
	}
	return (unsigned)(at - label);
}

unsigned
dns_pod_name_format(const struct ip_addr *addr, uint8_t label[static IP_ADDR_STRLEN])
{
	char text[IP_ADDR_STRLEN];
	unsigned len;

	if (ip_addr_is_v4(addr))
		return format_v4(addr->b + 12, label);
	len = (unsigned)strlen(ip_addr_format(addr, text));

	for (unsigned i = 0; i < len; i++)
		label[i] = text[i] == '.' || text[i] == ':' ? '-' : (uint8_t)text[i];
	return len;
}
