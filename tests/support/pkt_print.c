#include "tests/support/pkt_print.h"

#include <arpa/inet.h>
#include <stdbool.h>

#include "tests/support/pkt_check.h"

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void print_frame(FILE *to, const uint8_t *p, unsigned len);

static void
print_l4(FILE *to, uint8_t proto, const uint8_t *p, unsigned len)
{
	if (len < 8) {
		fprintf(to, " | proto %u, %u bytes", proto, len);
		return;
	}
	switch (proto) {
	case 6:
		fprintf(to, " | tcp %u > %u flags %02x sum %04x", get16(p), get16(p + 2),
			len > 13 ? p[13] : 0, len > 17 ? get16(p + 16) : 0);
		break;
	case 17:
		fprintf(to, " | udp %u > %u len %u sum %04x", get16(p), get16(p + 2), get16(p + 4),
			get16(p + 6));
		if (get16(p + 2) == PKT_CHECK_VXLAN_PORT && len >= 16) {
			fprintf(to, " | vxlan %u\n    ", get16(p + 12) << 8 | p[14]);
			print_frame(to, p + 16, len - 16);
		}
		break;
	case 1:
	case 58:
		fprintf(to, " | icmp type %u code %u sum %04x rest %04x%04x", p[0], p[1], get16(p + 2),
			get16(p + 4), get16(p + 6));
		break;
	default:
		fprintf(to, " | proto %u", proto);
		break;
	}
	fprintf(to, ", %u bytes", len);
}

static void
print_ip(FILE *to, const uint8_t *p, unsigned len, bool v4)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	unsigned header = v4 ? (p[0] & 15u) * 4 : 40;

	if (len < (v4 ? 20u : 40u) || header > len)
		return;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? p + 12 : p + 8, src, sizeof(src));
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? p + 16 : p + 24, dst, sizeof(dst));
	if (v4)
		fprintf(to, " | %s > %s ttl %u tos %02x len %u frag %04x sum %04x", src, dst, p[8], p[1],
			get16(p + 2), get16(p + 6), get16(p + 10));
	else
		fprintf(to, " | %s > %s hop limit %u class %02x payload %u", src, dst, p[7],
			get16(p) >> 4 & 0xff, get16(p + 4));
	if (!v4 || (get16(p + 6) & 0x1fff) == 0)
		print_l4(to, v4 ? p[9] : p[6], p + header, len - header);
}

static void
print_frame(FILE *to, const uint8_t *p, unsigned len)
{
	if (len < 14)
		return;
	fprintf(to, "%02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x type %04x", p[6], p[7],
		p[8], p[9], p[10], p[11], p[0], p[1], p[2], p[3], p[4], p[5], get16(p + 12));
	if (get16(p + 12) == 0x0800 && len >= 15)
		print_ip(to, p + 14, len - 14, true);
	else if (get16(p + 12) == 0x86dd)
		print_ip(to, p + 14, len - 14, false);
}

void
pkt_print(FILE *to, const char *title, const uint8_t *frame, unsigned len, const uint8_t *other,
	unsigned other_len)
{
	fprintf(to, "  %s: %u bytes\n    ", title, len);
	print_frame(to, frame, len);
	for (unsigned i = 0; i < len && i < 160; i++) {
		bool differs = other != NULL && (i >= other_len || other[i] != frame[i]);

		if (i % 16 == 0)
			fprintf(to, "\n    %04x ", i);
		fprintf(to, differs ? "*%02x" : " %02x", frame[i]);
	}
	fprintf(to, "\n");
}
