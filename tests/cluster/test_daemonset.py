"""ringwayd as an operator installs it: conf/kubernetes, applied with kustomize to a cluster whose node knows nothing of it but
the image. The kubelet starts the privileged pod, which gives the node its network and takes the taint away, and a rollout
exchanges it under a connection that stands."""

import json
import os

import pytest
import yaml

from cluster import POD_CIDRS, SERVICE_CIDRS
from kube import CTR, NOT_READY_TAINT, KubeCluster, KubeNode, pod
from lab import PATIENCE, as_args, wait_until
from test_packaging import KUBERNETES, make_image

HTTP, STREAM = 80, 9000
SERVICE_IP = "10.96.0.80"
LINES = "/tmp/lines"
CONFLIST = "etc/cni/net.d/00-ringway.conflist"


class BareKubeNode(KubeNode):
    """A machine with containerd, kubelet and a bpffs, as systemd mounts it; nothing of Ringway."""

    def write_files(self):
        super().write_files()
        self.config_file.unlink()

    def start_ringwayd(self):
        self.run("mount -t bpf bpf /sys/fs/bpf")
        self.run([*CTR, "-n", "k8s.io", "images", "import", self.cluster.ringway_image])


def write_overlay(cluster, directory):
    """What an operator writes: the configuration of this cluster, over conf/kubernetes."""
    directory.mkdir()
    config = yaml.safe_load((KUBERNETES / "ringway.yaml").read_text())
    config["cluster"].update({"apiServer": cluster.control.server, "podCIDRs": list(POD_CIDRS.values()),
                              "serviceCIDRs": list(SERVICE_CIDRS.values())})
    (directory / "ringway.yaml").write_text(yaml.safe_dump(config))
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({
        "resources": [os.path.relpath(KUBERNETES, directory.resolve())],
        "configMapGenerator": [{"name": "ringway", "namespace": "kube-system", "behavior": "replace",
                                "files": ["ringway.yaml"]}]}))
    return directory


def run_in(cluster, name, command, namespace="default", **options):
    """In a pod's container."""
    return cluster.kubectl(["exec", "-n", namespace, name, "--", *as_args(command)], **options)


def daemon_pods(cluster):
    """Those that are not told to end."""
    return [found for found in cluster.get("pods -l app.kubernetes.io/name=ringway", "kube-system")
            if "deletionTimestamp" not in found["metadata"]]


def rollout(cluster):
    done = cluster.kubectl(f"rollout status daemonset/ringway -n kube-system --timeout={2 * PATIENCE - 10}s", check=False)
    if done.returncode != 0:
        about = [cluster.kubectl(f"{what} -n kube-system -l app.kubernetes.io/name=ringway", check=False).stdout[-6000:]
                 for what in ("describe pod", "logs --tail=50")]
        raise AssertionError("\n".join([done.stderr, *about]))


@pytest.fixture(scope="module")
def installed(kubernetes, tmp_path_factory):
    made = tmp_path_factory.mktemp("daemonset")
    make_image(made / "image")
    with KubeCluster(kubernetes, taints=[{"key": NOT_READY_TAINT, "effect": "NoSchedule"}]) as cluster:
        cluster.ringway_image = made / "image" / "ringway.tar"
        node = cluster.add_node("a", BareKubeNode)
        cluster.control.start()
        node.start()
        wait_until(lambda: cluster.get("node a"), what="the kubelet makes its node known")
        cluster.overlay = write_overlay(cluster, made / "overlay")
        cluster.kubectl(["apply", "-k", cluster.overlay])
        yield cluster


def test_a_node_gets_its_network(installed):
    """From the first pod of the node, which is ringwayd's own."""
    (node,) = installed.nodes
    rollout(installed)
    installed.wait_condition("node", node.name, "Ready")
    assert (node.root / CONFLIST).exists()
    assert (node.root / "opt/cni/bin/ringway-cni").stat().st_mode & 0o111
    wait_until(lambda: not installed.get("node a")["spec"].get("taints"), what="no taint keeps pods away")
    # the image has what an operator needs
    (daemon,) = daemon_pods(installed)
    told = run_in(installed, daemon["metadata"]["name"], ["sh", "-c", "ringway status -o json"], "kube-system").stdout
    assert json.loads(told)["ready"] and json.loads(told)["node"] == node.name, told


@pytest.fixture(scope="module")
def stream(installed):
    """A server and, through its service, one connection that sends numbered lines for as long as it stands."""
    installed.apply(
        pod("server", labels={"app": "server"}, restartPolicy="Never",
            command=f"echo hello >/www/index.html; httpd -p {HTTP} -h /www; tail -f /dev/null | nc -l -p {STREAM} >{LINES}"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"},
         "spec": {"clusterIP": SERVICE_IP, "selector": {"app": "server"},
                  "ports": [{"name": "http", "port": HTTP}, {"name": "stream", "port": STREAM}]}})
    installed.wait_pod("server")
    installed.apply(pod("probe"))
    installed.wait_pod("probe")
    wait_until(lambda: run_in(installed, "probe", f"timeout 5 wget -qO- http://{SERVICE_IP}/", check=False).stdout == "hello\n",
               what="the service answers")
    installed.apply(pod("client", restartPolicy="Never",
                        command=f"i=0; while i=$((i+1)); do echo $i; sleep 0.1; done | nc {SERVICE_IP} {STREAM}"))
    installed.wait_pod("client")
    return lambda: int(run_in(installed, "server", f"tail -n 1 {LINES}").stdout or 0)


def test_a_rollout_leaves_connections_alone(installed, stream):
    wait_until(lambda: stream() > 0, what="the connection stands")
    (former,) = daemon_pods(installed)
    installed.kubectl("rollout restart daemonset/ringway -n kube-system")
    rollout(installed)
    wait_until(lambda: len(daemon_pods(installed)) == 1, what="one daemon on the node")
    (daemon,) = daemon_pods(installed)
    assert daemon["metadata"]["uid"] != former["metadata"]["uid"]
    log = wait_until(lambda: installed.kubectl(f"logs -n kube-system {daemon['metadata']['name']}").stdout, what="its log")
    assert "taking over" in log and "with 0 descriptors" not in log, log
    # it is one connection: nc accepts no other, and the numbers begin only once
    now = stream()
    wait_until(lambda: stream() > now + 10, what="lines after the rollout")
    numbers = [int(line) for line in run_in(installed, "server", f"cat {LINES}").stdout.split()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert run_in(installed, "probe", f"wget -qO- http://{SERVICE_IP}/").stdout == "hello\n"
    # what is made after the rollout works, too
    installed.apply(pod("late"))
    installed.wait_pod("late")
    assert run_in(installed, "late", f"wget -qO- http://{SERVICE_IP}/").stdout == "hello\n"


def test_the_way_back(installed):
    """As README.md has it; there is no other network that takes over."""
    (node,) = installed.nodes
    installed.apply(pod("last"))
    installed.wait_pod("last")
    (daemon,) = daemon_pods(installed)
    said = run_in(installed, daemon["metadata"]["name"], "ringway uninstall", "kube-system", check=False).stdout
    assert "pods are attached" in said and "no other is there" in said and (node.root / CONFLIST).exists(), said
    installed.delete("pod --all")
    installed.kubectl(["delete", "-k", installed.overlay, f"--timeout={PATIENCE}s"])
    wait_until(lambda: not installed.get("pods -l app.kubernetes.io/name=ringway", "kube-system"), what="no daemon any more")
    assert "ringway0" in node.ns.ip("-o link").stdout
    installed.kubectl(["apply", "-f", KUBERNETES / "uninstall.yaml"])

    def logs():
        return installed.kubectl("logs -n kube-system daemonset/ringway-uninstall", check=False).stdout

    wait_until(lambda: "nothing of Ringway is left" in logs(), what=logs)
    assert logs().count("removed") >= 5 and "failed" not in logs() and "kept" not in logs(), logs()
    installed.kubectl(["delete", "-f", KUBERNETES / "uninstall.yaml", f"--timeout={PATIENCE}s"])
    assert "ringway" not in node.ns.ip("-o link").stdout and "proto 114" not in node.ns.ip("route show table all").stdout
    assert "proto 114" not in node.ns.ip("-d rule").stdout
    found = node.run("find /opt/cni /etc/cni /run/ringway /var/lib/ringway /sys/fs/bpf/ringway -mindepth 1").stdout.split()
    assert {path for path in found if "ringway" in path} == set(), found
