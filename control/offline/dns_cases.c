#include "control/offline/dns_cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/offline/json_lines.h"
#include "dataplane/dns/dns_query.h"

/* What stub resolvers ask for, and what is in the zone; others are written as RFC 3597 section 5 has them, "TYPE99". */
static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{ "A", DNS_TYPE_A },
	{ "NS", DNS_TYPE_NS },
	{ "CNAME", DNS_TYPE_CNAME },
	{ "SOA", DNS_TYPE_SOA },
	{ "PTR", DNS_TYPE_PTR },
	{ "MX", 15 },
	{ "TXT", DNS_TYPE_TXT },
	{ "AAAA", DNS_TYPE_AAAA },
	{ "SRV", DNS_TYPE_SRV },
	{ "NAPTR", 35 },
	{ "DS", 43 },
	{ "DNSKEY", 48 },
	{ "SVCB", 64 },
	{ "HTTPS", 65 },
	{ "ANY", DNS_TYPE_ANY },
	{ "CAA", 257 },
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

uint16_t
dns_type_parse(const char *name)
{
	unsigned long number;
	char *end;

	for (size_t i = 0; i < N_TYPES; i++)
		if (strcasecmp(types[i].name, name) == 0)
			return types[i].type;
	if (strncasecmp(name, "TYPE", 4) != 0 || name[4] < '0' || name[4] > '9')
		return 0;
	number = strtoul(name + 4, &end, 10);
	return *end != '\0' || number > UINT16_MAX ? 0 : (uint16_t)number;
}

const char *
dns_type_name(uint16_t type)
{
	static _Thread_local char text[16];

	for (size_t i = 0; i < N_TYPES; i++)
		if (types[i].type == type)
			return types[i].name;
	snprintf(text, sizeof(text), "TYPE%u", type);
	return text;
}

/* A line under way. */
struct reading {
	struct json_line line;
	struct dns_case *item;
};

static const json_t *
take_list(struct reading *r, const char *key)
{
	const json_t *value = json_object_get(r->line.object, key);
	size_t n = json_array_size(value);

	if (value != NULL && !json_is_array(value))
		json_line_fail(&r->line, "\"%s\" must be a list", key);
	for (size_t i = 0; i < n; i++)
		if (!json_is_string(json_array_get(value, i)))
			json_line_fail(&r->line, "\"%s\" must hold texts", key);
	return value;
}

static void
take_type(struct reading *r)
{
	const char *text = json_line_text(&r->line, "type", false);

	if (text == NULL)
		return;
	r->item->type = dns_type_parse(text);
	if (r->item->type == 0)
		json_line_fail(&r->line,
			"\"type\" is \"%.40s\", which is no type of records; others are written TYPE99",
			text);
	else if (r->item->type >= DNS_TYPE_META && r->item->type < DNS_TYPE_ANY)
		json_line_fail(&r->line, "\"type\" is none that a pod asks for");
}

static void
take_rcode(struct reading *r)
{
	static const char *const known[] = { "NOERROR", "NXDOMAIN", "UPSTREAM" };
	const char *text = json_line_text(&r->line, "rcode", false);

	for (size_t i = 0; text != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(text, known[i]) == 0)
			r->item->rcode = text;
	if (text != NULL && r->item->rcode == NULL)
		json_line_fail(&r->line, "\"rcode\" must be \"NOERROR\", \"NXDOMAIN\" or \"UPSTREAM\"");
}

static bool
make_room(struct dns_case_list *l)
{
	struct dns_case *items;
	size_t room = 2 * l->room + 64;

	if (l->n < l->room)
		return true;
	items = reallocarray(l->items, room, sizeof(*items));
	if (items == NULL)
		return false;
	l->items = items;
	l->room = room;
	return true;
}

struct reading_all {
	struct dns_case_list *list;
	struct json_lines lines;
};

static int
take_case(json_t *object, unsigned line, void *arg)
{
	static const char *const known[] = { "about", "pod", "name", "type", "rcode", "records",
		"additional" };
	struct reading_all *all = arg;
	struct dns_case_list *l = all->list;
	struct reading r = { .line = { &all->lines, line, object, false } };

	if (!make_room(l))
		return -ENOMEM;
	r.item = &l->items[l->n];
	*r.item = (struct dns_case){ .line = line, .object = object };
	json_line_check_keys(&r.line, known, sizeof(known) / sizeof(known[0]));
	r.item->about = json_line_text(&r.line, "about", true);
	r.item->pod = json_line_text(&r.line, "pod", true);
	r.item->name = json_line_text(&r.line, "name", false);
	take_type(&r);
	take_rcode(&r);
	r.item->records = take_list(&r, "records");
	r.item->additional = take_list(&r, "additional");
	if (r.line.has_failed)
		return 0;
	json_incref(object);
	l->n++;
	return 0;
}

int
dns_case_list_read(struct dns_case_list *out, const char *file, FILE *errors)
{
	struct reading_all all = { .list = out,
		.lines = { .file = file, .errors = errors, .take = take_case } };
	int result;

	*out = (struct dns_case_list){ .file = file };
	all.lines.arg = &all;
	result = json_lines_read(&all.lines);
	out->n_errors = all.lines.n_errors;
	if (result < 0)
		dns_case_list_fini(out);
	return result;
}

void
dns_case_list_fini(struct dns_case_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		json_decref(l->items[i].object);
	free(l->items);
	*l = (struct dns_case_list){ 0 };
}
