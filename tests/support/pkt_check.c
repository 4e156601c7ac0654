#include "tests/support/pkt_check.h"

#include <stdbool.h>
#include <string.h>

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

uint16_t
pkt_sum(const uint8_t *p, unsigned len, uint32_t sum)
{
	for (unsigned i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint32_t
pkt_crc32c(const uint8_t *packet, unsigned len)
{
	uint32_t crc = ~0u;

	for (unsigned i = 0; i < len; i++) {
		crc ^= i >= 8 && i < 12 ? 0 : packet[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* addrs: source and destination, addrs_len bytes together */
static const char *
check_l4(uint8_t proto, const uint8_t *addrs, unsigned addrs_len, const uint8_t *p, unsigned len)
{
	uint32_t pseudo = pkt_sum(addrs, addrs_len, 0) + (uint32_t)proto;
	uint32_t crc;

	switch (proto) {
	case 6:
		if (len < 20)
			return "TCP header cut off";
		return pkt_sum(p, len, pseudo + len) == 0xffff ? NULL : "TCP checksum";
	case 17:
		if (len < 8 || get16(p + 4) < 8 || get16(p + 4) > len)
			return "UDP length";
		if (get16(p + 6) != 0 && pkt_sum(p, get16(p + 4), pseudo + get16(p + 4)) != 0xffff)
			return "UDP checksum";
		if (get16(p + 2) == PKT_CHECK_VXLAN_PORT && len >= 16)
			return pkt_check(p + 16, len - 16);
		return NULL;
	case 1:
		return pkt_sum(p, len, 0) == 0xffff ? NULL : "ICMP checksum";
	case 58:
		return pkt_sum(p, len, pseudo + len) == 0xffff ? NULL : "ICMPv6 checksum";
	case 132:
		crc = pkt_crc32c(p, len);
		return len >= 12 && memcmp(p + 8, &crc, 4) == 0 ? NULL : "SCTP checksum";
	default:
		return NULL;
	}
}

static const char *
check_ipv4(const uint8_t *ip, unsigned len)
{
	unsigned header = len < 20 ? 0 : (ip[0] & 15u) * 4;
	bool is_fragment;

	if (header < 20 || header > len || ip[0] >> 4 != 4)
		return "IPv4 header";
	if (get16(ip + 2) != len)
		return "IPv4 total length";
	if (pkt_sum(ip, header, 0) != 0xffff)
		return "IPv4 checksum";
	is_fragment = (get16(ip + 6) & 0x3fff) != 0;
	return is_fragment ? NULL : check_l4(ip[9], ip + 12, 8, ip + header, len - header);
}

static const char *
check_ipv6(const uint8_t *ip, unsigned len)
{
	unsigned off = 40;
	uint8_t next;

	if (len < 40 || ip[0] >> 4 != 6)
		return "IPv6 header";
	if (get16(ip + 4) != len - 40)
		return "IPv6 payload length";
	for (next = ip[6]; next == 0 || next == 43 || next == 60; next = ip[off - 8]) {
		if (off + 8 > len || ip[off + 1] != 0)
			return NULL; /* longer than the cases use */
		off += 8;
	}
	return check_l4(next, ip + 8, 32, ip + off, len - off);
}

const char *
pkt_check(const uint8_t *frame, unsigned len)
{
	if (len < 14)
		return "Ethernet header";
	switch (get16(frame + 12)) {
	case 0x0800:
		return check_ipv4(frame + 14, len - 14);
	case 0x86dd:
		return check_ipv6(frame + 14, len - 14);
	case 0x0806:
		return len == 42 ? NULL : "ARP length";
	default:
		return "Ethernet type";
	}
}
