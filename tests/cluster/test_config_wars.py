"""Another network was on the node before: what containerd and kubelet make of that, of Ringway's coming, and of its going."""

import json
import os
import shutil

import pytest

from cluster import RINGWAY
from kube import CTR, pod
from lab import run, wait_until

FORMER = {"cniVersion": "1.0.0", "name": "former", "plugins": [
    {"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.88.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}]}


@pytest.fixture
def node(cluster):
    """One more, with Debian's ptp plugin; ringwayd does not run yet."""
    made = cluster.add_node("former")
    made.write_files()
    for plugin in ("ptp", "host-local"):
        shutil.copy(f"/usr/lib/cni/{plugin}", made.root / "opt/cni/bin")
    (made.root / "etc/cni/net.d/10-former.conflist").write_text(json.dumps(FORMER))
    made.start_containerd()
    made.run([*CTR, "-n", "k8s.io", "images", "import", cluster.image])
    made.start_kubelet()
    cluster.wait_condition("node", made.name, "Ready")
    yield made
    cluster.delete("pod old older new newest")
    made.kubelet.stop()
    cluster.delete(f"node {made.name}")
    cluster.nodes.remove(made)


def address(cluster, name):
    """Of a pod once it is ready, whichever network it is in."""
    cluster.wait_condition("pod", name, "Ready")
    return cluster.get(f"pod {name}")["status"]["podIP"]


def test_another_network_before_and_after(cluster, node):
    def leases():
        return [name for name in os.listdir(node.root / "var/lib/cni/networks/former") if name.startswith("10.")]

    cluster.apply(pod("older", node=node.name), pod("old", node=node.name))
    for name in ("older", "old"):
        assert address(cluster, name).startswith("10.88.")
    node.start_ringwayd()
    wait_until((node.root / "etc/cni/net.d/00-ringway.conflist").exists, what="our configuration")
    cluster.apply(pod("new", node=node.name))
    assert address(cluster, "new").startswith("10.244.")
    wait_until(lambda: {p["name"] for p in node.ringway("pods")["unmanaged"]} == {"old", "older"}, what="their names")
    # containerd has us delete what the former plugin attached: that succeeds, and the lease stays where it is
    cluster.delete("pod older")
    assert len(leases()) == 2
    assert [p["name"] for p in node.ringway("pods")["pods"]] == ["new"]
    # the way back
    report = json.loads(node.run([RINGWAY, "uninstall", "-o", "json"], check=False).stdout)
    assert report["attached"] == ["default/new"] and not report["complete"]
    cluster.apply(pod("newest", node=node.name))
    assert address(cluster, "newest").startswith("10.88.")
    # containerd has the former plugin delete what we attached, and all is well with that, too
    cluster.delete("pod new")
    wait_until(lambda: node.ringway("pods")["pods"] == [], what="the pod's attachment gone")
    assert node.run([RINGWAY, "uninstall"]).stdout.count("removed") == 6
    assert node.daemon.popen.wait(60) == 0
    assert "ringway" not in node.ns.ip("-o link").stdout and "proto 114" not in node.ns.ip("route show table all").stdout
    assert run(["find", node.root / "opt/cni/bin", node.root / "etc/cni", node.root / "run", "-name", "*ringway*"]).stdout == ""
