"""Pods that leave the cluster: by the node's own routes and under its address, to machines that know neither pods nor
services; and services whose backends are such machines, or the node itself."""

import contextlib
import types

import pytest

from cluster import FAMILIES, Cluster, counters_of
from lab import wait_until
from traffic import PYTHON, Running, ping, pings, run_flows, wait_reachable

PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
BY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
FLOWS = 200
MASQUERADE_PORTS = range(16384, 29952)


def endpoint(place, node=None):
    """A machine's own address as a service's endpoint, as the API server's is."""
    return types.SimpleNamespace(ip=place.ip, node=node or place, name=place.name)


def sources(seen):
    """Where a server's clients came from."""
    return {source.removeprefix("::ffff:") for source in seen["sources"]}


@contextlib.contextmanager
def cluster_of(workers, options=None):
    with Cluster(options={"workers": {"cpus": list(range(workers))}, **(options or {})}) as made:
        router = made.add_router()
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.near = made.add_outside("near", 70)
        made.far = made.add_outside("far", 71, behind=router)
        # the router's segment knows the way back to nodes
        made.start()
        made.client, made.other = made.a.add_pod("client"), made.a.add_pod("other")
        made.outside = {"near": made.near, "far": made.far}
        yield made


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with cluster_of(request.param) as made:
        made.api = made.add_service("kubernetes", 443, 6443, [endpoint(made.b)])
        made.local = made.add_service("local", 443, 6444, [endpoint(made.a)])
        made.external = made.add_service("external", 80, 8080, [endpoint(made.far, made.a)])
        made.wait_published()
        for family in FAMILIES:
            for place in made.outside.values():
                wait_reachable(made.client, place.ip[family])
        made.receivers = [Running(place, "checksums", interface) for place, interface in
                          ((made.client, "eth0"), (made.near, "uplink"), (made.far, "uplink"), (made.a, "ringway0"))]
        yield made


@pytest.fixture(autouse=True)
def books(request):
    yield
    if "cluster" in request.fixturenames:
        cluster = request.getfixturevalue("cluster")
        counters_of(cluster.a)
        for receiver in cluster.receivers:
            counts = receiver.report()
            assert (counts["bad"], counts["partial"]) == (0, 0), (receiver.place, counts)


@BY_FAMILY
@PROTOS
@pytest.mark.parametrize("where", ("near", "far"))
def test_pods_reach_the_outside_as_their_node(cluster, where, proto, family):
    outside = cluster.outside[where]
    server = Running(outside, "serve", 8080, where)
    result = run_flows(cluster.client, proto, outside.ip[family], 8080, FLOWS)
    seen = server.end()
    assert result["answers"] == {where: FLOWS} and result["lost"] == 0, result
    assert sources(seen) == {cluster.a.ip[family]}, seen
    ports = set(seen["ports"][proto])
    assert ports <= set(MASQUERADE_PORTS), ports


@BY_FAMILY
@pytest.mark.parametrize("where", ("near", "far"))
def test_pods_ping_the_outside(cluster, where, family):
    outside = cluster.outside[where].ip[family]
    for pod in (cluster.client, cluster.other):
        assert ping(pod, outside, count=5) == 5
        assert ping(pod, outside, count=5, size=1400) == 5
    # the node's own echoes are its own, also with identifiers of the range: here, of blocks far from those of pods
    assert ping(cluster.a, outside, count=5) == 5
    for identifier in (20000, 29000, 29951, 40000):
        answers, output = pings(cluster.a, outside, 2, "-e", identifier)
        assert answers == 2, output


@BY_FAMILY
@pytest.mark.parametrize("where", ("near", "far"))
def test_echoes_larger_than_a_packet(cluster, where, family):
    """In parts, both ways. A link on the way back that takes less is found by the first of them."""
    outside = cluster.outside[where].ip[family]
    for place in (cluster.client, cluster.a):
        wait_until(lambda p=place: ping(p, outside, count=1, size=4000, wait=2) == 1, what=f"{place.name}: an answer of 4000 bytes")
        assert ping(place, outside, count=5, size=4000) == 5


@BY_FAMILY
def test_errors_about_echoes(cluster, family):
    """ping knows its own echo by the identifier in what is quoted."""
    for place, hops in ((cluster.client, 2), (cluster.a, 1)):
        answers, said = pings(place, cluster.far.ip[family], 1, "-t", hops)
        assert answers == 0 and ("Time to live exceeded" in said or "Time exceeded: Hop limit" in said), (place.name, said)


@BY_FAMILY
def test_a_node_process_keeps_a_port_of_the_range(cluster, family):
    """A socket of the host on a port that flows of pods may get: its packets find it."""
    server = Running(cluster.far, "serve", 8080, "far")
    script = (f"import socket; s = socket.create_connection(('{cluster.far.ip[family]}', 8080), 60, "
              f"('{cluster.a.ip[family]}', 25000)); s.sendall(b'x\\n'); print(s.recv(10))")
    assert b"far" in cluster.a.run([PYTHON, "-c", script]).stdout.encode()
    server.end()


@BY_FAMILY
@PROTOS
def test_a_service_with_a_backend_outside(cluster, proto, family):
    for name, place, port, service, service_port in (("api", cluster.b, 6443, cluster.api, 443),
                                                     ("far", cluster.far, 8080, cluster.external, 80)):
        server = Running(place, "serve", port, name)
        result = run_flows(cluster.client, proto, service.ip[family], service_port, FLOWS)
        by_host = run_flows(cluster.a, proto, service.ip[family], service_port, FLOWS)
        seen = server.end()
        assert result["answers"] == {name: FLOWS} and result["lost"] == 0, (name, result)
        assert by_host["answers"] == {name: FLOWS} and by_host["lost"] == 0, (name, by_host)
        assert sources(seen) == {cluster.a.ip[family]}, seen


UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 6444))
print("ready", flush=True)
while True:
    s.sendto(b"here\\n", s.recvfrom(99)[1])
"""


@BY_FAMILY
def test_a_service_with_a_backend_on_this_node(cluster, family):
    server = Running(cluster.a, "serve", 6444, "here")
    for client in (cluster.client, cluster.a):
        result = run_flows(client, "tcp", cluster.local.ip[family], 443, FLOWS)
        assert result["answers"] == {"here": FLOWS} and result["lost"] == 0, (client.name, result)
    server.end()
    # a server on UDP that is bound to no address answers from another one than was asked, here as elsewhere
    server = cluster.a.popen([PYTHON, "-c", UDP_SERVER, cluster.a.ip[family]])
    server.wait_for("ready")
    for client in (cluster.client, cluster.a):
        result = run_flows(client, "udp", cluster.local.ip[family], 443, FLOWS)
        assert result["answers"] == {"here": FLOWS} and result["lost"] == 0, (client.name, result)
    server.stop()


@BY_FAMILY
def test_a_closed_port_outside_is_told(cluster, family):
    """TCP by a reset, UDP by an ICMP error, whose quote is the pod's own packet."""
    script = ("import socket, sys; s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, "
              "socket.SOCK_DGRAM if sys.argv[2] == 'udp' else socket.SOCK_STREAM); s.settimeout(60)\n"
              "try:\n s.connect((sys.argv[1], 9)); s.send(b'x'); s.recv(9)\n"
              "except ConnectionRefusedError: print('refused')")
    for proto in ("tcp", "udp"):
        for place in cluster.outside.values():
            done = cluster.client.run([PYTHON, "-c", script, place.ip[family], proto])
            assert done.stdout.strip() == "refused", (proto, place.name)


@pytest.mark.parametrize("where", ("near", "far"))
def test_restart_keeps_masqueraded_connections(where):
    """Also to a host of the segment, whose MAC address the daemon has to find anew."""
    with cluster_of(1) as cluster:
        outside = cluster.outside[where]
        for family in FAMILIES:
            wait_reachable(cluster.client, outside.ip[family])
        server = Running(outside, "serve", 8080, where)
        streams = [Running(cluster.client, "stream", outside.ip[family], 8080, 20) for family in FAMILIES]
        cluster.a.crash()
        cluster.a.restart()
        before = cluster.a.counters()["masquerade_reply"]
        wait_until(lambda: cluster.a.counters()["masquerade_reply"] > before + 50, what="more answers")
        for stream in streams:
            result = stream.end()
            assert not result["error"] and result["requests"] == result["answers"], result
        assert cluster.a.drops().get("no_flow", 0) == 0, cluster.a.drops()
        server.end()


ASK_AT_ONCE = """
import select, socket, sys
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(int(sys.argv[3]))]
for s in sockets:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"x\\n")
answered = set()
while len(answered) < len(sockets):
    ready = select.select([s for s in sockets if s not in answered], [], [], float(sys.argv[4]))[0]
    if not ready:
        break
    for s in ready:
        s.recv(99)
        answered.add(s)
print(len(answered))
"""


def answers_at_once(place, address, flows, patience=60):
    """How many of so many flows of datagrams, begun before any of them ends, are answered. patience: seconds without one
    more answer after which there are no more; who expects fewer waits briefly."""
    return int(place.run([PYTHON, "-c", ASK_AT_ONCE, address, "8080", str(flows), str(patience)]).stdout)


def test_one_pod_exhausts_its_ports_alone():
    options = {"masquerade": {"portsPerPod": 64, "flowsPerPod": 4096}}
    with cluster_of(1, options) as cluster:
        far = cluster.far.ip[4]
        wait_reachable(cluster.client, far)
        server = Running(cluster.far, "serve", 8080, "far")
        hog = answers_at_once(cluster.client, far, 100, patience=10)
        assert 32 <= hog <= 64, hog
        assert cluster.a.drops()["masquerade_quota"] > 0
        # another destination, and another pod, have all ports to themselves
        assert answers_at_once(cluster.other, far, 60) == 60
        near = Running(cluster.near, "serve", 8080, "near")
        wait_reachable(cluster.client, cluster.near.ip[4])
        assert answers_at_once(cluster.client, cluster.near.ip[4], 30) == 30
        near.end()
        server.end()


@BY_FAMILY
def test_networks_that_know_pods_are_not_masqueraded(family):
    networks = ["172.31.0.0/24", "fd00:31::/64"]
    with cluster_of(2, {"cluster": {"nonMasqueradeCIDRs": networks}}) as cluster:
        far, pod = cluster.far, cluster.client
        # the way to pods: by their node
        router = cluster.routers[0]
        router.ns.ip(f"-{family} route add {pod.ip[family]} via {cluster.a.ip[family]}")
        wait_reachable(pod, far.ip[family])
        server = Running(far, "serve", 8080, "far")
        result = run_flows(pod, "tcp", far.ip[family], 8080, FLOWS)
        assert result["answers"] == {"far": FLOWS}, result
        assert sources(server.end()) == {pod.ip[family]}
        # and from there to pods
        assert ping(far, pod.ip[family]) == 3
        server = Running(pod, "serve", 8080, "pod")
        assert run_flows(far, "udp", pod.ip[family], 8080, FLOWS)["answers"] == {"pod": FLOWS}
        assert sources(server.end()) == {far.ip[family]}
        # others are masqueraded as ever, and do not get in
        wait_reachable(pod, cluster.near.ip[family])
        server = Running(cluster.near, "serve", 8080, "near")
        assert run_flows(pod, "tcp", cluster.near.ip[family], 8080, 10)["answers"] == {"near": 10}
        assert sources(server.end()) == {cluster.a.ip[family]}
        cluster.near.ns.ip(f"-{family} route add {pod.ip[family]} via {cluster.a.ip[family]}")
        assert ping(cluster.near, pod.ip[family], count=2, wait=1) == 0
