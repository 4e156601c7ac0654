#include "control/admin/view.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/admin/dns_view.h"

const char *
port_kind_name(enum port_kind kind)
{
	static const char *const names[N_PORT_KINDS] = {
		[PORT_KIND_POD] = "pod",
		[PORT_KIND_HOST] = "host",
		[PORT_KIND_UPLINK] = "uplink",
	};

	return names[kind];
}

const char *
port_view_name(const struct port_view *p, char buf[static PORT_NAME_SIZE])
{
	if (p->kind != PORT_KIND_POD)
		snprintf(buf, PORT_NAME_SIZE, "%s", port_kind_name(p->kind));
	else if (*p->name == '\0')
		snprintf(buf, PORT_NAME_SIZE, "%s", p->link);
	else
		snprintf(buf, PORT_NAME_SIZE, "%s/%s", p->ns, p->name);
	return buf;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	free(v->workers);
	free(v->ports);
	for (size_t i = 0; i < v->n_denials; i++) {
		free(v->denials[i].policies);
		free(v->denials[i].pods);
	}
	free(v->denials);
	dns_view_free(v->dns);
	free(v);
}
