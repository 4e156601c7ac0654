"""Two nodes, real pods, services: what a client sees, what a backend sees, and what the dataplanes counted. After each
test the books of both nodes balance, and no packet with a wrong checksum has arrived at any pod."""

import contextlib
import ipaddress

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from cluster import Cluster, counters_of
from lab import wait_until
from traffic import PORTS, PYTHON, Running, chi_square_is_even, ping, run_flows, serving

FLOWS = 10_000
FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
HAIRPIN = {4: ("169.254.1.17", "169.254.1.18", "169.254.1.19"), 6: tuple(f"fd72:696e:6777:6179::{slot}" for slot in (11, 12, 13))}
SLOT_SHIFT = 14


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """Two pods on each node and one more client; with two workers, they are shared out between them."""
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.client, made.near = made.a.add_pod("client"), made.a.add_pod("near", ports=[8080])
        made.far, made.far2 = (made.b.add_pod(name, ports=[8080]) for name in ("far", "far2"))
        made.pods = [made.client, made.near, made.far, made.far2]
        made.backends = [made.near, made.far, made.far2]
        made.web = made.add_service("web", 80, 8080, made.backends)
        made.wait_published()
        made.wait_joined()
        made.receivers = [Running(pod, "checksums", "eth0") for pod in made.pods]
        made.receivers += [Running(node, "checksums", "ringway0") for node in made.nodes]
        yield made


@pytest.fixture(autouse=True)
def books(cluster):
    seen = [receiver.report() for receiver in cluster.receivers]
    yield
    for node in cluster.nodes:
        counters_of(node)
    for receiver, earlier in zip(cluster.receivers, seen):
        counts = receiver.report()
        assert (counts["bad"], counts["partial"]) == (earlier["bad"], earlier["partial"]), (receiver.place, counts)


def test_receivers_see_what_arrives(cluster):
    """What the checks after each test stand on."""
    before = [receiver.report()["packets"] for receiver in cluster.receivers]
    for pod in cluster.backends:
        assert ping(cluster.client, pod.ip[4]) == ping(cluster.a, pod.ip[6]) == 3
    after = [receiver.report()["packets"] for receiver in cluster.receivers]
    # the client and the node had answers, the backends requests of both
    assert [n - m >= 6 for n, m in zip(after, before)] == [True] * 5 + [False], (before, after)


@contextlib.contextmanager
def captured(pod):
    """The frames that arrive at a pod: a function that returns them as scapy's."""
    running = Running(pod, "capture", "eth0")
    try:
        yield lambda: [Ether(bytes.fromhex(frame)) for frame in running.report()["frames"]]
    finally:
        running.kill()


@contextlib.contextmanager
def growth(node, **least):
    """Counters that must have grown by at least so much at the end."""
    before = counters_of(node)
    yield
    grew = {}

    def enough():
        after = counters_of(node)
        grew.update({name: after.get(name, 0) - before.get(name, 0) for name in least})
        return all(grew[name] >= n for name, n in least.items())

    try:
        wait_until(enough)  # a packet is counted once it was sent: its receiver may have been faster
    except AssertionError as problem:
        raise AssertionError(f"node {node.name}: wanted {least}, counted {grew}: {problem}") from None


@contextlib.contextmanager
def drop_growth(node, reason, n):
    before = node.drops().get(reason, 0)
    yield
    try:
        wait_until(lambda: node.drops().get(reason, 0) - before >= n, what=f"{n} packets dropped for {reason}")
    except AssertionError as problem:
        raise AssertionError(f"{problem}: {node.drops()}") from None
    assert node.drops().get(reason, 0) - before == n, node.drops()


def as_seen(address):
    """An address as a dual-stack server prints it."""
    return address if ":" in address else "::ffff:" + address


def all_answered(result, n):
    return result["lost"] == 0 and sum(result["answers"].values()) == n


def python(pod, program, *arguments, **options):
    return pod.run([PYTHON, "-c", program, *map(str, arguments)], **options).stdout.strip()


# --- pods, nodes

@PROTOS
@FAMILIES
@pytest.mark.parametrize("sender, receiver", (("client", "near"), ("client", "far"), ("far", "near"), ("far", "far2")))
def test_pod_to_pod(cluster, sender, receiver, family, proto):
    sender, receiver = getattr(cluster, sender), getattr(cluster, receiver)
    crosses = sender.node is not receiver.node
    with serving([receiver]) as servers, growth(sender.node, forwarded=66, encapsulated=33 * crosses), \
            growth(receiver.node, forwarded=66, decapsulated=33 * crosses):
        assert ping(sender, receiver.ip[family]) == 3
        result = run_flows(sender, proto, receiver.ip[family], 8080, 30)
        seen = servers[receiver.name].end()
    assert result["answers"] == {receiver.name: 30} and not result["lost"], result
    assert seen[proto] == 30 and seen["sources"] == [as_seen(sender.ip[family])], seen
    assert seen["ports"][proto] == list(range(PORTS[0], PORTS[0] + 30))


@FAMILIES
@pytest.mark.parametrize("size", (0, 1000, 1450, 4000))
def test_pings_of_all_sizes(cluster, family, size):
    """Up to the tunnel's MTU in one piece, and what is larger in several."""
    payload = max(size - (28 if family == 4 else 48), 0)
    for sender, receiver in ((cluster.client, cluster.near), (cluster.client, cluster.far), (cluster.far, cluster.near),
                             (cluster.a, cluster.far)):
        n = ping(sender, receiver.ip[family], size=payload, dont_fragment=size <= 1450)
        assert n == 3, (sender.name, receiver.name)


@PROTOS
@FAMILIES
def test_node_process_to_pods(cluster, family, proto):
    for node, pod in ((cluster.a, cluster.near), (cluster.a, cluster.far), (cluster.b, cluster.near)):
        with serving([pod]) as servers, growth(pod.node, forwarded=23), growth(node, forwarded=23):
            assert ping(node, pod.ip[family]) == 3
            result = run_flows(node, proto, pod.ip[family], 8080, 20)
            seen = servers[pod.name].end()
        assert result["answers"] == {pod.name: 20}, result
        assert all(in_pod_cidr(node, source) for source in seen["sources"]), seen


def in_pod_cidr(node, source):
    address = ipaddress.ip_address(source.removeprefix("::ffff:"))
    return address in ipaddress.ip_network(node.pod_cidrs[address.version])


@FAMILIES
def test_node_process_to_a_service_spreads_over_both_nodes(cluster, family):
    for proto, n in (("udp", FLOWS), ("tcp", 300)):
        with serving(cluster.backends) as servers, growth(cluster.a, service_forward=n, service_reply=n):
            result = run_flows(cluster.a, proto, cluster.web.ip[family], 80, n)
            seen = {name: server.end() for name, server in servers.items()}
        assert all_answered(result, n), result
        assert {name: s[proto] for name, s in seen.items()} == result["answers"]
        assert chi_square_is_even(result["answers"].values(), 3), result
        assert all(in_pod_cidr(cluster.a, source) for s in seen.values() for source in s["sources"]), seen


# --- services

@FAMILIES
def test_flows_spread_evenly_over_backends_on_both_nodes(cluster, family):
    """Counted at the backends, which see the client's own address."""
    for proto, n in (("udp", FLOWS), ("tcp", 500)):
        with serving(cluster.backends) as servers, growth(cluster.a, service_forward=n, service_reply=n):
            result = run_flows(cluster.client, proto, cluster.web.ip[family], 80, n)
            seen = {name: server.end() for name, server in servers.items()}
        assert all_answered(result, n), result
        flows = {name: s[proto] for name, s in seen.items()}
        assert flows == result["answers"] and chi_square_is_even(flows.values(), 3), flows
        assert all(s["sources"] == [as_seen(cluster.client.ip[family])] for s in seen.values()), seen


@PROTOS
@FAMILIES
def test_clients_on_both_nodes_reach_a_service(cluster, family, proto):
    """Backends too are clients of their own service, and some of their flows come back to them."""
    with serving(cluster.backends):
        for pod in (cluster.near, cluster.far):
            result = run_flows(pod, proto, cluster.web.ip[family], 80, 60)
            assert all_answered(result, 60) and len(result["answers"]) == 3, (pod.name, result)


@FAMILIES
def test_a_pod_reaches_itself_through_a_service(cluster, family):
    alone = cluster.add_service("alone", 80, 8081, [cluster.near])
    try:
        cluster.wait_published()
        for proto in ("tcp", "udp"):
            with serving([cluster.near], 8081) as servers, growth(cluster.a, service_hairpin=40):
                result = run_flows(cluster.near, proto, alone.ip[family], 80, 20)
                seen = servers["near"].end()
            assert result["answers"] == {"near": 20}, result
            assert {source.removeprefix("::ffff:") for source in seen["sources"]} <= set(HAIRPIN[family]), seen
    finally:
        alone.remove()


@FAMILIES
def test_the_fourth_service_of_a_backend_is_an_exception(cluster, family):
    services = [cluster.add_service(f"front{family}-{i}", 80, 8090 + family, [cluster.far]) for i in range(4)]
    try:
        cluster.wait_published()
        for proto in ("tcp", "udp"):
            with serving([cluster.far], 8090 + family) as servers, growth(cluster.a, exception_created=20):
                for i, service in enumerate(services):
                    result = run_flows(cluster.client, proto, service.ip[family], 80, 20, PORTS[0] + 100 * i)
                    assert result["answers"] == {"far": 20}, (i, result)
                seen = servers["far"].end()
            slots = {port >> SLOT_SHIFT ^ PORTS[0] >> SLOT_SHIFT for port in seen["ports"][proto]}
            assert slots == {0, 1, 2, 3} and seen[proto] == 80, seen
    finally:
        for service in services:
            service.remove()


@PROTOS
@FAMILIES
def test_a_client_keeps_a_source_port_outside_the_range(cluster, family, proto):
    with serving(cluster.backends) as servers, growth(cluster.a, exception_created=15):
        result = run_flows(cluster.client, proto, cluster.web.ip[family], 80, 15, 5000)
        ports = [port for server in servers.values() for port in server.end()["ports"][proto]]
    assert all_answered(result, 15), result
    assert sorted(ports) == list(range(5000, 5015))


@FAMILIES
def test_a_source_port_that_is_taken_is_replaced(cluster, family):
    """From one port to two services with the same backend: the second flow cannot look like the first."""
    services = [cluster.add_service(f"taken{family}-{i}", 80, 8095 + family, [cluster.far]) for i in range(2)]
    try:
        cluster.wait_published()
        with serving([cluster.far], 8095 + family) as servers:
            for service in services:
                result = run_flows(cluster.client, "udp", service.ip[family], 80, 1, 5100 + family)
                assert result["answers"] == {"far": 1}, result
            ports = servers["far"].end()["ports"]["udp"]
        assert len(ports) == 2 and 5100 + family in ports and any(16384 <= port <= 17407 for port in ports), ports
    finally:
        for service in services:
            service.remove()


@FAMILIES
@pytest.mark.parametrize("port", (2000, 20000, 51000))
def test_an_undeclared_server_in_a_slots_range_is_reached_directly(cluster, family, port):
    with serving([cluster.far], port), serving([cluster.near], port):
        for sender, receiver in ((cluster.client, cluster.far), (cluster.client, cluster.near), (cluster.far2, cluster.near)):
            for proto in ("tcp", "udp"):
                result = run_flows(sender, proto, receiver.ip[family], port, 20)
                assert result["answers"] == {receiver.name: 20}, (sender.name, proto, result)
        # from a port that is a service's backend, so that what it sends looks like a reply in a slot
        result = run_flows(cluster.near, "tcp", cluster.far.ip[family], port, 1, 8080)
        assert result["answers"] == {"far": 1}, result
        result = run_flows(cluster.far, "tcp", cluster.near.ip[family], port, 1, 8080)
        assert result["answers"] == {"near": 1}, result


@FAMILIES
def test_a_pod_that_serves_and_calls_on_slot_ports(cluster, family):
    """It serves on the port that its own client port would get on the wire: the service flow is then an exception."""
    first = 41000 + 100 * family
    with serving(cluster.backends) as servers:
        run_flows(cluster.client, "tcp", cluster.web.ip[family], 80, 8, first)
        ports = {port for server in servers.values() for port in server.end()["ports"]["tcp"]}
    port = min(ports)
    with serving([cluster.client], port), serving(cluster.backends) as servers:
        result = run_flows(cluster.far, "tcp", cluster.client.ip[family], port, 5)
        assert result["answers"] == {"client": 5}, result
        result = run_flows(cluster.client, "tcp", cluster.web.ip[family], 80, 8, first)
        assert all_answered(result, 8), result
        result = run_flows(cluster.far, "tcp", cluster.client.ip[family], port, 5)
        assert result["answers"] == {"client": 5}, result


# --- checksums

NO_CHECK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
s.settimeout(60)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"no checksum")
print(s.recv(100).decode())
"""


@pytest.mark.parametrize("target", ("near", "far"))
def test_a_datagram_without_checksum_stays_so(cluster, target):
    pod = getattr(cluster, target)
    service = cluster.add_service(f"bare-{target}", 80, 8082, [pod])
    try:
        cluster.wait_published()
        for address, port in ((pod.ip[4], 8082), (service.ip[4], 80)):
            with serving([pod], 8082), captured(pod) as frames:
                assert python(cluster.client, NO_CHECK, address, port).startswith(target)
                sums = [frame[UDP].chksum for frame in frames() if UDP in frame and frame[UDP].dport == 8082]
            assert sums == [0]
    finally:
        service.remove()


ASK = """
import socket, sys
address, port, sport, payload = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", sport))
s.settimeout(60)
s.connect((address, port))
s.send(payload)
print(s.recv(100).decode())
"""


@FAMILIES
@pytest.mark.parametrize("target", ("near", "far"))
def test_a_checksum_that_comes_out_as_zero_is_sent_as_ones(cluster, family, target):
    """What the first datagram's checksum at the backend lacks to 0, the second one has in its payload."""
    pod = getattr(cluster, target)
    service = cluster.add_service(f"zero{family}-{target}", 80, 8083, [pod])
    try:
        cluster.wait_published()
        with serving([pod], 8083), captured(pod) as frames:
            python(cluster.client, ASK, service.ip[family], 80, 42000, "0000")
            first = [frame[UDP] for frame in frames() if UDP in frame and frame[UDP].dport == 8083]
            assert len(first) == 1 and first[0].sport != 42000
            python(cluster.client, ASK, service.ip[family], 80, 42000, f"{first[0].chksum:04x}")
            sums = [frame[UDP].chksum for frame in frames() if UDP in frame and frame[UDP].dport == 8083]
        assert sums == [first[0].chksum, 0xffff]
    finally:
        service.remove()


# --- what changes, what is missing, what must not pass

@FAMILIES
def test_a_removed_endpoint_gets_no_new_connection(cluster, family):
    changing = cluster.add_service(f"changing{family}", 80, 8084, cluster.backends)
    try:
        cluster.wait_published()
        for backends in (cluster.backends, [cluster.near, cluster.far2], [cluster.far2], cluster.backends):
            changing.set_backends(backends)
            cluster.wait_published()
            for proto, n in (("udp", 2000), ("tcp", 200)):
                with serving(cluster.backends, 8084) as servers:
                    result = run_flows(cluster.client, proto, changing.ip[family], 80, n)
                    flows = {name: server.end()[proto] for name, server in servers.items()}
                assert all_answered(result, n), result
                names = {pod.name for pod in backends}
                assert {name for name, count in flows.items() if count} == names, flows
                assert len(names) == 1 or chi_square_is_even([flows[name] for name in names], len(names)), flows
    finally:
        changing.remove()


SEND = """
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, getattr(socket, kind))
s.settimeout(float((sys.argv + ["60"])[4]))
try:
    s.connect((address, port))
    s.send(b"?")
    print(s.recv(10).decode())
except OSError as problem:
    print(problem)
"""


@contextlib.contextmanager
def counter_growth(node, counter, n):
    before = node.counters()[counter]
    yield
    wait_until(lambda: node.counters()[counter] - before >= n, what=f"{n} packets counted as {counter}")
    assert node.counters()[counter] - before == n


@FAMILIES
def test_a_service_without_endpoints_refuses_at_once(cluster, family):
    empty = cluster.add_service(f"empty{family}", 80, 8080, [])
    try:
        cluster.wait_published()
        for place in (cluster.client, cluster.a):
            for kind in ("SOCK_DGRAM", "SOCK_STREAM"):
                with counter_growth(cluster.a, "refused_no_backend", 1):
                    assert "Connection refused" in python(place, SEND, kind, empty.ip[family], 80)
    finally:
        empty.remove()


@FAMILIES
@pytest.mark.parametrize("where", ["local", "remote"])
def test_a_closed_port_behind_a_service_is_refused_by_the_backend(cluster, family, where):
    """The backend's own ICMP error, translated back to the client and to what it sent."""
    backend = {"local": cluster.near, "remote": cluster.far}[where]
    closed = cluster.add_service(f"closed-{where}{family}", 80, 9, [backend])
    try:
        cluster.wait_published()
        for place in (cluster.client, cluster.a):
            with counter_growth(cluster.a, "errors_translated", 1):
                assert "Connection refused" in python(place, SEND, "SOCK_DGRAM", closed.ip[family], 80)
    finally:
        closed.remove()


TOO_BIG = """
import socket, struct, sys
family, mtu = int(sys.argv[1]), int(sys.argv[2])
silent = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
silent.bind(("::", 8080))  # else the pod would complain, too
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800 if family == 4 else 0x86dd))
print("ready", flush=True)
while True:  # the first datagram to port 8080 of ours is complained about, from the way as it were
    packet = wire.recv(2048)
    l4 = 20 if family == 4 else 40
    if packet[9 if family == 4 else 6] == 17 and packet[l4 + 2:l4 + 4] == struct.pack("!H", 8080):
        break
if family == 4:
    source, to = socket.inet_ntop(socket.AF_INET, packet[12:16]), socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    error = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + packet[:28]
    total = sum(struct.unpack(f"!{len(error) // 2}H", error))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    error = error[:2] + struct.pack("!H", ~total & 0xffff) + error[4:]
else:
    source, to = socket.inet_ntop(socket.AF_INET6, packet[8:24]), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
    error = struct.pack("!BBHI", 2, 0, 0, mtu) + packet[:48]
to.sendto(error, (source, 0))
"""


@FAMILIES
def test_an_error_about_a_translated_packet_tells_its_sender(cluster, family):
    """What a router behind the tunnel says about the way to a backend is learned for the service's address."""
    big = cluster.add_service(f"big{family}", 80, 8080, [cluster.far])
    receiver = cluster.far.popen([PYTHON, "-c", TOO_BIG, family, 1300])
    try:
        cluster.wait_published()
        receiver.wait_for("ready")
        with counter_growth(cluster.a, "errors_translated", 1):
            python(cluster.client, SEND, "SOCK_DGRAM", big.ip[family], 80, 1)  # nobody answers it
        wait_until(lambda: "mtu 1300" in cluster.client.ns.ip(f"-{family} route get {big.ip[family]}").stdout,
                   what="the client knows what the way takes")
    finally:
        receiver.stop()
        big.remove()


DATAGRAM = """
import socket, sys
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
s.connect((address, port))
s.send(b"x" * size)
print(len(s.recv(65536)))
"""


@FAMILIES
@pytest.mark.parametrize("where", ["local", "remote"])
def test_a_datagram_in_fragments_reaches_a_service_and_comes_back(cluster, family, where):
    backend = {"local": cluster.near, "remote": cluster.far}[where]
    parts = cluster.add_service(f"parts-{where}{family}", 80, 8080, [backend])
    try:
        cluster.wait_published()
        with serving([backend]):
            for place in (cluster.client, cluster.a):
                for size in (2000, 20000):
                    with growth(cluster.a, service_forward=2, service_reply=2):
                        assert python(place, DATAGRAM, parts.ip[family], 80, size) == str(size)
    finally:
        parts.remove()


@FAMILIES
def test_a_port_that_a_service_does_not_have_is_refused(cluster, family):
    for place in (cluster.client, cluster.a):
        for kind in ("SOCK_DGRAM", "SOCK_STREAM"):
            with counter_growth(cluster.a, "refused_no_service", 1):
                assert "Connection refused" in python(place, SEND, kind, cluster.web.ip[family], 81)


@FAMILIES
def test_what_has_no_place(cluster, family):
    """An address that no node has, and a source that is not the pod's."""
    with drop_growth(cluster.a, "no_route", 1):
        ping(cluster.client, {4: "10.244.99.1", 6: "fd00:10:244:99::1"}[family], count=1, wait=1)
    foreign = {4: "10.9.9.9/32", 6: "fd00:9::9/128"}[family]
    cluster.client.ns.ip(f"addr add {foreign} dev lo")
    try:
        with drop_growth(cluster.a, "spoofed_source", 1):
            cluster.client.run(["ping", "-n", "-c", 1, "-W", 1, "-I", foreign.split("/")[0], cluster.near.ip[family]],
                               check=False)
    finally:
        cluster.client.ns.ip(f"addr del {foreign} dev lo")


LISTEN = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", int(sys.argv[1])))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(100)
    print(data.decode(), peer[0], peer[1], flush=True)
"""
INJECT = """
import socket, sys
packet, to = bytes.fromhex(sys.argv[1]), sys.argv[2]
s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
s.sendto(packet, (to, 0))
"""


def inject(pod, family, client, transport):
    network = IP(src=pod.ip[4], dst=client.ip[4]) if family == 4 else IPv6(src=pod.ip[6], dst=client.ip[6])
    python(pod, INJECT, bytes(network / transport).hex(), client.ip[family])


@PROTOS
@FAMILIES
def test_a_sibling_cannot_inject_a_reply(cluster, family, proto):
    """A backend of the same service sends to the client what would be a reply, had the client's flow been to it."""
    client = cluster.client
    with serving(cluster.backends) as servers:
        result = run_flows(client, proto, cluster.web.ip[family], 80, 30, 43000)
        assert all_answered(result, 30) and len(result["answers"]) == 3, result
        wires = {name: server.end()["ports"][proto] for name, server in servers.items()}
    pods = {pod.name: pod for pod in cluster.backends}
    slots = {name: ports[0] >> SLOT_SHIFT ^ PORTS[0] >> SLOT_SHIFT for name, ports in wires.items()}
    port = wires["far"][0] ^ slots["far"] << SLOT_SHIFT
    assert 43000 <= port < 43030 and all(slots.values())
    transport = UDP if proto == "udp" else lambda **ports: TCP(flags="A", **ports)
    listener = client.popen([PYTHON, "-c", LISTEN, port])
    try:
        listener.wait_for("ready")
        with captured(client) as frames:
            for sibling in ("near", "far2"):
                with drop_growth(cluster.a, "slot_mismatch", 1):
                    inject(pods[sibling], family, client,
                           transport(sport=8080, dport=port ^ slots[sibling] << SLOT_SHIFT) / b"injected")
            # the chosen backend itself is heard, as the service
            with drop_growth(cluster.a, "slot_mismatch", 0):
                inject(pods["far"], family, client, transport(sport=8080, dport=wires["far"][0]) / b"chosen")
                if proto == "udp":
                    listener.wait_for(f"chosen {as_seen(cluster.web.ip[family])} 80")
                wait_until(lambda: any(b"chosen" in bytes(frame) for frame in frames()), what="the chosen backend's packet")
            assert not any(b"injected" in bytes(frame) for frame in frames())
        assert "injected" not in listener.output()
    finally:
        listener.stop()
