/* Our files in the directories of options run.dir and state.dir, by name; any other stays, and its directory with it. */
#ifndef RINGWAY_NODE_OWNED_FILES_H
#define RINGWAY_NODE_OWNED_FILES_H

#include <stdbool.h>

/* How many entries a directory has; 0 if there is none. -errno. */
int owned_count_entries(const char *path);

/* Whether it is a directory without anything in it, and nothing is mounted there. */
bool owned_is_empty_shell(const char *path);

bool owned_run_dir_look(const char *path);
bool owned_state_dir_look(const char *path);

/* 0, also when there was nothing; -ENOTEMPTY when others' files keep the directory. One that something is mounted on is emptied
 * and stays. */
int owned_run_dir_remove(const char *path);
int owned_state_dir_remove(const char *path);

#endif
