/* The looks that lint.c takes, one after the other: each adds what it finds. */
#ifndef RINGWAY_LINT_LINT_LOOKS_H
#define RINGWAY_LINT_LINT_LOOKS_H

#include "control/lint/lint_world.h"

void lint_dns(struct lint_world *w);      /* egress that is isolated without a way to the cluster's DNS */
void lint_policies(struct lint_world *w); /* each policy as a whole */
void lint_rules(struct lint_world *w);    /* rule by rule */

#endif
