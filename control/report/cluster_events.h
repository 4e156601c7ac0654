/* Events about what is wrong for as long as it is so: refused and colliding service addresses, policies that are only tried
 * out, addresses for pods that run out. Each is told when it appears. What every node sees, two tell: those that come first by
 * a hash of node and fact (rendezvous), so that one may be away, and thousands do not all write. Control thread only. */
#ifndef RINGWAY_REPORT_CLUSTER_EVENTS_H
#define RINGWAY_REPORT_CLUSTER_EVENTS_H

struct cluster_events;
struct daemon;
struct event_subject;
struct view;

/* d outlives it. NULL if out of memory. */
struct cluster_events *cluster_events_new(struct daemon *d);
void cluster_events_free(struct cluster_events *c); /* NULL is fine */

/* Looks, and notes in d->event_book what is news. node: this node as the subject of events. */
void cluster_events_look(struct cluster_events *c, const struct view *v, const struct event_subject *node);

#endif
