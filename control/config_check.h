/* What no single option of the configuration tells, and what several of them ask for together. Any thread. */
#ifndef RINGWAY_CONFIG_CHECK_H
#define RINGWAY_CONFIG_CHECK_H

#include <stdio.h>

struct config;
struct dns_options;

/* Networks that are none, a quota above its bound. Fills in the node's name when it is not given. Returns how many errors were
 * written. */
int config_check(struct config *c, FILE *errors);

/* What dns.* ask for; the search suffixes' files are not read. Once config_check() is content, nothing is left out. 0 or
 * -ENOMEM; dns_options_fini() in either case. */
int config_dns(const struct config *c, struct dns_options *out);

#endif
