/* Writes small seeds for both fuzzers from the tables of packets: make_seeds DIR makes DIR/parse/seed-N and
 * DIR/pipeline/seed-N. Run by hand when tables have grown; what it writes is checked in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "tests/packets/packet_case.h"

/* Every how many-th case, and none that is mostly data */
#define EVERY 4
#define SEED_MAX 160

static FILE *
open_seed(const char *dir, const char *kind, unsigned number)
{
	char path[4096];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s/seed-%03u", dir, kind, number);
	to = fopen(path, "wb");
	if (to == NULL) {
		perror(path);
		exit(1);
	}
	return to;
}

static void
write_seed(const char *dir, const char *table, unsigned number, const struct packet_case *c)
{
	static const uint8_t origins[FIXTURE_PORTS] = { ORIGIN_HOST, ORIGIN_POD, ORIGIN_POD, ORIGIN_UPLINK };
	bool is_exposed = strcmp(table, "inbound_cases") == 0 || strcmp(table, "relay_cases") == 0;
	int services = is_exposed ? FUZZ_EXPOSED : 0;
	int policies = strcmp(table, "policy_cases") == 0 ? FUZZ_POLICIES : 0;
	bool is_v6, is_underlay_v6;
	struct frame frame;
	FILE *to;

	pkt_build(&frame, c->in, 50000);
	is_v6 = frame.bytes[12] == 0x86;
	is_underlay_v6 = c->underlay == UNDERLAY_BOTH ? is_v6 : c->underlay == UNDERLAY_V6;
	if (frame.len > SEED_MAX)
		return;
	to = open_seed(dir, "parse", number);
	fputc(origins[c->from], to);
	fwrite(frame.bytes, 1, frame.len, to);
	fclose(to);
	to = open_seed(dir, "pipeline", number);
	fputc(services | policies | (is_underlay_v6 ? 2 : 0), to);
	fputc((int)c->from | FUZZ_MEND, to);
	fputc(frame.len >> 8, to);
	fputc(frame.len & 0xff, to);
	fwrite(frame.bytes, 1, frame.len, to);
	fclose(to);
}

int
main(int argc, char **argv)
{
	unsigned number = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: make_seeds DIR\n");
		return 2;
	}
#define SEEDS(name)                                    \
	for (unsigned i = 0; i < n_##name; i += EVERY) \
		write_seed(argv[1], #name, number++, &name[i]);
	PACKET_TABLES(SEEDS)
	return 0;
}
