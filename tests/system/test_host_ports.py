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


def reserved(node):
    return node.run("cat /proc/sys/net/ipv4/ip_local_reserved_ports").stdout.strip()


def test_a_host_port_leads_to_its_pod_until_that_goes(cluster):
    (node,) = cluster.nodes
    node.ns.sysctl("net.ipv4.ip_local_port_range", "50051 50054")
    node.ns.sysctl("net.ipv4.tcp_max_tw_buckets", "0")  # so few are all in TIME-WAIT soon, when it is curl that closes first
    node.ns.sysctl("net.ipv4.ip_local_reserved_ports", "8080")
    web, client = node.add_pod("web", host_ports=[(8080, 80, "TCP"), (50051, 80, "TCP")]), node.add_pod("client")
    server = web.popen(["python3", "-u", "-m", "http.server", "80", "--bind", "::"])
    wait_until(lambda: ":80 " in web.run("ss -ltn").stdout, what="the pod listens")
    cluster.wait_published()
    for family in FAMILIES:
        assert answers(cluster.outside.ns, node.ip[family])
        assert answers(client, node.ip[family])
        # the pod sees who asks
        wait_until(lambda f=family: cluster.outside.ip[f] in server.output(), what="the client's address")
    # no process of the node gets the port for a connection of its own, whose answers would be the pod's
    elsewhere = cluster.outside.popen(["python3", "-u", "-m", "http.server", "8000", "--bind", "::"])
    wait_until(lambda: ":8000 " in cluster.outside.run("ss -ltn").stdout, what="the machine outside listens")
    wait_until(lambda: reserved(node) == "8080,50051", what="the port is reserved")
    for family in FAMILIES * 4:
        assert answers(node.ns, cluster.outside.ip[family], 8000)
    elsewhere.stop()
    node.restart()
    for family in FAMILIES:
        assert answers(cluster.outside.ns, node.ip[family])
    assert reserved(node) == "8080,50051"
    web.detach()
    cluster.wait_published()
    wait_until(lambda: reserved(node) == "8080", what="the operator's ports are left")
    for family in FAMILIES:
        assert not answers(cluster.outside.ns, node.ip[family], patience=5)
