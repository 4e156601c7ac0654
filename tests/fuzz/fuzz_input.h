/* How fuzzers read frames from their input: so that small inputs reach far, a frame may ask for its IPv4
 * checksums to be made right before it is given. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/fixtures.h"

/* One frame of fuzz_pipeline's input: where it comes from, what to mend, how long it is. */
struct fuzz_frame {
	uint8_t port; /* enum fixture_port, in the lower two bits; FUZZ_MEND */
	uint8_t len_hi, len_lo;
} __attribute__((packed));

enum {
	FUZZ_MEND = 0x80, /* in struct fuzz_frame's port */
	FUZZ_EXPOSED =
		0x40, /* in fuzz_pipeline's first byte: services for the outside instead of those for pods */
	FUZZ_POLICIES = 0x80, /* there, too: pods are isolated */
};

/* Makes IPv4 header checksums right, also behind VXLAN. */
void fuzz_mend(uint8_t *frame, size_t len);

#endif
