/* The first label of a pod's record: its address with dashes in place of dots or colons, "10-244-1-5" or "fd00-10-244--5"
 * (Kubernetes DNS specification 1.1 section 2.6). Any thread. */
#ifndef RINGWAY_DNS_POD_NAME_H
#define RINGWAY_DNS_POD_NAME_H

#include "dataplane/net/ip_addr.h"

/* False: the label's len bytes say no address. */
bool dns_pod_name_parse(const uint8_t *label, unsigned len, struct ip_addr *out);

/* Writes the label, without its length byte, and returns its length. */
unsigned dns_pod_name_format(const struct ip_addr *addr, uint8_t label[static IP_ADDR_STRLEN]);

#endif
