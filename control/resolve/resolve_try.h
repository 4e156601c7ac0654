/* Queries to servers: whom to ask, and what becomes of it. */
#ifndef RINGWAY_RESOLVE_RESOLVE_TRY_H
#define RINGWAY_RESOLVE_RESOLVE_TRY_H

#include "control/resolve/resolve_state.h"

/* Asks a server; if there is none left, gives the look-up up. A token was taken. */
void try_next(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* Asks x's server again, over TCP or without EDNS. False: that did not go. */
bool try_again(struct resolve *r, const struct try *x, bool is_tcp, bool is_plain, uint64_t now_ns);

/* The try came to nothing. It is still there if it was silent; an answer would still do. */
void try_failed(struct resolve *r, struct try *x, enum try_failure failure, uint64_t now_ns);

/* Its time is up. */
void try_timed_out(struct resolve *r, struct try *x, uint64_t now_ns);

/* Its socket says that the server cannot be reached. */
void try_broken(struct resolve *r, struct try *x, uint64_t now_ns);

/* Whether it is this node that could not send, as far as -errno says, and no server's fault. */
bool try_is_local(int error);

/* The message of a try, into 'out'; returns its size. */
#define TRY_MESSAGE_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4 + DNS_OPT_SIZE)
uint16_t try_message(
	const struct dns_cache_key *key, uint16_t id, bool is_plain, uint8_t out[static TRY_MESSAGE_MAX]);

#endif
