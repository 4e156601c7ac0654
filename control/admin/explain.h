/* POST /v1/explain: what would become of a packet. The question is resolved with the names of the cluster, the packet built
 * as its sender would, run through the real pipeline (explain_run.h), and the notes of the stages told with names. The fields
 * are documented in the help of `ringway explain`. Control thread only. */
#ifndef RINGWAY_ADMIN_EXPLAIN_H
#define RINGWAY_ADMIN_EXPLAIN_H

#include "control/admin/admin.h"
#include "control/admin/explain_run.h"
#include "control/admin/names.h"
#include "control/admin/probe.h"
#include "control/admin/question.h"

struct policy_builder;

struct explain_context {
	struct names names;            /* tables are in force, not NULL */
	struct worker *const *workers; /* by id */
	unsigned n_workers;
	const char *self;                      /* this node's name */
	const struct policy_builder *policies; /* names the rules of the tables; may be NULL */
};

enum sender_kind {
	SENDER_POD,     /* of this node */
	SENDER_HOST,    /* a process of this node */
	SENDER_REMOTE,  /* a pod of another node: its packet comes by the tunnel */
	SENDER_OUTSIDE, /* a client outside the cluster: its packet comes by the uplink as it is */
};

/* A question with everything looked up: what explain_resolve() fills in. */
struct explain_packet {
	enum sender_kind sender;
	struct probe probe;
	struct probe_tunnel tunnel; /* SENDER_REMOTE */
	uint16_t in_port;
	unsigned worker;
};

/* False with the error's HTTP status and message in reply. */
bool explain_resolve(const struct explain_context *c, const struct question *q, struct explain_packet *out,
	struct admin_reply *reply);

/* Where clients outside reach a service's port (NULL: any), or a pod's host ports: the frontend in force of the family, and
 * a load balancer's rather than an external address's rather than a node port. NULL: nowhere. */
const struct frontend *explain_exposed(const struct explain_context *c, const struct object *service,
	const struct service_port *port, bool is_v4);
const struct frontend *explain_exposed_pod(
	const struct explain_context *c, const char *ns, const char *name, uint16_t port, bool is_v4);

/* The service whose frontend a packet is for. */
struct explain_service {
	const struct frontend *frontend;      /* NULL: there is none */
	const char *ns, *name;                /* the builder's */
	const struct service_object *service; /* NULL: a pod's host port */
	const struct service_port *port;      /* of service; may be NULL when that has changed since */
	bool is_from_outside;
};

struct explain_service explain_service_find(
	const struct explain_context *c, const struct explain_packet *packet);

/* Which of its endpoints are chosen, and why: as `ringway explain --help` describes "service"; null without a frontend. */
json_t *explain_service_json(const struct explain_context *c, const struct explain_service *s);

/* What the service tells about a packet that did not get through: why it has no backend, which ports it has; or, of a client
 * outside, why it is not reached. False: nothing. */
bool explain_service_hint(const struct explain_context *c, const struct explain_packet *packet,
	const struct explain_service *s, char *text, size_t size);

/* What policies found in each direction of each pod of this node: as `ringway explain --help` describes "policies". */
json_t *explain_policies_json(const struct explain_context *c, const struct explain_output *run);

/* What would let the packet pass where policies deny it: as `ringway explain --help` describes "advice". */
json_t *explain_advice_json(const struct explain_context *c, const struct explain_output *run);

/* Answers one question. */
void explain_answer(const struct explain_context *c, const struct question *q, struct admin_reply *reply);

/* What could be done about a drop, or NULL. */
const char *explain_hint(enum drop_reason reason);

admin_handler explain_handle;

#endif
