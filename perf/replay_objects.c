#include "perf/replay_objects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define NAMESPACE "perf"
#define FIRST_HOST 2
#define N_IMAGES 20 /* that a node's status tells of; kubelets tell of up to 50 */
#define CREATED "2026-01-31T12:00:00Z"

static const struct {
	const char *name, *version, *path;
} kinds[N_REPLAY_KINDS] = {
	[REPLAY_NODES] = { "Node", "v1", "/api/v1/nodes" },
	[REPLAY_NAMESPACES] = { "Namespace", "v1", "/api/v1/namespaces" },
	[REPLAY_PODS] = { "Pod", "v1", "/api/v1/pods" },
	[REPLAY_SERVICES] = { "Service", "v1", "/api/v1/services" },
	[REPLAY_SLICES] = { "EndpointSlice", "discovery.k8s.io/v1",
		"/apis/discovery.k8s.io/v1/endpointslices" },
	[REPLAY_POLICIES] = { "NetworkPolicy", "networking.k8s.io/v1",
		"/apis/networking.k8s.io/v1/networkpolicies" },
};

const char *
replay_kind_name(enum replay_kind kind)
{
	return kinds[kind].name;
}

const char *
replay_kind_version(enum replay_kind kind)
{
	return kinds[kind].version;
}

const char *
replay_kind_path(enum replay_kind kind)
{
	return kinds[kind].path;
}

int
replay_check(const struct replay_shape *s)
{
	uint64_t most = (uint64_t)s->n_nodes * REPLAY_NODE_PODS;

	return s->n_endpoints > most || s->n_pods > most ? -EINVAL : 0;
}

void
replay_print(struct replay_text *out, const char *format, ...)
{
	size_t room = sizeof(out->bytes) - out->n;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->bytes + out->n, room, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		out->n += (size_t)n;
}

/* Endpoints and pods of the same number are the same. */
static uint32_t
node_of(const struct replay_shape *s, uint32_t pod)
{
	return pod % s->n_nodes;
}

bool
replay_is_local(const struct replay_shape *shape, uint32_t pod)
{
	return node_of(shape, pod) == 0;
}

struct dotted {
	char text[16];
};

static struct dotted
dotted(uint32_t addr)
{
	struct dotted d;

	snprintf(d.text, sizeof(d.text), "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		addr & 255);
	return d;
}

static struct dotted
pod_addr(const struct replay_shape *s, uint32_t pod)
{
	return dotted(0x0a800000 + (node_of(s, pod) << 8) + FIRST_HOST + pod / s->n_nodes); /* 10.128.0.0/9 */
}

static struct dotted
node_addr(uint32_t node)
{
	return dotted(0xac100001 + node); /* 172.16.0.0/12 */
}

static struct dotted
service_addr(uint32_t service)
{
	return dotted(0x0a600001 + service); /* 10.96.0.0/11 */
}

static uint32_t
service_size(const struct replay_shape *s, uint32_t service)
{
	return s->n_endpoints / s->n_services + (service < s->n_endpoints % s->n_services);
}

/* As many as the largest service has. */
static uint32_t
slices_per_service(const struct replay_shape *s)
{
	return (service_size(s, 0) + REPLAY_SLICE - 1) / REPLAY_SLICE;
}

uint32_t
replay_count(const struct replay_shape *s, enum replay_kind kind)
{
	const uint32_t counts[N_REPLAY_KINDS] = {
		[REPLAY_NODES] = s->n_nodes,
		[REPLAY_NAMESPACES] = 2,
		[REPLAY_PODS] = s->n_pods,
		[REPLAY_SERVICES] = s->n_services,
		[REPLAY_SLICES] = s->n_services * slices_per_service(s),
		[REPLAY_POLICIES] = s->n_pods != 0,
	};

	return counts[kind];
}

/* A UID, of 16 bytes written as these are. */
static void
print_uid(struct replay_text *t, enum replay_kind kind, uint32_t number)
{
	replay_print(t, "%08x-7c1e-4d02-9b3%x-%012x", number * 2654435761u, kind, number);
}

static void
print_name(struct replay_text *t, const struct replay_shape *s, enum replay_kind kind, uint32_t number)
{
	switch (kind) {
	case REPLAY_NODES:
		replay_print(t, "node-%u", number);
		break;
	case REPLAY_NAMESPACES:
		replay_print(t, "%s", number == 0 ? NAMESPACE : "default");
		break;
	case REPLAY_PODS:
		replay_print(t, "service-%u-6f7d9c54b8-%05x", number % s->n_services, number & 0xfffff);
		break;
	case REPLAY_SLICES:
		replay_print(t, "service-%u-%05x", number / slices_per_service(s), number & 0xfffff);
		break;
	case REPLAY_SERVICES:
		replay_print(t, "service-%u", number);
		break;
	default:
		replay_print(t, "policy-%u", number);
		break;
	}
}

/* What metadata begin with. */
static void
begin(struct replay_text *t, const struct replay_shape *s, enum replay_kind kind, uint32_t number,
	uint64_t version, bool is_in_list)
{
	bool is_partial = kind == REPLAY_NAMESPACES;

	replay_print(t, "{");
	if (!is_in_list || is_partial)
		replay_print(t, "\"kind\":\"%s\",\"apiVersion\":\"%s\",",
			is_partial ? "PartialObjectMetadata" : kinds[kind].name,
			is_partial ? "meta.k8s.io/v1" : kinds[kind].version);
	replay_print(t, "\"metadata\":{\"name\":\"");
	print_name(t, s, kind, number);
	if (kind != REPLAY_NODES && kind != REPLAY_NAMESPACES)
		replay_print(t, "\",\"namespace\":\"" NAMESPACE);
	replay_print(t, "\",\"uid\":\"");
	print_uid(t, kind, number);
	replay_print(t, "\",\"resourceVersion\":\"%llu\",\"creationTimestamp\":\"" CREATED "\",",
		(unsigned long long)version);
}

static void
print_manager(struct replay_text *t, const char *manager, const char *api_version, const char *subresource)
{
	replay_print(t,
		"{\"manager\":\"%s\",\"operation\":\"Update\",\"apiVersion\":\"%s\",\"time\":\"" CREATED
		"\",\"fieldsType\":\"FieldsV1\",%s\"fieldsV1\":",
		manager, api_version, subresource);
}

static void
print_node(struct replay_text *t, uint32_t number, uint32_t toggle)
{
	static const char *const conditions[] = { "MemoryPressure", "DiskPressure", "PIDPressure", "Ready" };
	uint32_t seconds = toggle % 60;

	replay_print(t,
		"\"labels\":{\"beta.kubernetes.io/arch\":\"amd64\",\"beta.kubernetes.io/os\":\"linux\","
		"\"kubernetes.io/arch\":\"amd64\",\"kubernetes.io/hostname\":\"node-%u\",\"kubernetes.io/"
		"os\":"
		"\"linux\",\"topology.kubernetes.io/region\":\"region-1\",\"topology.kubernetes.io/zone\":"
		"\"zone-%u\"},\"annotations\":{\"node.alpha.kubernetes.io/ttl\":\"0\","
		"\"volumes.kubernetes.io/controller-managed-attach-detach\":\"true\"},\"managedFields\":[",
		number, number % 3);
	print_manager(t, "kubelet", "v1", "");
	replay_print(t,
		"{\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:volumes.kubernetes.io/controller-managed-"
		"attach-detach\":{}},\"f:labels\":{\".\":{},\"f:beta.kubernetes.io/arch\":{},"
		"\"f:beta.kubernetes.io/os\":{},\"f:kubernetes.io/arch\":{},\"f:kubernetes.io/hostname\":{},"
		"\"f:kubernetes.io/os\":{}}}}},");
	print_manager(t, "kube-controller-manager", "v1", "");
	replay_print(t,
		"{\"f:metadata\":{\"f:annotations\":{\"f:node.alpha.kubernetes.io/ttl\":{}}},\"f:spec\":{"
		"\"f:podCIDR\":{},\"f:podCIDRs\":{\".\":{},\"v:\\\"%s/24\\\"\":{}}}}},",
		dotted(0x0a800000 + (number << 8)).text);
	print_manager(t, "kubelet", "v1", "\"subresource\":\"status\",");
	replay_print(t, "{\"f:status\":{\"f:conditions\":{");
	for (unsigned i = 0; i < 4; i++)
		replay_print(t,
			"%s\"k:{\\\"type\\\":\\\"%s\\\"}\":{\"f:lastHeartbeatTime\":{},\"f:"
			"lastTransitionTime\":{},\"f:"
			"message\":{},\"f:reason\":{},\"f:status\":{}}",
			i == 0 ? "" : ",", conditions[i]);
	replay_print(t, "},\"f:images\":{}}}}]},\"spec\":{\"podCIDR\":\"%s/24\",\"podCIDRs\":[\"%s/24\"]},",
		dotted(0x0a800000 + (number << 8)).text, dotted(0x0a800000 + (number << 8)).text);
	replay_print(t,
		"\"status\":{\"capacity\":{\"cpu\":\"64\",\"ephemeral-storage\":\"959786032Ki\",\"hugepages-"
		"1Gi\":\"0\",\"hugepages-2Mi\":\"0\",\"memory\":\"263856308Ki\",\"pods\":\"250\"},"
		"\"allocatable\":{\"cpu\":\"63\",\"ephemeral-storage\":\"884538806136\",\"hugepages-1Gi\":"
		"\"0\",\"hugepages-2Mi\":\"0\",\"memory\":\"259559604Ki\",\"pods\":\"250\"},\"conditions\":"
		"[");
	for (unsigned i = 0; i < 4; i++)
		replay_print(t,
			"%s{\"type\":\"%s\",\"status\":\"%s\",\"lastHeartbeatTime\":\"2026-01-31T13:%02u:%"
			"02uZ\","
			"\"lastTransitionTime\":\"" CREATED
			"\",\"reason\":\"Kubelet%s\",\"message\":\"kubelet has sufficient memory, disk and "
			"PIDs\"}",
			i == 0 ? "" : ",", conditions[i], i == 3 ? "True" : "False", toggle / 60 % 60,
			seconds, conditions[i]);
	replay_print(t,
		"],\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"%s\"},{\"type\":\"Hostname\","
		"\"address\":"
		"\"node-%u\"}],\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}},\"nodeInfo\":{"
		"\"machineID\":\"%032x\",\"systemUUID\":\"%032x\",\"bootID\":\"%032x\",\"kernelVersion\":"
		"\"6.12.0-amd64\",\"osImage\":\"Debian GNU/Linux 12 (bookworm)\",\"containerRuntimeVersion\":"
		"\"containerd://"
		"1.7.24\",\"kubeletVersion\":\"v1.34.1\",\"kubeProxyVersion\":\"\",\"operatingSystem\":"
		"\"linux\",\"architecture\":\"amd64\"},\"images\":[",
		node_addr(number).text, number, number, number, number);
	for (unsigned i = 0; i < N_IMAGES; i++)
		replay_print(t,
			"%s{\"names\":[\"registry.example.org/team-%u/"
			"program-%u@sha256:%032x%032x\",\"registry."
			"example.org/team-%u/program-%u:1.%u.%u\"],\"sizeBytes\":%u}",
			i == 0 ? "" : ",", i % 7, i, i * 2654435761u, number, i % 7, i, i, number % 10,
			100000000 + i);
	replay_print(t, "]}}");
}

static void
print_service(struct replay_text *t, uint32_t number)
{
	const struct dotted addr = service_addr(number);

	replay_print(t,
		"\"labels\":{\"app.kubernetes.io/name\":\"service-%u\",\"app.kubernetes.io/"
		"managed-by\":\"Helm\"},"
		"\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{\\\"apiVersion\\\":"
		"\\\"v1\\\",\\\"kind\\\":\\\"Service\\\",\\\"metadata\\\":{\\\"annotations\\\":{},"
		"\\\"name\\\":"
		"\\\"service-%u\\\",\\\"namespace\\\":\\\"" NAMESPACE
		"\\\"},\\\"spec\\\":{\\\"ports\\\":[{\\\"name\\\":\\\"web\\\",\\\"port\\\":80}],"
		"\\\"selector\\\":"
		"{\\\"app\\\":\\\"service-%u\\\"}}}\\n\"},\"managedFields\":[",
		number, number, number);
	print_manager(t, "kubectl-client-side-apply", "v1", "");
	replay_print(t,
		"{\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:kubectl.kubernetes.io/last-applied-"
		"configuration\":{}},"
		"\"f:labels\":{\".\":{},\"f:app.kubernetes.io/managed-by\":{},\"f:app.kubernetes.io/"
		"name\":{}}},"
		"\"f:spec\":{\"f:internalTrafficPolicy\":{},\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80,"
		"\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:name\":{},\"f:port\":{},\"f:protocol\":{},"
		"\"f:targetPort\":{}}},\"f:selector\":{},\"f:sessionAffinity\":{},\"f:type\":{}}}}]},");
	replay_print(t,
		"\"spec\":{\"ports\":[{\"name\":\"web\",\"protocol\":\"TCP\",\"port\":80,\"targetPort\":8080}"
		"],"
		"\"selector\":{\"app\":\"service-%u\"},\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"],\"type\":"
		"\"ClusterIP\",\"sessionAffinity\":\"None\",\"ipFamilies\":[\"IPv4\"],\"ipFamilyPolicy\":"
		"\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"},\"status\":{\"loadBalancer\":{}}}",
		number, addr.text, addr.text);
}

static void
print_endpoint(struct replay_text *t, const struct replay_shape *s, uint32_t pod, bool is_ready)
{
	uint32_t node = node_of(s, pod);

	replay_print(t,
		"{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":%s,\"serving\":%s,\"terminating\":false},"
		"\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"" NAMESPACE "\",\"name\":\"",
		pod_addr(s, pod).text, is_ready ? "true" : "false", is_ready ? "true" : "false");
	print_name(t, s, REPLAY_PODS, pod);
	replay_print(t, "\",\"uid\":\"");
	print_uid(t, REPLAY_PODS, pod);
	replay_print(t, "\"},\"nodeName\":\"node-%u\",\"zone\":\"zone-%u\"}", node, node % 3);
}

static void
print_slice(struct replay_text *t, const struct replay_shape *s, uint32_t number, uint32_t toggle)
{
	uint32_t per_service = slices_per_service(s), service = number / per_service;
	uint32_t first = number % per_service * REPLAY_SLICE, size = service_size(s, service);

	replay_print(t,
		"\"generateName\":\"service-%u-\",\"generation\":3,\"labels\":{\"app.kubernetes.io/"
		"managed-by\":"
		"\"Helm\",\"app.kubernetes.io/name\":\"service-%u\",\"endpointslice.kubernetes.io/"
		"managed-by\":"
		"\"endpointslice-controller.k8s.io\",\"kubernetes.io/service-name\":\"service-%u\"},"
		"\"annotations\":{\"endpoints.kubernetes.io/"
		"last-change-trigger-time\":\"2026-01-31T13:%02u:%02uZ\"},"
		"\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"name\":\"service-%u\","
		"\"uid\":\"",
		service, service, service, toggle / 60 % 60, toggle % 60, service);
	print_uid(t, REPLAY_SERVICES, service);
	replay_print(t, "\",\"controller\":true,\"blockOwnerDeletion\":true}],\"managedFields\":[");
	print_manager(t, "kube-controller-manager", "discovery.k8s.io/v1", "");
	replay_print(t,
		"{\"f:addressType\":{},\"f:endpoints\":{},\"f:metadata\":{\"f:annotations\":{\".\":{},"
		"\"f:endpoints.kubernetes.io/"
		"last-change-trigger-time\":{}},\"f:generateName\":{},\"f:labels\":{"
		"\".\":{},\"f:app.kubernetes.io/managed-by\":{},\"f:app.kubernetes.io/name\":{},"
		"\"f:endpointslice.kubernetes.io/managed-by\":{},\"f:kubernetes.io/service-name\":{}},"
		"\"f:ownerReferences\":{\".\":{},\"k:{\\\"uid\\\":\\\"");
	print_uid(t, REPLAY_SERVICES, service);
	replay_print(t, "\\\"}\":{}}},\"f:ports\":{}}}]},\"addressType\":\"IPv4\",\"endpoints\":[");
	for (uint32_t i = first; i < size && i < first + REPLAY_SLICE; i++) {
		if (i != first)
			replay_print(t, ",");
		print_endpoint(t, s, i * s->n_services + service, i != first || toggle % 2 == 0);
	}
	replay_print(t, "],\"ports\":[{\"name\":\"web\",\"protocol\":\"TCP\",\"port\":8080}]}");
}

static void
print_container(struct replay_text *t, uint32_t number, const char *name, unsigned port)
{
	replay_print(t,
		"{\"name\":\"%s\",\"image\":\"registry.example.org/team-%u/"
		"%s:1.2.3\",\"ports\":[{\"name\":\"web\","
		"\"containerPort\":%u,\"protocol\":\"TCP\"}],\"env\":[",
		name, number % 7, name, port);
	for (unsigned i = 0; i < 8; i++)
		replay_print(t, "%s{\"name\":\"SETTING_%u\",\"value\":\"a value of some length, number %u\"}",
			i == 0 ? "" : ",", i, i);
	replay_print(t,
		"],\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"512Mi\"},\"requests\":{\"cpu\":"
		"\"100m\","
		"\"memory\":\"256Mi\"}},\"volumeMounts\":[{\"name\":\"kube-api-access-%05x\",\"readOnly\":"
		"true,"
		"\"mountPath\":\"/var/run/secrets/kubernetes.io/"
		"serviceaccount\"}],\"livenessProbe\":{\"httpGet\":{"
		"\"path\":\"/"
		"healthz\",\"port\":\"web\",\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,\"periodSeconds\":10,"
		"\"successThreshold\":1,\"failureThreshold\":3},\"terminationMessagePath\":\"/dev/"
		"termination-log\","
		"\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\"}",
		number & 0xfffff);
}

static void
print_pod(struct replay_text *t, const struct replay_shape *s, uint32_t number)
{
	static const char *const conditions[] = { "PodReadyToStartContainers", "Initialized", "Ready",
		"ContainersReady", "PodScheduled" };
	uint32_t service = number % s->n_services;
	const struct dotted addr = pod_addr(s, number);

	replay_print(t,
		"\"generateName\":\"service-%u-6f7d9c54b8-\",\"labels\":{\"app\":\"service-%u\","
		"\"pod-template-hash\":\"6f7d9c54b8\"},\"ownerReferences\":[{\"apiVersion\":\"apps/"
		"v1\",\"kind\":"
		"\"ReplicaSet\",\"name\":\"service-%u-6f7d9c54b8\",\"uid\":\"",
		service, service, service);
	print_uid(t, REPLAY_SERVICES, service);
	replay_print(t, "\",\"controller\":true,\"blockOwnerDeletion\":true}],\"managedFields\":[");
	print_manager(t, "kube-controller-manager", "v1", "");
	replay_print(t, "{\"f:metadata\":{\"f:generateName\":{},\"f:labels\":{\".\":{},\"f:app\":{},\"f:pod-"
			"template-hash\":"
			"{}},\"f:ownerReferences\":{\".\":{}}},\"f:spec\":{\"f:containers\":{\"k:{"
			"\\\"name\\\":\\\"main\\\"}\":"
			"{\".\":{},\"f:env\":{\".\":{}},\"f:image\":{},\"f:imagePullPolicy\":{},\"f:"
			"livenessProbe\":{\".\":{},"
			"\"f:failureThreshold\":{},\"f:httpGet\":{}},\"f:name\":{},\"f:ports\":{\".\":{}},"
			"\"f:resources\":{\".\":"
			"{}}}},\"f:dnsPolicy\":{},\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},\"f:"
			"schedulerName\":{},"
			"\"f:securityContext\":{},\"f:terminationGracePeriodSeconds\":{}}}},");
	print_manager(t, "kubelet", "v1", "\"subresource\":\"status\",");
	replay_print(t, "{\"f:status\":{\"f:conditions\":{");
	for (unsigned i = 0; i < 5; i++)
		replay_print(t,
			"%s\"k:{\\\"type\\\":\\\"%s\\\"}\":{\".\":{},\"f:lastProbeTime\":{},\"f:"
			"lastTransitionTime\":"
			"{},\"f:status\":{},\"f:type\":{}}",
			i == 0 ? "" : ",", conditions[i]);
	replay_print(t,
		"},\"f:containerStatuses\":{},\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{},\"f:podIPs\":{\"."
		"\":{},"
		"\"k:{\\\"ip\\\":\\\"%s\\\"}\":{\".\":{},\"f:ip\":{}}},\"f:startTime\":{}}}}]},\"spec\":{"
		"\"volumes\":[{"
		"\"name\":\"kube-api-access-%05x\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{"
		"\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca."
		"crt\",\"items\":"
		"[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}}],\"defaultMode\":420}}],\"containers\":[",
		addr.text, number & 0xfffff);
	print_container(t, number, "main", 8080);
	replay_print(t, ",");
	print_container(t, number, "sidecar", 9090);
	replay_print(t,
		"],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":"
		"\"ClusterFirst\","
		"\"serviceAccountName\":\"default\",\"serviceAccount\":\"default\",\"nodeName\":\"node-%u\","
		"\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":"
		"\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
		"\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/"
		"unreachable\",\"operator\":\"Exists\","
		"\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":"
		"true,"
		"\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\","
		"\"conditions\":[",
		node_of(s, number));
	for (unsigned i = 0; i < 5; i++)
		replay_print(t,
			"%s{\"type\":\"%s\",\"status\":\"True\",\"lastProbeTime\":null,"
			"\"lastTransitionTime\":\"" CREATED "\"}",
			i == 0 ? "" : ",", conditions[i]);
	replay_print(t,
		"],\"hostIP\":\"%s\",\"hostIPs\":[{\"ip\":\"%s\"}],\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%"
		"s\"}],"
		"\"startTime\":\"" CREATED "\",\"containerStatuses\":[",
		node_addr(node_of(s, number)).text, node_addr(node_of(s, number)).text, addr.text, addr.text);
	for (unsigned i = 0; i < 2; i++)
		replay_print(t,
			"%s{\"name\":\"%s\",\"state\":{\"running\":{\"startedAt\":\"" CREATED
			"\"}},\"lastState\":{},\"ready\":true,\"restartCount\":0,\"image\":"
			"\"registry.example.org/team-%u/main:1.2.3\",\"imageID\":\"registry.example.org/"
			"team-%u/"
			"main@sha256:%064x\",\"containerID\":\"containerd://%064x\",\"started\":true}",
			i == 0 ? "" : ",", i == 0 ? "main" : "sidecar", number % 7, number % 7, number,
			number);
	replay_print(t, "],\"qosClass\":\"Burstable\"}}");
}

static void
print_namespace(struct replay_text *t, uint32_t number)
{
	const char *name = number == 0 ? NAMESPACE : "default";

	replay_print(t, "\"labels\":{\"kubernetes.io/metadata.name\":\"%s\"}}}", name);
}

/* Peers are pods: so all of them are watched. */
static void
print_policy(struct replay_text *t)
{
	replay_print(t,
		"\"generation\":1},\"spec\":{\"podSelector\":{\"matchLabels\":{\"app\":\"service-0\"}},"
		"\"policyTypes\":[\"Ingress\"],\"ingress\":[{\"from\":[{\"podSelector\":{\"matchLabels\":"
		"{\"app\":\"service-1\"}}}]}]}}");
}

void
replay_object(struct replay_text *out, const struct replay_shape *shape, enum replay_kind kind,
	uint32_t number, uint64_t version, bool is_in_list, uint32_t toggle)
{
	begin(out, shape, kind, number, version, is_in_list);
	switch (kind) {
	case REPLAY_NODES:
		print_node(out, number, toggle);
		break;
	case REPLAY_NAMESPACES:
		print_namespace(out, number);
		break;
	case REPLAY_PODS:
		print_pod(out, shape, number);
		break;
	case REPLAY_SERVICES:
		print_service(out, number);
		break;
	case REPLAY_SLICES:
		print_slice(out, shape, number, toggle);
		break;
	default:
		print_policy(out);
		break;
	}
}
