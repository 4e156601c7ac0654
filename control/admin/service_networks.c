#include "control/admin/service_networks.h"

#include <stdio.h>

#include "control/config.h"
#include "control/model/store.h"

static bool
is_configured(const struct config *config, const struct ip_addr *addr, uint8_t len)
{
	const struct string_list *list = &config->cluster.service_cidrs;
	struct ip_prefix prefix;

	for (size_t i = 0; i < list->n; i++)
		if (ip_prefix_parse(list->items[i], &prefix) && prefix.len <= len &&
			ip_addr_is_v4(&prefix.addr) == ip_addr_is_v4(addr) &&
			ip_prefix_contains(&prefix, addr))
			return true;
	return false;
}

struct walk {
	const struct config *config;
	void (*fn)(const struct service_cidr_object *object, const struct ip_prefix *network, void *arg);
	void *arg;
};

static void
look_at_object(const struct object *object, void *arg)
{
	const struct service_cidr_object *o = (const struct service_cidr_object *)object;
	const struct walk *w = arg;

	for (size_t i = 0; i < o->n_cidrs; i++)
		if (!is_configured(w->config, &o->cidrs[i].addr, o->cidrs[i].len))
			w->fn(o, &o->cidrs[i], w->arg);
}

void
service_networks_each_missing(const struct store *store, const struct config *config,
	void (*fn)(const struct service_cidr_object *object, const struct ip_prefix *network, void *arg),
	void *arg)
{
	struct walk w = { config, fn, arg };

	store_each(store, OBJECT_SERVICE_CIDR, look_at_object, &w);
}

/* --- as texts */

struct listing {
	const struct store *store;
	const struct config *config;
	json_t *texts;
};

struct search {
	const struct config *config;
	const struct ip_prefix *network;
	size_t n;
	const struct object *first;
};

static void
look_at_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	struct search *s = arg;
	bool is_found = false;

	for (size_t i = 0; i < service->n_cluster_ips; i++)
		is_found |= ip_prefix_contains(s->network, &service->cluster_ips[i]) &&
			    !is_configured(s->config, &service->cluster_ips[i], 128);
	if (is_found && s->n++ == 0)
		s->first = object;
}

static void
add_text(const struct service_cidr_object *object, const struct ip_prefix *network, void *arg)
{
	struct listing *l = arg;
	struct search s = { .config = l->config, .network = network };
	char cidr[IP_PREFIX_STRLEN], who[512] = "";

	store_each(l->store, OBJECT_SERVICE, look_at_service, &s);
	if (s.n != 0)
		snprintf(who, sizeof(who), "; %zu %s an address there: %s/%s%s", s.n,
			s.n == 1 ? "has" : "have", s.first->ns, s.first->name, s.n == 1 ? "" : " and others");
	json_array_append_new(l->texts, json_sprintf("%s of ServiceCIDR %s " SERVICE_NETWORK_PROBLEM "%s",
						ip_prefix_format(network, cidr), object->object.name, who));
}

json_t *
service_networks_texts(const struct store *store, const struct config *config)
{
	struct listing l = { store, config, json_array() };

	service_networks_each_missing(store, config, add_text, &l);
	return l.texts;
}
