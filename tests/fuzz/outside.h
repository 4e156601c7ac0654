/* What fuzz_pipeline knows of the outside: networks there, whose flows are masqueraded or not, and flows that stand in the
 * tables of both kinds, as the packet tables that seeds are made of have them. */
#ifndef TESTS_FUZZ_OUTSIDE_H
#define TESTS_FUZZ_OUTSIDE_H

#include "tests/support/fixtures.h"

/* The node's ways out. Once per fixture. */
void outside_ways(struct fixture *f);

/* Puts flows that have ended, or that an input removed, back into the tables. is_exposed: the fixture has exposed_services(). */
void outside_flows(struct fixture *f, bool is_exposed);

#endif
