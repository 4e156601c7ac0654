#include "control/report/dns_event.h"

#include <stdio.h>
#include <time.h>

#include "control/daemon.h"
#include "control/denied_dns.h"
#include "control/model/store.h"
#include "control/node/attach.h"
#include "control/report/event_book.h"
#include "dataplane/clock.h"

struct search {
	uint16_t port;
	const struct attachment_record *record;
};

static void
match(const struct attached *pod, void *arg)
{
	struct search *s = arg;

	if (pod->port != NULL && pod->port->id == s->port && pod->record.pod[0] != '\0')
		s->record = &pod->record;
}

void
dns_event_note(const struct daemon *d, const struct denied_query *query, const char *text)
{
	struct search s = { .port = query->port };
	char message[EVENT_MESSAGE_SIZE], uid[OBJECT_UID_SIZE] = "";
	const struct object *pod;

	attach_each(d->attach, match, &s);
	if (s.record == NULL)
		return;
	/* the runtime's uid is not that of a static pod's object, by which people find the event */
	pod = store_get(d->store, OBJECT_POD, s.record->pod_ns, s.record->pod);
	if (pod != NULL)
		object_uid_format(pod, uid);
	snprintf(message, sizeof(message),
		"%s. A rule that allows it: egress: [{ports: [{protocol: UDP, port: %u}, {protocol: TCP, "
		"port: %u}]}]",
		text, query->server_port, query->server_port);
	event_book_note(d->event_book, REPORT_DNS_DENIED,
		&(struct event_subject){ "Pod", "v1", s.record->pod_ns, s.record->pod,
			*uid != '\0' ? uid : s.record->pod_uid },
		message, false, clock_now_ns(), time(NULL));
}
