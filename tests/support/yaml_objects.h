/* Objects as people write them: YAML, through the real decoder, into a store. Only tests. */
#ifndef RINGWAY_TESTS_YAML_OBJECTS_H
#define RINGWAY_TESTS_YAML_OBJECTS_H

#include "control/model/store.h"

/* All documents of the text; the test fails when one is refused. */
void put_yaml(struct store *s, const char *text);

#endif
