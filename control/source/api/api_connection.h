/* How a request gets to the API server, and as whom: protocols, time limits, certificates, token. No proxy of the environment is
 * used and no redirection followed. Control thread only. */
#ifndef RINGWAY_SOURCE_API_CONNECTION_H
#define RINGWAY_SOURCE_API_CONNECTION_H

#include <curl/curl.h>
#include <stdbool.h>

struct kubeconfig;

/* All that the server and the credentials ask for; a token becomes a header. False: out of memory, and some of it may be set. */
bool api_connection_set(CURL *easy, const struct kubeconfig *k, struct curl_slist **headers);

/* "NAME: VALUE". False if out of memory. */
bool api_header_add(struct curl_slist **headers, const char *name, const char *value);

#endif
