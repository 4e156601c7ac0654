#include "control/config_check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/build/dns_options.h"
#include "control/config.h"
#include "control/config_place.h"
#include "control/node/port_claim.h"
#include "dataplane/net/ip_addr.h"

#define MTU_MIN 1280u /* RFC 8200 section 5 */

static void
check_prefixes(const char *key, const struct string_list *list, struct config_place *p)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < list->n; i++)
		if (!ip_prefix_parse(list->items[i], &prefix))
			config_complain(p, key,
				"\"%s\" is not a network, such as 10.244.0.0/16 or fd00:10:244::/48",
				list->items[i]);
}

/* An address must be either a pod's or a service's. */
static void
check_overlap(const struct config *c, struct config_place *p)
{
	struct ip_prefix pods, services;

	for (size_t i = 0; i < c->cluster.pod_cidrs.n; i++)
		for (size_t j = 0; j < c->cluster.service_cidrs.n; j++)
			if (ip_prefix_parse(c->cluster.pod_cidrs.items[i], &pods) &&
				ip_prefix_parse(c->cluster.service_cidrs.items[j], &services) &&
				(ip_prefix_contains(&pods, &services.addr) ||
					ip_prefix_contains(&services, &pods.addr)))
				config_complain(p, "cluster.serviceCIDRs",
					"%s overlaps with %s of cluster.podCIDRs",
					c->cluster.service_cidrs.items[j], c->cluster.pod_cidrs.items[i]);
}

static void
check_cpus(const struct string_list *cpus, struct config_place *p)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (size_t i = 0; i < cpus->n; i++) {
		char *end;
		long cpu = strtol(cpus->items[i], &end, 10);

		if (*end != '\0' || end == cpus->items[i] || cpu < 0 || cpu >= n_cpus)
			config_complain(p, "workers.cpus",
				"\"%s\" is not a core of this machine: it has 0 to %ld", cpus->items[i],
				n_cpus - 1);
		for (size_t j = 0; j < i; j++)
			if (strcmp(cpus->items[i], cpus->items[j]) == 0)
				config_complain(p, "workers.cpus", "core %s is given twice", cpus->items[i]);
	}
}

static struct dns_text_list
texts_of(const struct string_list *list)
{
	return (struct dns_text_list){ list->n, list->items };
}

static int
read_dns(const struct config *c, struct dns_options *out,
	void (*fn)(const char *key, const char *text, void *arg), void *arg)
{
	const struct dns_texts texts = {
		.service = c->dns.service,
		.zone = c->dns.zone,
		.local = texts_of(&c->dns.local_addresses),
		.upstreams = texts_of(&c->dns.upstreams),
		.stubs = texts_of(&c->dns.stub_domains),
		.suffixes = texts_of(&c->dns.search_suffixes),
		.pod_cidrs = texts_of(&c->cluster.pod_cidrs),
		.service_cidrs = texts_of(&c->cluster.service_cidrs),
		.ttl_s = c->dns.ttl,
		.pods = (enum dns_pod_records)c->dns.pod_records,
		.completes_searches = c->dns.search_completion == DNS_SEARCH_COMPLETION_ON,
		.is_shadow = c->dns.mode == DNS_MODE_SHADOW,
	};

	return dns_options_read(out, &texts, fn, arg);
}

static void
say_wrong(const char *key, const char *text, void *arg)
{
	config_complain(arg, key, "%s", text);
}

static void
check_dns(const struct config *c, struct config_place *p)
{
	struct dns_options dns;

	if (read_dns(c, &dns, say_wrong, p) < 0)
		config_complain(p, "dns", "out of memory");
	dns_options_fini(&dns);
}

static void
ignore(const char *key, const char *text, void *arg)
{
}

int
config_dns(const struct config *c, struct dns_options *out)
{
	return read_dns(c, out, ignore, NULL);
}

int
config_check(struct config *c, FILE *errors)
{
	struct config_place p = { .file = "configuration", .errors = errors };
	uint16_t first, last;

	check_prefixes("cluster.podCIDRs", &c->cluster.pod_cidrs, &p);
	check_prefixes("cluster.serviceCIDRs", &c->cluster.service_cidrs, &p);
	check_prefixes("cluster.externalIPRanges", &c->cluster.external_ip_ranges, &p);
	check_prefixes("cluster.nonMasqueradeCIDRs", &c->cluster.non_masquerade_cidrs, &p);
	check_overlap(c, &p);
	if (*c->cluster.manifests != '\0' && config_has_api_server(c))
		config_complain(&p, "cluster.manifests",
			"and %s are both set; the cluster's state comes from one of them",
			*c->cluster.api_server != '\0' ? "cluster.apiServer" : "cluster.kubeconfig");
	check_cpus(&c->workers.cpus, &p);
	if (c->overlay.mtu != 0 && c->overlay.mtu < MTU_MIN)
		config_complain(&p, "overlay.mtu", "is %u, must be 0 or at least %u, which IPv6 needs",
			c->overlay.mtu, MTU_MIN);
	if (c->services.exceptions_per_pod > c->services.exceptions)
		config_complain(&p, "services.exceptionsPerPod", "is %u, above services.exceptions (%u)",
			c->services.exceptions_per_pod, c->services.exceptions);
	if (!port_claim_parse(c->masquerade.ports, &first, &last))
		config_complain(&p, "masquerade.ports",
			"\"%s\" is no range of ports with a whole block of 64, such as 16384-29951",
			c->masquerade.ports);
	if (c->masquerade.flows_per_pod > c->masquerade.flows)
		config_complain(&p, "masquerade.flowsPerPod", "is %u, above masquerade.flows (%u)",
			c->masquerade.flows_per_pod, c->masquerade.flows);
	check_dns(c, &p);
	if (*c->cni.conf_dir != '\0' && *c->cni.conf_dir != '/')
		config_complain(&p, "cni.confDir", "\"%s\" is no absolute path", c->cni.conf_dir);
	if (*c->cni.bin_dir != '\0' && *c->cni.bin_dir != '/')
		config_complain(&p, "cni.binDir", "\"%s\" is no absolute path", c->cni.bin_dir);
	if (strlen(c->host.interface) == 0 || strlen(c->host.interface) > 15)
		config_complain(&p, "host.interface", "must have 1 to 15 characters");
	else if (strpbrk(c->host.interface, "/: \t") != NULL)
		config_complain(
			&p, "host.interface", "\"%s\" is no name for an interface", c->host.interface);
	if (strlen(c->uplink.interface) > 15)
		config_complain(&p, "uplink.interface", "has more than 15 characters");
	if (*c->node.name == '\0') {
		char name[256] = "";

		gethostname(name, sizeof(name) - 1);
		free(c->node.name);
		c->node.name = strdup(name);
	}
	if (c->node.name == NULL || *c->node.name == '\0')
		config_complain(&p, "node.name", "is not set and the host has no name");
	return p.n_errors;
}
