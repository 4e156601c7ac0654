/* What frontend_build.c, frontend_pairs.c (its backends' slots and reverse entries) and frontend_buckets.c (where its buckets
 * are, and their way to where they are to be) share; nobody else includes it. */
#ifndef RINGWAY_BUILD_FRONTEND_BUILD_INTERNAL_H
#define RINGWAY_BUILD_FRONTEND_BUILD_INTERNAL_H

#include "control/build/frontend_build.h"

/* Has the builder's scratch hold n backends, old or new. 0 or -ENOMEM. */
int frontend_builder_make_room(struct frontend_builder *b, size_t n);

/* Pairs of a frontend and its backends. */

/* All backends, also those that only old buckets name or only outside traffic uses. */
uint32_t frontend_count_backends(const struct frontend *f);

/* A backend that is the frontend's no longer. 0 or -ENOMEM. */
int frontend_end_pair(
	struct frontend_builder *b, const struct frontend *f, uint32_t ref, const struct backend *backend);

/* From the backends of the frontend that was to those of the one that is. 0 or -ENOMEM. */
int frontend_change_pairs(
	struct frontend_builder *b, const struct frontend *was, const struct frontend *is, uint32_t ref);

/* Buckets. */

/* The way of a frontend's buckets from what they are to what they are to be. */
struct bucket_way {
	struct bucket_side old, target;
	struct move_plan plan;
	struct backend *former; /* of a former process */
	uint16_t *former_buckets, *target_buckets;
};

void bucket_way_fini(struct bucket_way *w);

/* Finds out whether buckets have to move, from 'there' (NULL: from what a former process had). *w is to be freed whatever
 * comes back. 0 or -ENOMEM. */
int bucket_way_find(struct frontend_builder *b, const struct frontend *there, const struct frontend *f,
	const struct frontend_shape *shape, struct bucket_way *w);

/* Buckets over the backends that have all of 'flags'. */
void frontend_fill_buckets(struct frontend_builder *b, const struct frontend *f, uint32_t n_backends,
	uint8_t flags, uint16_t *buckets, uint32_t size);

/* Whether the backend's pod is known to be gone; arg: the builder. */
bool frontend_backend_is_gone(const struct backend *backend, void *arg);

#endif
