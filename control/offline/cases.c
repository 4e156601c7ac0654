#include "control/offline/cases.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
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
	struct case_list *list;
	FILE *errors;
	struct policy_case item;
	bool has_failed;
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
case_fail(struct case_list *l, unsigned line, FILE *errors, const char *format, ...)
{
	va_list args;

	fprintf(errors, "%s:%u: ", l->file, line);
	va_start(args, format);
	vfprintf(errors, format, args);
	va_end(args);
	fputc('\n', errors);
	l->n_errors++;
}

/* All that is wrong with a line is said. */
#define fail(r, ...)                                                            \
	do {                                                                    \
		case_fail((r)->list, (r)->item.line, (r)->errors, __VA_ARGS__); \
		(r)->has_failed = true;                                         \
	} while (0)

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
		fail(r, "out of memory");
	return out;
}

/* A text that must be there unless it is optional. */
static char *
take_text(struct reading *r, const json_t *object, const char *key, bool is_optional)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL && is_optional)
		return NULL;
	if (value == NULL)
		fail(r, "\"%s\" is missing", key);
	else if (!json_is_string(value) || *json_string_value(value) == '\0')
		fail(r, "\"%s\" must be text, and not empty", key);
	else
		return copy(r, json_string_value(value));
	return NULL;
}

static void
take_proto(struct reading *r, const json_t *object)
{
	const json_t *value = json_object_get(object, "protocol");

	r->item.proto = PROTO_TCP;
	if (value == NULL)
		return;
	for (size_t i = 0; json_is_string(value) && i < N_PROTOS; i++)
		if (strcasecmp(json_string_value(value), protos[i].name) == 0) {
			r->item.proto = protos[i].proto;
			return;
		}
	fail(r, "\"protocol\" must be \"TCP\", \"UDP\", \"SCTP\" or \"ICMP\"");
}

static void
take_port(struct reading *r, const json_t *object)
{
	const json_t *value = json_object_get(object, "port");
	json_int_t number = json_integer_value(value);

	if (r->item.proto == PROTO_ICMP) {
		if (value != NULL)
			fail(r, "\"port\" means nothing to ICMP: leave it out");
	} else if (value == NULL) {
		fail(r, "\"port\" is missing");
	} else if (json_is_string(value) && *json_string_value(value) != '\0') {
		r->item.port_name = copy(r, json_string_value(value));
	} else if (json_is_integer(value) && number >= 1 && number <= UINT16_MAX) {
		r->item.port = (uint16_t)number;
	} else {
		fail(r, "\"port\" must be a number from 1 to 65535, or the name of a port");
	}
}

static void
take_expected(struct reading *r, const json_t *object)
{
	const json_t *value = json_object_get(object, "expected");
	const char *text = json_string_value(value);

	if (value == NULL)
		fail(r, "\"expected\" is missing");
	else if (text == NULL || (strcmp(text, "allow") != 0 && strcmp(text, "deny") != 0))
		fail(r, "\"expected\" must be \"allow\" or \"deny\"");
	else
		r->item.is_allow_expected = strcmp(text, "allow") == 0;
}

static void
check_keys(struct reading *r, json_t *object)
{
	static const char *const known[] = { "name", "from", "to", "port", "protocol", "expected" };
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(key, known[i]) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			fail(r,
				"\"%.60s\" is not known here; there are name, from, to, port, protocol and "
				"expected",
				key);
	}
}

static void
read_object(struct reading *r, json_t *object)
{
	check_keys(r, object);
	r->item.name = take_text(r, object, "name", true);
	r->item.from = take_text(r, object, "from", false);
	r->item.to = take_text(r, object, "to", false);
	take_proto(r, object);
	take_port(r, object);
	take_expected(r, object);
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
	FILE *errors;
};

static int
take_case(json_t *object, unsigned line, void *arg)
{
	const struct reading_all *all = arg;
	struct reading r = { .list = all->list, .errors = all->errors, .item = { .line = line } };

	read_object(&r, object);
	if (!r.has_failed && keep(all->list, &r.item))
		return 0;
	case_fini(&r.item);
	return r.has_failed ? 0 : -ENOMEM;
}

int
case_list_read(struct case_list *out, const char *file, FILE *errors)
{
	struct reading_all all = { out, errors };
	struct json_lines lines = { .file = file, .errors = errors, .take = take_case, .arg = &all };
	int result;

	*out = (struct case_list){ .file = file };
	result = json_lines_read(&lines);
	out->n_errors += lines.n_errors;
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
