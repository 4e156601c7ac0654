/* What makes a service reachable from outside: external addresses, a load balancer's, who may use it. */
#include "control/source/decode.h"

static void
decode_external_ips(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "externalIPs");
	size_t n = field_count(&list);

	s->external_ips = field_alloc(&list, n, sizeof(*s->external_ips));
	for (size_t i = 0; s->external_ips != NULL && i < n; i++) {
		struct field f = field_element(&list, i);

		s->external_ips[s->n_external_ips++] = field_addr(&f);
	}
}

/* Entries with a host name instead of an address are for clients to resolve: nothing arrives here for them. */
static void
decode_ingress(const struct field *root, struct service_object *s)
{
	static const char *const modes[] = { "VIP", "Proxy" };
	struct field status = field_member(root, "status"), balancer = field_member(&status, "loadBalancer");
	struct field list = field_member(&balancer, "ingress");
	size_t n = field_count(&list);

	s->ingress = field_alloc(&list, n, sizeof(*s->ingress));
	for (size_t i = 0; s->ingress != NULL && i < n; i++) {
		struct field entry = field_element(&list, i), ip = field_member(&entry, "ip");
		struct field mode = field_member(&entry, "ipMode");

		if (*field_peek(&ip) == '\0')
			continue;
		s->ingress[s->n_ingress++] = (struct ingress_addr){
			.addr = field_addr(&ip),
			.is_proxy = field_choice(&mode, modes, 2) == 1,
		};
	}
}

static void
decode_source_ranges(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "loadBalancerSourceRanges");
	size_t n = field_count(&list);

	s->source_ranges = field_alloc(&list, n, sizeof(*s->source_ranges));
	for (size_t i = 0; s->source_ranges != NULL && i < n; i++) {
		struct field f = field_element(&list, i);

		s->source_ranges[s->n_source_ranges++] = field_prefix(&f);
	}
}

static void
decode_balancer(const struct field *root, const struct field *spec, struct service_object *s)
{
	struct field class = field_member(spec, "loadBalancerClass");
	struct field health = field_member(spec, "healthCheckNodePort");

	if (*field_peek(&class) != '\0')
		s->lb_class = field_text(&class, NULL);
	decode_ingress(root, s);
	decode_source_ranges(spec, s);
	s->health_check_node_port = (uint16_t)field_number_or(&health, 0, 0, 65535);
	if (s->health_check_node_port != 0 && !s->external_local)
		field_fail(
			&health, "is %u, but externalTrafficPolicy is not Local", s->health_check_node_port);
}

void
exposure_decode(const struct field *root, struct service_object *s)
{
	struct field spec = field_member(root, "spec"), name = field_member(&spec, "externalName");

	if (s->type == SERVICE_EXTERNAL_NAME)
		s->external_name = field_text(&name, NULL);
	else
		decode_external_ips(&spec, s);
	if (s->type == SERVICE_LOAD_BALANCER)
		decode_balancer(root, &spec, s);
}
