/* Questions for policies, one JSON object a line:
 *
 *	{"name": "the shop is open", "from": "web/nginx", "to": "shop/api", "port": 8080, "protocol": "TCP", "expected": "allow"}
 *
 * from, to    "namespace/pod", an address, or as 'to' also "namespace/service" or "service:namespace/service"
 * port        a number, or the name that the pod or service has for it; not with ICMP
 * protocol    TCP, which it is when it is missing, UDP, SCTP or ICMP: an echo request
 * expected    "allow" or "deny"
 * name        what it is about; may be missing
 *
 * Empty lines are skipped. Who the parties are is found out later (judge.h). Any thread. */
#ifndef RINGWAY_OFFLINE_CASES_H
#define RINGWAY_OFFLINE_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct policy_case {
	unsigned line;
	bool is_allow_expected;
	uint8_t proto;   /* IANA number; PROTO_ICMP for both families */
	uint16_t port;   /* 0: none, or by name */
	char *port_name; /* NULL: by number */
	char *name;      /* NULL: it has none */
	char *from, *to;
};

struct case_list {
	const char *file; /* the caller's */
	size_t n, room;
	struct policy_case *items;
	size_t n_errors;
};

/* Reads all of a file. What is wrong with a line is written to 'errors', "file:line: ...", and counted; the good ones are in
 * the list all the same. 0; or -errno, with a line too: the file cannot be read, or out of memory. */
int case_list_read(struct case_list *out, const char *file, FILE *errors);
void case_list_fini(struct case_list *l);

/* Says what is wrong with a case, and counts it. */
void case_fail(struct case_list *l, unsigned line, FILE *errors, const char *text);

/* "TCP", "UDP", "SCTP", "ICMP". */
const char *case_proto_name(uint8_t proto);

#endif
