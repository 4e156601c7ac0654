/* Questions to the DNS, one JSON object a line:
 *
 *	{"about": "the shop's", "pod": "shop/web", "name": "api", "type": "A", "rcode": "NOERROR", "records": ["10.96.0.10"]}
 *
 * pod         "namespace/pod" that asks, whose search list counts unless the name ends with a dot; may be missing: there is none
 * name        what is asked for
 * type        "A", "AAAA", "SRV", ...
 * rcode       what is expected: "NOERROR", "NXDOMAIN", or "UPSTREAM": the node asks elsewhere
 * records     expected, in any order, as zone files write their data ("0 100 80 api.shop.svc.cluster.local."); of another type than was
 *             asked for, with it before ("CNAME www.example.com."). May be missing: any
 * additional  the same for the addresses that come with an answer: "api.shop.svc.cluster.local. A 10.96.0.10"
 * about       what it is about; may be missing
 *
 * Any thread. */
#ifndef RINGWAY_OFFLINE_DNS_CASES_H
#define RINGWAY_OFFLINE_DNS_CASES_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct dns_case {
	unsigned line;
	uint16_t type;
	json_t *object;          /* the line; texts below are in it */
	const char *about, *pod; /* NULL: none */
	const char *name, *rcode;
	const json_t *records, *additional; /* NULL: any */
};

struct dns_case_list {
	const char *file; /* the caller's */
	size_t n, room;
	struct dns_case *items;
	size_t n_errors;
};

/* Reads all of a file. What is wrong with a line is written to 'errors', "file:line: ...", and counted; the good ones are in the
 * list all the same. 0; or -errno, with a line too: the file cannot be read, or out of memory. */
int dns_case_list_read(struct dns_case_list *out, const char *file, FILE *errors);
void dns_case_list_fini(struct dns_case_list *l);

/* 0: there is no such type. */
uint16_t dns_type_parse(const char *name);

/* "A", "SRV", "TYPE65". Static, or in one buffer of the thread's. */
const char *dns_type_name(uint16_t type);

#endif
