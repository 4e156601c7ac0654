#include "control/admin/unmanaged.h"

#include <string.h>

#include "control/daemon.h"
#include "control/model/store.h"
#include "control/node/attach.h"

struct walk {
	const char *node_name;
	const struct attach *attach;
	void (*fn)(const struct pod_object *pod, void *arg);
	void *arg;
};

struct search {
	const struct pod_object *pod;
	bool is_found;
};

/* By name, since a status is late where a pod was made anew; or by address, where the runtime gives no names. */
static void
compare(const struct attached *attached, void *arg)
{
	const struct attachment_record *r = &attached->record;
	struct search *s = arg;

	s->is_found |= strcmp(r->pod, s->pod->object.name) == 0 && strcmp(r->pod_ns, s->pod->object.ns) == 0;
	for (size_t i = 0; i < s->pod->n_addrs; i++)
		for (unsigned f = 0; f < N_FAMILIES; f++)
			s->is_found |=
				!ip_addr_is_none(&r->addrs[f]) && ip_addr_eq(&r->addrs[f], &s->pod->addrs[i]);
}

static void
judge(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct search search = { .pod = pod };
	const struct walk *w = arg;

	if (pod->n_addrs == 0 || pod->host_network || pod->has_ended || pod->is_terminating ||
		strcmp(pod->node, w->node_name) != 0)
		return;
	if (w->attach != NULL)
		attach_each(w->attach, compare, &search);
	if (!search.is_found)
		w->fn(pod, w->arg);
}

void
unmanaged_each(const struct store *store, const char *node_name, const struct attach *attach,
	void (*fn)(const struct pod_object *pod, void *arg), void *arg)
{
	struct walk w = { node_name, attach, fn, arg };

	store_each(store, OBJECT_POD, judge, &w);
}

static void
count_one(const struct pod_object *pod, void *arg)
{
	++*(size_t *)arg;
}

size_t
unmanaged_count(const struct daemon *d)
{
	size_t n = 0;

	unmanaged_each(d->store, d->config.node.name, d->attach, count_one, &n);
	return n;
}

static void
add(const struct pod_object *pod, void *arg)
{
	json_t *addresses = json_array();
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < pod->n_addrs; i++)
		json_array_append_new(addresses, json_string(ip_addr_format(&pod->addrs[i], text)));
	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:o, s:s}", "namespace", pod->object.ns, "name", pod->object.name,
			     "addresses", addresses, "problem", UNMANAGED_PROBLEM));
}

json_t *
unmanaged_json(const struct daemon *d)
{
	json_t *list = json_array();

	unmanaged_each(d->store, d->config.node.name, d->attach, add, list);
	return list;
}

json_t *
unmanaged_texts(const struct daemon *d)
{
	json_t *list = unmanaged_json(d), *texts = json_array();
	const json_t *first = json_array_get(list, 0);
	size_t n = json_array_size(list);

	if (n != 0)
		json_array_append_new(texts,
			json_sprintf("%zu pod%s here got another network, so that services and policies do "
				     "not hold there: %s/%s%s; make %s anew",
				n, n == 1 ? "" : "s", json_string_value(json_object_get(first, "namespace")),
				json_string_value(json_object_get(first, "name")),
				n == 1 ? "" : " and others", n == 1 ? "it" : "them"));
	json_decref(list);
	return texts;
}
