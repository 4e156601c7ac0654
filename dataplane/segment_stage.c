/* Cuts IPv4 packets that are larger than the way ahead and may be cut (RFC 791 section 3.2). All pieces but
 * the last are copied into frames of the port that sends them and go to the worker's list of pieces; what is
 * left in the packet's own frame becomes the last one. The books know only the packet: when a piece cannot be
 * sent, worker_tx() gives its reason to the packet. */
#include "dataplane/io/umem.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"

/* IPv4 options (RFC 791 section 3.1) */
enum {
	IP_OPT_END = 0,
	IP_OPT_NOP = 1,
	IP_OPT_COPIED = 0x80, /* goes into every piece */
};

static bool
is_to_be_cut(const struct pkt *p)
{
	return (p->verdict == VERDICT_FORWARD || p->verdict == VERDICT_PUNT) && p->family == 4 &&
	       !(p->flags & PKT_DONT_FRAGMENT) && (unsigned)p->len - p->l3_off > p->mtu;
}

/* Overwrites the options that belong in the first piece only. */
static void
blank_options(uint8_t *option, const uint8_t *end)
{
	while (option < end && *option != IP_OPT_END) {
		unsigned len;

		if (*option == IP_OPT_NOP) {
			option++;
			continue;
		}
		len = end - option >= 2 ? option[1] : 0;
		if (len < 2 || len > (size_t)(end - option))
			return;
		if (!(*option & IP_OPT_COPIED))
			memset(option, IP_OPT_NOP, len);
		option += len;
	}
}

/* Offset in bytes; frag_bits: the original's flags and offset. */
static void
finish_header(struct ipv4_hdr *ip, uint16_t frag_bits, unsigned offset, unsigned payload, bool has_more)
{
	unsigned header = (ip->version_ihl & 0xfu) * 4;
	unsigned frag = frag_bits + offset / 8;

	ip->total_len = be16_from((uint16_t)(header + payload));
	ip->frag = be16_from((uint16_t)(has_more ? frag | IPV4_MORE_FRAGMENTS : frag));
	ip->checksum = checksum_ipv4(ip);
}

/* Copies 'payload' bytes from 'offset' on behind a copy of the headers, into a piece. */
static bool
add_piece(struct worker *w, struct umem *umem, const struct pkt *p, unsigned parent, unsigned offset,
	unsigned payload)
{
	unsigned headers = p->l4_off;
	bool has_room = w->pieces.n < BURST_MAX && headers + payload <= umem_room(umem);
	uint8_t *frame = has_room ? umem_get(umem) : NULL;
	struct pkt *piece = &w->pieces.pkts[w->pieces.n];
	struct ipv4_hdr *ip;

	if (frame == NULL)
		return false;
	*piece = *p;
	piece->umem = umem;
	piece->data = frame + UMEM_HEADROOM;
	piece->len = (uint16_t)(headers + payload);
	memcpy(piece->data, p->data, headers);
	memcpy(piece->data + headers, p->data + headers + offset, payload);
	ip = (struct ipv4_hdr *)(piece->data + piece->l3_off);
	if (offset != 0)
		blank_options((uint8_t *)(ip + 1), piece->data + headers);
	finish_header(ip, be16_host(ip->frag), offset, payload, true);
	w->piece_of[w->pieces.n++] = (uint8_t)parent;
	return true;
}

/* The packet without what went into pieces: its headers move up to the rest of its payload. */
static void
keep_rest(struct pkt *p, unsigned offset)
{
	struct ipv4_hdr *ip;

	memmove(p->data + offset, p->data, p->l4_off);
	p->data += offset;
	p->len -= (uint16_t)offset;
	p->l4_len -= (uint16_t)offset;
	ip = (struct ipv4_hdr *)(p->data + p->l3_off);
	blank_options((uint8_t *)(ip + 1), p->data + p->l4_off);
	finish_header(
		ip, be16_host(ip->frag), offset, p->l4_len, (be16_host(ip->frag) & IPV4_MORE_FRAGMENTS) != 0);
}

static void
cut(struct worker *w, struct pkt *p, unsigned index)
{
	struct port *port = w->ports[p->out_port];
	unsigned room = (p->mtu - (unsigned)(p->l4_off - p->l3_off)) & ~7u;
	unsigned offset = 0, pieces = 1;

	if (port == NULL) {
		pkt_drop(p, DROP_PORT_GONE);
		return;
	}
	for (; p->l4_len - offset + p->l4_off - p->l3_off > p->mtu; offset += room, pieces++) {
		if (!add_piece(w, port->umem, p, index, offset, room)) {
			pkt_drop(p, DROP_NO_FRAME);
			return;
		}
	}
	keep_rest(p, offset);
	count(&w->counters, COUNT_FRAGMENTED);
	counter_add(&w->counters.counts[COUNT_FRAGMENTS_SENT], pieces);
}

void
segment_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & BURST_CUT))
		return;
	BURST_FOREACH (b, p)
		if (__builtin_expect(is_to_be_cut(p), 0))
			cut(w, p, (unsigned)(p - b->pkts));
}
