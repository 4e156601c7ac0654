#include "control/source/api/api_kind.h"

#include <assert.h>

#define UNREAD_OF_ALL                                                                                 \
	{ { "metadata", "managedFields" } }, { { "metadata", "ownerReferences" } },                   \
		{ { "metadata", "finalizers" } }, { { "metadata", "generateName" } },                 \
		{ { "metadata", "generation" } }, { { "metadata", "selfLink" } },                     \
	{                                                                                             \
		{                                                                                     \
			"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration" \
		}                                                                                     \
	}

/* Of what is in "containers" or "initContainers". */
#define UNREAD_OF_CONTAINERS(list)                                                                       \
	{ { "spec", list, "*", "args" } }, { { "spec", list, "*", "command" } },                         \
		{ { "spec", list, "*", "env" } }, { { "spec", list, "*", "envFrom" } },                  \
		{ { "spec", list, "*", "image" } }, { { "spec", list, "*", "imagePullPolicy" } },        \
		{ { "spec", list, "*", "lifecycle" } }, { { "spec", list, "*", "livenessProbe" } },      \
		{ { "spec", list, "*", "readinessProbe" } }, { { "spec", list, "*", "resources" } },     \
		{ { "spec", list, "*", "securityContext" } }, { { "spec", list, "*", "startupProbe" } }, \
		{ { "spec", list, "*", "terminationMessagePath" } },                                     \
		{ { "spec", list, "*", "terminationMessagePolicy" } },                                   \
		{ { "spec", list, "*", "volumeDevices" } },                                              \
	{                                                                                                \
		{                                                                                        \
			"spec", list, "*", "volumeMounts"                                                \
		}                                                                                        \
	}

static const struct api_path unread_of_all[] = { UNREAD_OF_ALL };

static const struct api_path unread_of_nodes[] = {
	UNREAD_OF_ALL,
	{ { "status", "allocatable" } },
	{ { "status", "capacity" } },
	{ { "status", "daemonEndpoints" } },
	{ { "status", "images" } },
	{ { "status", "nodeInfo" } },
	{ { "status", "runtimeHandlers" } },
	{ { "status", "volumesAttached" } },
	{ { "status", "volumesInUse" } },
};

static const struct api_path unread_of_pods[] = {
	UNREAD_OF_ALL,
	UNREAD_OF_CONTAINERS("containers"),
	UNREAD_OF_CONTAINERS("initContainers"),
	{ { "spec", "affinity" } },
	{ { "spec", "ephemeralContainers" } },
	{ { "spec", "securityContext" } },
	{ { "spec", "tolerations" } },
	{ { "spec", "topologySpreadConstraints" } },
	{ { "spec", "volumes" } },
	{ { "status", "containerStatuses" } },
	{ { "status", "ephemeralContainerStatuses" } },
	{ { "status", "hostIPs" } },
	{ { "status", "initContainerStatuses" } },
};

static const struct api_path unread_of_service_cidrs[] = {
	UNREAD_OF_ALL,
	{ { "status", "conditions" } },
};

static const struct api_path unread_of_slices[] = {
	UNREAD_OF_ALL,
	{ { "metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time" } },
	{ { "endpoints", "*", "deprecatedTopology" } },
	{ { "endpoints", "*", "targetRef", "namespace" } },
	{ { "endpoints", "*", "targetRef", "resourceVersion" } },
};

#define COUNT(paths) (sizeof(paths) / sizeof((paths)[0]))
#define UNREAD(paths) .unread = (paths), .n_unread = COUNT(paths)

static_assert(COUNT(unread_of_pods) <= API_PATHS_MAX, "the longest list");

const struct api_kind api_kinds[N_API_KINDS] = {
	{
		.kind = OBJECT_NODE,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/nodes" } },
		UNREAD(unread_of_nodes),
		.volatile_status = { "conditions" },
	},
	{
		.kind = OBJECT_NAMESPACE,
		.is_metadata_only = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/namespaces" } },
		UNREAD(unread_of_all),
	},
	{
		.kind = OBJECT_POD,
		.has_namespace = true,
		.is_of_node = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/pods" } },
		UNREAD(unread_of_pods),
	},
	{
		.kind = OBJECT_SERVICE,
		.has_namespace = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/services" } },
		UNREAD(unread_of_all),
	},
	{
		.kind = OBJECT_ENDPOINT_SLICE,
		.has_namespace = true,
		.n_versions = 2,
		.versions = { { "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1/endpointslices" },
			{ "discovery.k8s.io/v1beta1", "/apis/discovery.k8s.io/v1beta1/endpointslices" } },
		UNREAD(unread_of_slices),
	},
	{
		.kind = OBJECT_NETWORK_POLICY,
		.has_namespace = true,
		.n_versions = 1,
		.versions = { { "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/networkpolicies" } },
		UNREAD(unread_of_all),
	},
	{
		.kind = OBJECT_SERVICE_CIDR,
		.is_optional = true,
		.n_versions = 2,
		.versions = { { "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/servicecidrs" },
			{ "networking.k8s.io/v1beta1", "/apis/networking.k8s.io/v1beta1/servicecidrs" } },
		UNREAD(unread_of_service_cidrs),
	},
};

const char *
api_kind_accept(const struct api_kind *kind, bool is_list)
{
	if (!kind->is_metadata_only)
		return "application/json";
	return is_list ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
		       : "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
}

const struct api_write_right api_write_rights[N_API_WRITES] = {
	[API_WRITE_CONDITION] = { "condition", "the node's condition RingwayReady", "nodes/status",
		{ "patch" } },
	[API_WRITE_TAINT] = { "taint", "the removal of the node's taint ringway.io/not-ready", "nodes",
		{ "patch" } },
	[API_WRITE_EVENT] = { "event", "events", "events", { "create", "patch" } },
};
