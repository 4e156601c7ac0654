/* What the node answers to each case (dns_cases.h): with the zone that the daemon would build from the same objects, by the scanner
 * and the answers that its workers would use. One thread. */
#ifndef RINGWAY_OFFLINE_DNS_ASK_H
#define RINGWAY_OFFLINE_DNS_ASK_H

#include "control/build/dns_build.h"
#include "control/offline/dns_cases.h"

/* What a pod gets, as kubelet writes its resolv.conf: names with fewer dots are first tried below each of the search list. */
#define DNS_NDOTS 5

struct dns_outcome {
	const char *rcode;        /* as cases have it */
	char name[DNS_TEXT_SIZE]; /* that was answered, of those tried */
	unsigned n_lookups;       /* that it took */
	bool is_truncated;        /* the client asks again over TCP, which is passed on */
	json_t *answers, *additional;
};

struct dns_asking;

/* Completes the store (complete.h), which is the caller's, outlives it and must not change. 0, or -errno with a line in errors. */
int dns_asking_new(
	struct dns_asking **out, struct store *store, const struct dns_build_config *config, FILE *errors);
void dns_asking_free(struct dns_asking *a); /* NULL is fine */

/* What is asked. */
const struct dns_zone *dns_asking_zone(const struct dns_asking *a);

/* Asks all of them. What cannot be asked (there is no such pod, that is no name) is said and counted in the list. outcomes: as many
 * as cases, zeroed; dns_outcomes_free() in any case. 0 or -ENOMEM. */
int dns_ask(struct dns_asking *a, struct dns_case_list *cases, struct dns_outcome *outcomes, FILE *errors);
void dns_outcomes_free(struct dns_outcome *outcomes, size_t n);

bool dns_outcome_is_expected(const struct dns_outcome *o, const struct dns_case *c);

#endif
