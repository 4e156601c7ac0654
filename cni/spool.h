/* DELs for a daemon that is away. Runtimes wait for a DEL to succeed before they go on with a pod, so it must not depend on the
 * daemon: it is written down, and the daemon does it when it comes (control/node/spool.h, which reads what is written here).
 *
 * One file per (container id, interface) in <state.dir>/spool, "ID@INTERFACE.del": an id has no '@', neither has a '/'. It holds
 * {"containerId": ..., "ifname": ...}. It comes to be by a rename, so nobody reads half of one, and a DEL that is repeated is still
 * one file. */
#ifndef RINGWAY_CNI_SPOOL_H
#define RINGWAY_CNI_SPOOL_H

#include "cni/netconf.h"

#define SPOOL_MAX 4096 /* files: far more than a node has pods, far less than would fill a disk */

/* Writes the DEL down; file and directories are on the disk when it returns CNI_OK. Else CNI_TRY_AGAIN in e. */
enum cni_code spool_write(const struct netconf *n, struct cni_error *e);

#endif
