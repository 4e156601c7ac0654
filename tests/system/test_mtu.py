"""Small packets pass, large ones hang: not here. What a tunnel takes is told to senders, or large packets are cut, and
what a router on the way says is believed. Tunnels over IPv4 and over IPv6."""

import contextlib
import re

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from cluster import Cluster, counters_of
from lab import PATIENCE, wait_until
from traffic import PYTHON, Running, ping, pings, run_flows, run_transfer
from test_two_nodes import growth

FAMILIES = pytest.mark.parametrize("family", (4, 6))
OVERHEAD = {4: 50, 6: 70}
HEADERS = {4: 28, 6: 48}  # IP and ICMP echo
ROUTER_MTU = 1380


@pytest.fixture(scope="module", params=(4, 6), ids=("over IPv4", "over IPv6"))
def cluster(request):
    """Pods may send 1500 bytes, which no tunnel takes; node c is behind a router that takes even less."""
    underlay = (4, 6) if request.param == 4 else (6,)
    with Cluster(options={"overlay": {"mtu": 1500}}, underlay=underlay) as made:
        made.tunnel = request.param
        made.mtu = 1500 - OVERHEAD[request.param]
        made.far_mtu = ROUTER_MTU - OVERHEAD[request.param]
        made.router = made.add_router()
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.c = made.add_node("c", behind=made.router)
        made.start()
        made.client, made.near, made.far = made.a.add_pod("client"), made.b.add_pod("near"), made.c.add_pod("far")
        made.web = made.add_service("web", 80, 8080, [made.near])
        made.wait_published()
        made.wait_joined()
        made.receivers = [Running(pod, "checksums", "eth0") for pod in (made.client, made.near, made.far)]
        yield made


@pytest.fixture(autouse=True)
def books(cluster):
    forget_path_mtus(cluster)
    yield
    for node in cluster.nodes:
        counters_of(node)
    for receiver in cluster.receivers:
        counts = receiver.report()
        assert counts["bad"] == counts["partial"] == 0, counts


def forget_path_mtus(cluster):
    """What the pods' kernels have learned."""
    for pod in (cluster.client, cluster.near, cluster.far):
        for family in (4, 6):
            pod.ns.ip(f"-{family} route flush cache")


def tunnel_mtu(node, peer):
    return next(n["mtu"] for n in node.ringway("nodes")["nodes"] if n["name"] == peer.name)


def one_ping(pod, address, size, hint, count=1, wait=PATIENCE):
    """Answers and output of pings with that many bytes in all, headers included. Who expects none does not wait long."""
    return pings(pod, address, count, "-M", hint, "-s", size - HEADERS[6 if ":" in address else 4], wait=wait)


@FAMILIES
def test_a_sender_is_told_what_fits(cluster, family):
    """DF, and what does not fit: the gateway names the MTU; the next packet that heeds it passes."""
    client, address = cluster.client, cluster.near.ip[family]
    gateway = {4: "169.254.1.1", 6: "fe80::1"}[family]
    with growth(cluster.a, errors_sent=1, replied=1):
        answers, output = one_ping(client, address, cluster.mtu + 1, "do", wait=2)
    assert answers == 0 and gateway in output and re.search(f"mtu ?= ?{cluster.mtu}", output), output
    answers, output = one_ping(client, address, cluster.mtu, "do")
    assert answers == 1, output
    assert f"mtu {cluster.mtu}" in client.ns.ip(f"-{family} route get {address}").stdout


def test_what_may_be_cut_is_cut(cluster):
    with growth(cluster.a, fragmented=3, fragments_sent=6), growth(cluster.b, fragmented=3):
        answers, output = one_ping(cluster.client, cluster.near.ip[4], 1500, "dont", count=3)
    assert answers == 3, output
    # and what came in pieces already: 1480 bytes each, of which the larger ones are cut again
    forget_path_mtus(cluster)
    assert one_ping(cluster.client, cluster.near.ip[4], 4000, "dont", count=3)[0] == 3


def test_ipv6_senders_cut_at_the_source(cluster):
    """The first one is lost, and tells."""
    for size in (1500, 4000):
        forget_path_mtus(cluster)
        before = counters_of(cluster.a)["fragmented"]
        # the answers' way is learned likewise
        wait_until(lambda s=size: one_ping(cluster.client, cluster.near.ip[6], s, "dont", wait=2)[0] == 1, what="an answer")
        assert counters_of(cluster.a)["fragmented"] == before
        answers, output = one_ping(cluster.client, cluster.near.ip[6], size, "dont", count=3)
        assert answers == 3, output


@contextlib.contextmanager
def handshakes(pod):
    running = Running(pod, "capture", "eth0")
    segments = []
    try:
        yield segments
        segments += [frame[TCP] for frame in map(Ether, map(bytes.fromhex, running.report()["frames"])) if TCP in frame]
    finally:
        running.kill()


def mss_of(segments):
    return {dict(segment.options)["MSS"] for segment in segments if segment.flags.S}


@FAMILIES
@pytest.mark.parametrize("target", ("pod", "service"))
def test_the_segment_size_is_clamped(cluster, family, target):
    address, port = (cluster.near.ip[family], 8080) if target == "pod" else (cluster.web.ip[family], 80)
    mss = cluster.mtu - (40 if family == 4 else 60)
    server = Running(cluster.near, "serve", 8080, "near")
    try:
        with growth(cluster.a, mss_clamped=1), growth(cluster.b, mss_clamped=1), \
                handshakes(cluster.near) as at_server, handshakes(cluster.client) as at_client:
            assert run_flows(cluster.client, "tcp", address, port, 1)["answers"] == {"near": 1}
        assert mss_of(at_server) == {mss} and mss_of(at_client) == {mss}
    finally:
        server.kill()
    before = counters_of(cluster.a)
    assert run_transfer(cluster.client, cluster.near, address, port=port, server_port=8080)
    after = counters_of(cluster.a)  # segments that fit from the start
    assert [after[name] - before[name] for name in ("fragmented", "errors_sent")] == [0, 0]


@FAMILIES
def test_large_transfers(cluster, family):
    for sender, receiver in ((cluster.client, cluster.near), (cluster.far, cluster.client), (cluster.a, cluster.near)):
        forget_path_mtus(cluster)
        assert run_transfer(sender, receiver, receiver.ip[family])
        with growth(getattr(sender, "node", sender), forwarded=3000):
            big_datagrams(sender, receiver, receiver.ip[family])


DATAGRAMS = """
import socket, sys
address = sys.argv[1]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((address, 8086))
left = 1000
for _ in range(1100):
    try:
        s.send(b"x" * 3000)
        left -= len(s.recv(4000)) == 3000
    except OSError:
        pass
    if left == 0:
        break
print(left)
"""


def big_datagrams(sender, receiver, address):
    """1,000 datagrams in pieces, there and back; the first ones may be lost while the MTU is found out."""
    server = Running(receiver, "serve", 8086, "x")
    try:
        assert sender.run([PYTHON, "-c", DATAGRAMS, address], timeout=300).stdout.strip() == "0"
    finally:
        server.kill()


@FAMILIES
def test_a_router_with_a_smaller_link_is_believed(cluster, family):
    """The router says that our tunnel packets are too big; from then on the tunnel takes less. What was learned for one
    family of pods holds for the other one too, so it is asked for by tunnel, not by family."""
    client, far = cluster.client, cluster.far
    assert tunnel_mtu(cluster.a, cluster.b) == cluster.mtu
    cluster.router.set_mtu(ROUTER_MTU)
    try:
        for node, peer, pod, address in ((cluster.a, cluster.c, client, far.ip), (cluster.c, cluster.a, far, client.ip)):
            learned_before = tunnel_mtu(node, peer) == cluster.far_mtu
            if not learned_before:
                assert tunnel_mtu(node, peer) == cluster.mtu

            def is_lowered(n=node, p=peer, sender=pod, to=address[family]):
                if tunnel_mtu(n, p) != cluster.far_mtu:
                    one_ping(sender, to, cluster.mtu, "do", wait=1)
                return tunnel_mtu(n, p) == cluster.far_mtu

            wait_until(is_lowered, what="the tunnel's MTU is lowered")
        assert tunnel_mtu(cluster.a, cluster.b) == cluster.mtu  # of no other tunnel

        def told():
            answers, output = one_ping(client, far.ip[family], cluster.mtu, "do", wait=2)
            assert answers == 0, output
            return re.search(f"mtu ?= ?{cluster.far_mtu}", output)

        wait_until(told, what="the client is told")
        assert one_ping(client, far.ip[family], cluster.far_mtu, "do", count=3)[0] == 3
        forget_path_mtus(cluster)
        for sender, receiver in ((client, far), (far, client)):
            assert ping(sender, receiver.ip[family]) == 3
            assert run_transfer(sender, receiver, receiver.ip[family])
    finally:
        cluster.router.set_mtu(1500)
