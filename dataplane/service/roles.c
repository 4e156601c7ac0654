#include "dataplane/service/roles.h"

#include <string.h>

bool
roles_adopt(struct roles *r)
{
	if (r->version == ROLES_VERSION && r->size == sizeof(*r))
		return true;
	roles_clear(r);
	return false;
}

void
roles_clear(struct roles *r)
{
	memset(r, 0, sizeof(*r));
	r->version = ROLES_VERSION;
	r->size = sizeof(*r);
}
