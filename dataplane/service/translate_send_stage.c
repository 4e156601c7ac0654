/* Frontend to backend, in the client's node. The client is a pod or the host's stack; what comes from the
 * underlay was translated where its client is. */
#include "dataplane/service/translate_error.h"
#include "dataplane/service/translate_forward.h"
#include "dataplane/stages.h"

void
translate_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct translate_forward c[BURST_MAX];
	unsigned n = 0;

	if (!(b->seen & BURST_LOCAL))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (p->origin == ORIGIN_UPLINK)
			continue;
		if (translate_is_transport(p->proto))
			translate_forward_read(t, p, &c[n++]);
		else if (p->flags & PKT_ICMP_ERROR)
			translate_error_send(t, w, b, p);
	}
	translate_forward(t, w, b, c, n);
}
