#include "control/source/digest.h"

static int
hash_bytes(const char *bytes, size_t size, void *arg)
{
	uint64_t *hash = arg;

	for (size_t i = 0; i < size; i++)
		*hash = (*hash ^ (unsigned char)bytes[i]) * 0x100000001b3; /* FNV-1a */
	return 0;
}

uint64_t
json_digest(const json_t *value)
{
	uint64_t hash = 0xcbf29ce484222325;

	json_dump_callback(value, hash_bytes, &hash, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	return hash;
}
