#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xdp/loader.h"
#include "xdp/pinned.h"
#include "xdp/steer.h"

/* Sorted, so that both sides can be compared. */
static int
compare_frontends(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct steer_frontend));
}

/* All keys of a map, sorted, in a list of the caller's. How many, or -errno. */
static ssize_t
read_exposed(int map, struct steer_frontend **out)
{
	struct steer_frontend *keys = NULL, *grown;
	size_t n = 0, room = 0;

	for (;; n++) {
		if (n == room) {
			room = room == 0 ? 64 : 2 * room;
			grown = realloc(keys, room * sizeof(*keys));
			if (grown == NULL) {
				free(keys);
				return -ENOMEM;
			}
			keys = grown;
		}
		if (bpf_map_get_next_key(map, n == 0 ? NULL : &keys[n - 1], &keys[n]) < 0)
			break;
	}
	qsort(keys, n, sizeof(*keys), compare_frontends);
	*out = keys;
	return (ssize_t)n;
}

/* Brings the map from 'is' to 'wanted', both sorted: what goes, first, since room is limited. */
static int
change_exposed(int map, const struct steer_frontend *is, size_t n_is, const struct steer_frontend *wanted,
	size_t n_wanted)
{
	const uint8_t yes = 1;

	for (size_t i = 0; i < n_is; i++)
		if (bsearch(&is[i], wanted, n_wanted, sizeof(*is), compare_frontends) == NULL)
			bpf_map_delete_elem(map, &is[i]);
	for (size_t i = 0; i < n_wanted; i++)
		if (bsearch(&wanted[i], is, n_is, sizeof(*is), compare_frontends) == NULL &&
			bpf_map_update_elem(map, &wanted[i], &yes, BPF_ANY) < 0)
			return -errno;
	return 0;
}

int
xdp_set_exposed(struct xdp *x, const char *name, const struct xdp_frontend *frontends, size_t n)
{
	struct steer_frontend *wanted = calloc(n + 1, sizeof(*wanted)), *is = NULL;
	int map = pinned_open(x, name, STEER_EXPOSED);
	ssize_t n_is = wanted == NULL ? -ENOMEM : map < 0 ? map : read_exposed(map, &is);

	for (size_t i = 0; n_is >= 0 && i < n; i++) {
		memcpy(wanted[i].addr, frontends[i].addr.b, sizeof(wanted[i].addr));
		wanted[i].port = htobe16(frontends[i].port);
		wanted[i].proto = frontends[i].proto;
	}
	if (n_is >= 0) {
		qsort(wanted, n, sizeof(*wanted), compare_frontends);
		n_is = change_exposed(map, is, (size_t)n_is, wanted, n);
	}
	if (map >= 0)
		close(map);
	free(is);
	free(wanted);
	return (int)n_is;
}
