/* The event that tells of a pod whose policies deny its DNS queries. Control thread only. */
#ifndef RINGWAY_REPORT_DNS_EVENT_H
#define RINGWAY_REPORT_DNS_EVENT_H

struct daemon;
struct denied_query;

/* text: what denied_dns_print() says of it. */
void dns_event_note(const struct daemon *d, const struct denied_query *query, const char *text);

#endif
