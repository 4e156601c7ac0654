/* What must outlive the process: attachments, leases, slots and reserved ports, in one SQLite file (write-ahead log,
 * synchronous=NORMAL: a commit survives the death of the process and costs 0.02 ms; after a power cut the
 * last ones may be missing, which is well, because after a reboot all pod state is discarded anyway). Control
 * thread only.
 *
 * A file that is damaged, newer than this program or not ours is an error and stays as it is. The file is
 * locked: a second daemon on it is refused. */
#ifndef RINGWAY_NODE_STATE_H
#define RINGWAY_NODE_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "control/build/slots.h"
#include "control/node/attachment.h"

#define STATE_FILE "ringway.db" /* in state.dir */
#define STATE_ERROR_SIZE 512

struct state;

/* A released address: not to be used again too soon. */
struct lease_record {
	struct ip_addr addr;
	int64_t released_s; /* CLOCK_REALTIME */
};

/* Opens or creates the file. boot_id NULL: that of the running kernel; when it differs from the one in the
 * file, all pod state is discarded and *is_new_boot is set. Returns 0, or -errno with a message that says
 * what to do: -EBUSY another daemon holds it, -EUCLEAN damaged, -EPROTO written by a newer version, -EINVAL
 * not a file of ours. */
int state_open(struct state **out, const char *path, const char *boot_id, bool *is_new_boot,
	char error[static STATE_ERROR_SIZE]);
void state_close(struct state *s);

/* Several changes as one: begin, the changes, commit. 0 or -errno; a failed change makes the commit roll back
 * and fail. They do not nest. */
int state_begin(struct state *s);
int state_commit(struct state *s);
void state_rollback(struct state *s);

/* What went wrong last, for messages. */
const char *state_error(const struct state *s);

/* Each returns 0 or -errno (-EIO with state_error()). Put replaces the record with the same key; removing
 * what is not there is 0. */
int state_put_attachment(struct state *s, const struct attachment_record *a);
int state_remove_attachment(struct state *s, const char *container_id, const char *ifname);
int state_put_lease(struct state *s, const struct lease_record *lease);
int state_remove_lease(struct state *s, const struct ip_addr *addr);
int state_put_slot(struct state *s, const struct slot_record *slot);
int state_remove_slot(struct state *s, const struct slot_record *slot);

/* The ports that are ours in the kernel's list of reserved ones, as text. Get: for the caller to free; "" when none were put
 * since the boot. */
int state_put_reserved_ports(struct state *s, const char *list);
int state_get_reserved_ports(struct state *s, char **list);

/* Calls fn for each record, oldest first; stops and returns what fn returns when that is not 0. fn must not
 * change the state. */
int state_each_attachment(
	struct state *s, int (*fn)(const struct attachment_record *a, void *arg), void *arg);
int state_each_lease(struct state *s, int (*fn)(const struct lease_record *lease, void *arg), void *arg);
int state_each_slot(struct state *s, int (*fn)(const struct slot_record *slot, void *arg), void *arg);

#endif
