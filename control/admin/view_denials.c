/* Whom policies isolate, and how much they denied. */
#include <stdio.h>
#include <stdlib.h>

#include "control/admin/view.h"
#include "control/build/policy_build.h"

struct gathering {
	struct view *v;
	const struct policy_builder *policies;
	size_t room;
	bool is_short; /* of memory */
};

static char *
names_of_pods(const struct view *v, const struct policy_set_told *set)
{
	char *text = NULL, name[PORT_NAME_SIZE];
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	for (size_t i = 0; i < set->n_pods; i++)
		for (unsigned k = 0; k < v->n_ports; k++)
			if (v->ports[k].id == set->ports[i])
				fprintf(f, "%s%s", n++ == 0 ? "" : ", ", port_view_name(&v->ports[k], name));
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static void
add_set(const struct policy_set_told *set, void *arg)
{
	struct gathering *g = arg;
	struct view *v = g->v;
	struct denial_view *d;

	if (v->n_denials == g->room) {
		size_t room = g->room == 0 ? 16 : 2 * g->room;
		struct denial_view *grown = reallocarray(v->denials, room, sizeof(*grown));

		if (grown == NULL) {
			g->is_short = true;
			return;
		}
		v->denials = grown;
		g->room = room;
	}
	d = &v->denials[v->n_denials++];
	*d = (struct denial_view){ .is_egress = set->direction == POLICY_EGRESS,
		.is_audit = set->is_audit,
		.policies = strdup(set->policies),
		.pods = names_of_pods(v, set),
		.packets = policy_builder_hits(g->policies, set->number) };
	g->is_short |= d->policies == NULL || d->pods == NULL;
}

static int
compare(const void *a, const void *b)
{
	const struct denial_view *one = a, *other = b;
	int order = strcmp(one->policies, other->policies);

	if (one->is_egress != other->is_egress)
		return one->is_egress - other->is_egress;
	return one->is_audit != other->is_audit ? one->is_audit - other->is_audit : order;
}

/* Of two with the same policies, which differ in what named ports mean to their pods. */
static void
join(struct denial_view *to, struct denial_view *from)
{
	char *pods;

	if (asprintf(&pods, "%s, %s", to->pods, from->pods) >= 0) { /* else not all pods are named */
		free(to->pods);
		to->pods = pods;
	}
	to->packets += from->packets;
	free(from->policies);
	free(from->pods);
}

static void
join_equal(struct view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_denials; i++)
		if (n == 0 || compare(&v->denials[n - 1], &v->denials[i]) != 0)
			v->denials[n++] = v->denials[i];
		else
			join(&v->denials[n - 1], &v->denials[i]);
	v->n_denials = n;
}

bool
view_gather_denials(struct view *v, const struct policy_builder *policies)
{
	struct gathering g = { .v = v, .policies = policies };

	if (!policy_builder_each_set(policies, add_set, &g) || g.is_short)
		return false;
	if (v->n_denials != 0)
		qsort(v->denials, v->n_denials, sizeof(v->denials[0]), compare);
	join_equal(v);
	return true;
}
