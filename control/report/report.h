/* What this node writes to the API server, where the cluster's state comes from one, and nothing with manifests: the condition and
 * the taint of its Node (node_write.h) and events (event_book.h). It looks every few seconds; the requests are those of
 * api_writer.h. At the end of the process nothing is written. Control thread only. */
#ifndef RINGWAY_REPORT_REPORT_H
#define RINGWAY_REPORT_REPORT_H

struct daemon;

/* A part of the daemon, after all others: d->report and d->event_book, both NULL without an API server. 0 or -ENOMEM. */
int report_start(struct daemon *d);
void report_stop(struct daemon *d);

#endif
