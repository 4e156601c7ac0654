#include "control/node/listing.h"

#include <errno.h>

bool
listing_is_gone(int error)
{
	return error == -ENOENT || error == -EINVAL;
}

enum listing_next
listing_after(int result, unsigned n_tries)
{
	if (result == 0)
		return LISTING_ON;
	return n_tries < LISTING_TRIES ? LISTING_AGAIN : LISTING_SKIP;
}

bool
listing_keeps_bucket(const struct frontend *f, uint32_t hash, const struct nat_flow *flow, bool is_full)
{
	if (!is_full)
		return false;
	return flow->proto != PROTO_UDP || *service_bucket(f, hash) < f->n_backends;
}
