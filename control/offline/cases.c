#include "control/offline/cases.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/offline/json_lines.h"
#include "dataplane/net/headers.h"

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
	{ "TCP", PROTO_TCP },
	{ "UDP", PROTO_UDP },
	{ "SCTP", PROTO_SCTP },
	{ "ICMP", PROTO_ICMP },
};

#define N_PROTOS (sizeof(protos) / sizeof(protos[0]))

/* A line under way. */
struct reading {
	struct json_line line;
	struct policy_case item;
};

const char *
case_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < N_PROTOS; i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return "";
}

void
case_fail(struct case_list *l, unsigned line, FILE *errors, const char *text)
{
	fprintf(errors, "%s:%u: %s\n", l->file, line, text);
	l->n_errors++;
}

static void
case_fini(struct policy_case *c)
{
	free(c->port_name);
	free(c->name);
	free(c->from);
	free(c->to);
}

static char *
copy(struct reading *r, const char *text)
{
	char *out = strdup(text);

	if (out == NULL)
		json_line_fail(&r->line, "out of memory");
	return out;
}

static char *
take_text(struct reading *r, const char *key, bool is_optional)
{
	const char *text = json_line_text(&r->line, key, is_optional);

	return text == NULL ? NULL : copy(r, text);
}

static void
take_proto(struct reading *r)
{
	const json_t *value = json_object_get(r->line.object, "protocol");

	r->item.proto = PROTO_TCP;
	if (value == NULL)
		return;
	for (size_t i = 0; json_is_string(value) && i < N_PROTOS; i++)
		if (strcasecmp(json_string_value(value), protos[i].name) == 0) {
			r->item.proto = protos[i].proto;
			return;
		}
	json_line_fail(&r->line, "\"protocol\" must be \"TCP\", \"UDP\", \"SCTP\" or \"ICMP\"");
}

static void
take_port(struct reading *r)
{
	const json_t *value = json_object_get(r->line.object, "port");
	json_int_t number = json_integer_value(value);

	if (r->item.proto == PROTO_ICMP) {
		if (value != NULL)
			json_line_fail(&r->line, "\"port\" means nothing to ICMP: leave it out");
	} else if (value == NULL) {
		json_line_fail(&r->line, "\"port\" is missing");
	} else if (json_is_string(value) && *json_string_value(value) != '\0') {
		r->item.port_name = copy(r, json_string_value(value));
	} else if (json_is_integer(value) && number >= 1 && number <= UINT16_MAX) {
		r->item.port = (uint16_t)number;
	} else {
		json_line_fail(&r->line, "\"port\" must be a number from 1 to 65535, or the name of a port");
	}
}

static void
take_expected(struct reading *r)
{
	const json_t *value = json_object_get(r->line.object, "expected");
	const char *text = json_string_value(value);

	if (value == NULL)
		json_line_fail(&r->line, "\"expected\" is missing");
	else if (text == NULL || (strcmp(text, "allow") != 0 && strcmp(text, "deny") != 0))
		json_line_fail(&r->line, "\"expected\" must be \"allow\" or \"deny\"");
	else
		r->item.is_allow_expected = strcmp(text, "allow") == 0;
}

static void
read_object(struct reading *r)
{
	static const char *const known[] = { "name", "from", "to", "port", "protocol", "expected" };

	json_line_check_keys(&r->line, known, sizeof(known) / sizeof(known[0]));
	r->item.name = take_text(r, "name", true);
	r->item.from = take_text(r, "from", false);
	r->item.to = take_text(r, "to", false);
	take_proto(r);
	take_port(r);
	take_expected(r);
}

/* The list owns the case then. */
static bool
keep(struct case_list *l, const struct policy_case *c)
{
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 64 : 2 * l->room;
		struct policy_case *items = reallocarray(l->items, room, sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = *c;
	return true;
}

struct reading_all {
	struct case_list *list;
	struct json_lines lines;
};

static int
take_case(json_t *object, unsigned line, void *arg)
{
	struct reading_all *all = arg;
	struct reading r = { .line = { &all->lines, line, object, false }, .item = { .line = line } };

	read_object(&r);
	if (!r.line.has_failed && keep(all->list, &r.item))
		return 0;
	case_fini(&r.item);
	return r.line.has_failed ? 0 : -ENOMEM;
}

int
case_list_read(struct case_list *out, const char *file, FILE *errors)
{
	struct reading_all all = { .list = out,
		.lines = { .file = file, .errors = errors, .take = take_case } };
	int result;

	*out = (struct case_list){ .file = file };
	all.lines.arg = &all;
	result = json_lines_read(&all.lines);
	out->n_errors = all.lines.n_errors;
	if (result < 0)
		case_list_fini(out);
	return result;
}

void
case_list_fini(struct case_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		case_fini(&l->items[i]);
	free(l->items);
	*l = (struct case_list){ 0 };
}
