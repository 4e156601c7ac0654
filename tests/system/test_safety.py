"""What must not pass, tried with raw packets where it counts: from pods, through tunnels, from the underlay; and floods, which
may harm nobody but who sends them. Both families, one and two workers. The rules packet by packet: tests/packets/safety_cases.c."""

import contextlib
import itertools
import json
import types

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from cluster import RINGWAY, BareNode, Cluster, counters_of
from lab import BUILD, run, wait_until
from steady import SteadyTraffic
from test_two_nodes import HAIRPIN, LISTEN, SLOT_SHIFT, all_answered, as_seen, captured, drop_growth, growth
from traffic import PORTS, PYTHON, run_flows, serving, wait_reachable

FAMILIES = pytest.mark.parametrize("family", (4, 6))
GATEWAY_MAC = "02:72:77:00:00:01"
GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}
FORGED = b"forged"
NODE_PORT = 30080  # of the service web
FLOOD_PORTS = range(100, 108)
FLOOD = 62_500 * len(FLOOD_PORTS)  # of each family: a million half-open connections in all
FLOOD_AT_ONCE, FLOOD_RATE = 250_000, 250_000
QUOTA = 1024  # services.exceptionsPerPod, for each address

SEND_FRAMES = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for line in sys.stdin:
    s.send(bytes.fromhex(line))
"""


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """Node a has clients, backends and an attacker, node b backends and another one, and a stranger is on the underlay."""
    options = {"workers": {"cpus": list(range(request.param))}, "services": {"exceptionsPerPod": QUOTA}}
    with Cluster(options=options) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.stranger = BareNode(made, "stranger", 9)
        made.start()
        made.client, made.neighbour = made.a.add_pod("client"), made.a.add_pod("neighbour")
        made.near, made.far, made.far2 = (node.add_pod(name, ports=[8080]) for node, name in
                                          ((made.a, "near"), (made.b, "far"), (made.b, "far2")))
        made.attacker, made.remote_attacker = made.a.add_pod("attacker"), made.b.add_pod("attacker-b")
        made.backends = [made.near, made.far, made.far2]
        made.web = made.add_service("web", 80, 8080, made.backends, spec={"type": "NodePort"})
        made.late = made.add_service("late", 81, 8081, made.backends, spec={"type": "NodePort"})
        # frontends with a slot each, and more that have none
        made.many = made.add_service("many", 80, 8080, made.backends,
                                     ports=[(f"p{port}", port, 8080, "TCP") for port in FLOOD_PORTS])
        # and with another node's own address for a backend
        own = types.SimpleNamespace(ip=made.b.ip, node=made.b, name="own")
        for i, (name, port) in enumerate((("beyond", 8082), ("beyond-late", 8083))):
            made.add_service(name, 82 + i, port, [own], spec={"type": "NodePort"})
        made.wait_published()
        made.wait_joined()
        yield made


@pytest.fixture(autouse=True)
def books(cluster):
    yield
    for node in cluster.nodes:
        counters_of(node)


# --- sending what no socket would

def network(family, source, destination):
    return IP(src=source, dst=destination) if family == 4 else IPv6(src=source, dst=destination)


def send(place, interface, frames):
    """Puts frames on the wire as they are."""
    run(place.ns.wrap([PYTHON, "-c", SEND_FRAMES, interface]), input="".join(f"{bytes(frame).hex()}\n" for frame in frames))


def from_pod(pod, *packets):
    mac = pod.ns.mac("eth0")
    send(pod, "eth0", [Ether(src=mac, dst=GATEWAY_MAC) / packet for packet in packets])


def from_underlay(stranger, node, *packets):
    source, destination = stranger.ns.mac("uplink"), node.ns.mac("uplink")
    send(stranger, "uplink", [Ether(src=source, dst=destination) / packet for packet in packets])


def datagram(sport=1000, dport=9000):
    return UDP(sport=sport, dport=dport) / Raw(FORGED)


def heard(frames):
    """The frames among these that were forged."""
    return [frame for frame in frames if FORGED in bytes(frame)]


class Silence:
    """Pods that must not hear anything forged while it lasts. What they have heard is only looked at when an honest echo
    request of each has come behind it."""

    def __init__(self, cluster, *pods):
        self.cluster, self.pods = cluster, pods
        self.captures = [captured(pod) for pod in pods]

    def __enter__(self):
        self.frames = [capture.__enter__() for capture in self.captures]
        return self

    def __exit__(self, kind, *problem):
        try:
            if kind is None:
                for pod, frames in zip(self.pods, self.frames):
                    wait_reachable(self.cluster.neighbour, pod.ip[4])
                    assert not heard(frames()), (pod.name, heard(frames()))
        finally:
            for capture in self.captures:
                capture.__exit__(kind, *problem)


def reserved(node, family, n):
    """The node's reserved addresses: the host's own, and its slots."""
    return {4: f"10.244.{node.number}.{1 + n}", 6: f"fd00:10:244:{node.number:x}::{1 + n:x}"}[family]


# --- forged replies

@FAMILIES
@pytest.mark.parametrize("where", ("attacker", "remote_attacker"))
def test_a_pod_that_is_no_backend_cannot_answer_in_a_slot(cluster, family, where):
    """It knows everything: which backend was chosen, and from which port the client is seen there."""
    client, attacker = cluster.client, getattr(cluster, where)
    with serving(cluster.backends) as servers:
        assert all_answered(run_flows(client, "udp", cluster.web.ip[family], 80, 30, 43000), 30)
        wires = {name: server.end()["ports"]["udp"] for name, server in servers.items()}
    name, wire = next((name, ports[0]) for name, ports in wires.items() if ports)
    port = next(wire ^ slot << SLOT_SHIFT for slot in (1, 2, 3) if 43000 <= wire ^ slot << SLOT_SHIFT < 43030)
    backend = next(pod for pod in cluster.backends if pod.name == name)
    listener = client.popen([PYTHON, "-c", LISTEN, port])
    try:
        listener.wait_for("ready")
        with captured(client) as frames:
            to_client = network(family, attacker.ip[family], client.ip[family])
            from_pod(attacker, to_client / datagram(8080, wire), to_client / TCP(sport=8080, dport=wire, flags="A") / Raw(FORGED))
            with drop_growth(attacker.node, "spoofed_source", 1):  # as the backend itself, or as the service
                from_pod(attacker, network(family, backend.ip[family], client.ip[family]) / datagram(8080, wire))
            with drop_growth(attacker.node, "spoofed_source", 1):
                from_pod(attacker, network(family, cluster.web.ip[family], client.ip[family]) / datagram(80, port))
            wait_until(lambda: len(heard(frames())) == 2, what="its own packets, untranslated")
            layer = IP if family == 4 else IPv6
            assert all(frame[layer].src == attacker.ip[family] for frame in heard(frames()))
            # the marker behind it all, of the chosen backend
            from_pod(backend, network(family, backend.ip[family], client.ip[family]) /
                     UDP(sport=8080, dport=wire) / Raw(b"chosen"))
            listener.wait_for(f"chosen {as_seen(cluster.web.ip[family])} 80")
        assert FORGED.decode() not in listener.output()
    finally:
        listener.stop()


# --- spoofed sources

@FAMILIES
def test_a_pod_sends_from_its_own_address_alone(cluster, family):
    attacker, layer = cluster.attacker, cluster.web.ip[family]
    sources = [cluster.near.ip[family], cluster.far.ip[family], layer, reserved(cluster.a, family, 0), reserved(cluster.a, family, 1),
               reserved(cluster.b, family, 0), cluster.a.ip[family], cluster.b.ip[family], cluster.stranger.ip[family],
               HAIRPIN[family][0], GATEWAY[family]]
    targets = [cluster.client.ip[family], cluster.far.ip[family], cluster.web.ip[family]]
    with Silence(cluster, cluster.client, cluster.far), \
            drop_growth(cluster.a, "spoofed_source", len(sources) * len(targets)):
        from_pod(attacker, *(network(family, source, target) / datagram(dport=80) for source in sources for target in targets))


@FAMILIES
def test_a_tunnel_brings_only_its_own_nodes_pods(cluster, family):
    """Somebody on the underlay who sends as node b, and as himself."""
    a, b, stranger, client = cluster.a, cluster.b, cluster.stranger, cluster.client
    inner_ether = Ether(src="02:00:00:00:00:66", dst=a.tunnel_mac())

    def tunnelled(source, target, outer=b.ip[4], vni=1):
        return IP(src=outer, dst=a.ip[4]) / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=vni, flags="Instance") / \
            inner_ether / network(family, source, target) / datagram()

    forged = [cluster.near.ip[family], cluster.web.ip[family], reserved(a, family, 0), reserved(a, family, 1), a.ip[family],
              b.ip[family], stranger.ip[family], HAIRPIN[family][0], {4: "10.244.7.7", 6: "fd00:10:244:7::7"}[family]]
    elsewhere = [cluster.web.ip[family], a.ip[family], cluster.far.ip[family], HAIRPIN[family][0]]
    with Silence(cluster, client, cluster.near):
        with drop_growth(a, "tunnel_source", len(forged)):
            from_underlay(stranger, a, *(tunnelled(source, client.ip[family]) for source in forged))
        with drop_growth(a, "tunnel_destination", len(elsewhere)):
            from_underlay(stranger, a, *(tunnelled(cluster.far.ip[family], target) for target in elsewhere))
        with drop_growth(a, "unknown_vtep", 1):
            from_underlay(stranger, a, tunnelled(cluster.far.ip[family], client.ip[family], outer=stranger.ip[4]))
        with drop_growth(a, "wrong_vni", 1):
            from_underlay(stranger, a, tunnelled(cluster.far.ip[family], client.ip[family], vni=2))


@FAMILIES
def test_nothing_bare_from_the_underlay_reaches_a_pod(cluster, family):
    """On a node whose stack forwards and does not filter by reverse path: nor does it take us for one more interface to
    forward to."""
    a, stranger = cluster.a, cluster.stranger
    a.ns.sysctl("net.ipv4.conf.all.rp_filter", 0)
    a.ns.sysctl("net.ipv4.conf.uplink.rp_filter", 0)
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        a.ns.sysctl(key, 1)
    try:
        sources = [stranger.ip[family], cluster.b.ip[family], cluster.near.ip[family], cluster.far.ip[family], cluster.web.ip[family],
                   reserved(a, family, 0), reserved(a, family, 1), reserved(a, family, 3), reserved(cluster.b, family, 0),
                   a.ip[family], HAIRPIN[family][0]]
        targets = [cluster.client.ip[family], cluster.web.ip[family], reserved(a, family, 1), cluster.far.ip[family]]
        with Silence(cluster, cluster.client, *cluster.backends):
            from_underlay(stranger, a, *(network(family, source, target) / datagram(dport=80)
                                         for source in sources for target in targets))
    finally:
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            a.ns.sysctl(key, 0)


@FAMILIES
def test_a_client_outside_is_nobody_of_the_cluster(cluster, family):
    """Bare packets to a node port, from addresses that never come by the underlay."""
    a, stranger = cluster.a, cluster.stranger
    sources = [cluster.near.ip[family], cluster.far.ip[family], cluster.web.ip[family], reserved(a, family, 0),
               reserved(a, family, 1), reserved(a, family, 4), reserved(cluster.b, family, 0), a.ip[family], HAIRPIN[family][0],
               GATEWAY[family]]
    with Silence(cluster, *cluster.backends), drop_growth(a, "spoofed_source", 2 * len(sources)):
        from_underlay(stranger, a, *(packet for source in sources for packet in (
            network(family, source, a.ip[family]) / datagram(dport=NODE_PORT),
            network(family, source, a.ip[family]) / TCP(sport=1000, dport=NODE_PORT, flags="S") / Raw(FORGED))))


# --- VXLAN that pods send

@pytest.mark.parametrize("where", ("another node's", "this node's"))
def test_a_pod_cannot_send_into_a_tunnel(cluster, where):
    """Directly, and through a service whose endpoint is a tunnel's end. The tunnels here run over IPv4."""
    node = cluster.b if where == "another node's" else cluster.a
    attacker, victim = cluster.attacker, cluster.far if node is cluster.b else cluster.client
    inner = VXLAN(vni=1, flags="Instance") / Ether(src="02:00:00:00:00:66", dst=node.tunnel_mac()) / \
        IP(src=cluster.near.ip[4], dst=victim.ip[4]) / datagram()
    end = types.SimpleNamespace(ip=node.ip, node=node, name="tunnel-end")
    service = cluster.add_service(f"tunnel-{node.name}", 80, 4789, [end], protocols=["UDP"])
    try:
        cluster.wait_published()
        with Silence(cluster, victim), drop_growth(cluster.a, "tunnel_from_pod", 3):
            from_pod(attacker, IP(src=attacker.ip[4], dst=node.ip[4]) / UDP(sport=50000, dport=4789) / inner,
                     *(IP(src=attacker.ip[4], dst=service.ip[4]) / UDP(sport=sport, dport=80) / inner for sport in (40000, 5000)))
    finally:
        service.remove()
        cluster.wait_published()


# --- floods

def flood_frames(ether, network, ports):
    """SYN, and an ACK that nobody asked for, to each port; the program gives them source ports."""
    return [ether / network / TCP(sport=0, dport=port, flags=flags, seq=1, ack=ack, window=0xffff)
            for port in ports for flags, ack in (("S", 0), ("A", 0x12345678))]


def flood(place, interface, frames, taken):
    """Sends until the dataplane has taken as many as that; what comes faster than it can take is lost before."""
    lines = "".join(f"{bytes(frame).hex()}\n" for frame in frames)
    wanted, before = 2 * 2 * FLOOD, taken()
    for first in itertools.count(0, FLOOD_AT_ONCE):
        run(place.ns.wrap([BUILD / "tests" / "flood", interface, first, FLOOD_AT_ONCE, FLOOD_RATE]), input=lines)
        if taken() - before >= wanted:
            return
        assert first < 20 * wanted, f"only {taken() - before} of {first} were taken"


def taken_from(pod):
    return next(found["rx_packets"] for found in pod.node.ringway("pods")["pods"] if found["name"] == pod.name)


@contextlib.contextmanager
def connections_that_go_on(cluster, wanted):
    """Opened before, and unharmed afterwards."""
    traffic = SteadyTraffic(cluster.lab)
    answer = traffic.ask("open", wanted)
    assert not answer["errors"], answer
    wait_until(lambda: not any(flow["error"] for flow in traffic.ask("mark").values()), what="all connections accepted")
    yield
    arrived = {name: flow["arrived"] for name, flow in traffic.ask("mark").items()}

    def stuck():
        return {name: flow for name, flow in traffic.ask("mark").items()
                if not flow["error"] and (flow["arrived"] <= arrived[name] or flow["sent"] - flow["arrived"] >= 50)}

    wait_until(lambda: not stuck(), what=lambda: f"all connections go on, not so {stuck()}, after {arrived}")
    assert not {name: flow["error"] for name, flow in traffic.ask("mark").items() if flow["error"]}
    traffic.end()


def steady_flows(cluster):
    """Connections of every sort that a flood might meet: in slots, exceptional, of a node process, and none of the attacker's."""
    wanted = []
    servers = [[pod.ns.path, 8080] for pod in cluster.backends]
    for family in (4, 6):
        for i, (client, sport) in enumerate(((cluster.client, 0), (cluster.neighbour, 0), (cluster.far, 0), (cluster.client, 5500 + family),
                                             (cluster.neighbour, 20500 + family), (cluster.a, 0), (cluster.b, 0))):
            wanted.append({"name": f"{i} IPv{family}", "client": client.ns.path, "address": cluster.web.ip[family], "port": 80,
                           "sport": sport, "interval_ms": 50, "servers": servers})
    return wanted


def test_a_flood_of_half_open_connections_costs_nobody_else_a_connection(cluster):
    """East-west there is nothing to fill: a flow in a slot leaves no trace, and the rest has a quota."""
    attacker = cluster.attacker
    ether = Ether(src=attacker.ns.mac("eth0"), dst=GATEWAY_MAC)
    frames = [frame for family in (4, 6) for frame in flood_frames(
        ether, network(family, attacker.ip[family], cluster.many.ip[family]), FLOOD_PORTS)]
    with connections_that_go_on(cluster, steady_flows(cluster)):
        flood(attacker, "eth0", frames, lambda: taken_from(attacker))
        newcomers_are_served(cluster, cluster.neighbour, lambda family: (cluster.late.ip[family], 81))
    assert culprits(cluster.a) == {"default/attacker"}, doctor(cluster.a, "exceptions")


def newcomers_are_served(cluster, client, target, at=8081):
    with serving(cluster.backends if at == 8081 else (cluster.b,), at):
        for family in (4, 6):
            result = run_flows(client, "tcp", *target(family), 20, 45000)
            assert all_answered(result, 20), result


@pytest.mark.parametrize("where", ("pods", "another node"))
def test_a_flood_from_outside_costs_no_connection(cluster, where):
    """Half-open connections to node ports, from addresses that nobody has and one that somebody has, evict each other. Towards
    another node's own address there are far fewer ports than connections."""
    a, stranger = cluster.a, cluster.stranger
    port, late, at = (NODE_PORT, 30081, 8081) if where == "pods" else (30082, 30083, 8083)
    servers = [[pod.ns.path, 8080] for pod in cluster.backends] if where == "pods" else [[cluster.b.ns.path, 8082]]
    wanted = [{"name": f"{i} IPv{family}", "client": stranger.ns.path, "address": a.ip[family], "port": port, "sport": 0,
               "interval_ms": 50, "servers": servers} for family in (4, 6) for i in range(10)]
    ether = Ether(src=stranger.ns.mac("uplink"), dst=a.ns.mac("uplink"))
    sources = {4: [stranger.ip[4], *(f"172.30.0.{100 + i}" for i in range(7))],
               6: [stranger.ip[6], *(f"fd00:30::{100 + i:x}" for i in range(7))]}
    frames = [frame for family in (4, 6) for source in sources[family]
              for frame in flood_frames(ether, network(family, source, a.ip[family]), [port])]
    before = a.counters()["inbound_created"]
    with connections_that_go_on(cluster, wanted):
        flood(stranger, "uplink", frames, lambda: a.counters()["received"])
        newcomers_are_served(cluster, stranger, lambda family: (a.ip[family], late), at)
    assert a.counters()["inbound_created"] - before > FLOOD / 2


def test_a_pod_that_uses_up_its_quota_is_named_and_alone(cluster):
    """Datagrams from all ports that are not for clients, so that each is an exceptional flow."""
    a, greedy, neighbour = cluster.a, cluster.a.add_pod("greedy"), cluster.neighbour

    def is_full():
        for family in (4, 6):
            from_pod(greedy, *(network(family, greedy.ip[family], cluster.web.ip[family]) / datagram(sport, 80)
                               for sport in range(2000, 2000 + 2 * QUOTA)))
        (pod,) = [pod for pod in a.ringway("pods")["pods"] if pod["name"] == "greedy"]
        return pod["drops"].get("exceptions_full", 0) > QUOTA and pod["exceptions"] >= 2 * QUOTA and pod

    pod = wait_until(is_full, what="a quota used up")
    assert pod["exceptions"] == 2 * QUOTA, pod
    assert [check["found"] for check in doctor(a, "exceptions") if "default/greedy" in check["found"]] == [
        f"default/greedy has {QUOTA} of {QUOTA} for IPv{family}: {QUOTA} from a port of the client's own choice, or of a range of its own"
        for family in (4, 6)]
    named = culprits(a)
    assert "default/greedy" in named and not named & {"default/neighbour", "default/client"}, named
    with serving(cluster.backends):
        for family in (4, 6):
            for proto in ("tcp", "udp"):
                with growth(a, exception_created=15):
                    assert all_answered(run_flows(neighbour, proto, cluster.web.ip[family], 80, 15, 6000), 15)
                # what needs no exception is not bounded
                assert all_answered(run_flows(greedy, proto, cluster.web.ip[family], 80, 15, PORTS[0]), 15)
    greedy.detach()
    wait_until(lambda: "default/greedy" not in culprits(a), what="its flows gone with it")


def doctor(node, check):
    done = run(node.wrap([RINGWAY, "doctor", "-o", "json", "--socket", node.socket, "--config", node.dir / "ringway.yaml"]),
               check=False)
    return [found for found in json.loads(done.stdout)["checks"] if found["check"] == check]


def culprits(node):
    return {check["found"].split()[0] for check in doctor(node, "exceptions") if check["status"] == "warn"}
