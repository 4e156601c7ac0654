"""Stories about network configurations, leases and what installations leave behind: each first happens with Debian's
plugins, driven as containerd drives them, and then cannot happen with Ringway."""

import json
import os
import shutil
import signal

import pytest

from cluster import Cluster
from lab import run, wait_until
from runtime import DEBIAN_PLUGINS, PluginError, Runtime
from test_attach import ping

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


# --- leftover CNI configuration after uninstall

def kernel_of(node):
    """What of the node's kernel an installation changes."""
    return {"links": {link["ifname"] for link in json.loads(node.ns.ip("-j link").stdout)},
            "rules": [node.ns.ip(f"-{family} rule").stdout for family in (4, 6)],
            "routes": [sorted(node.ns.ip(f"-{family} route show table all").stdout.splitlines()) for family in (4, 6)],
            "reserved ports": node.run("sysctl -n net.ipv4.ip_local_reserved_ports").stdout.strip(),
            "xdp": "xdp" in node.ns.ip("link show dev uplink").stdout}


def uninstall(node, *options, check=True):
    """Its JSON."""
    return node.ringway("uninstall", "--config", node.dir / "ringway.yaml", *options, check=check)


def results(report):
    return {step["what"]: step["result"] for step in report["steps"]}


@pytest.fixture
def former(cluster, runtime):
    """The node had another network before, with a pod; and then Ringway, with another, and a NodePort."""
    node = runtime.node
    runtime.install("10-former.conflist", "former", [runtime.debian("bridge", "former", "10.88.0.0/16")])
    node.run("sysctl -qw net.ipv4.ip_local_reserved_ports=8080,31000-31010")
    node.before = kernel_of(node)
    cluster.start()
    pod = node.add_pod("web")
    cluster.add_service("web", 80, 8080, [pod], spec={"type": "NodePort"})
    cluster.wait_published()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is first")
    wait_until(lambda: "30080" in kernel_of(node)["reserved ports"], what="the NodePort is reserved")
    assert kernel_of(node) != node.before
    return pod


def test_leftover_configuration_after_uninstall(runtime, former):
    node = runtime.node
    # another network is removed the usual way: its daemon and its program go, its configuration stays
    shutil.copy(DEBIAN_PLUGINS / "ptp", runtime.bin_dir / "othernet")
    runtime.install("00-othernet.conflist", "othernet", [dict(runtime.debian("ptp", "othernet", "10.99.0.0/16"),
                                                              type="othernet")])
    runtime.delete(runtime.add())
    (runtime.bin_dir / "othernet").unlink()
    with pytest.raises(PluginError, match="failed to find plugin"):
        runtime.add()
    (runtime.conf_dir / "00-othernet.conflist").unlink()

    # Ringway's: what it would do is said first
    plan = uninstall(node, "--dry-run", check=False)
    assert (plan["attached"], plan["complete"]) == (["default/web"], False)
    assert runtime.first() == OURS
    # with a pod attached, the former configuration is in force again, and the pod keeps all it needs
    report = uninstall(node, check=False)
    assert results(report).pop("network configuration") == "removed" and not report["complete"], report
    assert set(results(report).values()) == {"removed", "kept"}
    assert "10-former.conflist" in report["steps"][0]["note"]
    assert runtime.first() == "10-former.conflist"
    sandbox = runtime.add()
    assert sandbox.addresses[0].startswith("10.88.")
    runtime.delete(sandbox)
    for family in (4, 6):
        ping(node, former.ip[family])
    node.run("ip link del br-former")  # Debian's bridge stays behind by itself
    # and once it is gone, so is everything
    former.detach()
    report = uninstall(node)
    assert report["complete"] and set(results(report).values()) == {"removed"}, report
    assert node.daemon.popen.wait(60) == 0
    assert kernel_of(node) == node.before
    assert runtime.first() == "10-former.conflist" and list(runtime.bin_dir.iterdir()) == []
    for directory in ("run", "state"):
        assert not (node.dir / directory).exists(), list((node.dir / directory).iterdir())
    # again: there is nothing to do
    assert uninstall(node)["steps"] == []


def test_uninstall_without_a_daemon_and_after_a_crash_half_way(runtime, former):
    node = runtime.node
    node.stop(signal.SIGKILL)
    report = uninstall(node, check=False)
    assert (report["attached"], report["complete"]) == (["default/web"], False)
    assert runtime.first() == "10-former.conflist"
    assert (runtime.bin_dir / "ringway-cni").exists()
    # somebody began, by hand or by a process that was killed
    run(node.wrap("ip link del ringway0"))
    (node.dir / "run" / "arena").unlink()
    (node.dir / "run" / "of-others").write_text("not ours")
    left = [check for check in node.ringway("doctor", "--config", node.dir / "ringway.yaml", check=False)["checks"]
            if check["check"] == "leftovers"]
    assert left[0]["status"] == "warn" and "XDP programs, routes and rules" in left[0]["found"], left
    # the pod's DEL still succeeds, now and after all else is gone by force
    report = uninstall(node, "--force", check=False)
    assert results(report)["network plugin"] == "kept" and results(report)["run directory"] == "failed", report
    (node.dir / "run" / "of-others").unlink()
    node.cni("DEL", former, dict(node.netconf, prevResult=former.result))
    report = uninstall(node)
    assert report["complete"], report
    left = node.ringway("doctor", "--config", node.dir / "ringway.yaml", check=False)["checks"]
    assert ("leftovers", "ok") in [(check["check"], check["status"]) for check in left]
    assert kernel_of(node) == node.before
    assert list(runtime.bin_dir.iterdir()) == []
    for directory in ("run", "state"):
        assert not (node.dir / directory).exists()
