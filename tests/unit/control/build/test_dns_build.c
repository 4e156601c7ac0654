/* Whatever changes in whatever order, a build that looks at the changes alone makes the zone that a build from nothing makes,
 * versions in use do not change, and no memory is lost. What a zone says is in tests/dns. */
#include "control/build/dns_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/yaml_objects.h"

#define STEPS 2500
#define N_KEPT 4 /* versions in use at a time */

static uint32_t seed;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static void __attribute__((format(printf, 2, 3))) put(struct store *s, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_yaml(s, text);
}

/* --- changes */

static const char *const namespaces[] = { "a", "b", "kube-system" };

static const char *
draw_namespace(void)
{
	return namespaces[draw(3)];
}

static void
change_namespace(struct store *s)
{
	const char *name = draw_namespace();

	if (draw(3) == 0)
		store_remove(s, OBJECT_NAMESPACE, "", name);
	else
		put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {x: v%u}}}", name,
			draw(9));
}

static const char *
draw_service(void)
{
	static const char *const names[] = { "kube-dns", "s1", "s2", "s3", "s4" };

	return names[draw(5)];
}

static void
change_service(struct store *s)
{
	const char *ns = draw_namespace(), *name = draw_service();
	const char *metadata = "apiVersion: v1, kind: Service, metadata";

	switch (draw(5)) {
	case 0:
		store_remove(s, OBJECT_SERVICE, ns, name);
		break;
	case 1:
		put(s,
			"{%s: {name: %s, namespace: %s}, spec: {type: ExternalName, externalName: "
			"%s.%s.svc.x}}",
			metadata, name, ns, draw_service(), draw_namespace());
		break;
	case 2:
		put(s,
			"{%s: {name: %s, namespace: %s}, spec: {clusterIPs: [10.96.0.%u, 'fd00::%u'], ports: "
			"[{name: "
			"p%u, port: 80}, {name: q, port: 81, protocol: UDP}]}}",
			metadata, name, ns, draw(250) + 1, draw(250) + 1, draw(3));
		break;
	default:
		put(s,
			"{%s: {name: %s, namespace: %s}, spec: {clusterIP: None, publishNotReadyAddresses: "
			"%s, "
			"ports: [{name: p, port: 80}]}}",
			metadata, name, ns, draw(3) == 0 ? "true" : "false");
		break;
	}
}

static void
change_slice(struct store *s)
{
	const char *ns = draw_namespace();
	char name[16], endpoints[1024] = "";
	size_t at = 0;
	bool is_v4 = draw(3) != 0;

	snprintf(name, sizeof(name), "slice-%u", draw(8));
	if (draw(4) == 0) {
		store_remove(s, OBJECT_ENDPOINT_SLICE, ns, name);
		return;
	}
	for (unsigned n = draw(6); n > 0; n--) {
		char hostname[32] = "";

		if (draw(2) == 0)
			snprintf(hostname, sizeof(hostname), ", hostname: h%u", draw(4));
		at += (size_t)snprintf(endpoints + at, sizeof(endpoints) - at,
			is_v4 ? "{addresses: [10.1.0.%u]%s, conditions: {ready: %s}}, "
			      : "{addresses: ['fd01::%u']%s, conditions: {ready: %s}}, ",
			draw(9) + 1, hostname, draw(4) == 0 ? "false" : "true");
	}
	put(s,
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s, namespace: %s, "
		"labels: "
		"{kubernetes.io/service-name: %s}}, addressType: %s, ports: [{name: p%u, port: %u}], "
		"endpoints: [%s]}",
		name, ns, draw_service(), is_v4 ? "IPv4" : "IPv6", draw(2), 80 + draw(2), endpoints);
}

static void
change_pod(struct store *s)
{
	const char *ns = draw_namespace();
	char name[16];

	snprintf(name, sizeof(name), "pod-%u", draw(5));
	if (draw(3) == 0)
		store_remove(s, OBJECT_POD, ns, name);
	else
		put(s,
			"{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {}, status: "
			"{phase: %s, "
			"podIPs: [{ip: 10.1.0.%u}, {ip: 'fd01::%u'}]}}",
			name, ns, draw(5) == 0 ? "Succeeded" : "Running", draw(3) + 1, draw(3) + 1);
}

static void
change(struct store *s)
{
	static void (*const changes[])(struct store *) = { change_namespace, change_service, change_service,
		change_slice, change_slice, change_slice, change_pod };

	for (unsigned n = draw(4) + 1; n > 0; n--)
		changes[draw(7)](s);
}

/* --- zones */

static struct dns_builder *
builder_new(struct store *s, enum dns_pod_records pods)
{
	const struct dns_build_config config = { .zone = "X",
		.ttl_s = 30,
		.pods = pods,
		.server_ns = "kube-system",
		.server = "kube-dns",
		.serial = 1 };
	struct dns_builder *b;

	assert_int_equal(dns_builder_new(&b, s, &config), 0);
	return b;
}

/* All but the hash, for which each builder has a seed of its own. */
static void
assert_same_node(const struct dns_node *node, const struct dns_node *wanted)
{
	if (wanted == NULL || node->size != wanted->size ||
		memcmp(&node->size, &wanted->size, node->size - offsetof(struct dns_node, size)) != 0) {
		char name[DNS_TEXT_SIZE];

		fail_msg("%s is not what a build from nothing makes of it%s",
			dns_wire_format(node->name, name), wanted == NULL ? ", which is nothing" : "");
	}
}

static void
assert_same(const struct dns_zone *z, const struct dns_zone *wanted)
{
	size_t n = 0;

	for (unsigned s = 0; s < DNS_SHARDS; s++)
		for (uint32_t i = 0; i <= z->shards[s].mask; i++) {
			const struct dns_node *node = z->shards[s].slots[i].node;

			if (node == NULL)
				continue;
			n++;
			assert_same_node(node, dns_zone_get(wanted, node->name, node->len));
			assert_ptr_equal(dns_zone_get(z, node->name, node->len), node);
		}
	assert_int_equal(n, dns_zone_count(z));
	assert_int_equal(n, dns_zone_count(wanted));
}

/* Names, and the shards that have some. */
static size_t
count_pieces(const struct dns_zone *z)
{
	size_t n = dns_zone_count(z);

	for (unsigned s = 0; s < DNS_SHARDS; s++)
		n += z->shards[s].n != 0;
	return n;
}

/* Of all that a version says. */
static uint64_t
checksum(const struct dns_zone *z)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < DNS_SHARDS; s++)
		for (uint32_t i = 0; i <= z->shards[s].mask; i++) {
			const struct dns_node *node = z->shards[s].slots[i].node;
			uint64_t hash = 14695981039346656037u;

			for (uint32_t k = 0; node != NULL && k < node->size; k++)
				hash = (hash ^ ((const uint8_t *)node)[k]) * 1099511628211u;
			sum += hash;
		}
	return sum;
}

struct kept {
	struct dns_zone *zone;
	uint64_t sum;
};

/* In the order in which they were built. */
static void
release_oldest(struct dns_builder *b, struct kept *kept, unsigned *n)
{
	assert_true(checksum(kept[0].zone) == kept[0].sum);
	dns_builder_release(b, kept[0].zone);
	memmove(kept, kept + 1, --*n * sizeof(*kept));
}

static void
keep(struct dns_builder *b, struct kept *kept, unsigned *n, struct dns_zone *z)
{
	if (z != NULL)
		kept[(*n)++] = (struct kept){ z, checksum(z) };
	if (*n > N_KEPT)
		release_oldest(b, kept, n);
}

/* Now and then in steps, between which the store changes. */
static void
build(struct dns_builder *b, struct store *s, struct kept *kept, unsigned *n)
{
	struct dns_zone *z;
	int result;

	for (unsigned i = draw(3) == 0 ? 4 : 0; i > 0; i--) {
		result = dns_builder_step(b, draw(9), &z);
		assert_true(result == 0 || (result == -EAGAIN && z == NULL && !dns_builder_is_idle(b)));
		keep(b, kept, n, z);
		change(s);
	}
	while (!dns_builder_is_idle(b)) {
		assert_int_equal(dns_builder_build(b, &z), 0);
		keep(b, kept, n, z);
	}
}

static void
churn(enum dns_pod_records pods)
{
	struct store *s = store_new();
	struct dns_builder *b = builder_new(s, pods), *from_nothing;
	struct kept kept[N_KEPT + 1];
	unsigned n_kept = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		struct dns_zone *wanted;

		change(s);
		build(b, s, kept, &n_kept);
		if (step % 5 != 0)
			continue;
		from_nothing = builder_new(s, pods);
		assert_int_equal(dns_builder_build(from_nothing, &wanted), 0);
		assert_same(wanted, kept[n_kept - 1].zone);
		assert_same(kept[n_kept - 1].zone, wanted);
		while (step % 50 == 0 && n_kept > 1)
			release_oldest(b, kept, &n_kept);
		if (n_kept == 1)
			assert_int_equal(dns_builder_books(b).n_pieces, count_pieces(kept[0].zone));
		dns_builder_release(from_nothing, wanted);
		assert_int_equal(dns_builder_books(from_nothing).n_pieces, 0);
		dns_builder_free(from_nothing);
	}
	while (n_kept > 0)
		release_oldest(b, kept, &n_kept);
	assert_int_equal(dns_builder_books(b).n_pieces, 0);
	dns_builder_free(b);
	store_free(s);
}

static void
changes_make_what_a_build_from_nothing_makes(void **state)
{
	seed = 1;
	churn(DNS_PODS_INSECURE);
	seed = 2;
	churn(DNS_PODS_VERIFIED);
}

/* One slice of a headless service: some of a hundred endpoints, by turns without names, with short ones, and with long ones that
 * begin alike; the same pod may be in two slices. */
static void
put_large_slice(struct store *s, unsigned number)
{
	static char text[1 << 16];
	size_t at = (size_t)snprintf(text, sizeof(text),
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: slice-%u, "
		"namespace: a, labels: "
		"{kubernetes.io/service-name: large}}, addressType: %s, ports: [{name: p, port: 80}], "
		"endpoints: [",
		number, number % 4 == 3 ? "IPv6" : "IPv4");

	for (unsigned i = 0; i < 100; i++) {
		unsigned n = 80 * number + i;

		if (draw(20) == 0)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			number % 4 == 3 ? "{addresses: ['fd01:%u::%u']" : "{addresses: [10.1.%u.%u]", n / 200,
			n % 200);
		if (number % 3 == 1)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ", hostname: w%u", n / 2);
		else if (number % 3 == 2)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
				", hostname: a-name-that-is-long-and-like-the-others-%u", n);
		at += (size_t)snprintf(text + at, sizeof(text) - at, ", conditions: {ready: %s}}, ",
			draw(20) == 0 ? "false" : "true");
	}
	snprintf(text + at, sizeof(text) - at, "]}");
	put_yaml(s, text);
}

static void
a_large_service_is_what_a_build_from_nothing_makes_of_it(void **state)
{
	struct store *s = store_new();
	struct dns_builder *b = builder_new(s, DNS_PODS_INSECURE), *from_nothing;
	struct dns_zone *z, *next, *wanted;

	seed = 3;
	put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}");
	put(s, "{apiVersion: v1, kind: Service, metadata: {name: large, namespace: a}, spec: {clusterIP: "
	       "None}}");
	for (unsigned i = 0; i < 8; i++)
		put_large_slice(s, i);
	assert_int_equal(dns_builder_build(b, &z), 0);
	for (unsigned step = 0; step < 60; step++) {
		if (step % 20 == 19) /* all at once */
			put(s,
				"{apiVersion: v1, kind: Service, metadata: {name: large, namespace: a}, "
				"spec: {%s}}",
				step % 40 == 19 ? "clusterIP: 10.96.0.1, ports: [{port: 80}]"
						: "clusterIP: None");
		put_large_slice(s, draw(8));
		assert_int_equal(dns_builder_build(b, &next), 0);
		assert_non_null(next);
		dns_builder_release(b, z);
		z = next;
		from_nothing = builder_new(s, DNS_PODS_INSECURE);
		assert_int_equal(dns_builder_build(from_nothing, &wanted), 0);
		assert_same(wanted, z);
		assert_same(z, wanted);
		dns_builder_release(from_nothing, wanted);
		dns_builder_free(from_nothing);
	}
	dns_builder_release(b, z);
	assert_int_equal(dns_builder_books(b).n_pieces, 0);
	dns_builder_free(b);
	store_free(s);
}

static void
what_changes_no_name_makes_no_version(void **state)
{
	struct store *s = store_new();
	struct dns_builder *b = builder_new(s, DNS_PODS_INSECURE);
	struct dns_zone *first, *next;

	put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}");
	put(s, "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: a}, spec: {clusterIP: "
	       "10.0.0.1, "
	       "ports: [{port: 80}]}}");
	assert_int_equal(dns_builder_build(b, &first), 0);
	assert_non_null(first);
	put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {x: v}}}");
	put(s, "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: a}, spec: {clusterIP: "
	       "10.0.0.1, "
	       "sessionAffinity: ClientIP, ports: [{port: 80}]}}");
	assert_false(dns_builder_is_idle(b));
	assert_int_equal(dns_builder_build(b, &next), 0);
	assert_null(next);
	assert_true(dns_builder_is_idle(b));
	dns_builder_release(b, first);
	dns_builder_free(b);
	store_free(s);
}

static void
a_zone_needs_a_name(void **state)
{
#define LABEL "0123456789012345678901234567890123456789"
	static const char *const names[] = { "", ".", "a..b", LABEL LABEL ".x",
		LABEL "." LABEL "." LABEL ".long", "x" };
	struct store *s = store_new();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct dns_build_config config = { .zone = names[i], .server_ns = "", .server = "" };
		struct dns_builder *b;
		int result = dns_builder_new(&b, s, &config);

		assert_int_equal(result, i < 5 ? -EINVAL : 0);
		dns_builder_free(b);
	}
	store_free(s);
}

static void
a_step_goes_no_further_than_asked(void **state)
{
	struct store *s = store_new();
	struct dns_builder *b;
	struct dns_zone *first, *z;
	unsigned n_steps = 0;
	int result;

	put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}");
	for (unsigned i = 0; i < 100; i++)
		put(s,
			"{apiVersion: v1, kind: Service, metadata: {name: s%u, namespace: a}, spec: "
			"{clusterIP: "
			"10.0.0.%u, ports: [{name: p, port: 80}]}}",
			i, i + 1);
	b = builder_new(s, DNS_PODS_INSECURE);
	while ((result = dns_builder_step(b, 30, &z)) == -EAGAIN)
		n_steps++;
	assert_int_equal(result, 0);
	assert_int_equal(n_steps, 12); /* a service counts four: itself, its own name, and two for its port */
	first = z;
	assert_non_null(first);
	/* one that is given up in the middle */
	put(s, "{apiVersion: v1, kind: Namespace, metadata: {name: b}}");
	assert_true(store_remove(s, OBJECT_SERVICE, "a", "s1"));
	assert_int_equal(dns_builder_step(b, 0, &z), -EAGAIN);
	assert_null(z);
	dns_builder_release(b, first);
	dns_builder_free(b);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_make_what_a_build_from_nothing_makes),
		cmocka_unit_test(a_large_service_is_what_a_build_from_nothing_makes_of_it),
		cmocka_unit_test(what_changes_no_name_makes_no_version),
		cmocka_unit_test(a_zone_needs_a_name),
		cmocka_unit_test(a_step_goes_no_further_than_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
