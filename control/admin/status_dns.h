/* DNS on this node, for `ringway status` and `ringway doctor`. Control thread only. */
#ifndef RINGWAY_ADMIN_STATUS_DNS_H
#define RINGWAY_ADMIN_STATUS_DNS_H

#include <jansson.h>

#include "control/model/store.h"

struct config;
struct daemon;
struct dns_table_builder;
struct resolver;
struct tables;

struct dns_status_input {
	const struct config *config;
	const struct store *store;
	const struct tables *tables;             /* in force; NULL: none yet */
	const struct dns_table_builder *builder; /* NULL: DNS is off, or there are no tables yet */
	struct resolver *resolver;               /* NULL: there is none */
};

/* From the daemon's parts; valid until it does something else. */
struct dns_status_input dns_status_of(const struct daemon *d);

/* The field "dns" of the status, as the help of `ringway status` has it. NULL if out of memory. */
json_t *dns_status_json(const struct dns_status_input *in);

/* What keeps queries from being answered here, and those of other names from upstream, as texts; and in one line how it is. */
json_t *dns_status_problems(const struct dns_status_input *in);
json_t *dns_status_upstream_problems(const struct dns_status_input *in);
#define DNS_STATUS_TEXT_SIZE 320
/* What shadow mode found, if it is on and answers diverged in the last hour, or there were none; and a line for when there is nothing of that. */
json_t *dns_status_shadow_problems(const struct dns_status_input *in);
const char *dns_status_shadow_text(const struct dns_status_input *in, char buf[static DNS_STATUS_TEXT_SIZE]);

const char *dns_status_text(const struct dns_status_input *in, char buf[static DNS_STATUS_TEXT_SIZE]);

#endif
