/* Sets of ports as the text that the kernel has for them: "8080,16384-29951", as in net.ipv4.ip_local_reserved_ports. Any
 * thread. */
#ifndef RINGWAY_NODE_PORT_LIST_H
#define RINGWAY_NODE_PORT_LIST_H

#include "dataplane/service/port_set.h"

/* What is no port any more ends the list. */
void port_list_parse(const char *text, struct port_set *out);

/* For the caller to free; NULL if out of memory. */
char *port_list_format(const struct port_set *s);

#endif
