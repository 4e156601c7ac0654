"""A Kubernetes cluster of real programs in namespaces: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on a
machine of their own, and nodes with containerd, kubelet and ringwayd. Tests here stand on it.

    with KubeCluster(programs_directory) as cluster:
        a, b = cluster.add_node("a"), cluster.add_node("b")
        cluster.start()
        cluster.apply(pod("web", node="a", command="httpd -f -p 80 -h /www"))
        cluster.wait_pod("web").inside("hostname")

A node is as much of a machine of its own as namespaces can make it: network, mounts, processes. /etc, /opt and /var are the
machine's with all changes kept apart, and /run is empty, so every program has its usual paths; when the first process of the
namespace is killed, so are containers and all else.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal

import yaml

import image
from cluster import POD_CIDRS, RINGWAY, RINGWAYD, SERVICE_CIDRS, BareNode, Cluster, Node, children
from lab import PATIENCE, Process, as_args, run, wait_until
from pki import Authority

NOT_READY_TAINT = "ringway.io/not-ready"
CONTROL_NUMBER = 100  # the last part of the control plane's address
SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")  # the kubelet sets them, for all of the machine
CONTROLLERS = "/sys/fs/cgroup"
RBAC = pathlib.Path(__file__).parents[2] / "conf/kubernetes/rbac.yaml"
LOOPBACK = "/usr/lib/cni/loopback"  # containerd sets up lo with it, whatever the configuration says
CTR = ["ctr", "--address", "/run/containerd/containerd.sock"]
CONTAINERD_CONFIG = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image.PAUSE_IMAGE}"
  restrict_oom_score_adj = true  # CAP_SYS_RESOURCE may be missing
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "/etc/cni/net.d"
    bin_dir = "/opt/cni/bin"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"  # /var is an overlay itself
"""


def pod(name, command="sleep 2147483647", node=None, labels=None, namespace="default", **spec):
    """A Pod with one busybox container; spec: more of its spec, container: more of its container's."""
    container = spec.pop("container", {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": pod_spec(command, node, container, **spec)}


def pod_spec(command, node=None, container=None, **spec):
    return {**({"nodeName": node} if node else {}), "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": image.BUSYBOX_IMAGE, "imagePullPolicy": "Never",
                            "command": ["/bin/sh", "-c", command], **(container or {})}], **spec}


class Program(Process):
    """A program inside a node's process namespace: nsenter forks there, and neither hands on signals nor ends by itself."""

    @property
    def pid(self):
        """As seen from outside."""
        found = wait_until(lambda: children(self.popen.pid) or self.popen.poll() is not None,
                           what=f"{self.args} starts")
        if found is True:
            raise AssertionError(f"{self.args}: ended at once:\n{self.output()}")
        return found[0]

    def stop(self, sig=signal.SIGTERM):
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)
        return super().stop(signal.SIGCONT)


class PodNetns:
    """The network namespace of a pod, for what the tests themselves run there."""

    def __init__(self, path):
        self.path = path

    def wrap(self, command):
        return ["nsenter", f"--net={self.path}", *as_args(command)]


class KubePod:
    """A pod that runs; traffic.py's programs can be run beside what it does itself."""

    def __init__(self, cluster, name, namespace):
        found = cluster.get(f"pod {name}", namespace)
        self.cluster, self.name, self.namespace = cluster, name, namespace
        self.node = next(node for node in cluster.nodes if node.name == found["spec"]["nodeName"])
        self.ip = {6 if ":" in entry["ip"] else 4: entry["ip"] for entry in found["status"]["podIPs"]}
        (netns,) = [entry["netns"] for entry in self.node.ringway("pods")["pods"]
                    if (entry["namespace"], entry["name"]) == (namespace, name)]
        self.ns = PodNetns(f"{self.node.root}{netns.replace('/var/run/', '/run/')}")  # an absolute link would lead outside

    def run(self, command, **options):
        """In its network namespace."""
        return run(self.ns.wrap(command), **options)

    def inside(self, command, **options):
        """In its container, as `kubectl exec`."""
        return self.cluster.kubectl(["exec", "-n", self.namespace, self.name, "--", *as_args(command)], **options)


class ControlPlane(BareNode):
    """The machine with the API server."""

    def __init__(self, cluster, programs):
        super().__init__(cluster, "control", CONTROL_NUMBER)
        self.programs = programs
        self.pki = Authority(self.dir / "pki")
        self.server = f"https://{self.ip[4]}:6443"
        self.pki.issue("apiserver", "kube-apiserver", names=(f"IP:{self.ip[4]}", f"IP:{self.ip[6]}", "IP:127.0.0.1",
                                                             "IP:10.96.0.1", "DNS:kubernetes.default.svc", "DNS:localhost"))
        self.pki.issue("kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"])
        self.admin = self.pki.kubeconfig("admin", self.server, "admin", ["system:masters"])
        self.ringwayd = self.pki.kubeconfig("ringwayd", self.server, "system:serviceaccount:kube-system:ringway",
                                            ["system:serviceaccounts"])
        self.etcd = self.api = None

    def start(self):
        self.start_etcd()
        self.start_api()
        wait_until(lambda: self.kubectl(["apply", "-f", str(RBAC)], check=False).returncode == 0, what="the rights of ringwayd")
        controllers = self.pki.kubeconfig("controllers", self.server, "controllers", ["system:masters"])
        self.popen([self.programs / "kube-controller-manager", "--kubeconfig", controllers, "--leader-elect=false",
                    "--bind-address=127.0.0.1", "--allocate-node-cidrs", f"--cluster-cidr={','.join(POD_CIDRS.values())}",
                    f"--service-cluster-ip-range={','.join(SERVICE_CIDRS.values())}", "--node-cidr-mask-size-ipv4=24",
                    "--node-cidr-mask-size-ipv6=64", f"--service-account-private-key-file={self.pki.path('tokens.key')}",
                    f"--root-ca-file={self.pki.path('ca.crt')}"])
        self.popen([self.programs / "kube-scheduler", "--kubeconfig", controllers, "--leader-elect=false",
                    "--bind-address=127.0.0.1"])
        # what pods of the namespace need before they can be made
        wait_until(lambda: self.kubectl("get serviceaccount default", check=False).returncode == 0,
                   what="the service account of namespace default")

    def popen(self, command, **options):
        """In the background; killed at the end, for the API server would wait for clients that lost their power."""
        program = Process(self.ns.wrap(command), self.dir / f"{pathlib.Path(as_args(command)[0]).name}.log", **options)
        self.lab.defer(program.stop, signal.SIGKILL)
        return program

    def start_etcd(self):
        self.etcd = self.popen([self.programs / "etcd", "--data-dir", self.dir / "etcd", "--unsafe-no-fsync",
                                "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
                                "--listen-peer-urls=http://127.0.0.1:2380"])

    def start_api(self):
        self.api = self.popen([
            self.programs / "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443",
            f"--advertise-address={self.ip[4]}", f"--service-cluster-ip-range={','.join(SERVICE_CIDRS.values())}",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
            f"--client-ca-file={self.pki.path('ca.crt')}", f"--tls-cert-file={self.pki.path('apiserver.crt')}",
            f"--tls-private-key-file={self.pki.path('apiserver.key')}", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.pki.path('tokens.pub')}",
            f"--service-account-signing-key-file={self.pki.path('tokens.key')}",
            f"--kubelet-client-certificate={self.pki.path('kubelet-client.crt')}",
            f"--kubelet-client-key={self.pki.path('kubelet-client.key')}", "--kubelet-preferred-address-types=InternalIP"])
        wait_until(self.is_ready, what=lambda: f"kube-apiserver\n{self.api.output()[-4000:]}")

    def is_ready(self):
        if self.api.popen.poll() is not None:
            raise AssertionError(f"kube-apiserver ended:\n{self.api.output()[-4000:]}")
        return self.kubectl("get --raw /readyz", check=False).returncode == 0

    def kubectl(self, command, **options):
        arguments = command.split() if isinstance(command, str) else command
        return self.run([self.programs / "kubectl", "--kubeconfig", self.admin, *arguments], **options)


class KubeNode(Node):
    """A node with containerd, kubelet and ringwayd."""

    def __init__(self, cluster, name, number):
        BareNode.__init__(self, cluster, name, number)
        self.options = {}
        self.programs = []  # that run on it
        self.daemon = self.containerd = self.kubelet = None
        for family in ("-4", "-6"):
            self.ns.ip(f"{family} route add default via {cluster.control.ip[abs(int(family))]}")
        self.cgroup = self.lab.prefix + name
        self.machine = self.make_machine()
        (self.init,) = children(self.machine.pid)
        self.root = pathlib.Path(f"/proc/{self.init}/root")
        self.socket = self.root / "run/ringway/ringway.sock"
        self.config_file = self.root / "etc/ringway/ringway.yaml"

    def make_machine(self):
        """The first process of the node's namespaces."""
        overlays = ("etc", "opt", "var")
        for directory in overlays:
            for part in ("upper", "work"):
                (self.dir / directory / part).mkdir(parents=True)
        (self.dir / "cgroup").mkdir()
        (self.dir / "sysctl").mkdir()
        script = [
            # cgroups are mounted below /sys, which is to be that of this node's interfaces
            f"mount --rbind {CONTROLLERS} {self.dir}/cgroup", "mount -t sysfs sysfs /sys",
            f"mount --rbind {self.dir}/cgroup {CONTROLLERS}", f"umount -l {self.dir}/cgroup",
            *(f"mount -t overlay overlay /{directory} -o lowerdir=/{directory},upperdir={self.dir}/{directory}/upper,"
              f"workdir={self.dir}/{directory}/work" for directory in overlays),
            # containerd would take the machine's mount there, which it cannot reach, for the node's
            "while umount -l /run/netns 2>/dev/null; do :; done",
            "mount -t tmpfs -o mode=0755 tmpfs /run", "mount --make-rshared /run",
            "rm -rf /etc/cni /opt/cni /var/lib/cni",
            "mkdir -p /run/netns /run/lock /etc/cni/net.d /opt/cni/bin /var/lib/kubelet /etc/ringway /etc/containerd"]
        for key in SYSCTLS:
            copy = f"{self.dir}/sysctl/{key.replace('/', '.')}"
            script.append(f"cat /proc/sys/{key} >{copy}; mount --bind {copy} /proc/sys/{key}")
        script += ["echo up", "exec sleep 2147483647"]
        self.lab.defer(remove_cgroups, self.cgroup)
        machine = self.lab.start(["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--mount-proc",
                                  "sh", "-ec", "\n".join(script)], ns=self.ns)
        self.lab.defer(self.power_off)
        machine.wait_for("up")
        return machine

    def power_off(self):
        """All at once, as a machine that loses its power."""
        for init in children(self.machine.pid):
            os.kill(init, signal.SIGKILL)
        self.machine.popen.wait(PATIENCE)
        for program in self.programs:
            program.popen.wait(PATIENCE)

    def wrap(self, command):
        """Into the node's namespaces."""
        return ["nsenter", "-t", str(self.init), "--net", "--mount", "--pid", *as_args(command)]

    def launch(self, command):
        """Starts a program on the node; it ends with the node if not before."""
        log = self.dir / f"{len(self.programs)}-{pathlib.Path(as_args(command)[0]).name}.log"
        self.programs.append(Program(self.wrap(command), log))
        return self.programs[-1]

    def run(self, command, **options):
        return run(self.wrap(command), **options)

    # --- what runs on it

    def config(self):
        control = self.cluster.control
        config = super().config()
        config.update({"run": {"dir": "/run/ringway"}, "state": {"dir": "/var/lib/ringway"}})
        config["cni"] = {"confDir": "/etc/cni/net.d", "binDir": "/opt/cni/bin"}
        config["cluster"].pop("manifests")
        config["cluster"].update({"kubeconfig": str(control.ringwayd)})
        return config

    def start(self):
        """All of it, as at a machine's start: containerd, ringwayd, kubelet."""
        self.write_files()
        self.start_containerd()
        self.run([*CTR, "-n", "k8s.io", "images", "import", self.cluster.image])
        self.start_ringwayd()
        self.start_kubelet()

    def write_files(self):
        control = self.cluster.control
        shutil.copy(LOOPBACK, self.root / "opt/cni/bin")
        self.config_file.write_text(yaml.safe_dump(self.config(), sort_keys=False))
        (self.root / "etc/containerd/config.toml").write_text(CONTAINERD_CONFIG)
        kubelet = self.root / "var/lib/kubelet"
        shutil.copy(control.pki.path("ca.crt"), kubelet / "ca.crt")
        (kubelet / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        shutil.copy(control.pki.kubeconfig(f"node-{self.name}", control.server, f"system:node:{self.name}", ["system:nodes"]),
                    kubelet / "kubeconfig")
        (kubelet / "config.yaml").write_text(yaml.safe_dump({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": "/var/lib/kubelet/ca.crt"}},
            "authorization": {"mode": "AlwaysAllow"}, "registerWithTaints": self.cluster.taints,
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock", "resolvConf": "/var/lib/kubelet/resolv.conf",
            # what this kernel and a machine that is shared have not, or what is not for a guest to set
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.cgroup}", "cgroupsPerQOS": False, "enforceNodeAllocatable": [],
            "failSwapOn": False, "makeIPTablesUtilChains": False, "localStorageCapacityIsolation": False,
            "evictionHard": {signal: "0%" for signal in ("memory.available", "nodefs.available", "nodefs.inodesFree",
                                                         "imagefs.available")}}))

    def start_containerd(self):
        self.containerd = self.launch(["containerd"])
        wait_until(lambda: self.run([*CTR, "version"], check=False).returncode == 0,
                   what=lambda: f"containerd\n{self.containerd.output()[-4000:]}")

    def start_ringwayd(self):
        self.daemon = self.launch([RINGWAYD, "--config", "/etc/ringway/ringway.yaml"])

    def start_kubelet(self):
        self.kubelet = self.launch([self.cluster.control.programs / "kubelet", "--config=/var/lib/kubelet/config.yaml",
                                    "--kubeconfig=/var/lib/kubelet/kubeconfig", f"--hostname-override={self.name}",
                                    f"--node-ip={self.ip[4]},{self.ip[6]}"])

    def ringway(self, *arguments, check=True):
        done = self.run([RINGWAY, *arguments, "-o", "json"], check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"ringway {' '.join(map(str, arguments))} on {self.name}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)


def remove_cgroups(name):
    """What runc made, and left when it was killed."""
    for controller in pathlib.Path(CONTROLLERS).iterdir():
        for directory, _, _ in os.walk(controller / name, topdown=False):
            os.rmdir(directory)


class KubeCluster(Cluster):
    """taints: of new nodes. programs: the directory of programs.py."""

    def __init__(self, programs, taints=(), **options):
        super().__init__(**options)
        self.taints = list(taints)
        self.control = ControlPlane(self, programs)
        self.image = self.lab.dir / "image.tar"
        image.write(self.image)

    def add_node(self, name, kind=KubeNode, behind=None, options=None):
        node = kind(self, name, len(self.nodes) + 1)
        node.options = options or {}
        self.nodes.append(node)
        return node

    def start(self):
        """Starts the control plane, then all nodes, and waits until pods can be made there."""
        self.control.start()
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
            self.wait_condition("node", node.name, "Ready")

    # --- asking and telling the API server

    def kubectl(self, command, **options):
        return self.control.kubectl(command, **options)

    def get(self, what, namespace="default"):
        """An object; a list of them when several are asked for; None when there is no such one."""
        done = self.kubectl(f"get {what} -n {namespace} -o json --ignore-not-found")
        found = json.loads(done.stdout) if done.stdout else None
        return found["items"] if found and found["kind"] == "List" else found

    def apply(self, *objects):
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply -f -", input=documents)

    def delete(self, what, namespace="default"):
        """And waits until it is gone."""
        self.kubectl(f"delete {what} -n {namespace} --ignore-not-found --timeout={PATIENCE}s")

    def wait_condition(self, kind, name, condition, status="True", namespace="default"):
        def holds():
            found = self.get(f"{kind} {name}", namespace) or {}
            return any(c["type"] == condition and c["status"] == status for c in found.get("status", {}).get("conditions", []))

        wait_until(holds, what=lambda: f"{condition} of {kind} {name}\n"
                   f"{self.kubectl(f'describe {kind} {name} -n {namespace}').stdout[-6000:]}")

    def wait_pod(self, name, namespace="default"):
        """Waits until it is ready; returns its KubePod."""
        self.wait_condition("pod", name, "Ready", namespace=namespace)
        return KubePod(self, name, namespace)

    def pods(self, selector, namespace="default"):
        """KubePods of those that are ready and not told to end."""
        def is_ready(found):
            return "deletionTimestamp" not in found["metadata"] and any(
                c["type"] == "Ready" and c["status"] == "True" for c in found["status"].get("conditions", []))

        return [KubePod(self, found["metadata"]["name"], namespace)
                for found in self.get(f"pods -l {selector}", namespace) if is_ready(found)]
