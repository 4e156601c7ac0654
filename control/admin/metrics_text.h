/* Prometheus' text exposition format, for those who print metrics; names are without "ringway_". */
#ifndef RINGWAY_ADMIN_METRICS_TEXT_H
#define RINGWAY_ADMIN_METRICS_TEXT_H

#include <stdio.h>

struct dns_view;

/* "# HELP" and "# TYPE": once for each family, before its samples. */
void metrics_family(FILE *f, const char *name, const char *type, const char *help);

/* NAME="VALUE", escaped. */
void metrics_label(FILE *f, const char *name, const char *value);

/* A family with one sample. */
void metrics_gauge(FILE *f, const char *name, const char *help, double value);

/* All of DNS (metrics_dns.c). */
void metrics_print_dns(FILE *f, const struct dns_view *v);

#endif
