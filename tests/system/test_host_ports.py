"""hostPort: a port of the node that the runtime asks for by the CNI capability portMappings leads to the pod."""

import pytest

from cluster import FAMILIES, BareNode, Cluster
from lab import wait_until


@pytest.fixture(params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.add_node("a")
        made.start()
        made.outside = BareNode(made, "outside", 100)
        yield made


def answers(ns, address, port=8080, patience=60):
    """Whether a server answers there. Who expects none does not wait long."""
    host = f"[{address}]" if ":" in address else address
    return ns.run(f"curl -s -o /dev/null -m {patience} http://{host}:{port}/", check=False).returncode == 0


def test_a_host_port_leads_to_its_pod_until_that_goes(cluster):
    (node,) = cluster.nodes
    web, client = node.add_pod("web", host_ports=[(8080, 80, "TCP")]), node.add_pod("client")
    server = web.popen(["python3", "-u", "-m", "http.server", "80", "--bind", "::"])
    wait_until(lambda: ":80 " in web.run("ss -ltn").stdout, what="the pod listens")
    cluster.wait_published()
    for family in FAMILIES:
        assert answers(cluster.outside.ns, node.ip[family])
        assert answers(client, node.ip[family])
        # the pod sees who asks
        wait_until(lambda f=family: cluster.outside.ip[f] in server.output(), what="the client's address")
    node.restart()
    for family in FAMILIES:
        assert answers(cluster.outside.ns, node.ip[family])
    web.detach()
    cluster.wait_published()
    for family in FAMILIES:
        assert not answers(cluster.outside.ns, node.ip[family], patience=5)
