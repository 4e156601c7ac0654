/* What the BPF programs of the wire benchmark share with it. */
#ifndef RINGWAY_PERF_WIRE_BPF_H
#define RINGWAY_PERF_WIRE_BPF_H

/* Values of payload.magic */
#define WIRE_MAGIC 0x52575057 /* "RWPW" */

/* Packets of which latency is taken and which are looked at: one in so many. A power of two. */
#define WIRE_SAMPLE 64

/* Histogram of latency: eight bins per octave of nanoseconds. */
#define WIRE_BINS 256

/* Behind the UDP header; host byte order but for the time, which is only compared with itself. */
struct wire_payload {
	unsigned service;
	unsigned magic;
	unsigned long long sent_ns; /* CLOCK_MONOTONIC; 0: not sampled */
} __attribute__((packed));

/* Set before the programs run. Addresses in network byte order; sums are of 16-bit words as they lie in
 * memory. */
struct wire_config {
	unsigned ifindex; /* where generated packets go out */
	unsigned n_flows;
	unsigned n_services; /* 0: everything to one address */
	unsigned hot_percent, n_hot;
	unsigned service_base; /* low 32 bits of the first service's address, host byte order */
	unsigned l3_len;       /* 20 or 40 */
	unsigned sport_first, n_sports;
	unsigned ip_sum;       /* of the IPv4 header, less what varies */
	unsigned udp_sum;      /* of pseudo-header, UDP header and payload, less what varies */
	unsigned received_sum; /* the same, less destination address and port */
	unsigned backend[4];   /* the address that the receiver expects; IPv4: the last word */
	unsigned backend_port_first, n_backend_ports; /* 0: nothing is expected */
};

struct wire_counts {
	unsigned long long sent;
	unsigned long long received;
	unsigned long long verified; /* samples whose address, port and checksum are as they should be */
	unsigned long long wrong;    /* and those that are not */
	unsigned long long latency[WIRE_BINS];
};

#endif
