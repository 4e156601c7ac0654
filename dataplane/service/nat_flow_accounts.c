#include "dataplane/service/nat_flows_internal.h"

static uint32_t *
account_head(const struct nat_flows *e, const struct ip_addr *client)
{
	return &account_heads(e)[addr_hash(client, 0, 0) & (n_accounts(e->capacity) - 1)];
}

static struct account *
account_find(const struct nat_flows *e, const struct ip_addr *client)
{
	uint32_t i = *account_head(e, client);

	for (struct account *a; i != NONE; i = a->next) {
		a = &accounts(e)[i];
		if (ip_addr_eq(&a->client, client))
			return a;
	}
	return NULL;
}

/* There are as many accounts as entries, so there is one for each new entry. */
uint32_t
nat_flow_account_charge(struct nat_flows *e, const struct ip_addr *client)
{
	struct account *a = account_find(e, client);
	uint32_t *head;

	if (a == NULL) {
		head = account_head(e, client);
		a = &accounts(e)[e->free_account];
		e->free_account = a->next;
		a->client = *client;
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

bool
nat_flows_is_over_quota(const struct nat_flows *e, const struct ip_addr *client)
{
	const struct account *a = e->quota != 0 ? account_find(e, client) : NULL;

	return a != NULL && a->n >= e->quota;
}
