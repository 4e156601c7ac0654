/* ringwayd's admin socket, seen from the command line: HTTP over a unix socket, JSON both ways. */
#ifndef RINGWAY_CLI_CLIENT_H
#define RINGWAY_CLI_CLIENT_H

#include "control/cli/command.h"

/* GET, or POST when body is not NULL (which stays the caller's). On CLI_FINE *out is the answer, the caller's
 * to free. Otherwise the returned exit status says what was wrong, and a message that says what
 * to do is on stderr. */
int client_request(const struct cli *cli, const char *path, const json_t *body, json_t **out);

/* Is anybody there? No message. */
bool client_is_reachable(const struct cli *cli);

#endif
