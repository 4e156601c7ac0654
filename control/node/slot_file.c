#include "control/node/slot_file.h"

#include <errno.h>

#include "control/build/slots.h"
#include "control/log.h"
#include "control/node/state.h"

static void
keep_slot(const struct slot_record *record, bool is_forgotten, void *arg)
{
	struct state *state = arg;

	/* a failed change shows in the commit */
	if (is_forgotten)
		state_remove_slot(state, record);
	else
		state_put_slot(state, record);
}

void
slot_file_write(struct state *state, struct slots *slots)
{
	int result;

	if (slots_are_written(slots))
		return;
	result = state_begin(state);
	if (result == 0) {
		slots_each_change(slots, keep_slot, state);
		result = state_commit(state);
	}
	if (result == 0)
		slots_changes_written(slots);
	else
		log_error("slots of services are not written down, so a restart may break flows (the next "
			  "change tries again): %s",
			state_error(state));
}

static int
load_slot(const struct slot_record *record, void *arg)
{
	return slots_load(arg, record);
}

int
slot_file_read(struct state *state, struct slots **out)
{
	struct slots *slots = slots_new();
	int result = slots == NULL ? -ENOMEM : state_each_slot(state, load_slot, slots);

	if (result < 0) {
		slots_free(slots);
		return result;
	}
	*out = slots;
	return 0;
}
