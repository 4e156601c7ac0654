/* Pods that asked for names and were denied it by policies: mostly, egress was isolated and port 53 forgotten. Workers tell of
 * the first query at once, and of one a second and pod then; what is told people is what the tables in force still deny, so it
 * goes when a rule is added, or when nobody asked for a while. Control thread only. */
#ifndef RINGWAY_DENIED_DNS_H
#define RINGWAY_DENIED_DNS_H

#include "dataplane/events.h"
#include "dataplane/tables.h"

#define DENIED_DNS_NS UINT64_C(600000000000) /* what happened longer ago is history */
#define DENIED_DNS_TEXT_SIZE 1024

struct denied_dns;
struct policy_builder;

struct denied_query {
	uint16_t port; /* id: of the pod that asked */
	struct ip_addr server;
	uint8_t proto;
	uint16_t server_port;
	bool is_audit; /* it passes all the same */
};

/* NULL if out of memory. */
struct denied_dns *denied_dns_new(void);
void denied_dns_free(struct denied_dns *d); /* NULL is fine */

/* Notes an EVENT_DNS_DENIED. True, with *out, when it is news: the pod has not been told of for long. */
bool denied_dns_note(struct denied_dns *d, const struct event *event, const struct tables *t, uint64_t now_ns,
	struct denied_query *out);

/* Calls fn for each pod's last query, by port, as far as these tables deny it. */
void denied_dns_each(const struct denied_dns *d, const struct tables *t, uint64_t now_ns,
	void (*fn)(const struct denied_query *query, void *arg), void *arg);

/* A sentence with the pod, the policies that isolate it, and what to do. */
const char *denied_dns_print(const struct policy_builder *policies, const struct denied_query *query,
	char text[static DENIED_DNS_TEXT_SIZE]);

#endif
