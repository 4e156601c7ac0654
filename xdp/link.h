/* Putting a loaded program on an interface so that it stays: link and maps are pinned. For the loader's files; control
 * thread only. Errors: 0 or -errno, with a text. */
#ifndef RINGWAY_XDP_LINK_H
#define RINGWAY_XDP_LINK_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "xdp/error.h"
#include "xdp/mode.h"

struct xdp;

/* What the attach functions differ in. */
struct link_program {
	struct bpf_program *program;
	struct {
		const char *name;
		struct bpf_map *map;
	} maps[2]; /* those without a name are not pinned */
};

bool link_is_chosen(enum xdp_choice choice, enum xdp_mode mode);

/* True when an attachment of that name is on this interface, *mode then tells how; one on another, or on none, is removed. */
bool link_keep_or_remove(struct xdp *x, unsigned ifindex, const char *name, enum xdp_mode *mode);

/* Attaches a loaded program and pins link and maps: the maps first, so that a pinned link always has its maps
 * beside it. */
int link_new(struct xdp *x, const struct link_program *p, unsigned ifindex, const char *name,
	enum xdp_choice choice, enum xdp_mode *mode, char error[static XDP_ERROR_SIZE]);

/* Puts another program in the place of the one that is attached, without a gap. */
int link_exchange(struct xdp *x, const char *name, const struct bpf_program *program,
	char error[static XDP_ERROR_SIZE]);

int link_pin_map(const struct xdp *x, const char *name, const char *what, struct bpf_map *map,
	char error[static XDP_ERROR_SIZE]);

#endif
