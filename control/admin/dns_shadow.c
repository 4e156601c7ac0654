#include "control/admin/dns_shadow.h"

#include "control/build/dns_wire.h"

static json_t *
who_json(const struct dns_view *v, const struct dns_divergence_view *d)
{
	char text[IP_ADDR_STRLEN];

	if (d->found.client.is_host)
		return json_string("host");
	for (size_t i = 0; d->is_here && i < v->n_pods; i++)
		if (v->pods[i].port == d->found.client.port && !v->pods[i].is_gone)
			return json_sprintf("%s/%s", v->pods[i].ns, v->pods[i].name);
	return json_string(ip_addr_format(&d->found.client.client, text));
}

static double
ago_s(const struct dns_view *v, uint64_t when_ns)
{
	/* the resolver's thread may have looked at its clock after us */
	return when_ns < v->now_ns ? (double)(v->now_ns - when_ns) / 1e9 : 0;
}

static json_t *
divergence_json(const struct dns_view *v, const struct dns_divergence_view *view)
{
	const struct shadow_divergence *d = &view->found;
	char name[DNS_TEXT_SIZE], type[SHADOW_TYPE_SIZE];

	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:f, s:f}", "name",
		dns_wire_format(d->name, name), "type", shadow_type_text(d->type, type), "kind",
		shadow_kind_text(d->kind), "pod", who_json(v, view), "ours", d->ours, "theirs", d->theirs,
		"times", (json_int_t)d->n, "first_seconds", ago_s(v, d->first_ns), "last_seconds",
		ago_s(v, d->last_ns));
}

json_t *
dns_shadow_json(const struct dns_view *v)
{
	json_t *differ = json_object(), *list = json_array();
	json_int_t n_compared = 0;

	for (unsigned i = 0; i < N_SHADOW_KINDS; i++) {
		json_int_t n = (json_int_t)v->shadow.by_kind[i];

		n_compared += i == SHADOW_NO_ANSWER ? 0 : n;
		if (shadow_is_divergence(i))
			json_object_set_new(differ, shadow_kind_text(i), json_integer(n));
	}
	for (unsigned i = 0; i < v->shadow.n; i++)
		json_array_append_new(list, divergence_json(v, &v->shadow.all[i]));
	return json_pack("{s:I, s:I, s:o, s:I, s:I, s:o}", "compared", n_compared, "same",
		(json_int_t)v->shadow.by_kind[SHADOW_SAME], "differ", differ, "no_answer",
		(json_int_t)v->shadow.by_kind[SHADOW_NO_ANSWER], "skipped", (json_int_t)v->shadow.n_skipped,
		"divergences", list);
}
