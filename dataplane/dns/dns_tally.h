/* What a worker answered, for control: exact counts by port, and samples of single answers, of which those of a quiet pod are all
 * and those of a flood a few that stand for the rest (weight). Samples that control does not take in time are lost; counts never
 * are. One writer, the worker; one reader of samples; counts may be read by anybody at any time. */
#ifndef RINGWAY_DNS_TALLY_H
#define RINGWAY_DNS_TALLY_H

#include "dataplane/dns/dns_name.h"
#include "dataplane/endpoint_table.h"

enum dns_source {
#define DNS_SOURCE(symbol, label, help) DNS_##symbol,
#include "dataplane/dns/dns_sources.def"
#undef DNS_SOURCE
	N_DNS_SOURCES,
};

/* Metric label ("authority") and help; static storage. Any thread. */
const char *dns_source_label(enum dns_source source);
const char *dns_source_help(enum dns_source source);

/* Answers to one port; since the worker began, so a port's next owner begins with what is there. */
struct dns_counts {
	uint64_t by_source[N_DNS_SOURCES];
	uint64_t nxdomain;  /* of them, answered with NXDOMAIN */
	uint64_t completed; /* and those whose search was completed (dns_complete.h) */
};

/* One answer. */
struct dns_sample {
	uint16_t port;  /* port id of who asked */
	uint16_t type;  /* as asked; 0: not known (passed) */
	uint8_t source; /* enum dns_source */
	uint8_t rcode;
	uint8_t name_len;                  /* 0: not known */
	bool is_completed;                 /* an alias of a name further along the search list */
	uint32_t weight;                   /* answers that this one stands for, itself included */
	uint64_t received_ns, answered_ns; /* CLOCK_MONOTONIC */
	uint8_t name[DNS_NAME_MAX];        /* on the wire, in the letters of who asked */
};

#define DNS_SAMPLES 1024  /* that may wait for control */
#define DNS_RUN_SAMPLES 4 /* of one port's answers in one burst */

/* Once half of the places are taken, a port that has so many of them gets no more: floods hide nobody. */
#define DNS_PORT_SAMPLES 64

struct dns_tally;

/* NULL if out of memory. Before the worker runs. */
struct dns_tally *dns_tally_new(void);
void dns_tally_free(struct dns_tally *t); /* NULL is fine */

/* Counts an answer, and may keep it as a sample; weight is not the caller's. 'name' is that of the sample, which need not have it.
 * Worker. */
void dns_tally_note(struct dns_tally *t, const struct dns_sample *answer, const uint8_t *name);

/* After the answers of a burst: gives their samples to control. Worker. */
void dns_tally_flush(struct dns_tally *t);

/* The next sample; false: there is none. Control. */
bool dns_tally_take(struct dns_tally *t, struct dns_sample *out);

/* Adds what was counted for a port to *sum. Any thread. */
void dns_tally_read(const struct dns_tally *t, uint16_t port, struct dns_counts *sum);

#endif
