/* A backend's reply back to its frontend, on the worker that owns the client's port. */
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/translate_error.h"
#include "dataplane/service/translate_reply.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"

void
translate_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct translate_reply c[BURST_MAX];
	bool has_exceptions = !nat_flows_is_empty(w->exceptions);
	unsigned n = 0;

	if (!(b->seen & BURST_PORT)) /* a client here is at a port */
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct endpoint *receiver = endpoint_of_port(t->endpoints, p->out_port);

		if (receiver == NULL)
			continue;
		if (translate_may_be_reply(p))
			n += translate_reply_read(t, receiver, has_exceptions, p, &c[n]);
		else if (p->flags & PKT_ICMP_ERROR)
			translate_error_receive(t, w, b, p);
	}
	if (n != 0)
		translate_reply(t, w, b, c, n);
}
