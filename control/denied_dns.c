#include "control/denied_dns.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build.h"

/* A pod's last one. Ports are given out again, addresses much later. */
struct entry {
	struct ip_addr pod[N_FAMILIES]; /* who had the port */
	struct ip_addr server;
	uint64_t at_ns; /* 0: never */
	uint8_t proto;
	uint16_t server_port;
};

struct denied_dns {
	struct entry by_port[PORTS_MAX];
};

struct denied_dns *
denied_dns_new(void)
{
	return calloc(1, sizeof(struct denied_dns));
}

void
denied_dns_free(struct denied_dns *d)
{
	free(d);
}

static bool
is_of(const struct entry *e, const struct endpoint *pod, uint64_t now_ns)
{
	return e->at_ns != 0 && (now_ns < e->at_ns || now_ns - e->at_ns < DENIED_DNS_NS) &&
	       memcmp(e->pod, pod->addrs, sizeof(e->pod)) == 0;
}

/* Whether the tables deny it, in *out then. */
static bool
is_denied(const struct entry *e, const struct tables *t, uint16_t port, struct denied_query *out)
{
	const struct pod_policy *pod = t->policies == NULL ? NULL : policy_of_port(t->policies, port);
	const struct rule_table *rules = pod == NULL ? NULL : pod->rules[POLICY_EGRESS];

	if (rules == NULL || rule_table_match(rules, identity_of(t->policies->identities, &e->server),
				     e->proto, e->server_port) >= 0)
		return false;
	*out = (struct denied_query){ port, e->server, e->proto, e->server_port, pod->is_audit };
	return true;
}

bool
denied_dns_note(struct denied_dns *d, const struct event *event, const struct tables *t, uint64_t now_ns,
	struct denied_query *out)
{
	const struct endpoint *pod =
		event->port >= PORTS_MAX ? NULL : endpoint_of_port(t->endpoints, event->port);
	struct entry *e;
	bool is_known;

	if (pod == NULL)
		return false;
	e = &d->by_port[event->port];
	is_known = is_of(e, pod, now_ns);
	*e = (struct entry){ .pod = { pod->addrs[V4], pod->addrs[V6] },
		.server = event->addr,
		.at_ns = now_ns,
		.proto = (uint8_t)(event->value >> 16),
		.server_port = (uint16_t)event->value };
	return is_denied(e, t, event->port, out) && !is_known;
}

void
denied_dns_each(const struct denied_dns *d, const struct tables *t, uint64_t now_ns,
	void (*fn)(const struct denied_query *query, void *arg), void *arg)
{
	for (unsigned port = 0; port < PORTS_MAX; port++) {
		const struct endpoint *pod = endpoint_of_port(t->endpoints, (uint16_t)port);
		struct denied_query query;

		if (pod != NULL && is_of(&d->by_port[port], pod, now_ns) &&
			is_denied(&d->by_port[port], t, (uint16_t)port, &query))
			fn(&query, arg);
	}
}

struct names {
	char *text;
	size_t used, size, n;
};

static void
add_name(const char *ns, const char *name, void *arg)
{
	struct names *names = arg;

	if (names->used < names->size)
		names->used += (size_t)snprintf(names->text + names->used, names->size - names->used,
			"%s%s/%s", names->n++ == 0 ? "" : ", ", ns, name);
}

const char *
denied_dns_print(const struct policy_builder *policies, const struct denied_query *query,
	char text[static DENIED_DNS_TEXT_SIZE])
{
	char isolating[256] = "", server[IP_ADDR_STRLEN];
	struct names names = { isolating, 0, sizeof(isolating), 0 };
	const char *ns = "", *name = "", *proto = query->proto == PROTO_TCP ? "tcp" : "udp";
	bool is_v4 = ip_addr_is_v4(&query->server);

	policy_builder_pod(policies, query->port, &ns, &name);
	policy_builder_each_isolating(policies, query->port, POLICY_EGRESS, add_name, &names);
	ip_addr_format(&query->server, server);
	snprintf(text, DENIED_DNS_TEXT_SIZE,
		"pod %s/%s asks for names and %s: no egress rule of %s lets %s port %u of %s pass; `ringway "
		"explain "
		"--from %s/%s --to %s%s%s:%u/%s` writes one, `ringway policies lint` finds all that forget "
		"DNS",
		ns, name, query->is_audit ? "would be denied (audit: it passes)" : "is denied", isolating,
		proto, query->server_port, server, ns, name, is_v4 ? "" : "[", server, is_v4 ? "" : "]",
		query->server_port, proto);
	return text;
}
