/* A port over arrays: what is given to it is received, what is sent is kept. Tests, fuzzers and benchmarks
 * drive the real pipeline through it. One thread. */
#ifndef RINGWAY_IO_PORT_MEM_H
#define RINGWAY_IO_PORT_MEM_H

#include "dataplane/io/port.h"

#define PORT_MEM_DEPTH 256

struct port_mem {
	struct port port; /* first: ops receive a pointer to it */
	unsigned n_in, n_out;
	struct {
		uint8_t *data;
		uint16_t len;
	} in[PORT_MEM_DEPTH], out[PORT_MEM_DEPTH];
};

void port_mem_init(struct port_mem *m, struct umem *umem, uint16_t id, enum origin origin, uint8_t owner);

/* Copies a frame in, to be received. False when it does not fit the umem's frame, or there is no free frame
 * or place. */
bool port_mem_give(struct port_mem *m, const void *bytes, uint16_t len);

/* Gives the frames of all sent packets back to the umem. */
void port_mem_clear(struct port_mem *m);

#endif
