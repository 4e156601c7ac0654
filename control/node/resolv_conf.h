/* The search list of a file as /etc/resolv.conf (resolv.conf(5)): pods have it from their node. Any thread. */
#ifndef RINGWAY_NODE_RESOLV_CONF_H
#define RINGWAY_NODE_RESOLV_CONF_H

/* Calls fn for each suffix of the last "search" or "domain" line, as written. 0 or -errno. */
int resolv_conf_search(const char *path, void (*fn)(const char *suffix, void *arg), void *arg);

#endif
