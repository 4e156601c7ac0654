/* How one holder's descriptors become the next one's, so that no socket closes when ringwayd is exchanged. Who waits for its
 * turn (control/instance.h) listens on <run.dir>/handover.sock; the one that is told to end connects there, and sends what it
 * keeps (SOCK_SEQPACKET, SCM_RIGHTS; the messages are those of a holder's greeting, dataplane/io/fd_store.h). What of it does
 * not fit the next one's configuration is closed there, as after a crash. Before threads exist, or in the holder. */
#ifndef RINGWAY_HANDOVER_H
#define RINGWAY_HANDOVER_H

#include "control/kept.h"

#define HANDOVER_SOCKET "handover.sock" /* in run.dir */

/* Listens, for root alone. A descriptor to be polled, or -errno. */
int handover_listen(const char *run_dir);

/* Takes what somebody hands over, all or nothing, instead of what the list had; nothing when nobody does. */
void handover_receive(int listener, struct kept *k);

/* No longer. */
void handover_close(int listener, const char *run_dir);

/* Hands copies of all to the one that waits. 0 or -errno: -ENOENT or -ECONNREFUSED when nobody does. */
int handover_give(const char *run_dir, const struct kept *k);

#endif
