/* Reading a JSON object that should be a Kubernetes one, strictly: each access checks type and range, and the first that
 * fails notes line, field path and what is wrong. Later accesses go on harmlessly, so a decoder reads straight down and
 * looks at decoder.has_failed once, at its end. A field that is missing or null has value NULL. */
#ifndef RINGWAY_SOURCE_FIELD_H
#define RINGWAY_SOURCE_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "control/source/yaml.h"
#include "dataplane/net/ip_addr.h"

struct decode_error {
	unsigned line;
	char field[160]; /* "spec.ports[1].protocol" */
	char message[256];
};

struct decoder {
	const struct yaml_file *file;
	struct decode_error *error;
	bool is_draft; /* what the API server assigns may be missing */
	bool has_failed;
};

/* A place in the object; the parents live in the callers' frames. */
struct field {
	struct decoder *decoder;
	const struct field *parent; /* NULL: the object itself */
	const char *key;            /* NULL: an element of a list */
	size_t index;
	json_t *value;
	unsigned line;
};

struct field field_root(struct decoder *d, json_t *value, unsigned line);

/* A member of an object; of a missing field: missing. */
struct field field_member(const struct field *object, const char *key);

/* Fails at a member of the object that is none of the n known. */
void field_only(const struct field *object, const char *const *known, size_t n);

/* Elements of a list; a missing one has none. */
size_t field_count(const struct field *list);
struct field field_element(const struct field *list, size_t index);

/* A copy for the caller to free. 'absent' stands for a missing field; NULL: it must be there, and not be empty. */
char *field_text(const struct field *f, const char *absent);

/* The text itself, for comparing; "" when it is missing or wrong. */
const char *field_peek(const struct field *f);

uint32_t field_number(const struct field *f, uint32_t minimum, uint32_t maximum);
/* The same, with 'absent' for a missing field. */
uint32_t field_number_or(const struct field *f, uint32_t absent, uint32_t minimum, uint32_t maximum);
bool field_flag(const struct field *f, bool absent);

/* A point in time (RFC 3339) in seconds since 1970; 0: it is missing. */
int64_t field_time(const struct field *f);

/* Must be there. A unicast address: not unspecified, loopback, link-local or multicast. */
struct ip_addr field_addr(const struct field *f);
struct ip_prefix field_prefix(const struct field *f);

/* The index of the text among the n choices; 0 when the field is missing, empty or wrong. choices[0] is the default, "" when
 * that has no name. */
unsigned field_choice(const struct field *f, const char *const *choices, unsigned n);

/* "TCP" when missing. IANA number. */
uint8_t field_proto(const struct field *f);

/* Notes an error here, unless there is one already. */
void field_fail(const struct field *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* calloc() of n elements, n == 0 included; NULL only with the failure noted. */
void *field_alloc(const struct field *f, size_t n, size_t size);

#endif
