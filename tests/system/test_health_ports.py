"""healthCheckNodePort: what a load balancer hears when it asks a node about a service with externalTrafficPolicy Local."""

import json

import pytest

from cluster import FAMILIES, Cluster
from lab import wait_until

PORT = 31999
BALANCER = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": PORT}


@pytest.fixture
def cluster():
    with Cluster() as made:
        made.add_node("a")
        made.add_node("b")
        made.start()
        yield made


def ask(cluster, node, family=4):
    """Status and body, from another machine; (0, None) when nobody listens."""
    address = node.ip[family] if family == 4 else f"[{node.ip[family]}]"
    asker = next(other for other in cluster.nodes if other is not node)
    text = asker.ns.run(f"curl -s -m 5 -w '\\n%{{http_code}}' http://{address}:{PORT}/healthz", check=False).stdout
    body, _, status = text.rpartition("\n")
    return int(status), json.loads(body) if body else None


def says(service, n):
    return {"service": {"namespace": "default", "name": service}, "localEndpoints": n, "serviceProxyHealthy": True}


def test_a_load_balancer_finds_the_nodes_with_endpoints(cluster):
    a, b = cluster.nodes
    pod = a.add_pod("web")
    service = cluster.add_service("web", 80, 8080, [pod], spec=BALANCER)
    cluster.wait_published()
    for family in FAMILIES:
        wait_until(lambda f=family: ask(cluster, a, f) == (200, says("web", 1)), what="the node with the pod")
        wait_until(lambda f=family: ask(cluster, b, f) == (503, says("web", 0)), what="the node without")
    # a pod that drains takes no new clients
    service.set_backends([pod], ready=lambda pod: {"ready": False, "serving": True, "terminating": True})
    wait_until(lambda: ask(cluster, a) == (503, says("web", 0)), what="a pod that terminates")
    service.remove()
    wait_until(lambda: ask(cluster, a) == (0, None), what="the port closed")


def test_a_port_in_use_is_a_warning_and_tried_again(cluster):
    a = cluster.nodes[0]
    squatter = a.lab.start(f"python3 -m http.server {PORT}", ns=a.ns)
    wait_until(lambda: f":{PORT} " in a.ns.run("ss -ltn").stdout, what="the port taken")
    cluster.add_service("web", 80, 8080, [a.add_pod("web")], spec=BALANCER)
    cluster.wait_published()

    def warnings():
        return [text for text in a.ringway("status")["warnings"] if f"healthCheckNodePort {PORT}" in text]

    wait_until(warnings, what="the warning")
    squatter.stop()
    wait_until(lambda: ask(cluster, a) == (200, says("web", 1)), what="the port served")
    assert warnings() == []
