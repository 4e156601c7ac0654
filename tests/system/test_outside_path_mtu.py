"""A router outside the cluster whose link takes less than ours, and what else it has to say: its errors are about packets that
were masqueraded or translated, and must reach the pod that sent them."""

import types

import pytest

from cluster import FAMILIES, Cluster, counters_of
from test_outside_fragments import exchange
from traffic import PYTHON, run_transfer, serving, wait_reachable

BY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
LINK_MTU = 1300
NOWHERE = {4: "203.0.113.9", 6: "2001:db8:9::9"}

# Takes so many bytes of one TCP connection to its end, and says how many came.
TAKE = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
n = 0
while data := s.recv(65536):
    n += len(data)
print(n)
"""

GIVE = """
import socket, sys
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"x" * int(sys.argv[2]))
    connection.close()
"""

# A datagram that must not be cut, until the socket knows that it is too big for the way; then what the way takes.
PROBE = """
import socket, sys
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
v6 = ":" in address
level, discover, mtu = (41, 23, 24) if v6 else (0, 10, 14)
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(level, discover, 2)
s.connect((address, port))
s.settimeout(2)
for _ in range(30):
    try:
        s.send(b"x" * size)
        s.recv(9999)
        print("passed")
        break
    except TimeoutError:
        pass
    except OSError as problem:
        print(problem.strerror, s.getsockopt(level, mtu))
        break
"""

# What a socket hears of a packet that does not arrive. IP_RECVERR has TCP believe it at once, too.
ASK = """
import socket, sys
address, proto, ttl = sys.argv[1], sys.argv[2], int(sys.argv[3])
v6 = ":" in address
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
s.setsockopt(*((41, 25, 1) if v6 else (0, 11, 1)))
if ttl:
    s.setsockopt(*((41, 16, ttl) if v6 else (0, 2, ttl)))
s.settimeout(2 if proto == "udp" else 60)  # TCP asks again by itself
for _ in range(30):
    try:
        s.connect((address, 8080))
        s.send(b"x")
        s.recv(9)
        print("answered")
        break
    except TimeoutError:
        if proto == "tcp":
            s.close()
            raise
    except OSError as problem:
        print(problem.strerror)
        break
"""


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.router = made.add_router()
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.outside = made.add_outside("outside", 100, behind=made.router)
        for family in FAMILIES:
            made.router.ns.ip(f"-{family} route add unreachable {NOWHERE[family]}")
            made.a.ns.ip(f"-{family} route add {NOWHERE[family]} via {made.router.address[family]}")
        made.start()
        made.near, made.far = made.a.add_pod("near", ports=[8080, 8081]), made.b.add_pod("far", ports=[8080, 8081])
        ports = [("udp", 80, 8080, "UDP"), ("tcp", 90, 8081, "TCP")]

        def exposed(name, number, pod, policy):
            made.add_service(name, 0, 0, [pod], ports=ports, spec={
                "type": "NodePort", "externalTrafficPolicy": policy, "ports": [
                    {"name": port, "port": service_port, "targetPort": target, "protocol": protocol,
                     "nodePort": 30000 + number + service_port} for port, service_port, target, protocol in ports]})

        exposed("here", 0, made.near, "Cluster")
        exposed("there", 100, made.far, "Cluster")
        exposed("local", 200, made.near, "Local")
        endpoint = types.SimpleNamespace(ip=made.outside.ip, node=made.a, name="outside")
        made.external = made.add_service("external", 80, 8080, [endpoint])
        made.wait_published()
        made.wait_joined()
        for family in FAMILIES:
            wait_reachable(made.near, made.outside.ip[family])
        made.router.set_mtu(LINK_MTU)
        yield made


@pytest.fixture(autouse=True)
def fresh(cluster):
    """Nobody knows of the narrow link."""
    for place in (cluster.near, cluster.far, cluster.outside, cluster.a, cluster.b):
        for family in FAMILIES:
            place.ns.ip(f"-{family} route flush cache")
    yield
    for node in cluster.nodes:
        counters_of(node)


def knows_link(pod, address):
    return f"mtu {LINK_MTU}" in pod.ns.ip(f"-{6 if ':' in address else 4} route get {address}").stdout


def target(cluster, family, what):
    return {"the outside": (cluster.outside.ip[family], 8080), "a service": (cluster.external.ip[family], 80)}[what]


@BY_FAMILY
@pytest.mark.parametrize("what", ("the outside", "a service"))
def test_a_pods_connection_sends_less(cluster, family, what):
    address, port = target(cluster, family, what)
    assert run_transfer(cluster.near, cluster.outside, address, port=port, server_port=8080)
    assert knows_link(cluster.near, address)


@BY_FAMILY
@pytest.mark.parametrize("what", ("the outside", "a service"))
def test_a_pods_datagrams_become_less(cluster, family, what):
    address, port = target(cluster, family, what)
    with serving([cluster.outside]):
        done = cluster.near.run([PYTHON, "-c", PROBE, address, port, "1350"])
        assert done.stdout.strip() == f"Message too long {LINK_MTU}"
        done = cluster.near.run([PYTHON, "-c", PROBE, address, port, "1200"])
        assert done.stdout.strip() == "passed"
        # and what may be cut is cut by its sender, larger than the link of the pod, too
        exchange(cluster.near, address, port, size=1350, n=20)
        exchange(cluster.near, address, port, size=4000, n=20)


@BY_FAMILY
def test_large_datagrams_are_cut_smaller(cluster, family):
    """The first that the router has to say is about a fragment."""
    with serving([cluster.outside]):
        exchange(cluster.near, cluster.outside.ip[family], 8080, size=4000, n=20)


BACKENDS = pytest.mark.parametrize("base, pod", ((30000, "near"), (30100, "far"), (30200, "near")),
                                   ids=("on the node", "through the tunnel", "local policy"))


@BY_FAMILY
@BACKENDS
def test_a_backends_connection_sends_less(cluster, family, base, pod):
    """To a client behind the narrow link: the segments of the answer are too big."""
    pod = getattr(cluster, pod)
    server = pod.popen([PYTHON, "-c", GIVE, "8081", str(2 << 20)])
    server.wait_for("ready")
    try:
        done = cluster.outside.run([PYTHON, "-c", TAKE, cluster.a.ip[family], base + 90])
        assert int(done.stdout) == 2 << 20
    finally:
        server.stop()


@BY_FAMILY
@BACKENDS
def test_a_backends_datagrams_become_less(cluster, family, base, pod):
    with serving([getattr(cluster, pod)]):
        exchange(cluster.outside, cluster.a.ip[family], base + 80, size=1350, n=20)
        exchange(cluster.outside, cluster.a.ip[family], base + 80, size=4000, n=20)


@BY_FAMILY
@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_a_packet_whose_time_is_over(cluster, family, proto):
    """At the router, the second hop."""
    done = cluster.near.run([PYTHON, "-c", ASK, cluster.outside.ip[family], proto, 2])
    assert done.stdout.strip() == "No route to host", done


@BY_FAMILY
@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_a_destination_that_a_router_cannot_reach(cluster, family, proto):
    done = cluster.near.run([PYTHON, "-c", ASK, NOWHERE[family], proto, 0])
    assert done.stdout.strip() in ("No route to host", "Network is unreachable"), done
