/* One instance per run directory: who holds the lock of <run.dir>/ringwayd.lock. It is the process's and its children's
 * until the last of them ends. Before threads exist. */
#ifndef RINGWAY_INSTANCE_H
#define RINGWAY_INSTANCE_H

#include <stdbool.h>

#include "control/config.h"
#include "control/kept.h"

/* In run.dir. */
#define INSTANCE_LOCK "ringwayd.lock"
#define INSTANCE_NEXT_LOCK "ringwayd.next" /* the place of who is next in turn */

/* Makes the run directory if it is missing and takes the lock, waiting a little for a former instance that is still closing
 * its sockets. 0, or -errno having said why: -EBUSY when another one stays. */
int instance_lock(const struct config *config);

/* The same, but waits for as long as the other one stays, unless we could not start with this configuration anyhow; what it
 * hands over is put into the list, which is to be empty. Of several that wait, one is next. SIGTERM and SIGINT end the process
 * meanwhile. */
int instance_wait(const struct config *config, struct kept *kept);

/* Whether the descriptor is of the lock that is in the directory now. An instance that is uninstalled removes its own as the last
 * thing: who waited for that one has a lock which keeps nobody out. */
bool instance_lock_is_there(int fd, const char *run_dir);

#endif
