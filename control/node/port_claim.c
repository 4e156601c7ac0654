#include "control/node/port_claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/node/reserved_ports.h"
#include "control/node/sockets.h"

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

void
port_claim_exclude_ephemeral(struct port_set *s, const char *range, const struct port_set *reserved)
{
	unsigned first, last;

	if (sscanf(range, "%u %u", &first, &last) != 2) /* NOLINT(cert-err34-c): the kernel writes numbers */
		return;
	for (unsigned port = first; port <= last && port <= UINT16_MAX; port++)
		if (!port_set_has(reserved, (uint16_t)port))
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

void
port_claim_exclude_set(struct port_set *s, const struct port_set *ports)
{
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		s->bits[i] &= ~ports->bits[i];
}

static void
read_range(char *out, size_t size)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	out[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(out, (int)size, file) == NULL)
		out[0] = '\0';
	fclose(file);
}

unsigned
port_claim_read(struct port_set *s, uint16_t first, uint16_t last, const struct port_set *ours)
{
	struct port_set reserved = { 0 };
	char range[64];
	unsigned n = 0;
	int view;

	read_range(range, sizeof(range));
	reserved_ports_listed(&reserved);
	port_claim_exclude_set(&reserved, ours);
	port_claim_fill(s, first, last);
	port_claim_exclude(s, NODE_PORT_FIRST, NODE_PORT_LAST);
	port_claim_exclude_ephemeral(s, range, &reserved);
	view = sockets_open(NULL);
	if (view >= 0) {
		port_claim_exclude_sockets(s, view);
		close(view);
	}
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		n += (unsigned)__builtin_popcountll(s->bits[i]);
	return n;
}
