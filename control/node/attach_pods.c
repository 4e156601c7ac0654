/* The pods there are: the list, their addresses, what the state file has of them, and how one leaves. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/node/attach_internal.h"
#include "control/node/pod_port.h"
#include "control/node/state.h"
#include "dataplane/service/roles.h"

#define RETRY_S 8 /* how long the shim waits for us (cni/agent.h): worth answering "ask again" */

static const char *const family_names[N_FAMILIES] = { "IPv4", "IPv6" };

int64_t
attach_now_s(void)
{
	return (int64_t)time(NULL);
}

/* --- the list of pods */

struct attached *
attach_find(const struct attach *a, const char *container_id, const char *ifname)
{
	for (size_t i = 0; i < a->n_pods; i++)
		if (strcmp(a->pods[i]->record.container_id, container_id) == 0 &&
			strcmp(a->pods[i]->record.ifname, ifname) == 0)
			return a->pods[i];
	return NULL;
}

struct attached *
attach_append(struct attach *a, const struct attachment_record *record)
{
	struct attached *pod = calloc(1, sizeof(*pod));

	if (pod != NULL && a->n_pods == a->capacity) {
		size_t capacity = a->capacity == 0 ? 64 : a->capacity * 2;
		struct attached **grown = realloc(a->pods, capacity * sizeof(struct attached *));

		if (grown == NULL) {
			free(pod);
			return NULL;
		}
		a->pods = grown;
		a->capacity = capacity;
	}
	if (pod == NULL)
		return NULL;
	pod->record = *record;
	a->pods[a->n_pods++] = pod;
	return pod;
}

static void
take_out(struct attach *a, const struct attached *pod)
{
	for (size_t i = 0; i < a->n_pods; i++)
		if (a->pods[i] == pod)
			a->pods[i] = a->pods[--a->n_pods];
}

void
attach_drop(struct attach *a, struct attached *pod)
{
	take_out(a, pod);
	free(pod);
}

/* "shop/web-1", or the container's id. */
const char *
attach_pod_text(const struct attached *pod, char buf[static POD_TEXT_SIZE])
{
	if (pod->record.pod[0] == '\0')
		snprintf(buf, POD_NS_SIZE + POD_NAME_SIZE, "container %.64s", pod->record.container_id);
	else
		snprintf(buf, POD_TEXT_SIZE, "%s/%s", pod->record.pod_ns, pod->record.pod);
	return buf;
}

/* No worker uses tables that name a pod without a port. */
static void
note_published(struct attach *a)
{
	for (size_t i = 0; i < a->n_pods; i++)
		if (a->pods[i]->port == NULL)
			a->pods[i]->is_named = false;
	while (a->gone != NULL) {
		struct attached *pod = a->gone;

		a->gone = pod->next;
		pod_memory_release(pod, &a->config);
		free(pod);
	}
}

int
attach_publish(struct attach *a)
{
	int rc;

	a->generation++;
	rc = a->config.publish(a->config.publish_arg);
	if (rc == 0)
		note_published(a);
	return rc;
}

int
attach_refuse(
	struct attach_error *e, unsigned status, unsigned cni_code, const char *hint, const char *format, ...)
{
	va_list args;

	e->status = status;
	e->cni_code = cni_code;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	snprintf(e->hint, sizeof(e->hint), "%s", hint);
	return -1;
}

/* --- addresses */

static void
shortage_tell(struct attach *a, enum family_index family)
{
	struct ipam_counts counts = ipam_count(a->config.ipam, family);
	bool is_short = ipam_is_short(&counts);
	char range[IP_PREFIX_STRLEN];

	if (is_short && !a->is_short[family])
		log_warn("%u of %u %s addresses of %s are used: a larger pod CIDR is needed for more pods",
			counts.used, counts.total, family_names[family],
			ip_prefix_format(ipam_range(a->config.ipam, family), range));
	a->is_short[family] = is_short;
}

/* The namespace with most pods here, as "; most of them, 5, by namespace shop", or "". */
static void
worst_user(const struct attach *a, char out[static ATTACH_TEXT_SIZE])
{
	const char *worst = "";
	size_t most = 0;

	for (size_t i = 0; i < a->n_pods; i++) {
		const char *ns = a->pods[i]->record.pod_ns;
		size_t n = 0;

		for (size_t k = 0; k < a->n_pods; k++)
			n += strcmp(a->pods[k]->record.pod_ns, ns) == 0;
		if (n > most && ns[0] != '\0') {
			most = n;
			worst = ns;
		}
	}
	out[0] = '\0';
	if (most != 0)
		snprintf(out, ATTACH_TEXT_SIZE, "; most pods, %zu, are of namespace %s", most, worst);
}

static int
full(const struct attach *a, enum family_index family, struct attach_error *e)
{
	struct ipam_counts counts = ipam_count(a->config.ipam, family);
	int64_t wait_s = ipam_next_free_s(a->config.ipam, family, attach_now_s());
	char range[IP_PREFIX_STRLEN], worst[ATTACH_TEXT_SIZE];

	ip_prefix_format(ipam_range(a->config.ipam, family), range);
	worst_user(a, worst);
	if (wait_s < 0)
		return attach_refuse(e, STATUS_CONFLICT, CODE_NO_ADDRESS,
			"Give the node a larger pod CIDR (it is taken from the Node object; a node with "
			"another one has to "
			"be made anew), or lower kubelet's maxPods, so that the scheduler places fewer pods "
			"here.",
			"no %s address is free in %s: all %u are used%s", family_names[family], range,
			counts.total, worst);
	return attach_refuse(e, wait_s <= RETRY_S ? STATUS_NOT_READY : STATUS_CONFLICT, CODE_TRY_AGAIN,
		"A released address is left alone for a while, so that nothing meant for its former pod "
		"reaches another.",
		"no %s address is free in %s: %u of %u are used, %u were released lately, the next is free "
		"in %lld s%s",
		family_names[family], range, counts.used, counts.total, counts.cooling, (long long)wait_s,
		worst);
}

void
attach_release_addrs(struct attach *a, const struct attachment_record *record)
{
	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (!ip_addr_is_none(&record->addrs[f])) {
			ipam_release(a->config.ipam, &record->addrs[f], attach_now_s());
			shortage_tell(a, (enum family_index)f);
		}
}

/* One address of each family that the node has; all or none. */
int
attach_take_addrs(struct attach *a, struct attachment_record *record, struct attach_error *e)
{
	for (unsigned f = 0; f < N_FAMILIES; f++) {
		if (ipam_range(a->config.ipam, (enum family_index)f) == NULL)
			continue;
		if (ipam_take(a->config.ipam, (enum family_index)f, attach_now_s(), &record->addrs[f]) < 0) {
			record->addrs[f] = (struct ip_addr){ 0 };
			attach_release_addrs(a, record);
			return full(a, (enum family_index)f, e);
		}
		shortage_tell(a, (enum family_index)f);
	}
	return 0;
}

/* --- the state file */

int
attach_save(struct attach *a, const struct attachment_record *record)
{
	struct state *s = a->config.state;
	int rc = state_begin(s);

	if (rc < 0)
		return rc;
	state_put_attachment(s, record);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (!ip_addr_is_none(&record->addrs[f]))
			state_remove_lease(s, &record->addrs[f]);
	return state_commit(s);
}

int
attach_forget(struct attach *a, const struct attachment_record *record)
{
	struct state *s = a->config.state;
	int rc = state_begin(s);

	if (rc < 0)
		return rc;
	state_remove_attachment(s, record->container_id, record->ifname);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (!ip_addr_is_none(&record->addrs[f]))
			state_put_lease(s, &(struct lease_record){ record->addrs[f], attach_now_s() });
	return state_commit(s);
}

int
attach_state_trouble(const struct attach *a, struct attach_error *e)
{
	return attach_refuse(e, STATUS_FAILED, 0, "Is the disk of state.dir full or read-only?",
		"the state file: %s", state_error(a->config.state));
}

int
attach_destroy(struct attach *a, struct attached *pod, struct attach_error *e)
{
	int rc = pod_port_destroy(pod, &a->config, a->netdev);

	if (rc < 0)
		return attach_refuse(e, STATUS_FAILED, 0, "", "cannot remove the interface %s: %s",
			pod->record.link, strerror(-rc));
	rc = attach_forget(a, &pod->record);
	if (rc < 0)
		return attach_state_trouble(a, e);
	attach_release_addrs(a, &pod->record);
	if (pod->is_named) {
		take_out(a, pod);
		pod->next = a->gone;
		a->gone = pod;
		return 0;
	}
	pod_memory_release(pod, &a->config);
	attach_drop(a, pod);
	return 0;
}

/* --- what is learned of one */

bool
attached_is_opaque(const struct attached *pod)
{
	return pod->roles != NULL && pod->roles->is_opaque;
}

void
attach_note_opaque(struct attach *a, const struct ip_addr *addr)
{
	char name[POD_TEXT_SIZE];

	for (size_t i = 0; i < a->n_pods; i++) {
		struct attached *pod = a->pods[i];

		if ((!ip_addr_eq(&pod->record.addrs[V4], addr) &&
			    !ip_addr_eq(&pod->record.addrs[V6], addr)) ||
			pod->roles == NULL || pod->roles->is_opaque)
			continue;
		log_info("%s has connections whose sockets are not in its network namespace: what it opens "
			 "to services is remembered from now on",
			attach_pod_text(pod, name));
		pod->roles->is_opaque = 1;
		attach_publish(a);
	}
}

void
attach_note_netns(struct attach *a, struct attached *pod)
{
	if (netdev_leads_to(a->netdev, pod->record.link, pod->record.netns))
		collect_begin(&pod->collect, pod->record.netns);
	else
		pod->collect = (struct collect_note){ 0 };
}

/* --- leaving */

/* Out of the tables first, so that no worker sends to a port that closes. */
void
attach_withdraw(struct attach *a, struct attached *pod)
{
	struct port *port = pod->port;
	int rc;

	if (port == NULL)
		return;
	pod->port = NULL;
	rc = attach_publish(a);
	pod->is_named = rc < 0;
	if (rc < 0 && rc != -EAGAIN)
		log_warn("tables without %s cannot be built: %s", pod->record.link, strerror(-rc));
	pod->port = port;
	pod_port_close(pod, &a->config);
}
