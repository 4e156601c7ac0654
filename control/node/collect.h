/* Attachments of pods that are gone without a DEL. When the last process, socket and mount of a network namespace goes, so does the
 * veth pair, which attach_tick() sees. What is found here is a namespace whose name the runtime has removed, with a pair that
 * something still keeps: half a teardown. And GC (CNI 1.1), by which a runtime lists what it still has; other runtimes may have pods
 * in the same network, so its list alone is no proof.
 *
 * Nothing is concluded from one look: a name counts as gone when this very process has seen that it was the pod's, it is away in
 * two sightings with a grace period between them, and processes that were seen in the namespace have left it. So no live pod loses
 * its address, also where the daemon sees other mounts, or no processes, than the runtime. Control thread only. */
#ifndef RINGWAY_NODE_COLLECT_H
#define RINGWAY_NODE_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COLLECT_GRACE_S 60

/* What was seen of one pod. */
struct collect_note {
	uint64_t netns_dev, netns_ino; /* its namespace; 0: not known */
	int64_t gone_s, unlisted_s;    /* first sighting without its name, or in no list; 0: none */
	bool had_process;              /* we are able to see who is in it */
};

/* Begins a note: the namespace is the one that the path names now. It must be the pod's for sure, since a path may mean something
 * else to us than to the runtime ("/proc/123/ns/net"). Without this, nothing is ever concluded. */
void collect_begin(struct collect_note *note, const char *netns);

/* A look at an attachment, at now_s (CLOCK_MONOTONIC seconds, above 0). True when its pod is gone. */
bool collect_look(struct collect_note *note, const char *netns, int64_t now_s);

/* The same after a runtime's GC which did not list it. Its list is a sighting of its own: a namespace without a name is gone at
 * once, one with a name when two lists, a grace period apart, were without it; either only when the processes have left it that were
 * seen in it. */
bool collect_look_unlisted(struct collect_note *note, const char *netns, int64_t now_s);

/* A GC which did list it. */
void collect_note_listed(struct collect_note *note, const char *netns);

/* CLOCK_MONOTONIC. */
int64_t collect_now_s(void);

#endif
