#include "cni/result.h"

#include <stdio.h>
#include <string.h>

/* The interfaces of a result; ips point at the second. */
enum {
	NODE_END,
	POD_END,
};

static json_t *
interface_new(const struct netconf *n, const char *name, const char *mac, unsigned mtu, const char *sandbox)
{
	json_t *interface = json_pack("{s:s, s:s}", "name", name, "mac", mac);

	if (sandbox != NULL)
		json_object_set_new(interface, "sandbox", json_string(sandbox));
	if (cni_version_is_at_least(n->version, "1.1.0"))
		json_object_set_new(interface, "mtu", json_integer(mtu));
	return interface;
}

json_t *
result_new(const struct netconf *n, const struct wiring *w)
{
	json_t *interfaces = json_array(), *ips = json_array(), *routes = json_array();

	json_array_append_new(interfaces, interface_new(n, w->link, w->node_mac_text, w->mtu, NULL));
	json_array_append_new(interfaces, interface_new(n, n->ifname, w->mac_text, w->mtu, n->netns));
	for (unsigned i = 0; i < w->n_addrs; i++) {
		const struct wiring_addr *a = &w->addrs[i];
		bool v4 = a->family == AF_INET;
		char cidr[INET6_ADDRSTRLEN + 4];
		json_t *ip;

		snprintf(cidr, sizeof(cidr), "%s/%d", a->addr, v4 ? 32 : 128);
		ip = json_pack(
			"{s:s, s:s, s:i}", "address", cidr, "gateway", a->gateway, "interface", POD_END);
		if (!cni_version_is_at_least(n->version, "1.0.0"))
			json_object_set_new(ip, "version", json_string(v4 ? "4" : "6"));
		json_array_append_new(ips, ip);
		json_array_append_new(
			routes, json_pack("{s:s, s:s}", "dst", v4 ? "0.0.0.0/0" : "::/0", "gw", a->gateway));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:{}}", "cniVersion", n->version, "interfaces", interfaces,
		"ips", ips, "routes", routes, "dns");
}

static bool
has_interface(const json_t *result, const char *name)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface) {
		const char *found = json_string_value(json_object_get(interface, "name"));

		if (found != NULL && strcmp(found, name) == 0)
			return true;
	}
	return false;
}

static bool
has_addr(const json_t *result, const char *addr)
{
	const json_t *ip;
	size_t i, len = strlen(addr);

	json_array_foreach (json_object_get(result, "ips"), i, ip) {
		const char *found = json_string_value(json_object_get(ip, "address"));

		if (found != NULL && strncmp(found, addr, len) == 0 && found[len] == '/')
			return true;
	}
	return false;
}

enum cni_code
result_compare(const struct netconf *n, const struct wiring *w, struct cni_error *e)
{
	if (!has_interface(n->prev_result, n->ifname))
		return cni_fail(
			e, CNI_CHECK_MISMATCH, NULL, "prevResult does not name the interface %s", n->ifname);
	for (unsigned i = 0; i < w->n_addrs; i++)
		if (!has_addr(n->prev_result, w->addrs[i].addr))
			return cni_fail(e, CNI_CHECK_MISMATCH, NULL, "prevResult lacks the pod's address %s",
				w->addrs[i].addr);
	return CNI_OK;
}

json_t *
result_error(const char *version, const struct cni_error *e)
{
	json_t *error =
		json_pack("{s:s, s:i, s:s}", "cniVersion", version, "code", (int)e->code, "msg", e->msg);

	if (error == NULL) /* the message quotes input that is not UTF-8 */
		error = json_pack("{s:s, s:i, s:s}", "cniVersion", version, "code", (int)e->code, "msg",
			"the input holds bytes that are not UTF-8");
	if (e->details[0] != '\0')
		json_object_set_new(error, "details", json_string(e->details));
	return error;
}

json_t *
result_versions(const char *version)
{
	json_t *supported = json_array();
	const char *newest = "";

	for (unsigned i = 0; cni_versions[i] != NULL; i++) {
		newest = cni_versions[i];
		json_array_append_new(supported, json_string(newest));
	}
	return json_pack("{s:s, s:o}", "cniVersion", version[0] == '\0' ? newest : version,
		"supportedVersions", supported);
}
