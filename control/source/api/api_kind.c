#include "control/source/api/api_kind.h"

const struct api_kind api_kinds[N_API_KINDS] = {
	{
		.kind = OBJECT_NODE,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/nodes" } },
		.volatile_status = { "conditions", "images", "allocatable", "capacity", "nodeInfo",
			"volumesInUse", "volumesAttached" },
	},
	{
		.kind = OBJECT_NAMESPACE,
		.is_metadata_only = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/namespaces" } },
	},
	{
		.kind = OBJECT_POD,
		.has_namespace = true,
		.is_of_node = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/pods" } },
		.volatile_status = { "containerStatuses", "initContainerStatuses",
			"ephemeralContainerStatuses" },
	},
	{
		.kind = OBJECT_SERVICE,
		.has_namespace = true,
		.n_versions = 1,
		.versions = { { "v1", "/api/v1/services" } },
	},
	{
		.kind = OBJECT_ENDPOINT_SLICE,
		.has_namespace = true,
		.n_versions = 2,
		.versions = { { "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1/endpointslices" },
			{ "discovery.k8s.io/v1beta1", "/apis/discovery.k8s.io/v1beta1/endpointslices" } },
	},
	{
		.kind = OBJECT_NETWORK_POLICY,
		.has_namespace = true,
		.n_versions = 1,
		.versions = { { "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/networkpolicies" } },
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
