"""Stories about network configurations, leases and what installations leave behind: each first happens with Debian's
plugins, driven as containerd drives them, and then cannot happen with Ringway."""

import pytest

from cluster import Cluster
from lab import wait_until
from runtime import DEBIAN_PLUGINS, Runtime

pytestmark = pytest.mark.skipif(not DEBIAN_PLUGINS.is_dir(), reason="no /usr/lib/cni: install containernetworking-plugins")

OURS = "00-ringway.conflist"


@pytest.fixture
def cluster():
    with Cluster() as made:
        yield made


@pytest.fixture
def runtime(cluster):
    """Of a node whose ringwayd, once it is started, has the runtime use it."""
    node = cluster.add_node("a")
    made = Runtime(node, node.dir / "cni")
    node.options = {"cni": {"confDir": str(made.conf_dir), "binDir": str(made.bin_dir)}}
    return made


def warnings_of(node):
    return node.ringway("status", check=False)["warnings"]


def test_bootstrap_race_the_first_file_wins(cluster, runtime):
    # the node comes up, and some package's configuration is there before the cluster's own network
    runtime.install("87-podman.conflist", "podman", [runtime.debian("bridge", "podman", "10.88.0.0/16")])
    early = runtime.add("early")
    runtime.install("10-cluster.conflist", "cluster", [runtime.debian("ptp", "cluster", "10.99.0.0/16")])
    late = runtime.add("late")
    # both run, in networks that do not know each other, and nobody was told
    assert (early.network, late.network) == ("podman", "cluster")
    assert early.addresses[0].startswith("10.88.") and late.addresses[0].startswith("10.99.")

    node = runtime.node
    cluster.start()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is first")
    assert runtime.add("ours").addresses[0].startswith("10.244.")
    assert warnings_of(node) == []
    # somebody's installation that sorts first is what the runtime takes: told at once, by every way
    runtime.install("00-calico.conflist", "calico", [runtime.debian("ptp", "calico", "10.77.0.0/16")])
    wait_until(lambda: any("00-calico.conflist" in text for text in warnings_of(node)), what="an alarm")
    assert node.metrics()["ringway_cni_conf_first"] == 0
    failed = [check for check in node.ringway("doctor", check=False)["checks"] if check["check"] == "cni"]
    assert failed[0]["status"] == "fail" and "by plugin ptp" in failed[0]["found"], failed
    (runtime.conf_dir / "00-calico.conflist").unlink()
    wait_until(lambda: warnings_of(node) == [], what="no alarm any more")
    # and who removes ours finds it there again
    (runtime.conf_dir / OURS).unlink()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is back")
    wait_until(lambda: any("was removed by somebody else" in text for text in warnings_of(node)), what="a word about it")
    assert runtime.add("again").addresses[0].startswith("10.244.")
    # ours stays while the daemon is away, so that pods wait for it and do not get another network
    node.stop()
    assert runtime.first() == OURS
