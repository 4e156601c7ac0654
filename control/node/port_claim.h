/* Which ports of the node's own address are for masqueraded flows: those of the configured range, in whole blocks, that the
 * host's stack does not use itself. Control thread only. */
#ifndef RINGWAY_NODE_PORT_CLAIM_H
#define RINGWAY_NODE_PORT_CLAIM_H

#include "dataplane/service/port_blocks.h"

/* Kubernetes' own default for NodePorts, never ours. */
#define NODE_PORT_FIRST 30000
#define NODE_PORT_LAST 32767

/* "16384-29951": false when it is no range, or has no whole block (FLOW_OWNER_BLOCK). */
bool port_claim_parse(const char *text, uint16_t *first, uint16_t *last);

/* The ports from first to last, less the blocks that they do not fill. */
void port_claim_fill(struct port_set *s, uint16_t first, uint16_t last);

/* Takes ports out again. */
void port_claim_exclude(struct port_set *s, uint32_t first, uint32_t last);

void port_claim_exclude_set(struct port_set *s, const struct port_set *ports);

/* Takes out what the kernel gives to sockets that ask for any port, as the text of net.ipv4.ip_local_port_range
 * ("32768\t60999") says, less those that are reserved, which it gives to none. */
void port_claim_exclude_ephemeral(struct port_set *s, const char *range, const struct port_set *reserved);

/* Takes out the ports of all TCP and UDP sockets that exist in a view (sockets.h). Returns how many ports that were, or
 * -errno. */
int port_claim_exclude_sockets(struct port_set *s, int view);

/* All of it for this node. What is reserved for exposed ports ('ours': reserved_ports.h) is not so for flows. Returns how many
 * ports are left. */
unsigned port_claim_read(struct port_set *s, uint16_t first, uint16_t last, const struct port_set *ours);

#endif
