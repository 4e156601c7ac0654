"""The uplink's program: what is ours goes to the socket, everything else to the host's stack."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from lab import run, wait_until
from test_forward import Forwarder

VTEP = {4: "192.0.2.1", 6: "2001:db8::1"}
PEER = {4: "192.0.2.2", 6: "2001:db8::2"}
IN_SENDER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for line in sys.stdin:
    s.send(bytes.fromhex(line))
"""


def ip(family, source, destination, **fields):
    return IP(src=source, dst=destination, **fields) if family == 4 else IPv6(src=source, dst=destination, **fields)


def vxlan(family, port=4789, to=None):
    return ip(family, PEER[family], to or VTEP[family]) / UDP(sport=50000, dport=port) / Raw(b"\x08" + bytes(60))


def quoted(family, port=4789, source=None):
    """What our VTEP sent, as a router quotes it."""
    sent = ip(family, source or VTEP[family], PEER[family]) / UDP(sport=50000, dport=port) / Raw(bytes(40))
    return Raw(bytes(sent))


def error(family, inner):
    router = "198.51.100.9" if family == 4 else "2001:db8:9::9"
    kind = ICMP(type=3, code=4, nexthopmtu=1400) if family == 4 else ICMPv6PacketTooBig(mtu=1400)
    return ip(family, router, VTEP[family]) / kind / inner


def unreachable(family, inner):
    kind = ICMP(type=3, code=3) if family == 4 else ICMPv6DestUnreach(code=4)
    return ip(family, PEER[family], VTEP[family]) / kind / inner


# name, is it ours, the packet by family
CASES = [
    ("VXLAN to our VTEP", True, vxlan),
    ("VXLAN with a VLAN tag", True, lambda f: Dot1Q(vlan=7) / vxlan(f)),
    ("a router's error about VXLAN of ours", True, lambda f: error(f, quoted(f))),
    ("a peer's error about VXLAN of ours", True, lambda f: unreachable(f, quoted(f))),
    ("another UDP port", False, lambda f: vxlan(f, port=4790)),
    ("VXLAN to another address", False, lambda f: vxlan(f, to="192.0.2.77" if f == 4 else "2001:db8::77")),
    ("an error about another port", False, lambda f: error(f, quoted(f, port=53))),
    ("an error about VXLAN of another", False,
     lambda f: error(f, quoted(f, source="192.0.2.77" if f == 4 else "2001:db8::77"))),
    ("an error that quotes too little", False, lambda f: error(f, Raw(bytes(quoted(f))[:22 if f == 4 else 42]))),
    ("TCP", False, lambda f: ip(f, PEER[f], VTEP[f]) / TCP(sport=4789, dport=4789)),
    ("echo", False, lambda f: ip(f, PEER[f], VTEP[f]) / (ICMP() if f == 4 else ICMPv6EchoRequest())),
    ("a header that is cut off", False, lambda f: Raw(bytes(vxlan(f))[:18])),
]
ONLY_V4 = [
    ("VXLAN behind IP options", True, IP(src=PEER[4], dst=VTEP[4], options=[b"\x01\x01\x01\x00"]) / UDP(dport=4789)),
    ("a later fragment", False, IP(src=PEER[4], dst=VTEP[4], frag=10, proto=17) / Raw(b"\x12\xb5\x12\xb5" * 4)),
    ("ARP", False, ARP(psrc=PEER[4], pdst=VTEP[4])),
]
ONLY_V6 = [
    ("extension headers", False, IPv6(src=PEER[6], dst=VTEP[6]) / IPv6ExtHdrDestOpt() / UDP(dport=4789)),
]


@pytest.fixture
def uplink(lab):
    node, peer = lab.netns("node"), lab.netns("peer")
    lab.veth(node, "eth0", peer, "eth0")
    for ns, own in ((node, VTEP), (peer, PEER)):
        ns.ip(f"addr add {own[4]}/24 dev eth0")
        ns.ip(f"addr add {own[6]}/64 dev eth0 nodad")
    f = Forwarder(lab, node, 1)
    return node, peer, f


def arrived(f, peer, frame, marker):
    """Whether a frame went to the socket. A longer one, which surely does, is sent right behind it: when that is there, all is
    said."""
    marker = bytes(marker / Raw(bytes(1000)))
    before = f.numbers("stats up")["rx_bytes"]
    run(peer.wrap(["taskset", "1", "python3", "-c", IN_SENDER]), input=f"{bytes(frame).hex()}\n{marker.hex()}\n")
    wait_until(lambda: f.numbers("stats up")["rx_bytes"] - before >= len(marker), what="the marker")
    return f.numbers("stats up")["rx_bytes"] - before > len(marker)


@pytest.mark.parametrize("family", [4, 6])
def test_only_what_is_ours_goes_to_the_socket(uplink, family):
    node, peer, f = uplink
    f.tell(f"uplink up eth0 {VTEP[family]} 4789")
    f.tell("socket up eth0")
    marker = Ether(src=peer.mac("eth0"), dst=node.mac("eth0")) / vxlan(family)
    ether = Ether(src=peer.mac("eth0"), dst=node.mac("eth0"))
    cases = [(name, ours, packet(family)) for name, ours, packet in CASES] + (ONLY_V4 if family == 4 else ONLY_V6)
    wrong = []
    for name, is_ours, packet in cases:
        kind = {4: 0x0800, 6: 0x86dd}[family]
        header = ether / packet if packet.haslayer(ARP) or packet.haslayer(Dot1Q) else Ether(
            src=ether.src, dst=ether.dst, type=kind) / packet
        if arrived(f, peer, header, marker) != is_ours:
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("family", [4, 6])
def test_the_host_stays_reachable(uplink, family):
    node, peer, f = uplink
    f.tell(f"uplink up eth0 {VTEP[family]} 4789")
    peer.run(f"ping -c 1 -W 60 {VTEP[family]}")
    f.tell("socket up eth0")
    peer.run(f"ping -c 1 -W 60 {VTEP[family]}")
    f.kill()
    peer.run(f"ping -c 1 -W 60 {VTEP[family]}")


EXPOSED = {4: ("192.0.2.1", "198.51.100.80"), 6: ("2001:db8::1", "2001:db8:80::1")}


@pytest.mark.parametrize("family", [4, 6])
def test_exposed_frontends_and_no_others(uplink, family):
    """Of the node's own addresses and of others, whatever the family of our VTEP is; also after the program was exchanged."""
    node, peer, f = uplink
    vtep = VTEP[4]
    f.tell(f"uplink up eth0 {vtep} 4789")
    f.tell("socket up eth0")
    ether = Ether(src=peer.mac("eth0"), dst=node.mac("eth0"), type={4: 0x0800, 6: 0x86dd}[family])
    marker = Ether(src=peer.mac("eth0"), dst=node.mac("eth0")) / vxlan(4)
    own, balancer = EXPOSED[family]

    def arrives(packet):
        return arrived(f, peer, ether / packet, marker)

    def about(source, port):
        """A router's error about an answer."""
        answer = ip(family, source, PEER[family]) / TCP(sport=port, dport=40000)
        kind = ICMP(type=3, code=4, nexthopmtu=1400) if family == 4 else ICMPv6PacketTooBig(mtu=1400)
        return ip(family, PEER[family], source) / kind / Raw(bytes(answer))

    def packets(address, port):
        to = ip(family, PEER[family], address)
        return [to / TCP(dport=port), to / UDP(dport=port)]

    assert not any(arrives(packet) for packet in packets(own, 30080) + packets(balancer, 80))
    f.tell(f"expose up {own} 6 30080 {balancer} 6 80 {balancer} 17 80")
    for _ in range(2):
        assert [arrives(packet) for packet in packets(own, 30080)] == [True, False]
        assert [arrives(packet) for packet in packets(balancer, 80)] == [True, True]
        assert not any(arrives(packet) for packet in packets(own, 80) + packets(balancer, 30080))
        assert not arrives(ip(family, PEER[family], own) / (ICMP() if family == 4 else ICMPv6EchoRequest()))
        assert [arrives(about(source, port)) for source, port in ((own, 30080), (own, 80), (balancer, 80))] == [
            True, False, True]
        f.tell(f"uplink up eth0 {vtep} 4789")
    f.tell(f"expose up {balancer} 17 80")
    assert [arrives(packet) for packet in packets(own, 30080) + packets(balancer, 80)] == [False, False, False, True]
    f.quit("uninstall")


def test_another_address_takes_over_without_a_gap(uplink):
    node, peer, f = uplink
    f.tell(f"uplink up eth0 {VTEP[4]} 4789")
    f.tell("socket up eth0")

    def arrives(packet):
        header = Ether(src=peer.mac("eth0"), dst=node.mac("eth0"))
        return arrived(f, peer, header / packet, header / ours)

    ours = vxlan(4)
    assert arrives(vxlan(4)) and not arrives(vxlan(6))
    link = node.ip("-d link show dev eth0").stdout
    f.tell(f"uplink up eth0 {VTEP[6]} 8472")
    assert link.split("xdp")[0] == node.ip("-d link show dev eth0").stdout.split("xdp")[0]
    ours = vxlan(6, port=8472)
    assert arrives(vxlan(6, port=8472)) and not arrives(vxlan(4))
    f.quit("uninstall")
    assert "xdp" not in node.ip("link show dev eth0").stdout
