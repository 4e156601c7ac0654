/* Are a frame's lengths and checksums right, at all depths. Reads byte by byte and shares no code with the
 * dataplane. */
#ifndef TESTS_SUPPORT_PKT_CHECK_H
#define TESTS_SUPPORT_PKT_CHECK_H

#include <stdint.h>

#define PKT_CHECK_VXLAN_PORT 4789

/* The folded one's complement sum of big-endian 16-bit words, added to 'sum'. */
uint16_t pkt_sum(const uint8_t *p, unsigned len, uint32_t sum);

/* SCTP's CRC32C with the checksum field (bytes 8 to 11) read as zero, as it lies in the packet. */
uint32_t pkt_crc32c(const uint8_t *packet, unsigned len);

/* NULL, or what is wrong; static storage. */
const char *pkt_check(const uint8_t *frame, unsigned len);

#endif
