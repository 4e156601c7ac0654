#include "control/source/unread.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/decode.h"

#define WORD "NetworkPolicy"
#define NAMESPACE_MAX 63

/* Members of a document before which it is cut, when what stands before the last of them is no YAML either. */
#define CUTS_MAX 16

/* A policy's name, or "". */
static const char *
name_of(const json_t *value)
{
	const char *name = json_string_value(json_object_get(json_object_get(value, "metadata"), "name"));

	return name == NULL ? "" : name;
}

/* called: a policy's name, "" when it has none; NULL: it need not be one. */
static int
unread_new(const char *ns, const char *place, const char *called, struct unread_policy_object **out)
{
	struct unread_policy_object *u = calloc(1, sizeof(*u));
	char origin[512];

	*out = u;
	if (u == NULL)
		return -ENOMEM;
	if (called == NULL)
		snprintf(origin, sizeof(origin), "%s", place);
	else if (*called == '\0')
		snprintf(origin, sizeof(origin), "%s (NetworkPolicy%s%s)", place, *ns == '\0' ? "" : " in ",
			ns);
	else
		snprintf(origin, sizeof(origin), "%s (NetworkPolicy %s%s%.80s)", place, ns,
			*ns == '\0' ? "" : "/", called);
	u->object =
		(struct object){ .kind = OBJECT_UNREAD_POLICY, .ns = strdup(ns), .origin = strdup(origin) };
	if (u->object.ns != NULL && u->object.origin != NULL)
		return 0;
	object_free(&u->object);
	*out = NULL;
	return -ENOMEM;
}

int
unread_of_nothing(const char *place, struct unread_policy_object **out)
{
	return unread_new("", place, NULL, out);
}

static bool
is_namespace(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-')
			return false;
	return len != 0 && len <= NAMESPACE_MAX;
}

/* The namespace of a whole document, or "" when it cannot be told. */
static const char *
namespace_of(const json_t *value)
{
	const json_t *metadata = json_object_get(value, "metadata");
	const json_t *ns = json_object_get(metadata, "namespace");

	if (json_is_object(metadata) && (ns == NULL || json_is_null(ns)))
		return "default";
	return is_namespace(json_string_value(ns)) ? json_string_value(ns) : "";
}

/* A kind that is neither a policy nor may hold some. */
static bool
is_other_kind(const char *kind)
{
	size_t len = kind == NULL ? 0 : strlen(kind);

	if (len == 0 || strcmp(kind, WORD) == 0)
		return false;
	return len < 4 || strcmp(kind + len - 4, "List") != 0;
}

static bool
holds_word(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	bool is_in = text == NULL || strstr(text, WORD) != NULL;

	free(text);
	return is_in;
}

int
unread_of_value(
	const struct yaml_file *file, json_t *value, const char *place, struct unread_policy_object **out)
{
	const char *kind = json_string_value(json_object_get(value, "kind"));
	struct decode_error error;
	struct decoder d = { .file = file, .error = &error };
	struct field root = field_root(&d, value, 0);
	int result;

	*out = NULL;
	if (is_other_kind(kind))
		return 0;
	if (kind == NULL || strcmp(kind, WORD) != 0)
		return holds_word(value) ? unread_of_nothing(place, out) : 0;
	result = unread_new(namespace_of(value), place, name_of(value), out);
	if (result == 0)
		policy_decode_pods(&root, &(*out)->pods);
	return result;
}

/* Where the line begins; the text's end if it has fewer. */
static size_t
line_start(const char *text, size_t size, unsigned line)
{
	size_t at = 0;

	while (line > 1 && at < size) {
		const char *end = memchr(text + at, '\n', size - at);

		if (end == NULL)
			return size;
		at = (size_t)(end - text) + 1;
		line--;
	}
	return at;
}

/* The last place before 'at' where a member of the document itself begins: in the first column. */
static size_t
member_before(const char *text, size_t at)
{
	while (at > 0) {
		at--;
		if ((at == 0 || text[at - 1] == '\n') && strchr(" \t\r\n#-", text[at]) == NULL)
			return at;
	}
	return 0;
}

static bool
is_mapping(struct yaml_file *f)
{
	return yaml_n_documents(f) == 1 && json_is_object(yaml_document(f, 0));
}

/* The longest beginning of the text that ends with a member of the document and can be read; NULL: there is none. */
static struct yaml_file *
read_beginning(const char *text, size_t size, unsigned error_line)
{
	size_t end = line_start(text, size, error_line + 1);
	struct yaml_error error;
	struct yaml_file *f;

	for (unsigned i = 0; i < CUTS_MAX && end > 0; i++) {
		end = member_before(text, end);
		if (end == 0 || yaml_file_parse(&f, text, end, &error) < 0)
			continue;
		if (is_mapping(f))
			return f;
		yaml_file_free(f);
	}
	return NULL;
}

/* With a line "...", what follows may be a document of its own, of which a beginning says nothing. So it may behind a break
 * of lines that is none to us: YAML 1.1 has a carriage return alone, and three characters of Unicode (section 5.4). */
static bool
ends_itself(const char *text, size_t size)
{
	static const char *const ends[] = { "\n...", "\xc2\x85", "\u2028", "\u2029" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (memmem(text, size, ends[i], strlen(ends[i])) != NULL)
			return true;
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\r' && (i + 1 == size || text[i + 1] != '\n'))
			return true;
	return false;
}

int
unread_of_text(const char *text, size_t size, unsigned error_line, const char *place,
	struct unread_policy_object **out)
{
	struct yaml_file *f;
	const json_t *value, *ns;
	const char *kind;
	int result = 0;

	*out = NULL;
	/* with NULs it may be another encoding */
	if (memmem(text, size, WORD, strlen(WORD)) == NULL && memchr(text, '\0', size) == NULL)
		return 0;
	f = ends_itself(text, size) ? NULL : read_beginning(text, size, error_line);
	value = f == NULL ? NULL : yaml_document(f, 0);
	kind = json_string_value(json_object_get(value, "kind"));
	ns = json_object_get(json_object_get(value, "metadata"), "namespace");
	if (kind != NULL && strcmp(kind, WORD) == 0 && is_namespace(json_string_value(ns)))
		result = unread_new(json_string_value(ns), place, name_of(value), out);
	else if (!is_other_kind(kind))
		result = unread_of_nothing(place, out);
	yaml_file_free(f);
	return result;
}
