/* The whole pipeline with loaded tables: both halves, all origins, one worker and two, both kinds of underlay, services
 * for pods or for the outside, with policies and without, ways out of the cluster, flows in and out, and DNS.
 * The first byte of the input chooses among these and sets what the ways take; then follow frames, each behind
 * a struct fuzz_frame. After each input the books balance, every frame is in its place, and what was sent is
 * as long as it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/outside.h"
#include "tests/support/exposed.h"
#include "tests/support/names.h"
#include "tests/support/policies.h"
#include "tests/support/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const uint16_t mtus[] = { 1450, 1280, 576, 68 };

/* One pod with something of everything, and one that has nothing but what is always allowed. */
static void
some_policies(struct fixture *f)
{
	ISOLATE(f, FIXTURE_POD1, POLICY_INGRESS, { PEER_REMOTE, PROTO_TCP }, { 0, PROTO_UDP, 53, 5353 },
		{ PEER_POD2 });
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_OUTSIDE }, { PEER_REMOTE, PROTO_UDP, 5353 });
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
}

static struct fixture *
fixture_for(uint8_t choice)
{
	static struct fixture *fixtures[16];
	struct fixture **f =
		&fixtures[(choice & 3) | (choice & FUZZ_EXPOSED ? 4 : 0) | (choice & FUZZ_POLICIES ? 8 : 0)];

	if (*f == NULL) {
		*f = fixture_new(1 + (choice & 1), (choice & 2) != 0);
		if (choice & FUZZ_EXPOSED)
			exposed_services(*f);
		else
			some_services(*f);
		outside_ways(*f);
		some_names(*f);
		some_resolver(*f);
		if (choice & FUZZ_POLICIES)
			some_policies(*f);
	}
	for (unsigned i = 0; i < (*f)->endpoints->n; i++)
		(*f)->endpoints->endpoints[i].mtu = mtus[choice >> 2 & 3];
	(*f)->fdb->entries[FIXTURE_PEER].mtu = mtus[choice >> 4 & 3];
	return *f;
}

/* The resolver knows nothing: what it is asked comes back, with nothing added. */
static void
answer_misses(struct fixture *f)
{
	struct dns_miss miss;

	for (unsigned i = 0; i < f->n_workers; i++) {
		while (dns_miss_take(f->rings, i, &miss)) {
			struct dns_told told = {
				.client = miss.client, .source = DNS_FAILED, .size = miss.size
			};

			if (miss.worker != i || miss.size > sizeof(miss.message) ||
				miss.udp_size > DNS_UDP_SIZE_MAX)
				abort();
			memcpy(told.message, miss.message, miss.size);
			if (!dns_told_put(f->rings, i, &told))
				abort();
		}
	}
	fixture_run(f);
}

/* So that what was learned from one input ages during the next ones. */
static void
pass_time(struct fixture *f)
{
	for (unsigned i = 0; i < f->n_workers; i++)
		f->workers[i]->now_ns += UINT64_C(10000000000);
}

/* Gives as many frames as the input has and one round takes. */
static void
give_frames(struct fixture *f, const uint8_t *input, size_t size)
{
	for (unsigned n = 0; n < BURST_MAX && size > sizeof(struct fuzz_frame); n++) {
		const struct fuzz_frame *head = (const struct fuzz_frame *)input;
		size_t len = (size_t)head->len_hi << 8 | head->len_lo;
		struct port_mem *port = &f->ports[head->port & 3];

		input += sizeof(*head);
		size -= sizeof(*head);
		if (len > size)
			len = size;
		if (len > umem_room(port->port.umem))
			return;
		if (port_mem_give(port, input, (uint16_t)len) && (head->port & FUZZ_MEND))
			fuzz_mend(port->in[port->n_in - 1].data, len);
		input += len;
		size -= len;
	}
}

static void
check_sent(const uint8_t *frame, unsigned len)
{
	unsigned type = (unsigned)frame[12] << 8 | frame[13];
	unsigned says = type == 0x0800   ? (unsigned)frame[16] << 8 | frame[17]
			: type == 0x86dd ? ((unsigned)frame[18] << 8 | frame[19]) + 40
					 : 28;

	if (len < 14 + 20 || says + 14 != len)
		abort();
}

/* What control is told makes sense. */
static void
check_event(const struct event *event)
{
	unsigned proto = event->value >> 16, port = event->value & 0xffff;

	switch (event->kind) {
	case EVENT_PATH_MTU:
		if (event->value < 526)
			abort();
		break;
	case EVENT_NEIGHBOUR:
		if (event->value != 4 && event->value != 6)
			abort();
		break;
	case EVENT_PORT_USED:
		if ((proto != PROTO_TCP && proto != PROTO_UDP) || slot_is_client_port((uint16_t)port))
			abort();
		break;
	case EVENT_REPLY_UNKNOWN:
	case EVENT_CONNECTION_UNKNOWN:
	case EVENT_DNS_DENIED:
		if (event->port != FIXTURE_POD1 && event->port != FIXTURE_POD2)
			abort();
		break;
	default:
		abort();
	}
}

static void
check_all(struct fixture *f)
{
	struct event event;
	const char *imbalance;

	for (unsigned i = 0; i < FIXTURE_PORTS; i++)
		for (unsigned n = 0; n < f->ports[i].n_out; n++)
			check_sent(f->ports[i].out[n].data, f->ports[i].out[n].len);
	while (fixture_event(f, &event))
		check_event(&event);
	fixture_clear(f);
	imbalance = fixture_audit(f);
	if (imbalance != NULL) {
		fprintf(stderr, "%s\n", imbalance);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fixture *f;

	if (size == 0)
		return 0;
	f = fixture_for(input[0]);
	pass_time(f);
	outside_flows(f, (input[0] & FUZZ_EXPOSED) != 0);
	give_frames(f, input + 1, size - 1);
	fixture_run(f);
	answer_misses(f);
	check_all(f);
	return 0;
}
