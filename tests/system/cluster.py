"""A cluster in namespaces: an underlay segment, nodes with ringwayd, pods wired by ringway-cni as a container runtime
does it, and the cluster's objects in a directory of manifests that all nodes read. System tests and perf/demo stand on it.

    with Cluster() as cluster:
        a, b = cluster.add_node("a"), cluster.add_node("b")
        cluster.start()
        client, server = a.add_pod("client"), b.add_pod("web", labels={"app": "web"}, ports=[80])
        web = cluster.add_service("web", port=80, target_port=8080, pods=[server])
        client.run(f"curl http://{web.ip[4]}/")

Addresses follow from the order in which things are made: node 1 is 172.30.0.1 and fd00:30::1 with the pod networks
10.244.1.0/24 and fd00:10:244:1::/64; services are 10.96.0.10, 10.96.0.11, ... and fd00:10:96::10, ...
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import yaml

from lab import BUILD, PATIENCE, Lab, Netns, as_args, run, wait_until

RINGWAYD = BUILD / "control" / "ringwayd"
RINGWAY = BUILD / "control" / "cli" / "ringway"
RINGWAY_CNI = BUILD / "cni" / "ringway-cni"
FAMILIES = (4, 6)
POD_CIDRS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
SERVICE_CIDRS = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
UPLINK_MTU = 1500


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Cluster:
    """close() removes everything, also after a failure half-way; `with` does that by itself."""

    def __init__(self, prefix=None, directory=None, options=None, families=FAMILIES, underlay=FAMILIES):
        """options: more of ringway.yaml, for every node: {"workers": {"cpus": [0]}}. families: of pods and services;
        underlay: of the nodes' own addresses, the first one that of the tunnels."""
        self.lab = Lab(prefix, directory)
        self.options = options or {}
        self.families = families
        self.underlay_families = underlay
        self.nodes = []
        self.routers = []
        self._services = 0
        self.manifests = self.lab.dir / "manifests"
        self.manifests.mkdir()
        self.underlay = self.lab.netns("underlay")
        self.underlay.ip("link add br0 type bridge mcast_snooping 0")
        self.underlay.ip("link set br0 up")

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _traceback):
        problems = self.close()
        if problems and kind is None:
            raise AssertionError("clean-up: " + "\n".join(problems))

    def close(self):
        return self.lab.close()

    def add_router(self, mtu=UPLINK_MTU):
        """A router with a segment of its own behind it; its links take no more than that MTU."""
        router = Router(self, len(self.routers) + 1, mtu)
        self.routers.append(router)
        return router

    def add_node(self, name, kind=None, behind=None, options=None):
        """behind: the router whose segment it is on; else it is on the common one. options: more of its ringway.yaml."""
        node = (kind or Node)(self, name, len(self.nodes) + 1, behind)
        node.options = options or {}
        self.nodes.append(node)
        self.write_manifest(f"node-{name}", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **node.metadata()},
            "spec": {"podCIDR": node.pod_cidrs[self.families[0]],
                     "podCIDRs": [node.pod_cidrs[family] for family in self.families]},
            "status": {"addresses": [{"type": "InternalIP", "address": node.ip[family]}
                                     for family in self.underlay_families]}})
        return node

    def add_outside(self, name, number, behind=None):
        """A machine that is no node: on the common segment, or on a router's. It knows the way to nodes, not to pods."""
        return BareNode(self, name, number, behind)

    def start(self):
        """Starts ringwayd on every node and waits until all are ready."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
            node.join()

    def write_manifest(self, name, *documents):
        """Puts documents into one file at once, as an editor or a sync tool does: a reader never sees half of it."""
        temporary = self.manifests / f".{name}.tmp"
        temporary.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        temporary.rename(self.manifests / f"{name}.yaml")

    def remove_manifest(self, name):
        (self.manifests / f"{name}.yaml").unlink()

    def add_service(self, name, port, target_port, pods, protocols=("TCP", "UDP"), namespace="default", ports=None,
                    spec=None, ingress=(), created=None):
        """A service and its EndpointSlices. Returns the Service, whose ip has an address per family. spec: what its spec
        has besides, such as {"type": "NodePort"}, node ports then are 30000 + port; ingress: a load balancer's
        addresses, as in status. ports: (name, port, target port, protocol) each, in place of port, target_port and
        protocols; where the target is a name, the slices with its numbers are for the caller to write. created: its
        creationTimestamp."""
        self._services += 1
        service = Service(self, namespace, name, {4: f"10.96.0.{9 + self._services}",
                                                  6: f"fd00:10:96::{9 + self._services:x}"})
        service.spec, service.ingress, service.created = spec or {}, ingress, created
        service.ports = ports or [(f"{protocol.lower()}-{port}", port, target_port, protocol) for protocol in protocols]
        service.set_backends(pods)
        return service

    def wait_published(self):
        """Waits until every node has seen the manifests as they are now and has put them in force."""
        for node in self.nodes:
            node.wait_published()

    def wait_joined(self):
        """Waits until every node knows the way to all others; before, the first packets there are lost."""
        for node in self.nodes:
            wait_until(lambda n=node: all(peer["problem"] == "" for peer in n.ringway("nodes")["nodes"]),
                       what=f"the way from {node.name} to its peers")


class Service:
    def __init__(self, cluster, namespace, name, ip):
        self.cluster, self.namespace, self.name, self.ip = cluster, namespace, name, ip
        self.ports = []
        self.pods = []
        self.spec = {}
        self.ingress = ()
        self.created = None

    def set_backends(self, pods, ready=lambda pod: True, hints=lambda pod: None):
        """Writes the service with these pods, or remote addresses with the same attributes, as endpoints. ready says
        whether a pod is, or gives all of its conditions; hints what the slice says besides."""
        self.pods = list(pods)
        families = self.cluster.families
        exposes = self.spec.get("type") in ("NodePort", "LoadBalancer")

        def endpoint(pod, family):
            conditions, hint = ready(pod), hints(pod)
            return {"addresses": [pod.ip[family]],
                    "conditions": conditions if isinstance(conditions, dict) else {"ready": bool(conditions)},
                    "nodeName": pod.node.name,
                    "targetRef": {"kind": "Pod", "namespace": self.namespace, "name": pod.name},
                    **({"hints": hint} if hint else {})}

        service = {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.name, "namespace": self.namespace, "creationTimestamp": self.created},
            "spec": {"clusterIP": self.ip[families[0]], "clusterIPs": [self.ip[family] for family in families],
                     "ipFamilies": [f"IPv{family}" for family in families], "selector": {"service": self.name},
                     "ports": [{"name": name, "port": port, "targetPort": target, "protocol": protocol,
                                **({"nodePort": 30000 + port} if exposes else {})}
                               for name, port, target, protocol in self.ports], **self.spec},
            "status": {"loadBalancer": {"ingress": list(self.ingress)}}}
        slices = [{
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": f"IPv{family}",
            "metadata": {"name": f"{self.name}-ipv{family}", "namespace": self.namespace,
                         "labels": {"kubernetes.io/service-name": self.name}},
            "ports": [{"name": name, "port": target, "protocol": protocol}
                      for name, _, target, protocol in self.ports if isinstance(target, int)],
            "endpoints": [endpoint(pod, family) for pod in self.pods]} for family in families]
        self.cluster.write_manifest(f"service-{self.namespace}-{self.name}", service, *slices)

    def remove(self):
        self.cluster.remove_manifest(f"service-{self.namespace}-{self.name}")


class Router:
    """A Linux router between the common segment and one of its own. Its interfaces are bridges, since a veth drops what
    is larger than its own MTU without a word, where this one has to send an error."""

    def __init__(self, cluster, number, mtu):
        self.number = number
        self.ns = cluster.lab.netns(f"router{number}")
        self.prefix = {4: f"172.{30 + number}.0.", 6: f"fd00:{30 + number}::"}
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.ns.sysctl(key, 1)
        self.ns.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.ns.sysctl("net.ipv6.icmp.ratelimit", 0)
        self.address = {4: f"172.30.0.{200 + number}", 6: f"fd00:30::{200 + number:x}"}
        for bridge, addresses in (("out", self.address), ("br0", {f: f"{p}254" for f, p in self.prefix.items()})):
            self.ns.ip(f"link add {bridge} type bridge mcast_snooping 0")
            self.ns.ip(f"addr add {addresses[4]}/24 dev {bridge}")
            self.ns.ip(f"addr add {addresses[6]}/64 dev {bridge} nodad")
        self.ns.ip(f"link add port type veth peer name router{number} netns {cluster.underlay}")
        self.ns.ip("link set port master out up")
        cluster.underlay.ip(f"link set router{number} master br0 up")
        self.set_mtu(mtu)
        for bridge in ("out", "br0"):
            self.ns.ip(f"link set {bridge} up")

    def set_mtu(self, mtu):
        for bridge in ("out", "br0"):
            self.ns.ip(f"link set {bridge} mtu {mtu}")


def counters_of(node):
    """A node's counters once its books balance: nothing is under way."""
    def balanced():
        c = node.counters()
        return c if c["received"] == c["forwarded"] + c["replied"] + c["punted"] + c["asked"] + c["dropped"] else None

    return wait_until(balanced, what=f"the books of node {node.name} balance")


class BareNode:
    """A machine on the underlay: namespace, uplink, addresses. By itself it runs nothing."""

    def __init__(self, cluster, name, number, behind=None):
        self.cluster, self.name, self.number = cluster, name, number
        self.lab = cluster.lab
        self.ns = self.lab.netns(name)
        self.dir = self.lab.dir / name
        self.dir.mkdir()
        prefix = behind.prefix if behind else {4: "172.30.0.", 6: "fd00:30::"}
        segment = behind.ns if behind else cluster.underlay
        self.ip = {4: f"{prefix[4]}{number}", 6: f"{prefix[6]}{number:x}"}
        self.pod_cidrs = {4: f"10.244.{number}.0/24", 6: f"fd00:10:244:{number:x}::/64"}
        self.pods = []
        self.ns.ip(f"link add uplink mtu {UPLINK_MTU} type veth peer name port-{name} mtu {UPLINK_MTU} "
                   f"netns {segment}")
        # A wire carries neither super-frames nor unfinished checksums, so this end, the NIC, must not either.
        self.ns.run("ethtool -K uplink tx off tso off gso off gro off")
        segment.ip(f"link set port-{name} master br0 up")
        self.ns.sysctl("net.ipv6.conf.uplink.accept_dad", 0)
        self.ns.ip(f"addr add {self.ip[4]}/24 dev uplink")
        self.ns.ip(f"addr add {self.ip[6]}/64 dev uplink nodad")
        self.ns.ip("link set uplink up")
        if behind:
            for family in FAMILIES:
                self.ns.ip(f"-{family} route add default via {behind.prefix[family]}254")
        else:
            for router in cluster.routers:
                for family, length in ((4, 24), (6, 64)):
                    network = router.prefix[family] + ("0" if family == 4 else "")
                    self.ns.ip(f"-{family} route add {network}/{length} via {router.address[family]}")

    def metadata(self):
        """More of the Node object's metadata."""
        return {}

    def start(self):
        """Starts what this node runs."""

    def wait_ready(self):
        pass

    def wait_published(self):
        pass

    def join(self):
        """Called once all nodes are ready."""

    def run(self, command, **options):
        """As a node process: in the node's network namespace."""
        return self.ns.run(command, **options)

    def popen(self, command, **options):
        return self.lab.start(command, ns=self.ns, **options)


class Node(BareNode):
    """A node with ringwayd, in a mount namespace of its own: its bpffs vanishes with it."""

    def __init__(self, cluster, name, number, behind=None):
        super().__init__(cluster, name, number, behind)
        self.options = {}
        self.daemon = None
        self.socket = self.dir / "run" / "ringway.sock"
        # The machine below ringwayd: as long as it lives, so do its mounts, whatever becomes of ringwayd. Mounts made
        # outside later, such as new namespaces, are seen inside (slave); sysfs is that of the node's own interfaces.
        self.machine = self.lab.start(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
             "mount -t sysfs sysfs /sys && echo up && exec sleep infinity"], ns=self.ns)
        self.machine.wait_for("up")
        self.netconf = {"cniVersion": "1.0.0", "name": "ringway", "type": "ringway-cni", "socket": str(self.socket),
                        "stateDir": str(self.dir / "state")}

    def config(self):
        """What goes into ringway.yaml."""
        families = self.cluster.families
        config = {
            "node": {"name": self.name}, "run": {"dir": str(self.dir / "run")}, "state": {"dir": str(self.dir / "state")},
            "cluster": {"manifests": str(self.cluster.manifests),
                        "podCIDRs": [POD_CIDRS[family] for family in families],
                        "serviceCIDRs": [SERVICE_CIDRS[family] for family in families]},
            "uplink": {"interface": "uplink"}}
        for options in (self.cluster.options, self.options):
            for section, keys in options.items():
                config.setdefault(section, {}).update(keys)
        return config

    def wrap(self, command):
        """Into the node's network and mount namespaces."""
        return ["nsenter", "-t", str(self.machine.pid), "--net", "--mount", *as_args(command)]

    def start(self):
        """Starts ringwayd."""
        config = self.dir / "ringway.yaml"
        if not config.exists():
            config.write_text(yaml.safe_dump(self.config(), sort_keys=False))
        for directory in ("run", "state"):
            (self.dir / directory).mkdir(exist_ok=True)
        self.daemon = self.lab.start(self.wrap([RINGWAYD, "--config", config]))

    def stop(self, sig=None):
        """Ends ringwayd, by SIGTERM or another signal to its holder; pods keep what they have."""
        served_by = children(self.daemon.pid)
        self.daemon.stop(*([sig] if sig else []))
        wait_until(lambda: not any(map(is_running, served_by)), what=f"ringwayd's process on {self.name} ended")

    def crash(self):
        """Kills the process that does the work; its holder starts another."""
        (worker,) = children(self.daemon.pid)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: children(self.daemon.pid) not in ([], [worker]), what=f"a new process on {self.name}")
        self.wait_ready()

    def restart(self, sig=None):
        self.stop(sig)
        self.start()
        self.wait_ready()

    def log(self):
        return self.daemon.output()

    # --- asking it

    def ringway(self, *arguments, check=True):
        """A `ringway` command's JSON."""
        result = run(self.wrap([RINGWAY, *arguments, "-o", "json", "--socket", self.socket]),
                     check=False)
        if check and result.returncode != 0:
            raise AssertionError(f"ringway {' '.join(map(str, arguments))} on {self.name}: exit {result.returncode}\n"
                                 f"{result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def is_ready(self):
        """Whether ringwayd says so; an AssertionError with its log when it has ended."""
        if self.daemon.popen.poll() is not None:
            raise AssertionError(f"ringwayd on {self.name} ended with {self.daemon.popen.returncode}:\n{self.log()}")
        if not self.socket.exists():
            return False
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            return self.get("/readyz")[0] == 200
        return False

    def wait_ready(self):
        try:
            wait_until(self.is_ready, what=f"ringwayd on {self.name} ready")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log()}") from None

    def wait_published(self):
        """A file counts as seen once its change was published: a service of our own shows that the queue is through."""
        marker = f"marker-{time.monotonic_ns()}"
        self.cluster.write_manifest("marker", {"apiVersion": "v1", "kind": "Service",
                                               "metadata": {"name": marker, "namespace": "ringway-test"},
                                               "spec": {"clusterIP": "10.96.255.254", "ports": [{"port": 9}]}})
        wait_until(lambda: any(service["name"] == marker for service in self.ringway("services")["services"]),
                   what=f"manifests in force on {self.name}")

    def get(self, path):
        """Status and text of a GET on the admin socket."""
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        with contextlib.closing(connection.sock) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(self.socket))
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()

    def metrics(self):
        """{"ringway_..._total": sum over workers and labels, 'ringway_...{reason="x"}': with those labels}"""
        values = {}
        for line in self.get("/metrics")[1].splitlines():
            match = re.match(r"([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$", line)
            if match:
                name, labels, value = match.groups()
                values[name] = values.get(name, 0) + float(value)
                if labels:
                    labels = re.sub(r'worker="[^"]*",?', "", labels).replace(",}", "}")
                    values[name + labels] = values.get(name + labels, 0) + float(value)
        return values

    def counters(self):
        """{name: sum over workers} of counters.def, and how journeys ended: forwarded, replied, punted, asked, dropped."""
        metrics = self.metrics()
        counters = {name.removeprefix("ringway_").removesuffix("_total"): value for name, value in metrics.items()
                    if name.endswith("_total")}
        for verdict, name in (("forward", "forwarded"), ("reply", "replied"), ("punt", "punted"), ("asked", "asked"),
                              ("drop", "dropped")):
            counters[name] = metrics.get(f'ringway_packets_total{{verdict="{verdict}"}}', 0)
        return counters

    def tunnel_mac(self):
        return self.ringway("status")["tunnel"]["mac"]

    def drops(self):
        """{reason: packets}"""
        return {reason["reason"]: reason["packets"] for reason in self.ringway("drops")["reasons"] if reason["packets"]}

    # --- pods

    def add_pod(self, name, namespace="default", labels=None, ports=(), host_ports=()):
        """A pod as kubelet and a runtime make it: namespace, CNI ADD, then the Pod object with its addresses.
        host_ports: (port of the node, port of the pod, "TCP")."""
        pod = Pod(self, namespace, name, labels or {}, ports, host_ports)
        pod.attach()
        self.pods.append(pod)
        return pod

    def cni(self, command, pod, netconf=None, check=True):
        """Runs ringway-cni as a runtime does. Returns its JSON; a failure is an AssertionError with its message."""
        env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": pod.container,
               "CNI_NETNS": pod.ns.path, "CNI_IFNAME": "eth0", "CNI_PATH": str(RINGWAY_CNI.parent),
               "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={pod.namespace};K8S_POD_NAME={pod.name};"
                           f"K8S_POD_INFRA_CONTAINER_ID={pod.container};K8S_POD_UID={pod.uid}"}
        done = subprocess.run(self.wrap([RINGWAY_CNI]), input=json.dumps(netconf or self.netconf),
                              env=env, text=True, capture_output=True, timeout=PATIENCE, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"ringway-cni {command} for {pod.name} on {self.name}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}\n{self.log()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}


def container_port(port):
    """A number, or a name and a number."""
    return {"containerPort": port} if isinstance(port, int) else {"name": port[0], "containerPort": port[1]}


class Pod:
    def __init__(self, node, namespace, name, labels, ports, host_ports=()):
        self.node, self.namespace, self.name, self.labels, self.ports = node, namespace, name, labels, ports
        self.host_ports = host_ports
        self.container = f"{node.name}-{namespace}-{name}"
        self.uid = ""  # not said
        self.ip = {}
        self.result = {}
        self.ns = node.lab.netns(f"{node.name}-{name}")

    def attach(self):
        # the names of the members as containerd writes them
        mappings = [{"HostPort": host_port, "ContainerPort": port, "Protocol": protocol.lower(), "HostIP": ""}
                    for host_port, port, protocol in self.host_ports]
        self.result = self.node.cni("ADD", self, dict(self.node.netconf, runtimeConfig={"portMappings": mappings})
                                    if mappings else None)
        for entry in self.result["ips"]:
            address = entry["address"].split("/")[0]
            self.ip[6 if ":" in address else 4] = address
        self.write_manifest()

    def write_manifest(self):
        self.node.cluster.write_manifest(f"pod-{self.namespace}-{self.name}", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": self.labels},
            "spec": {"nodeName": self.node.name,
                     "containers": [{"name": "main", "ports": [container_port(port) for port in self.ports] + [
                         {"containerPort": port, "hostPort": host_port, "protocol": protocol}
                         for host_port, port, protocol in self.host_ports]}]},
            "status": {"phase": "Running", "podIP": next(iter(self.ip.values())),
                       "podIPs": [{"ip": address} for address in self.ip.values()]}})

    def move_inside(self):
        """Its interface goes on into a namespace of its own inside, where its sockets are then: as with Docker in a pod, or a
        virtual machine."""
        inside = self.node.lab.netns(f"{self.node.name}-{self.name}-inside")
        self.ns.ip(f"link set eth0 netns {inside}")
        inside.ip("link set eth0 up")
        for entry in self.result["ips"]:
            inside.ip(f"addr add {entry['address']} dev eth0 nodad")
            inside.ip(f"route add default via {entry['gateway']} dev eth0 onlink")
        self.ns = inside

    def detach(self):
        """CNI DEL, and the object goes."""
        self.node.cni("DEL", self, dict(self.node.netconf, prevResult=self.result))
        self.node.cluster.remove_manifest(f"pod-{self.namespace}-{self.name}")
        self.node.pods.remove(self)

    def run(self, command, **options):
        return self.ns.run(command, **options)

    def popen(self, command, **options):
        return self.node.lab.start(command, ns=self.ns, **options)


class KernelNode(BareNode):
    """A node without ringwayd: a Linux kernel whose vxlan device, FDB and routes are set up as flannel does, and pods
    behind a bridge. Services it knows none."""

    def __init__(self, cluster, name, number, behind=None):
        super().__init__(cluster, name, number, behind)
        self.mac = f"02:00:5e:00:00:{number:02x}"
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.ns.sysctl(key, 1)
        self.ns.ip(f"link add vxlan1 address {self.mac} mtu {UPLINK_MTU - 50} type vxlan id 1 dstport 4789 "
                   f"local {self.ip[4]} dev uplink nolearning")
        self.ns.ip("link set vxlan1 up")
        self.ns.ip("link add cni0 type bridge mcast_snooping 0")
        self.gateway = {4: f"10.244.{number}.1", 6: f"fd00:10:244:{number:x}::1"}
        self.ns.ip(f"addr add {self.gateway[4]}/24 dev cni0")
        self.ns.ip(f"addr add {self.gateway[6]}/64 dev cni0 nodad")
        self.ns.ip("link set cni0 up")
        # flannel's own addresses on the tunnel, which its nodes use as sources
        self.ns.ip(f"addr add 10.244.{number}.0/32 dev vxlan1")

    def metadata(self):
        return {"annotations": {"ringway.io/tunnel-mac": self.mac}}

    def tunnel_mac(self):
        return self.mac

    def join(self):
        """Static FDB entry, neighbour and route for each other node."""
        for node in self.cluster.nodes:
            if node is self:
                continue
            mac = node.tunnel_mac()
            self.ns.run(f"bridge fdb append {mac} dev vxlan1 dst {node.ip[4]}")
            for family, via in ((4, f"10.244.{node.number}.0"), (6, f"fd00:10:244:{node.number:x}::")):
                self.ns.ip(f"neigh replace {via} lladdr {mac} dev vxlan1 nud permanent")
                self.ns.ip(f"-{family} route replace {node.pod_cidrs[family]} via {via} dev vxlan1 onlink")

    def add_pod(self, name, namespace="default", labels=None, ports=()):
        pod = KernelPod(self, namespace, name, labels or {}, ports)
        pod.attach()
        self.pods.append(pod)
        return pod


class KernelPod(Pod):
    def attach(self):
        host = 10 + len(self.node.pods)
        self.ip = {4: f"10.244.{self.node.number}.{host}", 6: f"fd00:10:244:{self.node.number:x}::{host:x}"}
        mtu = UPLINK_MTU - 50
        self.node.ns.ip(f"link add veth{host} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {self.ns}")
        self.node.ns.ip(f"link set veth{host} master cni0 up")
        self.ns.ip(f"addr add {self.ip[4]}/24 dev eth0")
        self.ns.ip(f"addr add {self.ip[6]}/64 dev eth0 nodad")
        self.ns.ip("link set eth0 up")
        for family in FAMILIES:
            self.ns.ip(f"-{family} route add default via {self.node.gateway[family]}")
        self.write_manifest()


__all__ = ["BUILD", "BareNode", "Cluster", "FAMILIES", "KernelNode", "Netns", "Node", "POD_CIDRS", "Pod", "RINGWAY",
           "SERVICE_CIDRS", "Service", "counters_of"]
