/* Objects of the cluster, made in one line each and put into a store. Everything is copied; lists are short, and addresses
 * are text ("10.0.0.1"). Only tests. */
#ifndef RINGWAY_TESTS_OBJECTS_H
#define RINGWAY_TESTS_OBJECTS_H

#include "control/model/store.h"

/* Both addresses may be NULL. */
void put_node(struct store *s, const char *name, const char *addr, const char *cidr4, const char *cidr6);

/* A pod with the label key=value (key may be NULL) and up to two addresses (NULL: none). */
void put_pod(struct store *s, const char *ns, const char *name, const char *node, const char *key,
	const char *value, const char *addr4, const char *addr6);

/* A service with one port, named "" and up to two addresses; selector key=value unless key is NULL. */
void put_service(struct store *s, const char *ns, const char *name, const char *key, const char *value,
	const char *addr4, const char *addr6, uint16_t port, uint8_t proto);

/* A slice named "<service>-<family>" with one port, named "", and one endpoint (addr NULL: none). */
void put_slice(struct store *s, const char *ns, const char *service, const char *addr, uint16_t port,
	uint8_t proto, bool ready, const char *pod, const char *node);

#endif
