/* Publication of tables, on DPDK's quiescent-state reclamation (rte_rcu_qsbr.h).
 * Writer: the control thread, alone. Readers: registered workers. A pointer from snapshot_get() lives until
 * that worker's next snapshot_quiesce(). No table changes after publication: a change is a new struct tables,
 * which shares the sub-tables that did not change. */
#ifndef RINGWAY_SNAPSHOT_H
#define RINGWAY_SNAPSHOT_H

#include <stdint.h>

#include "dataplane/tables.h"

struct snapshot;

/* n_workers readers, ids 0 to n_workers - 1, none online. NULL if out of memory. */
struct snapshot *snapshot_new(unsigned n_workers);
void snapshot_free(struct snapshot *s);

/* Worker: the tables in force; NULL before the first publication. */
const struct tables *snapshot_get(const struct snapshot *s);

/* Worker: it holds no pointer into any tables now. */
void snapshot_quiesce(struct snapshot *s, unsigned worker);

/* Worker: between these two it sleeps, or is not running, and no grace period waits for it. */
void snapshot_offline(struct snapshot *s, unsigned worker);
void snapshot_online(struct snapshot *s, unsigned worker);

/* Control: puts 'next' in force and returns the tables it replaced (NULL at first). The caller still owns
 * both; it may free the old ones once snapshot_is_over() for the token that *grace receives. */
const struct tables *snapshot_publish(struct snapshot *s, const struct tables *next, uint64_t *grace);

/* Any thread: begins a grace period for something else that readers find, and that cannot be found any more. The token is for
 * snapshot_is_over(). */
uint64_t snapshot_retire(struct snapshot *s);

/* Any thread: true once every reader has quiesced since the token was made. Never blocks. */
bool snapshot_is_over(struct snapshot *s, uint64_t grace);

/* Control: blocks until then. */
void snapshot_wait(struct snapshot *s, uint64_t grace);

#endif
