/* Who uses exceptions, and why: the entries of all workers, counted by client. Control thread only. */
#ifndef RINGWAY_ADMIN_EXCEPTIONS_H
#define RINGWAY_ADMIN_EXCEPTIONS_H

#include <jansson.h>

#include "dataplane/service/nat_flows.h"
#include "dataplane/tables.h"

struct daemon;

enum exception_reason {
#define EXCEPTION_REASON(symbol, name, help) EXCEPTION_##symbol,
#include "control/admin/exception_reasons.def"
#undef EXCEPTION_REASON
	N_EXCEPTION_REASONS,
};

struct exception_count {
	struct ip_addr client;
	uint32_t n;
	uint32_t reasons[N_EXCEPTION_REASONS];
};

struct exception_counts {
	size_t n, room;
	struct exception_count *counts;
};

const char *exception_reason_help(enum exception_reason reason);

/* Why this entry is needed, by the tables in force. client: its endpoint, NULL for one that is gone. */
enum exception_reason exception_reason(
	const struct tables *t, const struct endpoint *client, const struct nat_flow *x);

/* Calls fn for all entries of all workers, copied a few at a time. */
void exceptions_each(struct daemon *d, void (*fn)(const struct nat_flow *x, void *arg), void *arg);

/* Counts them; fewer when memory is short. The array is the caller's to free. */
void exceptions_count(struct daemon *d, struct exception_counts *out);

/* Those of a client with these addresses together. */
struct exception_count exceptions_of(
	const struct exception_counts *e, const struct ip_addr addrs[static N_FAMILIES]);

/* Adds to each object of services_json() how many "exceptions" flows of this node to the service have, and how many are
 * "kept" by moves. */
void exceptions_add_to_services(struct daemon *d, json_t *services);

/* {"slots": 3, ...}: those that are not 0. */
json_t *exceptions_reasons_json(const struct exception_count *count);

#endif
