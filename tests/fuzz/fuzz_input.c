#include "tests/fuzz/fuzz_input.h"

#include "tests/support/pkt_check.h"

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

void
fuzz_mend(uint8_t *frame, size_t len)
{
	while (len >= 34) {
		size_t l3 = get16(frame + 12) == 0x8100 ? 18 : 14;
		uint8_t *ip = frame + l3;
		unsigned header = 40;
		uint16_t sum;

		if (get16(ip - 2) == 0x0800) {
			header = (ip[0] & 15u) * 4;
			if (header < 20 || l3 + header > len)
				return;
			ip[10] = ip[11] = 0;
			sum = (uint16_t)~pkt_sum(ip, header, 0);
			ip[10] = (uint8_t)(sum >> 8);
			ip[11] = (uint8_t)sum;
		}
		if (l3 + header + 16 > len || get16(ip + header + 2) != PKT_CHECK_VXLAN_PORT)
			return;
		frame += l3 + header + 16;
		len -= l3 + header + 16;
	}
}
