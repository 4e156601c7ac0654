/* One frontend of a new version of the service table: its backends, their slots and reverse entries, its buckets. What the
 * version before has and is still right stays as it is, and buckets of backends that may still live move (moves.h).
 * Control thread only. */
#ifndef RINGWAY_BUILD_FRONTEND_BUILD_H
#define RINGWAY_BUILD_FRONTEND_BUILD_H

#include "control/build/endpoint_select.h"
#include "control/build/gone_pods.h"
#include "control/build/moves.h"
#include "control/build/slots.h"
#include "control/build/wanted.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/service_table_edit.h"

/* Pairs of backend and frontend. */
struct pair_list {
	size_t n, room;
	struct slot_record *items; /* slot and released_s are void */
};

struct frontend_builder {
	struct service_table *table; /* the coming version */
	struct slots *slots;
	struct moves *moves;
	const struct gone_pods *gone; /* NULL: any pod may live */
	uint64_t now_ns;

	/* in a process's first build: the pairs that a former one had, by frontend and backend */
	size_t n_former;
	const struct slot_record *former;
	const char *node, *zone; /* this one, and its zone or "" */
	size_t n_own_addrs;
	const struct ip_addr *own_addrs; /* the node's */
	uint32_t
		n_slotless; /* pairs without a slot that frontend_build() left behind; the caller's to zero */

	/* what has to be undone when the build fails, and to be done when it succeeds */
	struct pair_list assigned, released;

	/* backends whose pod is gone, or whose address and port are another's now: what is pinned to them ends when
	 * the version is in force. The caller's to empty. */
	size_t n_ends, ends_room;
	struct backend_end *ends;

	/* scratch, for the largest frontend so far */
	size_t room;
	struct selected_endpoint *selected;
	struct backend *backends;
	const struct backend **sorted;
	uint32_t *numbers;
};

void frontend_builder_fini(struct frontend_builder *b);

/* Lists a backend's end. False if out of memory. */
bool frontend_builder_end_backend(struct frontend_builder *b, const struct backend_end *end);

/* Has the table hold this frontend of a service, whose number it gets. When there is one with its key, it is the
 * service's own. 0 or -ENOMEM, which ends the build. */
int frontend_build(struct frontend_builder *b, const struct wanted_frontend *wanted, uint32_t number,
	const struct service_object *service, const struct slice_object *const *slices, size_t n_slices);

/* Removes a frontend with all that refers to it. 0 or -ENOMEM. */
int frontend_unbuild(struct frontend_builder *b, const struct frontend *f);

/* Gives back the slots of pairs that are no more: after the build, those that it ended, or, as it failed, began. Empties both
 * lists. */
void frontend_builder_settle_slots(struct frontend_builder *b, bool has_failed);

#endif
