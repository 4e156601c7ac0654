#include "control/node/listing.h"

#include <errno.h>

bool
listing_is_gone(int error)
{
	return error == -ENOENT || error == -EINVAL;
}

static bool
is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
	       error == -EAGAIN || error == -ENOSPC;
}

enum listing_next
listing_after(int result, unsigned n_tries)
{
	if (result == 0)
		return LISTING_ON;
	if (n_tries < LISTING_TRIES)
		return LISTING_AGAIN;
	return is_shortage(result) ? LISTING_WAIT : LISTING_SKIP;
}

bool
listing_keeps_bucket(const struct frontend *f, uint32_t hash, const struct nat_flow *flow, bool is_own_fault)
{
	if (is_own_fault)
		return false;
	return flow->proto != PROTO_UDP || *service_bucket(f, hash) < f->n_backends;
}
