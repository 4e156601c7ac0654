#include "dataplane/net/prefix_lens.h"

#include <string.h>

void
prefix_lens_note(struct prefix_lens *l, uint8_t len)
{
	const struct ip_addr ones = { .w = { ~UINT64_C(0), ~UINT64_C(0) } };
	unsigned i = 0;

	while (i < l->n && l->by_rank[i].len > len)
		i++;
	if (i < l->n && l->by_rank[i].len == len)
		return;
	memmove(&l->by_rank[i + 1], &l->by_rank[i], (l->n - i) * sizeof(l->by_rank[0]));
	l->by_rank[i].len = len;
	l->by_rank[i].mask = ip_addr_mask(&ones, len);
	l->n++;
}
