#include "dataplane/service/nat_flow_layout.h"

/* Under which address a client's entries are counted. */
static struct ip_addr
holder_of(const struct nat_flows *e, const struct ip_addr *client)
{
	struct ip_addr holder = *client;

	if (e->by_network && !ip_addr_is_v4(client))
		holder.w[1] = 0;
	return holder;
}

static uint32_t *
account_head(const struct nat_flows *e, const struct ip_addr *holder)
{
	return &account_heads(e)[addr_hash(holder, 0, 0) & (n_accounts(e->capacity) - 1)];
}

/* The account in a chain, or NULL; how many others were looked at. */
static struct account *
account_find(const struct nat_flows *e, const struct ip_addr *holder, unsigned *n_others)
{
	*n_others = 0;
	for (uint32_t i = *account_head(e, holder); i != NONE; i = accounts(e)[i].next, ++*n_others)
		if (ip_addr_eq(&accounts(e)[i].client, holder))
			return &accounts(e)[i];
	return NULL;
}

/* There are as many accounts as entries, so there is one for each new entry. */
uint32_t
nat_flow_account_charge(struct nat_flows *e, const struct ip_addr *client)
{
	struct ip_addr holder = holder_of(e, client);
	unsigned n_others;
	struct account *a = account_find(e, &holder, &n_others);
	uint32_t *head;

	if (a == NULL) {
		head = account_head(e, &holder);
		a = &accounts(e)[e->free_account];
		e->free_account = a->next;
		a->client = holder;
		a->n = 0;
		a->next = *head;
		*head = (uint32_t)(a - accounts(e));
	}
	a->n++;
	return (uint32_t)(a - accounts(e));
}

void
nat_flow_account_refund(struct nat_flows *e, uint32_t i)
{
	struct account *a = &accounts(e)[i];
	uint32_t *link = account_head(e, &a->client);

	if (--a->n > 0)
		return;
	while (*link != i)
		link = &accounts(e)[*link].next;
	*link = a->next;
	a->next = e->free_account;
	e->free_account = i;
}

uint32_t
nat_flows_count_of(const struct nat_flows *e, const struct ip_addr *client)
{
	struct ip_addr holder = holder_of(e, client);
	unsigned n_others;
	const struct account *a = e->quota != 0 ? account_find(e, &holder, &n_others) : NULL;

	return a != NULL ? a->n : 0;
}

/* Nor does a client get an account in a chain that strangers have filled. */
bool
nat_flows_is_over_quota(const struct nat_flows *e, const struct ip_addr *client)
{
	struct ip_addr holder = holder_of(e, client);
	const struct account *a;
	unsigned n_others;

	if (e->quota == 0)
		return false;
	a = account_find(e, &holder, &n_others);
	return a != NULL ? a->n >= e->quota : n_others >= CHAIN_MAX;
}

void
nat_flows_refuse(struct nat_flows *e, const struct ip_addr *client, uint64_t now_ns)
{
	struct ip_addr holder = holder_of(e, client);

	e->n_refused_quota++;
	__atomic_store_n(&e->refused.w[0], holder.w[0], __ATOMIC_RELAXED);
	__atomic_store_n(&e->refused.w[1], holder.w[1], __ATOMIC_RELAXED);
	__atomic_store_n(&e->refused_ns, now_ns, __ATOMIC_RELEASE);
}

bool
nat_flows_refused(const struct nat_flows *e, struct ip_addr *client, uint64_t *when_ns)
{
	if (e == NULL)
		return false;
	*when_ns = __atomic_load_n(&e->refused_ns, __ATOMIC_ACQUIRE);
	client->w[0] = __atomic_load_n(&e->refused.w[0], __ATOMIC_RELAXED);
	client->w[1] = __atomic_load_n(&e->refused.w[1], __ATOMIC_RELAXED);
	return !ip_addr_is_none(client);
}
