/* Keeps the book of DNS: takes what workers tell of, several times a second. Control thread only. */
#ifndef RINGWAY_DNS_WATCH_H
#define RINGWAY_DNS_WATCH_H

struct daemon;
struct dns_book;
struct dns_watch;

/* d->dns_watch. A part of the daemon (main.c), behind its workers. */
int dns_watch_start(struct daemon *d);
void dns_watch_stop(struct daemon *d);

/* Takes what there is now. */
void dns_watch_look(struct dns_watch *w);

/* The daemon's, as of the last look. */
const struct dns_book *dns_watch_book(const struct dns_watch *w);

#endif
