"""ringwayd's API source with a real API server and etcd: restarted, compacted, emptied. No kubelet takes part."""

import base64
import json
import shutil
import signal

import pytest
from cluster import Cluster, Node
from kube import ControlPlane
from lab import PATIENCE, wait_until


class ApiNode(Node):
    """A node with ringwayd alone."""

    def config(self):
        config = super().config()
        config["cluster"].pop("manifests")
        config["cluster"].update({"kubeconfig": str(self.cluster.control.admin), "apiWait": 1})
        return config

    def watches(self):
        return self.ringway("status", check=False)["api"]["watches"]

    def lists(self, kind):
        return next(w["lists"] for w in self.watches() if w["kind"] == kind)

    def wait_watching(self):
        wait_until(lambda: all(w["state"] == "watching" and w["synced"] and not w["problem"] for w in self.watches()),
                   what=lambda: f"all kinds are watched: {self.watches()}")

    def wait_services(self, *names):
        def found():
            return {s["name"] for s in self.ringway("services")["services"]}

        wait_until(lambda: found() == {"kubernetes", *names}, what=lambda: f"{names}; are {found()}")


class World(Cluster):
    def __init__(self, programs):
        super().__init__()
        self.control = ControlPlane(self, programs)
        self.node = self.add_node("a", kind=ApiNode)

    def stop_control(self):
        for program in (self.control.api, self.control.etcd):
            program.stop(signal.SIGKILL)

    def start_control(self):
        self.control.start_etcd()
        self.control.start_api()

    def etcd(self, call, **parameters):
        done = self.control.run(["curl", "-sSf", "-m", str(PATIENCE), f"http://127.0.0.1:2379/v3/{call}", "-d",
                                 json.dumps(parameters)])
        return json.loads(done.stdout)

    def apply(self, *objects):
        self.control.kubectl("apply -f -", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def fill(self):
        """What every cluster has."""
        families = self.node.pod_cidrs
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
                    "spec": {"podCIDR": families[4], "podCIDRs": [families[4], families[6]]}},
                   {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}})
        addresses = [{"type": "InternalIP", "address": ip} for ip in self.node.ip.values()]
        self.control.kubectl(["patch", "node", "a", "--subresource=status", "-p", json.dumps({"status": {"addresses": addresses}})])

    def apply_all_kinds(self):
        self.apply(
            service("web"),
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
             "endpoints": [{"addresses": ["10.244.99.9"], "conditions": {"ready": True}}], "ports": [{"port": 8080}]},
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "np", "namespace": "default"},
             "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
             "spec": {"nodeName": "a", "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "none"}]}})


def service(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"port": 80}]}}


def networks_told(node):
    return [text for text in node.ringway("status")["warnings"] if "ServiceCIDR" in text]


@pytest.fixture(name="world")
def make_world(kubernetes):
    with World(kubernetes) as world:
        world.start_control()
        world.fill()
        yield world


def test_the_api_source(world):
    node = world.node
    world.apply_all_kinds()
    node.start()
    node.wait_ready()
    node.wait_watching()
    node.wait_services("web")
    objects = node.ringway("status")["objects"]
    assert all(objects[kind] >= 1 for kind in ("Node", "Namespace", "Pod", "Service", "EndpointSlice", "NetworkPolicy",
                                                    "ServiceCIDR")), objects
    assert not node.ringway("status")["source_errors"]
    # the one that each cluster has is in the configuration, another one is not
    assert not networks_told(node)
    world.apply({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"},
                 "spec": {"cidrs": ["10.200.0.0/24"]}})
    wait_until(lambda: any("10.200.0.0/24 of ServiceCIDR more" in text for text in networks_told(node)),
               what=lambda: f"the network is told: {networks_told(node)}")
    world.apply(service("second"))
    node.wait_services("web", "second")

    # what happened while the server was away is compacted: it knows nothing older, and all is listed anew
    lists = node.lists("Service")
    world.control.api.stop(signal.SIGKILL)
    gone = base64.b64encode(b"/registry/services/specs/default/second").decode()
    revision = world.etcd("kv/deleterange", key=gone)["header"]["revision"]
    world.etcd("kv/compaction", revision=revision, physical=True)
    world.control.start_api()
    node.wait_services("web")
    node.wait_watching()
    assert node.lists("Service") > lists

    # all data lost: versions begin anew, and what is not there any more goes
    world.stop_control()
    shutil.rmtree(world.control.dir / "etcd")
    world.start_control()
    world.fill()
    world.apply(service("fresh"))
    node.wait_services("fresh")
    node.wait_watching()
    assert not networks_told(node)
