#include "dataplane/net/ip_addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct ip_addr
ip_addr_mask(const struct ip_addr *a, unsigned len)
{
	struct ip_addr masked = *a;

	for (unsigned i = 0; i < 16; i++) {
		unsigned first_bit = i * 8;

		if (len <= first_bit)
			masked.b[i] = 0;
		else if (len < first_bit + 8)
			masked.b[i] &= (uint8_t)(0xff << (first_bit + 8 - len));
	}
	return masked;
}

int
ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool
ip_addr_parse(const char *text, struct ip_addr *out)
{
	be32 v4;

	if (inet_pton(AF_INET, text, &v4.raw) == 1) {
		*out = ip_addr_v4(v4);
		return true;
	}
	return inet_pton(AF_INET6, text, out->b) == 1;
}

const char *
ip_addr_format(const struct ip_addr *a, char buf[static IP_ADDR_STRLEN])
{
	const void *bytes = ip_addr_is_v4(a) ? &a->b[12] : a->b;

	return inet_ntop(ip_addr_is_v4(a) ? AF_INET : AF_INET6, bytes, buf, IP_ADDR_STRLEN);
}

bool
ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	char addr[IP_ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	char *end;
	unsigned long len;
	unsigned family_bits;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(addr) || slash[1] < '0' || slash[1] > '9')
		return false;
	memcpy(addr, text, slash - text);
	addr[slash - text] = '\0';
	len = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || !ip_addr_parse(addr, &out->addr))
		return false;
	family_bits = ip_addr_is_v4(&out->addr) ? 32 : 128;
	if (len > family_bits)
		return false;
	out->len = (uint8_t)(128 - family_bits + len);
	out->addr = ip_addr_mask(&out->addr, out->len);
	return true;
}

const char *
ip_prefix_format(const struct ip_prefix *p, char buf[static IP_PREFIX_STRLEN])
{
	bool v4 = ip_addr_is_v4(&p->addr);
	char addr[IP_ADDR_STRLEN];

	snprintf(buf, IP_PREFIX_STRLEN, "%s/%d", ip_addr_format(&p->addr, addr), v4 ? p->len - 96 : p->len);
	return buf;
}

bool
ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr masked = ip_addr_mask(a, p->len);

	/* ::/0 means IPv6, not the v4-mapped addresses inside it */
	return ip_addr_is_v4(a) == ip_addr_is_v4(&p->addr) && ip_addr_eq(&masked, &p->addr);
}
