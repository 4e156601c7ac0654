#include "control/build/dns_own_names.h"

#include <errno.h>
#include <string.h>

/* LABELS.ZONE; these labels are short, and so is the zone's name. */
static void
begin_in_zone(struct dns_making *m, const struct dns_wire *zone, const char *label, const char *below,
	uint8_t flags)
{
	struct dns_wire name = { 0 };

	if (*below != '\0')
		dns_wire_label(&name, below, strlen(below));
	if (*label != '\0')
		dns_wire_label(&name, label, strlen(label));
	dns_wire_end(&name, zone->bytes, zone->len);
	dns_making_begin(m, &name, flags);
}

static int
end_name(struct dns_making *m)
{
	const struct dns_node *node;

	return dns_making_end(m, &node);
}

int
dns_own_server(struct dns_making *m, const struct dns_wire *zone, const struct service_object *server)
{
	static const uint8_t labels[] = "\2ns\3dns";
	uint8_t name[DNS_NAME_MAX];
	size_t n = server == NULL ? 0 : server->n_cluster_ips;

	memcpy(name, labels, sizeof(labels) - 1);
	memcpy(name + sizeof(labels) - 1, zone->bytes, zone->len);
	begin_in_zone(m, zone, "", "", DNS_NODE_APEX);
	dns_making_set(m, DNS_TYPE_NS);
	dns_making_unit(m);
	dns_making_record(m, name, sizeof(labels) - 1 + zone->len);
	for (size_t i = 0; i < n; i++)
		dns_making_glue(m, labels, sizeof(labels) - 1, 0, &server->cluster_ips[i]);
	if (end_name(m) < 0)
		return -ENOMEM;
	begin_in_zone(m, zone, "dns", "ns", 0);
	dns_making_set(m, DNS_TYPE_A);
	for (size_t i = 0; i < n; i++)
		if (ip_addr_is_v4(&server->cluster_ips[i]))
			dns_making_addr(m, &server->cluster_ips[i]);
	dns_making_set(m, DNS_TYPE_AAAA);
	for (size_t i = 0; i < n; i++)
		if (!ip_addr_is_v4(&server->cluster_ips[i]))
			dns_making_addr(m, &server->cluster_ips[i]);
	return end_name(m);
}

int
dns_own_names(struct dns_making *m, const struct dns_wire *zone, bool has_pods)
{
	static const char version[] = "\0051.1.0"; /* of the specification: its section 2.2 */
	static const char *const parents[] = { "dns", "svc", "pod" };

	for (unsigned i = 0; i < (has_pods ? 3 : 2); i++) {
		begin_in_zone(m, zone, parents[i], "", 0);
		if (end_name(m) < 0)
			return -ENOMEM;
	}
	begin_in_zone(m, zone, "dns-version", "", 0);
	dns_making_set(m, DNS_TYPE_TXT);
	dns_making_unit(m);
	dns_making_record(m, version, sizeof(version) - 1);
	return end_name(m);
}
