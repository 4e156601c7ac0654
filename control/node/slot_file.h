/* Slots in the state file: the flows in them are in nobody's memory, so the file keeps who has which. Control thread only. */
#ifndef RINGWAY_NODE_SLOT_FILE_H
#define RINGWAY_NODE_SLOT_FILE_H

struct slots;
struct state;

/* The slots of the file. 0 or -errno. */
int slot_file_read(struct state *state, struct slots **out);

/* Writes down what changed, if anything did. What fails is tried again with the next change. */
void slot_file_write(struct state *state, struct slots *slots);

#endif
