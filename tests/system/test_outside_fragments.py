"""Datagrams in pieces between the cluster and the outside: to node ports and a load balancer's address, answers to pods that
leave as their node, and those of the node's own sockets, at the same address. A later fragment has no ports."""

import pytest

from cluster import FAMILIES, Cluster, counters_of
from lab import wait_until
from traffic import PYTHON, serving, wait_reachable

BALANCER = {4: "198.51.100.80", 6: "2001:db8:80::1"}
BY_FAMILY = pytest.mark.parametrize("family", FAMILIES)

# So many datagrams of a size there and back; one in vain is sent again, since the first ones find out what the way takes.
DATAGRAMS = """
import socket, sys
address, port, size, left = sys.argv[1], *map(int, sys.argv[2:])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((address, port))
tries = 0
while left > 0 and tries < 30:
    try:
        s.send(b"x" * size)
        answer = s.recv(size + 1)
        assert len(answer) == size, len(answer)
        left, tries = left - 1, 0
    except OSError:
        tries += 1
print(left)
"""


def exchange(client, address, port, size=4000, n=100):
    done = client.run([PYTHON, "-c", DATAGRAMS, address, port, size, n])
    assert done.stdout.strip() == "0", (client.name, address, port)


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.outside = made.add_outside("outside", 100)
        made.start()
        made.near, made.far = made.a.add_pod("near", ports=[8080]), made.b.add_pod("far", ports=[8080])
        made.add_service("here", 80, 8080, [made.near], spec={"type": "NodePort"})
        made.add_service("there", 81, 8080, [made.far], spec={"type": "NodePort"})
        made.add_service("local", 82, 8080, [made.near], spec={"type": "NodePort", "externalTrafficPolicy": "Local"})
        made.add_service("balanced", 84, 8080, [made.near, made.far], ingress=[{"ip": ip} for ip in BALANCER.values()],
                         spec={"type": "LoadBalancer"})
        for family in FAMILIES:
            made.outside.ns.ip(f"-{family} route add {BALANCER[family]} via {made.a.ip[family]}")
        made.wait_published()
        made.wait_joined()
        for family in FAMILIES:
            wait_reachable(made.near, made.outside.ip[family])
        yield made


@pytest.fixture(autouse=True)
def books(cluster):
    yield
    for node in cluster.nodes:
        counters_of(node)


@BY_FAMILY
@pytest.mark.parametrize("port", (30080, 30081, 30082), ids=("on the node", "through the tunnel", "local policy"))
def test_to_a_node_port(cluster, family, port):
    with serving([cluster.near, cluster.far]):
        exchange(cluster.outside, cluster.a.ip[family], port)


@BY_FAMILY
def test_to_a_load_balancers_address(cluster, family):
    with serving([cluster.near, cluster.far]):
        for _ in range(4):  # of which each may have another backend
            exchange(cluster.outside, BALANCER[family], 84, n=20)


@BY_FAMILY
def test_answers_to_a_pod_that_leaves_as_its_node(cluster, family):
    with serving([cluster.outside]):
        exchange(cluster.near, cluster.outside.ip[family], 8080)


@BY_FAMILY
def test_the_nodes_own_sockets_get_theirs(cluster, family):
    """At the same address, there and back, while datagrams for services come in pieces, too."""
    with serving([cluster.a], 8088), serving([cluster.outside]), serving([cluster.near]):
        others = cluster.outside.popen([PYTHON, "-c", DATAGRAMS, cluster.a.ip[family], "30080", "4000", "300"])
        exchange(cluster.outside, cluster.a.ip[family], 8088)
        exchange(cluster.a, cluster.outside.ip[family], 8080)
        wait_until(lambda: others.popen.poll() is not None, what="the others' end")
        assert others.output().strip() == "0"
