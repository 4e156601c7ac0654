/* The parser alone, on a buffer of exactly the frame's size, so that reading past its end is caught. The first
 * byte says where the frame comes from. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/parse.h"
#include "dataplane/overlay/fdb_table.h"
#include "tests/fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void
check_accepted(const struct pkt *p, unsigned given)
{
	CHECK(p->verdict == VERDICT_CONTINUE && p->drop_reason == DROP_NONE);
	CHECK(p->l3_off == 14 || (p->l3_off == 18 && p->origin == ORIGIN_UPLINK));
	CHECK(p->len <= given && p->l4_off >= p->l3_off + 20 && p->l4_off + p->l4_len == p->len);
	CHECK(p->family == 0 || p->family == 4 || p->family == 6);
	CHECK(ip_addr_is_v4(&p->src) == (p->family != 6) && ip_addr_is_v4(&p->dst) == (p->family != 6));
	CHECK(!pkt_is_translated(p) && p->vtep == FDB_NONE && p->reply == REPLY_NONE);
	CHECK(!(p->flags & PKT_LATER_FRAGMENT) || ((p->flags & PKT_FRAGMENT) && p->sport == 0));
	CHECK(p->family != 6 || (p->flags & PKT_DONT_FRAGMENT));
	if (p->family == 0 || (p->flags & PKT_LATER_FRAGMENT))
		return;
	CHECK(p->proto != PROTO_TCP || p->l4_len >= 20);
	CHECK(p->proto != PROTO_UDP || p->l4_len >= 8);
	CHECK(p->proto != PROTO_SCTP || p->l4_len >= 12);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct pkt p = { 0 };
	uint8_t *frame;

	if (size == 0 || size > FIXTURE_FRAME_SIZE)
		return 0;
	frame = malloc(size - 1);
	if (frame == NULL)
		return 0;
	memcpy(frame, input + 1, size - 1);
	if (input[0] & FUZZ_MEND)
		fuzz_mend(frame, size - 1);
	p.data = frame;
	p.len = (uint16_t)(size - 1);
	p.origin = (uint8_t)(input[0] % 3);
	p.flags = p.origin == ORIGIN_UPLINK ? (input[0] & 4 ? PKT_DECAPPED : 0) : PKT_TRUST_CHECKSUM;
	parse_pkt(&p);
	if (p.verdict == VERDICT_DROP)
		CHECK(p.drop_reason > DROP_NONE && p.drop_reason < N_DROP_REASONS);
	else
		check_accepted(&p, (unsigned)size - 1);
	free(frame);
	return 0;
}
