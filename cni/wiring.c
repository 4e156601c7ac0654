#include "cni/wiring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
text_get(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && text[0] != '\0' && (size_t)snprintf(out, size, "%s", text) < size;
}

static bool
mac_get(const json_t *object, const char *key, uint8_t mac[static 6], char text[static MAC_STRLEN])
{
	return text_get(object, key, text, MAC_STRLEN) &&
	       sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		       &mac[5]) == 6;
}

static bool
addr_decode(struct wiring_addr *a, const json_t *object)
{
	struct in6_addr bytes;

	if (!text_get(object, "address", a->addr, sizeof(a->addr)) ||
		!text_get(object, "gateway", a->gateway, sizeof(a->gateway)))
		return false;
	a->family = strchr(a->addr, ':') == NULL ? AF_INET : AF_INET6;
	return inet_pton(a->family, a->addr, &bytes) == 1 && inet_pton(a->family, a->gateway, &bytes) == 1;
}

enum cni_code
wiring_decode(struct wiring *w, const json_t *reply, struct cni_error *e)
{
	const json_t *addrs = json_object_get(reply, "addresses");
	json_int_t mtu = json_integer_value(json_object_get(reply, "mtu"));

	*w = (struct wiring){
		.mtu = (unsigned)mtu,
		.n_addrs = (unsigned)json_array_size(addrs),
		.sysctls = json_object_get(reply, "sysctls"),
		.features_off = json_object_get(reply, "featuresOff"),
		.attempt = json_integer_value(json_object_get(reply, "attempt")),
		.is_attached = json_is_true(json_object_get(reply, "attached")),
	};
	if (!text_get(reply, "link", w->link, sizeof(w->link)) ||
		!mac_get(reply, "mac", w->mac, w->mac_text) ||
		!mac_get(reply, "nodeMac", w->node_mac, w->node_mac_text) || mtu < 68 || mtu > 65535 ||
		w->n_addrs == 0 || w->n_addrs > WIRING_ADDRS_MAX)
		goto malformed;
	for (unsigned i = 0; i < w->n_addrs; i++)
		if (!addr_decode(&w->addrs[i], json_array_get(addrs, i)))
			goto malformed;
	return CNI_OK;
malformed:
	return cni_fail(e, CNI_DECODE_FAILURE, "Do ringway-cni and ringwayd have the same version?",
		"ringwayd sent an answer that this program does not understand");
}
