/* What `ringway explain` is asked, read from text: who sends, where to. Knows no cluster: names are looked up later
 * (explain.c). Any thread. */
#ifndef RINGWAY_ADMIN_QUESTION_H
#define RINGWAY_ADMIN_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/ip_addr.h"

#define QUESTION_ERROR_SIZE 256
#define QUESTION_NAME_SIZE 254

enum party_kind {
	PARTY_NODE,    /* "node": a process of this node, outside pods */
	PARTY_NAME,    /* "namespace/name": a pod; behind --to also a service */
	PARTY_ADDRESS, /* "10.244.1.2", "[fd00::1]", "fd00::1" */
	PARTY_OUTSIDE, /* "outside:203.0.113.9": a client outside the cluster; only behind --from */
};

struct party {
	enum party_kind kind;
	char ns[QUESTION_NAME_SIZE], name[QUESTION_NAME_SIZE]; /* PARTY_NAME */
	struct ip_addr addr;                                   /* PARTY_ADDRESS, PARTY_OUTSIDE */
};

struct question {
	struct party from, to;
	char port_name[64]; /* "http" in default/web:http; "": by number */
	uint16_t dport;     /* 0: not said, or by name */
	uint16_t sport;     /* of ICMP: the echo's identifier */
	uint8_t proto;      /* PROTO_TCP, PROTO_UDP, PROTO_SCTP; PROTO_ICMP for both families */
	uint8_t tcp_flags;
	uint16_t size; /* bytes from the IP header on; 0: as few as possible */
};

/* The texts as `ringway explain` takes them; sport, tcp_flags and size may be NULL. False with a message that says what
 * would be right. */
bool question_parse(struct question *q, const char *from, const char *to, const char *sport,
	const char *tcp_flags, const char *size, char error[static QUESTION_ERROR_SIZE]);

#endif
