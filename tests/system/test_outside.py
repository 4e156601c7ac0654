"""Clients outside the cluster, on the underlay, and what they reach: node ports, a load balancer's address, external
addresses, host ports. With one worker and with two, of which only the first has a receive queue of the uplink."""

import ipaddress

import pytest

from cluster import BareNode, Cluster, counters_of
from lab import wait_until
from test_outbound import endpoint
from traffic import PYTHON, Running, attempt, run_flows, run_transfer, serving

FLOWS = 200
FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
BALANCER = {4: "198.51.100.80", 6: "2001:db8:80::1"}
EXTERNAL = {4: "198.51.100.81", 6: "2001:db8:81::1"}
MASQUERADE_PORTS = range(16384, 29952)
CLUSTER, LOCAL = ({"externalTrafficPolicy": policy} for policy in ("Cluster", "Local"))


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """Two nodes with a pod each, and a client on their segment that is none of them."""
    options = {"workers": {"cpus": list(range(request.param))},
               "cluster": {"externalIPRanges": ["198.51.100.81/32", "2001:db8:81::/64"]}}
    with Cluster(options=options) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.near, made.far = made.a.add_pod("near", ports=[8080]), made.b.add_pod("far", ports=[8080])
        made.hosted = made.a.add_pod("hosted", ports=[8080], host_ports=[(31080, 8080, "TCP"), (31080, 8080, "UDP")])
        made.both = made.add_service("both", 80, 8080, [made.near, made.far], spec={"type": "NodePort", **CLUSTER})
        made.elsewhere = made.add_service("elsewhere", 81, 8080, [made.far], spec={"type": "NodePort", **CLUSTER})
        made.local = made.add_service("local", 82, 8080, [made.near, made.far], spec={"type": "NodePort", **LOCAL})
        made.nobody = made.add_service("nobody", 83, 8080, [], spec={"type": "NodePort", **CLUSTER})
        made.balanced = made.add_service(
            "balanced", 84, 8080, [made.near, made.far], ingress=[{"ip": ip} for ip in BALANCER.values()],
            spec={"type": "LoadBalancer", "loadBalancerSourceRanges": ["172.30.0.100/32", "fd00:30::64/128"]})
        made.external = made.add_service("external", 85, 8080, [made.near, made.far],
                                         spec={"externalIPs": list(EXTERNAL.values())})
        made.outside = BareNode(made, "outside", 100)
        made.stranger = BareNode(made, "stranger", 101)
        made.machine = BareNode(made, "machine", 102)
        for name, port, place in (("host-of-b", 86, made.b), ("no-node", 87, made.machine)):
            made.add_service(name, port, 8090, [endpoint(place, made.b)], spec={"type": "NodePort", **CLUSTER})
        for client in (made.outside, made.stranger):
            for address in (BALANCER, EXTERNAL):
                client.ns.ip(f"route add {address[4]}/32 via {made.a.ip[4]}")
                client.ns.ip(f"-6 route add {address[6]}/128 via {made.a.ip[6]}")
        made.wait_published()
        made.wait_joined()
        yield made


@pytest.fixture(autouse=True)
def books(cluster):
    yield
    for node in cluster.nodes:
        counters_of(node)


def reaches(cluster, proto, address, port, names, n=FLOWS):
    """All flows of the client are answered, by these pods and no others. Returns what the servers saw."""
    with serving((cluster.near, cluster.far)) as servers:
        result = run_flows(cluster.outside, proto, address, port, n)
        assert (result["lost"], set(result["answers"])) == (0, set(names)), result
        return {name: server.end() for name, server in servers.items()}


def same_address(a, b):
    a, b = ipaddress.ip_address(a), ipaddress.ip_address(b)
    return (getattr(a, "ipv4_mapped", None) or a) == (getattr(b, "ipv4_mapped", None) or b)


@FAMILIES
@PROTOS
def test_a_node_port_reaches_backends_on_every_node(cluster, family, proto):
    """From a reserved address of the node that was asked."""
    for node, other in ((cluster.a, cluster.b), (cluster.b, cluster.a)):
        seen = reaches(cluster, proto, node.ip[family], 30080, ("near", "far"))
        reserved = ipaddress.ip_network(node.pod_cidrs[family])[5]
        for server in seen.values():
            assert server[proto] >= FLOWS / 10
            assert all(same_address(source, str(reserved)) for source in server["sources"]), (server, other.name)


@FAMILIES
@PROTOS
def test_a_node_without_the_backend_passes_it_on(cluster, family, proto):
    reaches(cluster, proto, cluster.a.ip[family], 30081, ("far",))


@FAMILIES
@PROTOS
@pytest.mark.parametrize("where", ("another node", "no node"))
def test_a_backend_outside_sees_the_node(cluster, where, family, proto):
    """A backend at another node's own address, or at that of a machine which is no node: as the node's own."""
    place, port = (cluster.b, 30086) if where == "another node" else (cluster.machine, 30087)
    address = cluster.a.ip[family]
    server = Running(place, "serve", 8090, where)
    # the first packet to a host of the segment has control look for it, and is lost
    wait_until(lambda: attempt(cluster.outside, proto, address, port, patience=2) == "answered", what="the way to the backend")
    result = run_flows(cluster.outside, proto, address, port, FLOWS)
    seen = server.end()
    assert (result["lost"], result["answers"]) == (0, {where: FLOWS}), result
    assert all(same_address(source, address) for source in seen["sources"]), seen
    assert set(seen["ports"][proto]) <= set(MASQUERADE_PORTS), seen["ports"]


ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", int(sys.argv[1])))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(65535))
"""

ASK_LARGE = """
import os, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(5)
asked, answers = os.urandom(4000), 0
for i in range(int(sys.argv[3])):
    try:
        s.send(asked)
        answers += s.recv(65535) == asked
    except OSError:
        pass  # lost, or too large for a link, as we now know
print(answers)
"""


@FAMILIES
@pytest.mark.parametrize("where, port, at", (("near", 30082, 8080), ("far", 30081, 8080), ("b", 30086, 8090)),
                         ids=("on the node", "through the tunnel", "outside"))
def test_datagrams_larger_than_a_packet(cluster, where, port, at, family):
    """In parts, both ways: only the first of them says whose they are."""
    place = getattr(cluster, where)
    server = cluster.lab.start([PYTHON, "-c", ECHO, str(at)], ns=place.ns)
    server.wait_for("ready")

    def answers(n):
        return int(cluster.outside.run([PYTHON, "-c", ASK_LARGE, cluster.a.ip[family], str(port), str(n)]).stdout)

    # one part at least is lost until the way's MTU is known
    wait_until(lambda: answers(1) == 1, what="an answer")
    wait_until(lambda: answers(20) == 20, what="all answers of 20")
    server.stop()


@FAMILIES
def test_a_backend_outside_refuses(cluster, family):
    """A closed port: by a reset, or by an ICMP error whose quote is the client's own packet."""
    wait_until(lambda: cluster.outside.run([PYTHON, "-c", REFUSED, cluster.a.ip[family], "30086", "tcp"],
                                           check=False).stdout.strip() == "refused", what="a reset")
    assert cluster.outside.run([PYTHON, "-c", REFUSED, cluster.a.ip[family], "30086", "udp"]).stdout.strip() == "refused"


REFUSED = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET,
                  socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM)
s.settimeout(60)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"x")
    s.recv(9)
except ConnectionRefusedError:
    print("refused")
"""


@FAMILIES
@PROTOS
def test_a_local_policy_keeps_the_clients_address(cluster, family, proto):
    for node, name in ((cluster.a, "near"), (cluster.b, "far")):
        seen = reaches(cluster, proto, node.ip[family], 30082, (name,))
        assert [same_address(s, cluster.outside.ip[family]) for s in seen[name]["sources"]] == [True], seen


@FAMILIES
@PROTOS
def test_a_host_port_keeps_it_too(cluster, family, proto):
    with serving([cluster.hosted]) as servers:
        result = run_flows(cluster.outside, proto, cluster.a.ip[family], 31080, FLOWS)
        assert (result["lost"], result["answers"]) == (0, {"hosted": FLOWS}), result
        seen = servers["hosted"].end()
        assert [same_address(source, cluster.outside.ip[family]) for source in seen["sources"]] == [True], seen


@FAMILIES
@PROTOS
def test_a_load_balancers_address(cluster, family, proto):
    reaches(cluster, proto, BALANCER[family], 84, ("near", "far"))


@FAMILIES
@PROTOS
def test_an_external_address(cluster, family, proto):
    reaches(cluster, proto, EXTERNAL[family], 85, ("near", "far"))


@FAMILIES
def test_only_its_source_ranges(cluster, family):
    before = cluster.a.drops().get("source_range", 0)
    result = cluster.stranger.run(["curl", "-sS", "--max-time", "2", f"http://[{BALANCER[family]}]:84/" if family == 6
                                   else f"http://{BALANCER[family]}:84/"], check=False)
    assert result.returncode != 0
    wait_until(lambda: cluster.a.drops().get("source_range", 0) > before, what="the stranger's packets are dropped")


@FAMILIES
def test_no_backend_is_refused_at_once(cluster, family):
    host = f"[{cluster.a.ip[family]}]" if family == 6 else cluster.a.ip[family]
    result = cluster.outside.run(["curl", "-sS", "--max-time", "60", f"http://{host}:30083/"], check=False)
    assert (result.returncode, "refused" in result.stderr.lower()) == (7, True) or "Couldn't connect" in result.stderr


@FAMILIES
def test_the_nodes_own_ports_are_its_own(cluster, family):
    """What is not exposed passes to the host's stack, as before."""
    server = Running(cluster.a, "serve", 8088, "node-a")
    try:
        result = run_flows(cluster.outside, "tcp", cluster.a.ip[family], 8088, 5)
        assert result["answers"] == {"node-a": 5}
    finally:
        server.kill()


@FAMILIES
@pytest.mark.parametrize("port", (30081, 30082, 30087), ids=("through the tunnel", "on the node", "outside"))
def test_bulk_both_ways(cluster, family, port):
    """Segments fit, which is the tunnel's doing, and arrive whole."""
    receiver, at = {30081: (cluster.far, 8080), 30082: (cluster.near, 8080), 30087: (cluster.machine, 8090)}[port]
    assert run_transfer(cluster.outside, receiver, cluster.a.ip[family], port=port, server_port=at)


def test_connections_live_through_a_restart(cluster):
    with serving((cluster.near, cluster.far)), serving((cluster.b,), 8090):
        streams = [Running(cluster.outside, "stream", cluster.a.ip[family], port, 20)
                   for family in (4, 6) for port in (30080, 30081, 30082, 30086)]
        cluster.a.crash()
        assert [s.popen.poll() for s in streams] == [None] * len(streams), "a connection ended"
        cluster.a.restart()
        for stream in streams:
            result = stream.end()
            assert (result["error"], result["requests"]) == ("", result["answers"]), result
    assert reaches(cluster, "tcp", cluster.a.ip[4], 30080, ("near", "far"))
