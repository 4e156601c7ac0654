/* One query in the hands of the stage, and the ways in which it ends; for dns_stage.c and dns_outside.c alone. Workers. */
#ifndef RINGWAY_DNS_ASKING_H
#define RINGWAY_DNS_ASKING_H

#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/policy/policy_judge.h"
#include "dataplane/tables.h"

struct dns_entry;
struct worker;

struct asking {
	const struct tables *tables;
	struct worker *worker;
	struct burst *burst;
	struct pkt *pkt;
	uint8_t *payload;
	size_t size;                     /* of the payload */
	size_t room;                     /* for the answer: in the frame, and on the way to who asked */
	uint8_t header[DNS_HEADER_SIZE]; /* as it came */
	struct dns_server backend;       /* by whom policies judge */
	struct policy_opinion opinion;
	bool may_be_in_zone;           /* in its tables: a name of the cluster, or a reverse one */
	bool may_be_outside;           /* so it is looked for in the cache; a reverse name may be either */
	const struct dns_node *node;   /* what the zone probably has for it; NULL: no idea */
	const struct dns_entry *guess; /* what the cache probably has for it; NULL: no idea */
	bool is_completed; /* the answer is that of a name further along the search list (dns_complete.h) */
	struct dns_query query;
};

/* The payload is the answer: it is going to be sent. */
void asking_settle(struct asking *a, enum dns_source source, const struct dns_reply *reply);

/* The payload is as it came, and goes on to the DNS service. why: for explain. */
void asking_pass(struct asking *a, const char *why);

/* The same, of what is not counted as passed. An address of ours that is no service's has nobody else behind it and must not reach the
 * outside: what is for it is dropped. */
void asking_go_on(const struct tables *t, struct burst *b, struct pkt *p, const char *why);
void asking_check_way(const struct tables *t, struct pkt *p);

/* Which of several records comes first. */
uint32_t asking_rotation(const struct asking *a);

#endif
