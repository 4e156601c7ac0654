/* A directory of manifests as a store, read once: for commands that need no daemon. The files are read by the daemon's own
 * source (control/source/files.h), so what it takes or refuses is taken or refused here, with the same messages; but
 * for what no API server has assigned yet: services may lack a ClusterIP and node ports. One thread; the log is silent
 * meanwhile. */
#ifndef RINGWAY_OFFLINE_MANIFESTS_H
#define RINGWAY_OFFLINE_MANIFESTS_H

#include <stdio.h>

#include "control/model/store.h"

struct manifests {
	struct store *store; /* all objects without errors */
	size_t n_files, n_errors;
};

/* Fills *out. Each error ("web.yaml:7: spec.podSelector: ...") is a line in 'errors' and counted. 0; or -errno, with *out
 * empty and a line too: the directory cannot be read, or out of memory. */
int manifests_load(struct manifests *out, const char *dir, FILE *errors);

/* Also of what manifests_load() left empty. */
void manifests_fini(struct manifests *m);

#endif
