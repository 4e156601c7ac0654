"""What options of ringway.yaml do, seen from outside, also when they change from one start to the next."""

import yaml

import pytest

from cluster import FAMILIES, Cluster
from lab import wait_until
from test_attach import ping, pod_links


def change_options(node, **sections):
    """Rewrites ringway.yaml as an operator does, and restarts."""
    path = node.dir / "ringway.yaml"
    config = yaml.safe_load(path.read_text())
    for section, keys in sections.items():
        config.setdefault(section, {}).update(keys)
    node.stop()
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    node.start()
    node.wait_ready()


def attached_as(node, link):
    """As the kernel says: "xdp" is native, "xdpgeneric" is skb."""
    return {"xdp": "native", "xdpgeneric": "skb"}[node.ns.ip(f"link show dev {link}").stdout.split("mtu")[1].split()[1]]


@pytest.mark.parametrize("mode", ("native", "skb"))
def test_programs_attach_in_the_mode_that_was_chosen(mode):
    with Cluster(options={"pods": {"xdp": mode}, "uplink": {"xdp": mode}}) as cluster:
        a, b = cluster.add_node("a"), cluster.add_node("b")
        cluster.start()
        pods = [node.add_pod("web") for node in (a, b)]
        cluster.wait_published()
        (link,) = pod_links(a)
        assert [attached_as(a, interface) for interface in (link, "ringway0-x", "uplink")] == [mode] * 3
        assert a.ringway("status")["uplink"]["xdp"] == mode
        for family in FAMILIES:
            ping(pods[0], pods[1].ip[family])
        # the uplink follows a changed option; a pod keeps its program, without which its packets would leak
        other = "skb" if mode == "native" else "native"
        change_options(a, pods={"xdp": other}, uplink={"xdp": other})
        assert (attached_as(a, "uplink"), attached_as(a, link)) == (other, mode)
        for family in FAMILIES:
            ping(pods[0], pods[1].ip[family])


def test_an_uplink_that_takes_no_program_is_told():
    with Cluster(options={"uplink": {"xdp": "native"}}) as cluster:
        node = cluster.add_node("a")
        cluster.underlay.ip("link set port-a mtu 9000")  # more than one page: veth takes no native program then
        node.start()
        wait_until(node.socket.exists, what="the admin socket")
        wait_until(lambda: "too large for native XDP" in node.ringway("status", check=False)["not_ready_reason"],
                   what="a word about native XDP")
        status = node.ringway("status", check=False)
        assert not status["ready"], status
        assert any("too large for native XDP" in warning for warning in status["warnings"]), status["warnings"]
        cluster.underlay.ip("link set port-a mtu 1500")
        node.wait_ready()
        assert not node.ringway("status")["warnings"]
