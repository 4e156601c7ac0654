#include "control/source/digest.h"

#include <stddef.h>
#include <string.h>

/* Every bit of the input moves every bit of the output: the finalizer of MurmurHash3 (Austin Appleby, public domain). */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
	return x ^ (x >> 33);
}

static uint64_t
text_digest(const char *text, size_t size)
{
	uint64_t sum = mix(size + 1), word;

	for (; size >= sizeof(word); text += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		sum = mix(sum ^ word) + sum;
	}
	word = 0;
	memcpy(&word, text, size);
	return mix(sum ^ word);
}

/* Members count whatever their order: they are added up. */
static uint64_t
object_digest(const json_t *object)
{
	const char *key;
	json_t *member;
	uint64_t sum = 0;

	json_object_foreach ((json_t *)object, key, member)
		sum += mix(text_digest(key, strlen(key)) + 3 * json_digest(member));
	return mix(sum);
}

static uint64_t
array_digest(const json_t *array)
{
	uint64_t sum = 0;
	json_t *element;
	size_t i;

	json_array_foreach (array, i, element)
		sum = mix(sum + json_digest(element));
	return sum;
}

uint64_t
json_digest(const json_t *value)
{
	double number = json_real_value(value);
	uint64_t content = 0;

	if (value == NULL)
		return 0;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		content = object_digest(value);
		break;
	case JSON_ARRAY:
		content = array_digest(value);
		break;
	case JSON_STRING:
		content = text_digest(json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		content = (uint64_t)json_integer_value(value);
		break;
	case JSON_REAL:
		memcpy(&content, &number, sizeof(content));
		break;
	default:
		break;
	}
	return mix(content + 0x9e3779b97f4a7c15 * ((uint64_t)json_typeof(value) + 1));
}
