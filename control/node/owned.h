/* All that Ringway has on a node outside its own process, in one list: for `ringway uninstall`, which takes it away, and for
 * `ringway doctor`, which names what is left. In the order in which it goes: what leads others to us first, our memory of the
 * rest after it, so that whoever is interrupted begins again and completes it. What is not ours stays, also in our directories.
 * One thread, in the node's network namespace, without the daemon (owned_look() aside). */
#ifndef RINGWAY_NODE_OWNED_H
#define RINGWAY_NODE_OWNED_H

#include <stdbool.h>
#include <stddef.h>

struct attachment_record;
struct config;
struct owned;
struct state;

enum owned_kind {
	OWNED_CONF,     /* 00-ringway.conflist in cni.confDir */
	OWNED_LINKS,    /* the node's ends of pods that are attached */
	OWNED_PROGRAMS, /* XDP programs, maps and links, pinned in run.dir */
	OWNED_WAYS,     /* routes and routing rules */
	OWNED_HOST,     /* the pair of host.interface */
	OWNED_PORTS,    /* in ip_local_reserved_ports */
	OWNED_SHIM,     /* ringway-cni in cni.binDir */
	OWNED_STATE,    /* state.dir */
	OWNED_RUN,      /* run.dir, with the lock: who finds it gone finds all gone */
	N_OWNED,
};

#define OWNED_TEXT_SIZE 512

/* "network configuration"; static. */
const char *owned_name(enum owned_kind kind);

/* The config stays the caller's. state: the daemon's, or NULL: the file in state.dir, if there is one. One that cannot be read,
 * or is missing while interfaces of pods are there, is told in trouble ("" otherwise; OWNED_TEXT_SIZE bytes); then links and
 * reserved ports cannot be known. Nor can they with trouble NULL, which leaves the file closed. NULL if out of memory. */
struct owned *owned_open(const struct config *config, struct state *state, char *trouble);
void owned_close(struct owned *o);

/* Calls fn for each pod that is attached: it has a link. How many there are. */
size_t owned_each_attached(
	struct owned *o, void (*fn)(const struct attachment_record *a, void *arg), void *arg);

/* Whether another network configuration is there to be in the place of ours. Without any, containerd cannot even delete pods
 * (go-cni's Remove(): "cni plugin not initialized"). */
bool owned_has_successor(const struct owned *o);

/* 1 with a description when there is something, 0 when not, or -errno with one of what keeps us from knowing. */
int owned_look(struct owned *o, enum owned_kind kind, char text[static OWNED_TEXT_SIZE]);

/* Takes it away; what comes after it in the list must not be gone before. 0 with a word about what is now in its place, or "";
 * -errno with what is wrong. */
int owned_remove(struct owned *o, enum owned_kind kind, char text[static OWNED_TEXT_SIZE]);

#endif
