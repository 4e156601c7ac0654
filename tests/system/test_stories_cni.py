"""Stories about network configurations, leases and what installations leave behind: each first happens with Debian's
plugins, driven as containerd drives them, and then cannot happen with Ringway."""

import json
import shutil
import signal

import pytest

from cluster import RINGWAY, Cluster
from lab import run, wait_until
from runtime import DEBIAN_PLUGINS, PluginError, Runtime
from test_attach import SmallNode, interfaces, ping

pytestmark = pytest.mark.skipif(not DEBIAN_PLUGINS.is_dir(), reason="no /usr/lib/cni: install containernetworking-plugins")

OURS = "00-ringway.conflist"


@pytest.fixture
def cluster():
    with Cluster() as made:
        yield made


@pytest.fixture
def runtime(cluster, request):
    """Of a node whose ringwayd, once it is started, has the runtime use it; of another kind by indirect parameter."""
    node = cluster.add_node("a", getattr(request, "param", None))
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
    # without another one ours stays as well, since containerd deletes no pod then
    former_conf = runtime.conf_dir / "10-former.conflist"
    former_conf.rename(runtime.dir / "aside")
    report = uninstall(node, check=False)
    assert set(results(report).values()) == {"kept"} and "no other is there" in report["steps"][0]["note"], report
    assert runtime.first() == OURS
    (runtime.dir / "aside").rename(former_conf)
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
    # without the state, as with the configuration of another installation: the pod has its interface, and is not cut off
    (node.dir / "state").rename(node.dir / "elsewhere")
    refused = run(node.wrap([RINGWAY, "uninstall", "--config", node.dir / "ringway.yaml"]), check=False)
    assert refused.returncode == 1 and "1 interfaces of pods" in refused.stderr, refused
    (node.dir / "elsewhere").rename(node.dir / "state")
    assert runtime.first() == OURS
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


# --- pods of another network

def write_pod(cluster, sandbox):
    cluster.write_manifest(f"pod-{sandbox.container}", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": sandbox.container, "namespace": "default"},
        "spec": {"nodeName": "a", "containers": [{"name": "main"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": address} for address in sandbox.addresses]}})


def test_pods_of_a_former_network_are_named_and_left_alone(cluster, runtime):
    node = runtime.node
    runtime.install("10-former.conflist", "former", [runtime.debian("ptp", "former", "10.88.0.0/16")])
    former = runtime.add("former")
    write_pod(cluster, former)
    cluster.start()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is first")
    node.add_pod("ours")
    cluster.wait_published()
    pods = node.ringway("pods")
    assert [pod["name"] for pod in pods["pods"]] == ["ours"]
    assert [(pod["name"], pod["addresses"]) for pod in pods["unmanaged"]] == [("former", former.addresses)]
    assert any("default/former" in text for text in warnings_of(node))
    assert node.metrics()["ringway_unmanaged_pods"] == 1
    assert run(node.wrap([RINGWAY, "pods", "former", "--socket", node.socket]), check=False).returncode == 1
    # containerd has the network that counts now delete it, which is us: that succeeds, and nothing is touched
    def taken():
        return runtime.leases("former"), interfaces(node), former.ns.ip("-4 -o addr").stdout

    before = taken()
    for _ in range(2):
        runtime.delete(former, runtime.load())
    node.stop()
    runtime.delete(former, runtime.load())
    node.start()
    node.wait_ready()
    assert not list((node.dir / "state" / "spool").iterdir())
    assert taken() == before
    # podman and CRI-O have the former plugin do it, whose configuration and program we left alone
    runtime.delete(former)
    assert runtime.leases("former") == []
    cluster.remove_manifest("pod-former")
    wait_until(lambda: node.ringway("pods")["unmanaged"] == [], what="no such pod any more")


# --- asymmetric cleanup leaks

def used_addresses(node):
    return {family["used"] for family in node.ringway("status")["ipam"]}


def test_asymmetric_cleanup_leaks(cluster, runtime):
    node = runtime.node
    broken = {"type": "meter"}  # a program that somebody removed
    debian = {"cniVersion": "1.0.0", "name": "debian", "plugins": [runtime.debian("ptp", "debian", "10.88.0.0/16"), broken]}

    def fail(conf):
        """The ADD fails after the first plugin, the DEL before it, and the namespace goes."""
        with pytest.raises(PluginError, match="failed to find plugin") as caught:
            runtime.add(conf=conf)
        with pytest.raises(PluginError, match="failed to find plugin"):
            runtime.delete(caught.value.sandbox)
        runtime.lose(caught.value.sandbox)

    fail(debian)
    fail(debian)
    lost = runtime.add(conf=dict(debian, plugins=debian["plugins"][:1]))
    runtime.lose(lost)
    assert len(runtime.leases("debian")) == 3  # for ever

    cluster.start()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is first")
    ours = runtime.load()
    before = interfaces(node), used_addresses(node)
    fail(dict(ours, plugins=[*ours["plugins"], broken]))
    fail(dict(ours, plugins=[*ours["plugins"], broken]))
    runtime.lose(runtime.add())
    wait_until(lambda: (interfaces(node), used_addresses(node)) == before, what="nothing left of them")
    assert node.ringway("pods")["pods"] == []
    # a DEL that comes late is for nothing, and succeeds
    runtime.delete(lost, ours)


# --- IPAM exhausted

@pytest.mark.parametrize("runtime", [SmallNode], indirect=True)
def test_ipam_exhausted(cluster, runtime):
    # leases that nobody gives back add up until the node takes no more pods, without a word before
    small = {"cniVersion": "1.0.0", "name": "small", "plugins": [runtime.debian("ptp", "small", "10.88.0.0/29")]}
    with pytest.raises(PluginError, match="no IP addresses available"):
        for _ in range(10):
            runtime.lose(runtime.add(conf=small))
    assert len(runtime.leases("small")) == 5  # all there are

    node = runtime.node
    cluster.start()
    wait_until(lambda: runtime.first() == OURS, what="our configuration is first")
    sandboxes = [runtime.add() for _ in range(6)]
    assert any("6 of 7 addresses for pods" in text for text in warnings_of(node))
    for sandbox in sandboxes[1:]:
        runtime.lose(sandbox)
    wait_until(lambda: used_addresses(node) == {1}, what="addresses given back")
    assert not any("addresses for pods" in text for text in warnings_of(node))
    # not one that a lost pod had just now, to which others still talk
    fresh = runtime.add()
    assert not set(fresh.addresses) & {address for sandbox in sandboxes for address in sandbox.addresses}
