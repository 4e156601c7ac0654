"""What ringwayd writes to a real API server, with the rights of conf/kubernetes/rbac.yaml and no others."""

from kube import pod
from lab import wait_until


def taints(cluster, node):
    return {taint["key"] for taint in cluster.get(f"node {node}")["spec"].get("taints", ())}


def events(cluster, kind, name):
    return {event["reason"] for event in cluster.get("events")
            if (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (kind, name)}


def is_well(node):
    """Nothing was refused that it asks for or writes."""
    api = node.ringway("status")["api"]
    return all(entry["problem"] == "" for entry in (*api["watches"], *api["writes"]))


def test_the_daemon_writes_with_its_own_rights(cluster):
    cluster.wait_condition("node", "a", "RingwayReady")
    wait_until(lambda: "RingwayReady" in events(cluster, "Node", "a"), what="an event")
    cluster.wait_condition("node", "a", "Ready")
    cluster.kubectl("taint node a ringway.io/not-ready=:NoSchedule tests/theirs=x:PreferNoSchedule")
    wait_until(lambda: "ringway.io/not-ready" not in taints(cluster, "a"), what=lambda: f"no taint: {taints(cluster, 'a')}")
    assert "tests/theirs" in taints(cluster, "a")
    cluster.kubectl("taint node a tests/theirs-")
    # an event that `kubectl describe` shows: it is about the very object
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "steals", "namespace": "default"},
                   "spec": {"ports": [{"port": 80}], "externalIPs": ["10.96.7.7"]}})
    wait_until(lambda: "AddressRefused" in cluster.kubectl("describe service steals").stdout,
               what=lambda: f"an event: {cluster.kubectl('describe service steals').stdout}")
    cluster.delete("service steals")
    # one that was taken away comes again
    index = [c["type"] for c in cluster.get("node a")["status"]["conditions"]].index("RingwayReady")
    cluster.kubectl(["patch", "node", "a", "--subresource=status", "--type=json",
                     "-p", f'[{{"op": "remove", "path": "/status/conditions/{index}"}}]'])
    cluster.wait_condition("node", "a", "RingwayReady")
    cluster.wait_condition("node", "a", "Ready")
    for node in (cluster.a, cluster.b):
        wait_until(lambda n=node: is_well(n), what=lambda n=node: f"no problem: {n.ringway('status')['api']}")


def test_a_pod_is_told_that_its_policies_forget_dns(cluster):
    cluster.apply(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "no-dns", "namespace": "default"},
         "spec": {"podSelector": {"matchLabels": {"app": "forgetful"}}, "policyTypes": ["Egress"], "egress": []}},
        pod("forgetful", node="a", labels={"app": "forgetful"}, command="while :; do nslookup kubernetes.default 192.0.2.53; sleep 1; done"))
    wait_until(lambda: "DNSDenied" in cluster.kubectl("describe pod forgetful").stdout,
               what=lambda: f"an event: {cluster.kubectl('describe pod forgetful').stdout}")
    (event,) = [event for event in cluster.get("events")
                if (event["reason"], event["involvedObject"]["name"]) == ("DNSDenied", "forgetful")]
    assert "default/no-dns" in event["message"] and "protocol: UDP, port: 53" in event["message"], event
    cluster.delete("pod forgetful")
    cluster.delete("networkpolicy no-dns")


def event_writes(node):
    (entry,) = [entry for entry in node.ringway("status")["api"]["writes"] if entry["kind"] == "event"]
    return entry


def test_a_namespace_that_is_being_deleted_is_no_trouble(cluster):
    """The server refuses new events there as if a right were missing."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ending"}},
                  {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]},
                   "metadata": {"name": "stays", "namespace": "ending", "finalizers": ["tests/stays"]}})
    cluster.kubectl("delete namespace ending --wait=false")
    wait_until(lambda: "deletionTimestamp" in cluster.kubectl("get service stays -n ending -o json").stdout, what="ending")
    before = {node: event_writes(node)["failed"] for node in cluster.nodes}
    patch = ["patch", "service", "stays", "-n", "ending", "--type=merge", "-p"]
    cluster.kubectl([*patch, '{"spec": {"externalIPs": ["10.96.7.9"]}}'])
    for node in cluster.nodes:
        wait_until(lambda n=node: event_writes(n)["failed"] > before[n], what="a refusal")
        assert is_well(node)
    cluster.kubectl([*patch, '{"metadata": {"finalizers": null}}'])
