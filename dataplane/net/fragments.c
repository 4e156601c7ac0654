#include "dataplane/net/fragments.h"

#include <stdlib.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/net/headers.h"

#define SETS (FRAGMENT_ENTRIES / FRAGMENT_WAYS)

struct fragments *
fragments_new(void)
{
	size_t size = (sizeof(struct fragments) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct fragments *f = aligned_alloc(CACHE_LINE, size);

	if (f != NULL)
		memset(f, 0, size);
	return f;
}

void
fragments_free(struct fragments *f)
{
	free(f);
}

static bool
is_stranger(const struct pkt *p)
{
	return p->origin == ORIGIN_UPLINK && !(p->flags & PKT_DECAPPED);
}

/* IPv6: parse has followed the extension headers up to the fragment header, and found all of them whole. */
static uint32_t
datagram_id(const struct pkt *p)
{
	const uint8_t *l3 = p->data + p->l3_off;
	unsigned off = p->l3_off + (unsigned)sizeof(struct ipv6_hdr);
	uint8_t next;

	if (p->family == 4)
		return be16_host(((const struct ipv4_hdr *)l3)->id);
	next = ((const struct ipv6_hdr *)l3)->next;
	while (next != PROTO_IPV6_FRAG && off + 8u <= p->len) {
		unsigned units = p->data[off + 1];
		bool is_auth = next == PROTO_AH;

		next = p->data[off];
		off += is_auth ? (units + 2) * 4 : (units + 1) * 8;
	}
	return off + 8u <= p->len ? be32_host(((const struct ipv6_frag_hdr *)(p->data + off))->id) : 0;
}

static struct fragment_entry
key_of(const struct pkt *p)
{
	return (struct fragment_entry){
		.src = p->src, .dst = p->dst, .id = datagram_id(p), .key_proto = p->family == 4 ? p->proto : 0
	};
}

static struct fragment_entry *
set_of(const struct fragments *f, const struct fragment_entry *key)
{
	uint32_t hash =
		flow_hash(&key->src, &key->dst, (uint16_t)(key->id >> 16), (uint16_t)key->id, key->key_proto);

	return (struct fragment_entry *)&f->entries[hash % SETS * FRAGMENT_WAYS];
}

static bool
is_same(const struct fragment_entry *a, const struct fragment_entry *b)
{
	return a->id == b->id && a->key_proto == b->key_proto && ip_addr_eq(&a->src, &b->src) &&
	       ip_addr_eq(&a->dst, &b->dst);
}

static unsigned
count_of_source(const struct fragment_entry *set, const struct ip_addr *src)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
		n += ip_addr_eq(&set[i].src, src);
	return n;
}

/* The place for a new entry: its own, a free one, or the oldest of whoever has most. */
static struct fragment_entry *
place_for(struct fragment_entry *set, const struct fragment_entry *key, uint64_t now_ns)
{
	struct fragment_entry *best = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
		if (set[i].expires_ns != 0 && is_same(&set[i], key))
			return &set[i];
	for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
		unsigned n;

		if (set[i].expires_ns <= now_ns)
			return &set[i];
		n = count_of_source(set, &set[i].src) + (set[i].is_stranger ? FRAGMENT_WAYS : 0);
		if (n > most || (n == most && set[i].expires_ns < best->expires_ns)) {
			most = n;
			best = &set[i];
		}
	}
	return best;
}

void
fragments_note(struct fragments *f, const struct pkt *p, uint64_t now_ns)
{
	struct fragment_entry key = key_of(p);

	key.proto = p->proto;
	key.tcp_flags = p->tcp_flags;
	key.sport = p->sport;
	key.dport = p->dport;
	key.is_stranger = is_stranger(p);
	key.expires_ns = now_ns + FRAGMENT_NS;
	*place_for(set_of(f, &key), &key, now_ns) = key;
	f->has_news = f->n_waiting != 0;
}

static const struct fragment_entry *
find(const struct fragments *f, const struct pkt *p, uint64_t now_ns)
{
	struct fragment_entry key = key_of(p);
	const struct fragment_entry *set = set_of(f, &key);

	for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
		if (set[i].expires_ns > now_ns && is_same(&set[i], &key))
			return &set[i];
	return NULL;
}

bool
fragments_complete(const struct fragments *f, struct pkt *p, uint64_t now_ns)
{
	const struct fragment_entry *e = find(f, p, now_ns);

	if (e == NULL)
		return false;
	p->proto = e->proto;
	p->tcp_flags = e->tcp_flags;
	p->sport = p->new_sport = e->sport;
	p->dport = p->new_dport = e->dport;
	p->hash = flow_hash(&p->src, &p->dst, p->sport, p->dport, p->proto);
	return true;
}

bool
fragments_hold(struct fragments *f, const struct pkt *p, uint64_t now_ns)
{
	unsigned of_source = 0, strangers = 0;

	for (unsigned i = 0; i < f->n_waiting; i++) {
		of_source += ip_addr_eq(&f->waiting[i].src, &p->src);
		strangers += is_stranger(&f->waiting[i]);
	}
	if (is_stranger(p) && strangers >= FRAGMENT_WAITING / 2)
		return false;
	if (f->n_waiting == FRAGMENT_WAITING || of_source >= FRAGMENT_WAITING_SHARE)
		return false;
	f->waiting[f->n_waiting] = *p;
	f->until_ns[f->n_waiting] = now_ns + FRAGMENT_WAIT_NS;
	if (f->n_waiting++ == 0)
		f->look_again_ns = now_ns + FRAGMENT_WAIT_NS;
	return true;
}

/* They leave in the order in which they came, so that what is left stays sorted by its time. */
void
fragments_take(struct fragments *f, bool decapped, struct burst *b, uint64_t now_ns)
{
	unsigned kept = 0;

	f->look_again_ns = UINT64_MAX;
	for (unsigned i = 0; i < f->n_waiting; i++) {
		struct pkt *p = &f->waiting[i];
		bool is_known = find(f, p, now_ns) != NULL;
		bool goes = is_known || now_ns >= f->until_ns[i];

		if (goes && b->n < BURST_MAX && decapped == ((p->flags & PKT_DECAPPED) != 0)) {
			struct pkt *out = &b->pkts[b->n++];

			*out = *p;
			if (!is_known)
				pkt_drop(out, DROP_FRAGMENT);
			continue;
		}
		/* what is due but not taken now is looked at again next time */
		if (goes)
			f->look_again_ns = now_ns;
		else if (f->until_ns[i] < f->look_again_ns)
			f->look_again_ns = f->until_ns[i];
		if (kept != i) {
			f->waiting[kept] = *p;
			f->until_ns[kept] = f->until_ns[i];
		}
		kept++;
	}
	f->n_waiting = kept;
}
