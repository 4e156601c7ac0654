#include "control/source/yaml_scalar.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64 /* bytes of the longest number that makes sense */

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const trues[] = { "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y",
	NULL };
static const char *const falses[] = { "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n",
	"N", NULL };
static const char *const not_in_json[] = { ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
	"-.Inf", "-.INF", ".nan", ".NaN", ".NAN", NULL };

/* Decimal, 0x, 0o, 0b and the old octal 0777, each with an optional sign. False: not an integer. */
static bool
parse_integer(const char *text, json_int_t *value, bool *is_too_big)
{
	const char *digits = text + (*text == '-' || *text == '+');
	unsigned long long magnitude;
	bool is_negative = *text == '-';
	int base = 10;
	char *end;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o' || digits[1] == 'b')) {
		base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
		digits += 2;
	} else if (digits[0] == '0' && digits[1] != '\0') {
		base = 8;
	}
	if (!isxdigit((unsigned char)*digits))
		return false;
	errno = 0;
	magnitude = strtoull(digits, &end, base);
	if (*end != '\0')
		return false;
	*is_too_big = errno == ERANGE || magnitude > (unsigned long long)INT64_MAX + is_negative;
	*value = is_negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude;
	return true;
}

/* [-+]?[0-9]*.?[0-9]+([eE][-+]?[0-9]+)? and "1." */
static bool
is_float(const char *text)
{
	const char *c = text + (*text == '-' || *text == '+');
	unsigned digits = 0;

	for (; isdigit((unsigned char)*c); c++)
		digits++;
	if (*c == '.')
		c++;
	for (; isdigit((unsigned char)*c); c++)
		digits++;
	if (digits == 0)
		return false;
	if (*c == 'e' || *c == 'E') {
		c++;
		c += *c == '-' || *c == '+';
		if (!isdigit((unsigned char)*c))
			return false;
		while (isdigit((unsigned char)*c))
			c++;
	}
	return *c == '\0';
}

static json_t *
plain_number(const char *text, const char **problem)
{
	bool is_too_big = false;
	json_int_t integer;
	json_t *real;

	if (parse_integer(text, &integer, &is_too_big)) {
		if (is_too_big)
			*problem = "the number is too large; quote it if it is meant as text";
		return is_too_big ? NULL : json_integer(integer);
	}
	if (!is_float(text))
		return NULL;
	real = json_real(strtod(text, NULL));
	if (real == NULL)
		*problem = "the number is too large; quote it if it is meant as text";
	return real;
}

json_t *
yaml_plain_scalar(const char *text, size_t size, const char **problem)
{
	json_t *value = NULL;

	*problem = NULL;
	if (strlen(text) == size && size < NUMBER_MAX) {
		if (is_one_of(text, nulls))
			return json_null();
		if (is_one_of(text, trues))
			return json_true();
		if (is_one_of(text, falses))
			return json_false();
		if (is_one_of(text, not_in_json)) {
			*problem = "JSON has no infinity and no NaN; quote it if it is meant as text";
			return NULL;
		}
		value = plain_number(text, problem);
	}
	if (value != NULL || *problem != NULL)
		return value;
	value = json_stringn(text, size);
	if (value == NULL)
		*problem = "not UTF-8";
	return value;
}
