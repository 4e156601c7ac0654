#include "control/source/field.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/net/headers.h"

static void
format_path(const struct field *f, char *out, size_t size)
{
	size_t used;

	if (f->parent == NULL) {
		*out = '\0';
		return;
	}
	format_path(f->parent, out, size);
	used = strlen(out);
	if (f->key != NULL)
		snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ".", f->key);
	else
		snprintf(out + used, size - used, "[%zu]", f->index);
}

void
field_fail(const struct field *f, const char *format, ...)
{
	struct decode_error *e = f->decoder->error;
	va_list args;

	if (f->decoder->has_failed)
		return;
	f->decoder->has_failed = true;
	e->line = f->line;
	format_path(f, e->field, sizeof(e->field));
	va_start(args, format);
	vsnprintf(e->message, sizeof(e->message), format, args);
	va_end(args);
}

struct field
field_root(struct decoder *d, json_t *value, unsigned line)
{
	return (struct field){ .decoder = d, .value = value, .line = line };
}

struct field
field_member(const struct field *object, const char *key)
{
	struct field f = { .decoder = object->decoder, .parent = object, .key = key, .line = object->line };
	unsigned line;

	if (object->value == NULL)
		return f;
	if (!json_is_object(object->value)) {
		field_fail(object, "must be a mapping");
		return f;
	}
	f.value = json_object_get(object->value, key);
	line = yaml_member_line(f.decoder->file, object->value, key);
	if (line != 0)
		f.line = line;
	if (json_is_null(f.value))
		f.value = NULL;
	return f;
}

void
field_only(const struct field *object, const char *const *known, size_t n)
{
	char list[128] = "";
	size_t used = 0;
	const char *key;
	json_t *value;

	for (size_t i = 0; i < n && used < sizeof(list); i++)
		used += (size_t)snprintf(
			list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", known[i]);
	json_object_foreach (object->value, key, value) {
		struct field f = field_member(object, key);
		size_t i = 0;

		while (i < n && strcmp(key, known[i]) != 0)
			i++;
		if (i == n)
			field_fail(&f, "is not known here; there are %s", list);
	}
}

size_t
field_count(const struct field *list)
{
	if (list->value != NULL && !json_is_array(list->value))
		field_fail(list, "must be a list");
	return json_array_size(list->value);
}

struct field
field_element(const struct field *list, size_t index)
{
	struct field f = { .decoder = list->decoder, .parent = list, .index = index, .line = list->line };
	unsigned line = yaml_element_line(f.decoder->file, list->value, index);

	f.value = json_array_get(list->value, index);
	if (line != 0)
		f.line = line;
	if (json_is_null(f.value))
		field_fail(&f, "must not be null");
	return f;
}

char *
field_text(const struct field *f, const char *absent)
{
	const char *text = absent;
	char *copy;

	if (f->value != NULL) {
		text = json_string_value(f->value);
		if (text == NULL)
			field_fail(f, "must be text; quote it");
		else if (strlen(text) != json_string_length(f->value))
			field_fail(f, "holds a NUL byte");
		else if (absent == NULL && *text == '\0')
			field_fail(f, "must not be empty");
	} else if (absent == NULL) {
		field_fail(f, "is missing");
	}
	copy = strdup(text == NULL ? "" : text);
	if (copy == NULL)
		field_fail(f, "out of memory");
	return copy;
}

const char *
field_peek(const struct field *f)
{
	const char *text = json_string_value(f->value);

	if (f->value != NULL && text == NULL)
		field_fail(f, "must be text; quote it");
	return text == NULL ? "" : text;
}

uint32_t
field_number(const struct field *f, uint32_t minimum, uint32_t maximum)
{
	json_int_t number = json_integer_value(f->value);

	if (f->value == NULL)
		field_fail(f, "is missing");
	else if (!json_is_integer(f->value))
		field_fail(f, "must be a whole number");
	else if (number < minimum || number > maximum)
		field_fail(f, "is %lld, must be from %u to %u", (long long)number, minimum, maximum);
	else
		return (uint32_t)number;
	return minimum;
}

uint32_t
field_number_or(const struct field *f, uint32_t absent, uint32_t minimum, uint32_t maximum)
{
	return f->value == NULL ? absent : field_number(f, minimum, maximum);
}

unsigned
field_choice(const struct field *f, const char *const *choices, unsigned n)
{
	const char *text = field_peek(f);
	unsigned first = *choices[0] == '\0'; /* a default without a name */
	char list[96] = "";
	size_t used = 0;

	if (*text == '\0') /* as for the API, where "" is unset */
		return 0;
	for (unsigned i = first; i < n; i++)
		if (strcmp(text, choices[i]) == 0)
			return i;
	for (unsigned i = first; i < n && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
			i == first   ? ""
			: i == n - 1 ? " or "
				     : ", ",
			choices[i]);
	field_fail(f, "\"%.60s\" must be %s", text, list);
	return 0;
}

bool
field_flag(const struct field *f, bool absent)
{
	if (f->value == NULL)
		return absent;
	if (!json_is_boolean(f->value))
		field_fail(f, "must be true or false, without quotes");
	return json_is_true(f->value);
}

int64_t
field_time(const struct field *f)
{
	const char *text = field_peek(f), *end = NULL;
	struct tm time = { 0 };
	int hours = 0, minutes = 0, n = 0;

	if (*text == '\0')
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &time);
	if (end != NULL && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (end != NULL && strcmp(end, "Z") == 0)
		return timegm(&time);
	if (end != NULL && (*end == '+' || *end == '-') &&
		sscanf(end + 1, "%2d:%2d%n", &hours, &minutes, &n) == 2 && end[1 + n] == '\0')
		return timegm(&time) - (*end == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	field_fail(f, "\"%.60s\" is not a time, such as 2026-01-31T12:00:00Z", text);
	return 0;
}

static bool
is_loopback(const struct ip_addr *a)
{
	static const struct ip_addr v6_loopback = { .b = { [15] = 1 } };

	return ip_addr_is_v4(a) ? a->b[12] == 127 : ip_addr_eq(a, &v6_loopback);
}

static bool
is_link_local(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? a->b[12] == 169 && a->b[13] == 254 : ip_addr_is_v6_link_local(a);
}

struct ip_addr
field_addr(const struct field *f)
{
	struct ip_addr addr = { 0 };
	const char *text = field_peek(f);

	if (f->value == NULL)
		field_fail(f, "is missing");
	else if (!ip_addr_parse(text, &addr))
		field_fail(f, "\"%.60s\" is not an IP address", text);
	else if (ip_addr_is_none(&addr) || (ip_addr_is_v4(&addr) && addr.b[12] == 0))
		field_fail(f, "%s is not an address of anything", text);
	else if (is_loopback(&addr) || is_link_local(&addr) || ip_addr_is_multicast(&addr))
		field_fail(f, "%s is a %s address; it must be one that can be reached from other nodes", text,
			is_loopback(&addr)     ? "loopback"
			: is_link_local(&addr) ? "link-local"
					       : "multicast");
	return addr;
}

struct ip_prefix
field_prefix(const struct field *f)
{
	struct ip_prefix prefix = { 0 };
	const char *text = field_peek(f);

	if (f->value == NULL)
		field_fail(f, "is missing");
	else if (!ip_prefix_parse(text, &prefix))
		field_fail(f, "\"%.60s\" is not a network, such as 10.244.1.0/24", text);
	return prefix;
}

uint8_t
field_proto(const struct field *f)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = { { "TCP", PROTO_TCP }, { "UDP", PROTO_UDP }, { "SCTP", PROTO_SCTP } };
	const char *text = f->value == NULL ? "TCP" : field_peek(f);

	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcmp(text, protos[i].name) == 0)
			return protos[i].proto;
	field_fail(f, "\"%.60s\" is not a protocol: TCP, UDP or SCTP", text);
	return 0;
}

void *
field_alloc(const struct field *f, size_t n, size_t size)
{
	void *array = calloc(n == 0 ? 1 : n, size);

	if (array == NULL)
		field_fail(f, "out of memory");
	return array;
}
