#include "control/node/port_claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/node/sockets.h"

#define PROC "/proc/sys/net/ipv4/"

bool
port_claim_parse(const char *text, uint16_t *first, uint16_t *last)
{
	char *end;
	unsigned long from = strtoul(text, &end, 10), to;

	if (end == text || *end != '-' || from == 0)
		return false;
	text = end + 1;
	to = strtoul(text, &end, 10);
	if (end == text || *end != '\0' || to > UINT16_MAX ||
		(from + FLOW_OWNER_BLOCK - 1) / FLOW_OWNER_BLOCK >= (to + 1) / FLOW_OWNER_BLOCK)
		return false;
	*first = (uint16_t)from;
	*last = (uint16_t)to;
	return true;
}

void
port_claim_fill(struct port_set *s, uint16_t first, uint16_t last)
{
	uint32_t block = (first + FLOW_OWNER_BLOCK - 1u) / FLOW_OWNER_BLOCK;

	*s = (struct port_set){ 0 };
	for (; block < (last + 1u) / FLOW_OWNER_BLOCK; block++)
		s->bits[block] = ~UINT64_C(0);
}

static bool
take_out(struct port_set *s, uint32_t port)
{
	uint64_t bit = UINT64_C(1) << port % 64;
	bool had = s->bits[port / 64] & bit;

	s->bits[port / 64] &= ~bit;
	return had;
}

void
port_claim_exclude(struct port_set *s, uint32_t first, uint32_t last)
{
	for (uint32_t port = first; port <= last && port <= UINT16_MAX; port++)
		take_out(s, port);
}

/* Puts the ports of a list like "16384-29951,40000" into the set. */
static void
read_list(const char *text, struct port_set *out)
{
	*out = (struct port_set){ 0 };
	for (char *end; text != NULL && *text >= '0' && *text <= '9'; text = *end == ',' ? end + 1 : NULL) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first <= UINT16_MAX; first++)
			out->bits[first / 64] |= UINT64_C(1) << first % 64;
	}
}

void
port_claim_exclude_ephemeral(struct port_set *s, const char *range, const char *reserved)
{
	struct port_set kept;
	unsigned first, last;

	if (sscanf(range, "%u %u", &first, &last) != 2) /* NOLINT(cert-err34-c): the kernel writes numbers */
		return;
	read_list(reserved, &kept);
	for (unsigned port = first; port <= last && port <= UINT16_MAX; port++)
		if (!port_set_has(&kept, (uint16_t)port))
			take_out(s, port);
}

struct exclusion {
	struct port_set *set;
	int n;
};

static void
exclude_socket(const struct socket_seen *socket, void *arg)
{
	struct exclusion *e = arg;

	e->n += take_out(e->set, socket->local_port);
}

int
port_claim_exclude_sockets(struct port_set *s, int view)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };
	struct exclusion e = { .set = s };

	for (unsigned i = 0; i < 2; i++) {
		const struct sockets_wanted wanted = { .proto = protos[i],
			.states = SOCKETS_ALL & ~(1u << SOCKET_TIME_WAIT) };
		int rc = sockets_each(view, &wanted, exclude_socket, &e);

		if (rc < 0)
			return rc;
	}
	return e.n;
}

static void
read_text(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");

	out[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(out, (int)size, file) == NULL)
		out[0] = '\0';
	fclose(file);
}

unsigned
port_claim_read(struct port_set *s, uint16_t first, uint16_t last)
{
	char range[64], reserved[4096];
	unsigned n = 0;
	int view;

	read_text(PROC "ip_local_port_range", range, sizeof(range));
	read_text(PROC "ip_local_reserved_ports", reserved, sizeof(reserved));
	port_claim_fill(s, first, last);
	port_claim_exclude(s, NODE_PORT_FIRST, NODE_PORT_LAST);
	port_claim_exclude_ephemeral(s, range, reserved);
	view = sockets_open(NULL);
	if (view >= 0) {
		port_claim_exclude_sockets(s, view);
		close(view);
	}
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		n += (unsigned)__builtin_popcountll(s->bits[i]);
	return n;
}
