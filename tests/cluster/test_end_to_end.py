"""Pods that real kubelets make, behind services and policies as the real API server has them: they are reached by address and by
service, policies hold, probes pass, whatever part of a node is killed and comes back; and when they are gone, nothing of them is
left on the nodes."""

import signal

import pytest

from kube import pod, pod_spec
from lab import PATIENCE, wait_until
from traffic import PYTHON, Running, serving

NAMESPACE = "shop"
WEB = "hostname >/www/index.html; exec httpd -f -p 8080 -h /www"
PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 3}
CLIENTS = ("client-a", "client-b")

# Who answers so many requests, each from a port of its own. From beside the pod's containers: busybox' wget dies of
# what glibc needs to be static.
FETCH = """
import sys, urllib.request
for _ in range(int(sys.argv[2])):
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[3])).read().decode().strip())
    except OSError as problem:
        print(problem)
"""


def deployment(name, replicas):
    labels = {"app": name}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
              "labelSelector": {"matchLabels": labels}}
    container = {"ports": [{"containerPort": 8080}], "readinessProbe": PROBE, "livenessProbe": PROBE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": pod_spec(WEB, container=container, topologySpreadConstraints=[spread])}}}


def fetch(client, address, port, n=1, patience=PATIENCE):
    """Who answers HTTP requests of a pod: names, or why nobody does. Who expects silence waits for it briefly."""
    url = f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"
    return set(client.run([PYTHON, "-c", FETCH, url, n, patience]).stdout.splitlines())


def policy(name, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec}


class Shop:
    """A Deployment of web servers on both nodes behind a service, and a client on each node."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        wait_until(lambda: cluster.get("serviceaccount default", NAMESPACE), what="the namespace's service account")
        cluster.apply(deployment("web", 4), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"selector": {"app": "web"}, "ipFamilyPolicy": "RequireDualStack",
                     "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "echo", "port": 81, "targetPort": 8081}]}},
            *(pod(name, node=name[-1], labels={"app": name}, namespace=NAMESPACE) for name in CLIENTS))
        self.web = self.wait_web(4)
        self.clients = [cluster.wait_pod(name, NAMESPACE) for name in CLIENTS]
        self.service = dict(zip((4, 6), cluster.get("service web", NAMESPACE)["spec"]["clusterIPs"]))

    def wait_web(self, n):
        """Until so many are ready, and both nodes have that in force; returns them."""
        def ready():
            found = self.cluster.pods("app=web", NAMESPACE)
            return found if len(found) == n else None

        return wait_until(ready, what=lambda: f"{n} web servers: {self.cluster.kubectl(f'get pods -n {NAMESPACE}').stdout}")

    def wait_answers(self, client, family, servers):
        """Until the service is answered by all of these, and by nobody else."""
        wanted, seen = {server.name for server in servers}, set()

        def answers():
            nonlocal seen
            seen = fetch(client, self.service[family], 80, 8 * len(servers))
            return seen == wanted

        wait_until(answers, what=lambda: f"{client.name} is answered by {wanted}, not by {seen}")


@pytest.fixture(scope="module")
def shop(cluster):
    yield Shop(cluster)
    cluster.delete(f"namespace {NAMESPACE}")


@pytest.mark.parametrize("family", [4, 6])
def test_every_pod_and_the_service_answer(shop, family):
    for client in shop.clients:
        for server in shop.web:
            assert fetch(client, server.ip[family], 8080) == {server.name}
        shop.wait_answers(client, family, shop.web)


def test_probes_pass_where_policies_let_nobody_in(shop):
    """Those of kubelet count as the node's own; a client that no rule names is silent."""
    allowed, denied = shop.clients

    def is_denied(family):
        return fetch(denied, shop.service[family], 80, patience=1) == {"<urlopen error timed out>"}

    shop.cluster.apply(policy("web", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Ingress"], ingress=[
        {"from": [{"podSelector": {"matchLabels": {"app": allowed.name}}}], "ports": [{"port": 8080}]}]))
    wait_until(lambda: is_denied(4) and is_denied(6), what="the policy is in force")
    shop.cluster.apply(deployment("web", 6))  # two more have to become ready behind the policy
    shop.web = shop.wait_web(6)
    for family in (4, 6):
        shop.wait_answers(allowed, family, shop.web)
    for server in shop.cluster.get("pods -l app=web", NAMESPACE):
        assert server["status"]["containerStatuses"][0]["restartCount"] == 0
    shop.cluster.delete("networkpolicy web", NAMESPACE)
    shop.wait_answers(denied, 4, shop.web)


def kill(node, what):
    program = getattr(node, what)
    program.stop(signal.SIGKILL)
    getattr(node, f"start_{'ringwayd' if what == 'daemon' else what}")()


@pytest.mark.parametrize("what", ["daemon", "containerd", "kubelet"])
def test_a_node_whose_program_is_killed_goes_on(shop, what):
    """Connections that stand live on, and pods can be made again."""
    client, node = shop.clients[0], shop.cluster.a
    servers = [server for server in shop.web if server.node is not node][:1]
    with serving(servers, port=8081):
        stream = Running(client, "stream", servers[0].ip[4], 8081, 20)
        kill(node, what)
        node.wait_ready()
        shop.cluster.apply(pod("new", node="a", namespace=NAMESPACE, labels={"app": "new"}))
        new = shop.cluster.wait_pod("new", NAMESPACE)
        through_service = fetch(new, shop.service[6], 80)
        shop.cluster.delete("pod new", NAMESPACE)
        report = stream.end()
    assert report["error"] == "" and report["answers"] == report["requests"], report
    assert through_service <= {server.name for server in shop.web}


def holdings(node):
    """What a node has because of its pods: {kind: set of names}."""
    def lines(command):
        return set(node.run(command).stdout.splitlines())

    links = {line.split(": ")[1].split("@")[0] for line in lines("ip -o link")}
    routes = {" ".join(line.split()) for family in (4, 6) for line in lines(f"ip -{family} route show table all")
              if "expires" not in line}
    status = node.ringway("status")
    return {"links": links, "routes": routes, "rules": lines("ip rule") | lines("ip -6 rule"),
            "addresses": {(pool["cidr"], pool["used"]) for pool in status["ipam"]},
            "namespaces": lines("ls /run/netns"), "pins": lines("find /run/ringway"),
            "pods": {f"{p['namespace']}/{p['name']}" for p in node.ringway("pods")["pods"]}}


def test_nothing_is_left_of_pods_that_are_gone(shop):
    """Deployments come and go, and pods are deleted while ringwayd is away, too."""
    cluster = shop.cluster
    before = {node: holdings(node) for node in cluster.nodes}
    cluster.apply(deployment("more", 8))
    wait_until(lambda: len(cluster.pods("app=more", NAMESPACE)) == 8, what="eight more pods")
    for node in cluster.nodes:
        assert len(holdings(node)["pods"]) > len(before[node]["pods"])
    cluster.a.daemon.stop(signal.SIGTERM)
    cluster.delete("deployment more", NAMESPACE)
    wait_until(lambda: not cluster.get("pods -l app=more", NAMESPACE), what="the pods are gone, with ringwayd away on one node")
    cluster.a.start_ringwayd()
    cluster.a.wait_ready()
    for node in cluster.nodes:
        wait_until(lambda n=node: holdings(n) == before[n], what=lambda n=node: "nothing is left: " + str(
            {kind: (now - before[n][kind], before[n][kind] - now) for kind, now in holdings(n).items()
             if now != before[n][kind]}))
