"""The cluster's plumbing and the traffic tools, tried on nodes that are plain kernels: what fails here is not Ringway."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

import traffic
from cluster import Cluster, KernelNode
from traffic import Running, chi_square_is_even, ping, run_flows


@pytest.fixture(scope="module")
def kernels():
    with Cluster() as cluster:
        for name in "ab":
            cluster.add_node(name, KernelNode).add_pod(f"pod-{name}")
        cluster.start()
        yield cluster


@pytest.mark.parametrize("family", (4, 6))
def test_pods_of_two_kernels_reach_each_other_over_vxlan(kernels, family):
    a, b = (node.pods[0] for node in kernels.nodes)
    receiver = Running(b, "checksums", "eth0")
    server = Running(b, "serve", 8080, "b")
    assert ping(a, b.ip[family], size=1450 - (28 if family == 4 else 48), dont_fragment=True) == 3
    for proto in ("tcp", "udp"):
        result = run_flows(a, proto, b.ip[family], 8080, 50)
        assert result["answers"] == {"b": 50} and not result["lost"], result
    seen = server.end()
    assert (seen["tcp"], seen["udp"], seen["sources"]) == (50, 50, [a.ip[family] if family == 6 else
                                                                    "::ffff:" + a.ip[family]])
    counts = receiver.end()
    assert counts["packets"] > 200 and counts["bad"] == 0, counts


def test_an_even_spread_passes_and_an_uneven_one_does_not():
    assert chi_square_is_even([2500, 2550, 2480, 2470], 4)
    assert not chi_square_is_even([2500, 2800, 2350, 2350], 4)
    assert not chi_square_is_even([5000, 5000], 3)


@pytest.mark.parametrize("network", (IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")))
@pytest.mark.parametrize("transport", (TCP(sport=1, dport=2, flags="S"), UDP(sport=1, dport=2)))
def test_a_wrong_checksum_is_seen(network, transport):
    frame = bytes(Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / network / transport / b"odd")
    assert traffic.checksum_is_valid(frame)
    for at in (30, 41, len(frame) - 1):  # an address, a port or another address, the payload
        assert traffic.checksum_is_valid(frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1:]) is False
