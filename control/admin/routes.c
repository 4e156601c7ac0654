/* The one list of the API. A handler is declared in the header of its concern. */
#include "control/admin/admin.h"
#include "control/admin/cni.h"
#include "control/admin/dns.h"
#include "control/admin/doctor.h"
#include "control/admin/drops.h"
#include "control/admin/explain.h"
#include "control/admin/health.h"
#include "control/admin/metrics.h"
#include "control/admin/nodes.h"
#include "control/admin/pods.h"
#include "control/admin/policies.h"
#include "control/admin/services.h"
#include "control/admin/status.h"
#include "control/admin/uninstall.h"

const struct admin_route admin_routes[] = {
	{ "POST", "/v1/cni/add", cni_add, "ringway-cni: what a pod's links have to be" },
	{ "POST", "/v1/cni/check", cni_check, "ringway-cni: is a pod still attached as it was" },
	{ "POST", "/v1/cni/commit", cni_commit, "ringway-cni: the links are made" },
	{ "POST", "/v1/cni/del", cni_del, "ringway-cni: a pod goes" },
	{ "POST", "/v1/cni/gc", cni_gc, "ringway-cni: what a runtime still has" },
	{ "GET", "/v1/cni/status", cni_status, "ringway-cni: would an ADD succeed" },
	{ "GET", "/v1/dns", dns_handle, "who asks for which names, and how long it takes" },
	{ "GET", "/v1/doctor", doctor_handle, "what is wrong with this node, and what to do" },
	{ "GET", "/v1/drops", drops_handle, "what was dropped, why, and who sent it" },
	{ "GET", "/v1/endpoints", endpoints_handle, "every endpoint of every service, and the way to it" },
	{ "POST", "/v1/explain", explain_handle, "one packet through the real pipeline, without sending it" },
	{ "GET", "/v1/nodes", nodes_handle, "the nodes of the cluster: tunnel end, next hop, MTU" },
	{ "GET", "/v1/pods", pods_handle, "the pods attached to this node" },
	{ "GET", "/v1/policies", policies_handle, "NetworkPolicies, whom they isolate here, and hits" },
	{ "GET", "/v1/policies/lint", policies_lint_handle, "what NetworkPolicies most likely do not mean" },
	{ "GET", "/v1/services", services_handle, "each service port, its backends, and why it has none" },
	{ "GET", "/v1/status", status_handle, "is all well on this node" },
	{ "POST", "/v1/uninstall", uninstall_handle, "take away what is ours on this node" },
	{ "GET", "/metrics", metrics_handle, "counters for Prometheus", true },
	{ "GET", "/healthz", healthz_handle, "is this process of use", true },
	{ "GET", "/readyz", readyz_handle, "do packets flow, can pods be attached", true },
	{ NULL },
};
