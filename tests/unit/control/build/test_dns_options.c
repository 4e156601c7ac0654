/* What the options dns.* say, and what is wrong with them. */
#include "control/build/dns_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS_MAX 20

struct given {
	const char *zone, *service; /* NULL: as by default */
	char *local[ITEMS_MAX], *upstreams[ITEMS_MAX], *stubs[ITEMS_MAX], *suffixes[ITEMS_MAX];
	bool is_shadow;
};

static void
note(const char *key, const char *text, void *arg)
{
	fprintf(arg, "%s: %s\n", key, text);
}

static struct dns_text_list
list_of(char *const items[static ITEMS_MAX])
{
	struct dns_text_list list = { 0, items };

	while (list.n < ITEMS_MAX && items[list.n] != NULL)
		list.n++;
	return list;
}

/* Returns what was complained about, for the caller to free. */
static char *
read_options(struct dns_options *out, const struct given *given)
{
	static char *pods[] = { "10.244.0.0/16", "fd00:10:244::/48" },
		    *services[] = { "10.96.0.0/16", "fd00:10:96::/112" };
	const struct dns_texts texts = {
		.zone = given->zone == NULL ? "cluster.local" : given->zone,
		.service = given->service == NULL ? "kube-system/kube-dns" : given->service,
		.local = list_of(given->local),
		.upstreams = list_of(given->upstreams),
		.stubs = list_of(given->stubs),
		.suffixes = list_of(given->suffixes),
		.pod_cidrs = { 2, pods },
		.service_cidrs = { 2, services },
		.ttl_s = 30,
		.is_shadow = given->is_shadow,
	};
	char *said = NULL;
	size_t size;
	FILE *f = open_memstream(&said, &size);

	assert_int_equal(dns_options_read(out, &texts, note, f), 0);
	fclose(f);
	return said;
}

static void
assert_name(const struct dns_name_entry *e, const char *text, unsigned labels)
{
	char name[DNS_TEXT_SIZE];

	assert_string_equal(dns_wire_format(e->name, name), text);
	assert_int_equal(e->labels, labels);
}

static void
assert_server(const struct dns_server *s, const char *text)
{
	char buf[DNS_SERVER_STRLEN];

	assert_string_equal(dns_server_format(s, buf), text);
}

static void
all_is_read(void **state)
{
	const struct given given = {
		.zone = "Cluster.Local.",
		.service = "dns/core",
		.local = { "169.254.20.10", "fd00::53" },
		.upstreams = { "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353", "2001:db8::53",
			"[2001:db8::54]:53" },
		.stubs = { "corp.example=192.0.2.1,192.0.2.2:54", "a.Corp.Example.=[2001:db8::1]:53" },
		.suffixes = { "corp.example", "/etc/resolv.conf", "Corp.Example.", "x.cluster.local", ".",
			"eu.corp.example" },
	};
	struct dns_options o;
	char *said = read_options(&o, &given);

	assert_string_equal(said, "");
	assert_string_equal(o.zone_text, "Cluster.Local.");
	assert_int_equal(o.zone.len, 15);
	assert_string_equal(o.service_ns, "dns");
	assert_string_equal(o.service, "core");
	assert_int_equal(o.n_local, 2);
	assert_int_equal(o.n_upstreams, 5);
	assert_server(&o.upstreams[0], "192.0.2.53");
	assert_server(&o.upstreams[1], "192.0.2.53:5353");
	assert_server(&o.upstreams[2], "[2001:db8::53]:5353");
	assert_server(&o.upstreams[3], "2001:db8::53");
	assert_server(&o.upstreams[4], "2001:db8::54");
	/* the longer one first */
	assert_int_equal(o.n_stubs, 2);
	assert_name(&o.stubs[0].zone, "a.corp.example.", 3);
	assert_int_equal(o.stubs[0].n, 1);
	assert_name(&o.stubs[1].zone, "corp.example.", 2);
	assert_int_equal(o.stubs[1].n, 2);
	assert_server(&o.stubs[1].servers[1], "192.0.2.2:54");
	/* each once, and none of the zone's */
	assert_int_equal(o.n_suffixes, 2);
	assert_name(&o.suffixes[0], "corp.example.", 2);
	assert_name(&o.suffixes[1], "eu.corp.example.", 3);
	free(said);
	dns_options_fini(&o);
}

static void
nothing_is_fine(void **state)
{
	const struct given given = { 0 };
	struct dns_options o;
	char *said = read_options(&o, &given);

	assert_string_equal(said, "");
	assert_string_equal(o.zone_text, "cluster.local");
	assert_int_equal(o.n_local + o.n_upstreams + o.n_stubs + o.n_suffixes, 0);
	free(said);
	dns_options_fini(&o);
}

/* What the mode "on" would refuse is refused in shadow mode already, though the addresses are not used. */
static void
local_addresses_are_tried_in_shadow_mode(void **state)
{
	static const char said_of_loop[] =
		"dns.upstreams: 169.254.20.10 is one of dns.localAddresses: this node would ask itself\n";

	for (unsigned is_shadow = 0; is_shadow < 2; is_shadow++) {
		const struct given given = {
			.local = { "169.254.20.10" }, .upstreams = { "169.254.20.10" }, .is_shadow = is_shadow
		};
		struct dns_options o;
		char *said = read_options(&o, &given);

		assert_string_equal(said, said_of_loop);
		assert_int_equal(o.n_local, !is_shadow);
		free(said);
		dns_options_fini(&o);
	}
}

static void
what_is_wrong_is_said_and_left_out(void **state)
{
	static const struct {
		struct given given;
		const char *said;
	} cases[] = {
		{ { .zone = "." },
			"dns.zone: \".\" is no name that a zone can have, such as cluster.local\n" },
		{ { .zone = "" }, "dns.zone: \"\" is no name that a zone can have, such as cluster.local\n" },
		{ { .zone = "a..b" },
			"dns.zone: \"a..b\" is no name that a zone can have, such as cluster.local\n" },
		{ { .service = "kube-dns" },
			"dns.service: \"kube-dns\" is not NAMESPACE/NAME, such as kube-system/kube-dns\n" },
		{ { .service = "a/b/c" },
			"dns.service: \"a/b/c\" is not NAMESPACE/NAME, such as kube-system/kube-dns\n" },
		{ { .service = "/b" },
			"dns.service: \"/b\" is not NAMESPACE/NAME, such as kube-system/kube-dns\n" },
		{ { .local = { "here" } }, "dns.localAddresses: \"here\" is no address\n" },
		{ { .local = { "169.254.20.10", "169.254.20.10" } },
			"dns.localAddresses: 169.254.20.10 is there twice\n" },
		{ { .local = { "10.244.1.2" } },
			"dns.localAddresses: 10.244.1.2 is a pod's address: it is in "
			"10.244.0.0/16 of cluster.podCIDRs\n" },
		{ { .local = { "fd00:10:96::a" } }, "dns.localAddresses: fd00:10:96::a is a service's "
						    "address: it is in fd00:10:96::/112 of "
						    "cluster.serviceCIDRs\n" },
		{ { .local = { "192.0.2.1" } }, "dns.localAddresses: 192.0.2.1 is neither link-local "
						"(169.254.0.0/16) nor unique local (fc00::/7)\n" },
		{ { .local = { "fe80::53" } },
			"dns.localAddresses: fe80::53 is neither link-local (169.254.0.0/16) "
			"nor unique local (fc00::/7)\n" },
		{ { .local = { "224.0.0.53" } },
			"dns.localAddresses: 224.0.0.53 is neither link-local "
			"(169.254.0.0/16) nor unique local (fc00::/7), but multicast\n" },
		{ { .local = { "169.254.1.1" } },
			"dns.localAddresses: 169.254.1.1 is the address of the pods' gateway\n" },
		{ { .local = { "169.254.169.254" } }, "dns.localAddresses: 169.254.169.254 is the address of "
						      "the cloud's metadata service\n" },
		{ { .local = { "169.254.1.17" } },
			"dns.localAddresses: 169.254.1.17 is the address of a pod's that "
			"reaches itself through a service\n" },
		{ { .local = { "fd00::1", "fd00::2", "fd00::3", "fd00::4", "fd00::5", "fd00::6", "fd00::7",
			    "fd00::8", "fd00::9" } },
			"dns.localAddresses: fd00::9 is one too many: there may be 8 addresses\n" },
		{ { .upstreams = { "dns.example" } },
			"dns.upstreams: \"dns.example\" is no server, such as "
			"192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353\n" },
		{ { .upstreams = { "192.0.2.53:0" } },
			"dns.upstreams: \"192.0.2.53:0\" is no server, such as "
			"192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353\n" },
		{ { .upstreams = { "[2001:db8::53]" } },
			"dns.upstreams: \"[2001:db8::53]\" is no server, such as "
			"192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353\n" },
		{ { .upstreams = { "224.0.0.251" } }, "dns.upstreams: 224.0.0.251 is no server's address: it "
						      "is multicast, link-local or none\n" },
		{ { .upstreams = { "192.0.2.53", "192.0.2.53:53" } },
			"dns.upstreams: 192.0.2.53:53 is there twice\n" },
		{ { .local = { "169.254.20.10" }, .upstreams = { "169.254.20.10" } },
			"dns.upstreams: 169.254.20.10 is one of dns.localAddresses: this node would ask "
			"itself\n" },
		{ { .upstreams = { "10.96.0.10" } },
			"dns.upstreams: 10.96.0.10 is a service's address, of which queries "
			"come back to this node; name its endpoints\n" },
		{ { .stubs = { "corp.example" } },
			"dns.stubDomains: \"corp.example\" names no server; it must be as "
			"corp.example=192.0.2.53,192.0.2.54:5353\n" },
		{ { .stubs = { "corp.example=" } },
			"dns.stubDomains: \"corp.example=\" names no server; it must be as "
			"corp.example=192.0.2.53,192.0.2.54:5353\n" },
		{ { .stubs = { "corp.example=a" } },
			"dns.stubDomains: \"a\" is no server, such as 192.0.2.53, "
			"192.0.2.53:5353 or [2001:db8::53]:5353\n" },
		{ { .stubs = { "a..b=192.0.2.1" } },
			"dns.stubDomains: \"a..b\" is no name that a zone can have\n" },
		{ { .stubs = { ".=192.0.2.1" } },
			"dns.stubDomains: servers for all names are in dns.upstreams\n" },
		{ { .stubs = { "a.cluster.local=192.0.2.1" } },
			"dns.stubDomains: a.cluster.local is in dns.zone, of which this node knows all "
			"names\n" },
		{ { .stubs = { "x=192.0.2.1", "X.=192.0.2.2" } },
			"dns.stubDomains: X. is there twice; its servers go into one list\n" },
		{ { .suffixes = { "a..b" } },
			"dns.searchSuffixes: \"a..b\" is neither a name nor the path of a file as "
			"/etc/resolv.conf\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_options o;
		char *said = read_options(&o, &cases[i].given);

		assert_string_equal(said, cases[i].said);
		free(said);
		dns_options_fini(&o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_read),
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(local_addresses_are_tried_in_shadow_mode),
		cmocka_unit_test(what_is_wrong_is_said_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
