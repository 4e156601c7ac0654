"""Further programs that call ringway-cni, besides kubelet's containerd: Debian's podman, and containerd by `ctr run --cni`, on a
node with ringwayd. They run in the node's namespaces, and what they would write outside the test's directory is covered there."""

import json
import re
import shutil
import tarfile

import pytest

from cluster import BUILD, Cluster
from lab import run, wait_until
from traffic import pings

PLUGINS = "/usr/lib/cni"
APPLETS = ("sh", "sleep", "ip", "ping", "cat")

# No cgroups are made, since neither program needs them: podman and crun do without where a tmpfs is in their place.
MACHINE = """set -e
cp -a /etc {dir}/etc
mount --bind {dir}/etc /etc
for directory in /run /var/lib /opt /sys/fs/cgroup; do mount -t tmpfs -o mode=0755 ringway-test $directory; done
mkdir -p /run/netns /etc/cni/net.d /opt/cni/bin
rm -f /etc/cni/net.d/*
ln -s {build}/cni/ringway-cni {plugins}/loopback /opt/cni/bin
"""

PODMAN_CONFIG = """
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""

CONTAINERD_CONFIG = """
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
"""


@pytest.fixture
def node():
    with Cluster() as cluster:
        made = cluster.add_node("a")
        run(made.wrap(["sh", "-c", MACHINE.format(dir=made.dir, build=BUILD, plugins=PLUGINS)]))
        conf = {"cniVersion": "0.4.0", "name": "ringway",
                "plugins": [dict({key: value for key, value in made.netconf.items() if key not in ("cniVersion", "name")},
                                 capabilities={"portMappings": True})]}
        (made.dir / "etc/cni/net.d/00-ringway.conflist").write_text(json.dumps(conf))
        (made.dir / "etc/containers").mkdir(exist_ok=True)
        (made.dir / "etc/containers/containers.conf").write_text(PODMAN_CONFIG)
        (made.dir / "etc/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        cluster.start()
        yield made


def make_root(directory):
    """A root file system with nothing but busybox."""
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        (directory / name).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", directory / "bin")
    for applet in APPLETS:
        (directory / "bin" / applet).symlink_to("busybox")
    return directory


def attached(node):
    return node.ringway("pods")["pods"]


def pod_links(node):
    names = (link["ifname"] for link in json.loads(node.ns.ip("-j link").stdout))
    return [name for name in names if re.fullmatch("rw[0-9a-f]{10}", name)]


def assert_reachable(node, pod):
    for address in pod["addresses"]:
        assert pings(node, address, 2)[0] == 2, f"{pod['name']} does not answer at {address}"


def assert_nothing_is_attached(node):
    assert attached(node) == [] and pod_links(node) == []


def test_podman(node):
    def podman(*arguments):
        return run(node.wrap(["podman", "--storage-driver", "vfs", *arguments])).stdout

    node.lab.defer(podman, "rm", "--force", "--all", "--time", "0")
    with tarfile.open(node.dir / "image.tar", "w") as archive:
        archive.add(make_root(node.dir / "image"), arcname=".")
    podman("import", node.dir / "image.tar", "busybox")
    for name, port in (("web", 8080), ("other", 8081)):
        podman("run", "--detach", "--cgroups", "disabled", "--cap-add", "net_raw", "--network", "ringway", "--publish", f"{port}:80/udp", "--name", name,
               "busybox", "/bin/sleep", "100000")
    web, other = sorted(attached(node), key=lambda pod: pod["name"], reverse=True)
    assert (web["name"], other["name"]) == ("web", "other")
    assert web["host_ports"] == [{"address": "", "port": 8080, "protocol": "udp", "pod_port": 80}]
    assert_reachable(node, web)
    podman("exec", "web", "/bin/ping", "-c", "2", other["addresses"][0])
    podman("rm", "--force", "--time", "0", "web")
    assert [pod["name"] for pod in attached(node)] == ["other"]
    node.stop()
    podman("rm", "--force", "--time", "0", "other")  # whether or not there is a daemon
    node.start()
    node.wait_ready()
    assert_nothing_is_attached(node)


def test_containerd(node):
    def ctr(*arguments, **options):
        return run(node.wrap(["ctr", *arguments]), **options)

    def end_all():
        for name in ("one", "two"):
            ctr("task", "rm", "--force", name, check=False)

    def wait_for_pod(name):
        return wait_until(lambda: next((pod for pod in attached(node) if pod["container"] == f"default-{name}"), None),
                          what=f"{name} attached")

    (node.dir / "etc/containerd.toml").write_text(CONTAINERD_CONFIG)
    containerd = node.lab.start(node.wrap(["containerd", "--config", "/etc/containerd.toml"]))
    wait_until(lambda: ctr("version", check=False).returncode == 0, what=lambda: containerd.output()[-4000:])
    node.lab.defer(end_all)
    root = make_root(node.dir / "root")
    runtime = node.dir / "crun"
    runtime.write_text('#!/bin/sh\nexec /usr/bin/crun --cgroup-manager=disabled "$@"\n')
    runtime.chmod(0o755)
    command = ["run", "--rm", "--rootfs", "--cni", "--cgroup", "", "--runc-binary", runtime]
    # one that ctr waits for, and whose DEL it calls; and one that is left alone, of which nobody calls it
    waiting = node.lab.start(node.wrap(["ctr", *command, root, "one", "/bin/sleep", "100000"]))
    ctr(*(word for word in command if word != "--rm"), "--detach", make_root(node.dir / "root2"), "two", "/bin/sleep", "100000")
    one, two = wait_for_pod("one"), wait_for_pod("two")
    assert_reachable(node, one)
    ctr("task", "exec", "--exec-id", "ping", "two", "/bin/ping", "-c", "2", one["addresses"][0])
    ctr("task", "kill", "--signal", "KILL", "one")
    wait_until(lambda: waiting.popen.poll() is not None, what="ctr's end")
    assert [pod["container"] for pod in attached(node)] == [two["container"]]
    ctr("task", "kill", "--signal", "KILL", "two")
    wait_until(lambda: attached(node) == [], what="a pod without a DEL found")
    assert_nothing_is_attached(node)
    wait_until(lambda: ctr("task", "rm", "two", check=False).returncode == 0, what="its task gone")
