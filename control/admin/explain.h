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

struct explain_context {
	struct names names;            /* tables are in force, not NULL */
	struct worker *const *workers; /* by id */
	unsigned n_workers;
	const char *self; /* this node's name */
};

enum sender_kind {
	SENDER_POD,    /* of this node */
	SENDER_HOST,   /* a process of this node */
	SENDER_REMOTE, /* a pod of another node: its packet comes by the tunnel */
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

/* Answers one question. */
void explain_answer(const struct explain_context *c, const struct question *q, struct admin_reply *reply);

/* What could be done about a drop, or NULL. */
const char *explain_hint(enum drop_reason reason);

admin_handler explain_handle;

#endif
