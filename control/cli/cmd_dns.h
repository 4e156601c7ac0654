/* What `ringway dns` prints. */
#ifndef RINGWAY_CLI_CMD_DNS_H
#define RINGWAY_CLI_CMD_DNS_H

#include "control/cli/client.h"

/* A figure of a pod (of its recent ones) or of a name, by the key that it is sorted by. */
double dns_figure(const json_t *object, const char *key);

void dns_print_pods(const struct cli *cli, const json_t *pods);
void dns_print_names(const struct cli *cli, const json_t *names);

/* What shadow mode found. */
void dns_print_shadow(const struct cli *cli, const json_t *shadow);

/* The node and its pods or, when it was narrowed down, each pod by itself; then names and advice. */
void dns_print(const struct cli *cli, const json_t *doc, bool is_narrow);

#endif
