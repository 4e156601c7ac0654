"""Endpoints come and go under established connections: none is reset but those whose backend died, silent ones included; new
connections go where they should, at once; and a new backend soon has its share. The one node has two workers, the other
one: their clients are tried at the same time, since most of it is silence."""

import collections
import itertools
import os
import time

import pytest

from cluster import FAMILIES, Cluster
from lab import sleep_until, wait_until
from steady import SteadyTraffic

SERVER_PORT = 8080
N_CONNECTIONS = int(os.environ.get("CHURN_CONNECTIONS", "2000"))
N_CHANGES = int(os.environ.get("CHURN_CHANGES", "50"))
SILENT_S = float(os.environ.get("CHURN_SILENT_S", "150"))
N_CLIENTS = 4  # on each node
OWN_PORTS = range(20000, 20008)  # a client's own choice, which fits no slot
SLOT_PORTS = range(40000, 40008)
OUTSIDE_PORT = 9000
N_ONE_WORKER = N_CONNECTIONS // 4
N_BACKENDS = 8
ACTIVE_INTERVAL_MS = 4000
SILENT_INTERVAL_MS = 1000 * 3600
NEW_PER_CHANGE = 16
N_SHARE = 1000


class World:
    """Pods behind one service, and what is done to them. Each change is a generator of steps, published one by one."""

    def __init__(self, cluster):
        self.cluster = cluster
        a, b = cluster.nodes
        self.clients = {node: [node.add_pod(f"client-{node.name}{i}") for i in range(N_CLIENTS)] for node in (a, b)}
        self.hidden = {node: node.add_pod(f"hidden-{node.name}") for node in (a, b)}
        for pod in self.hidden.values():
            pod.move_inside()
        self.names = itertools.count()
        self.nodes = itertools.cycle((a, b))
        self.inside = [self.make_backend() for _ in range(N_BACKENDS)]
        self.spare = []
        self.dead = []
        self.service = cluster.add_service("web", 80, SERVER_PORT, self.inside)
        self.traffic = SteadyTraffic(cluster.lab)
        cluster.wait_published()

    def make_backend(self):
        return next(self.nodes).add_pod(f"backend{next(self.names)}", ports=[SERVER_PORT])

    def publish(self, conditions=None):
        conditions = conditions or {}
        self.service.set_backends(self.inside + [pod for pod in conditions if pod not in self.inside],
                                  lambda pod: conditions.get(pod, True))
        self.cluster.wait_published()

    def ready(self, conditions=()):
        return {pod.ns.path for pod in self.inside if pod not in conditions}

    # --- changes: each yields the set of backends for new connections after each step

    def removal(self):
        self.spare.append(self.inside.pop(0))
        self.publish()
        yield self.ready()

    def scale_up(self):
        self.inside.append(self.spare.pop(0) if self.spare else self.make_backend())
        self.publish()
        yield self.ready()

    def flap(self):
        pod = self.inside[0]
        self.publish({pod: False})
        yield self.ready([pod])
        self.publish()
        yield self.ready()

    def rolling(self):
        """Two leave as two come, and at once two more."""
        for _ in range(2):
            self.spare += [self.inside.pop(0) for _ in range(2)]
            self.inside += [self.spare.pop(0) for _ in range(2)] if len(self.spare) > 4 else [
                self.make_backend() for _ in range(2)]
            self.publish()
            yield self.ready()

    def termination(self):
        """A pod drains, leaves and dies; another takes its place."""
        pod = self.inside.pop(0)
        self.publish({pod: {"ready": False, "serving": True, "terminating": True}})
        yield self.ready()
        self.publish()
        pod.detach()
        self.dead.append(pod.ns.path)
        self.inside.append(self.make_backend())
        self.publish()
        yield self.ready()

    def steps(self):
        for change in itertools.cycle((self.removal, self.scale_up, self.flap, self.rolling, self.termination)):
            yield from change()


@pytest.fixture(scope="module")
def world():
    with Cluster() as cluster:
        for name, workers in (("a", 2), ("b", 1)):
            cluster.add_node(name, options={"workers": {"cpus": list(range(workers))}})
        cluster.start()
        yield World(cluster)


def connections(world, name, n, interval_ms, node=0):
    """What steady.py opens: n connections from all clients of a node, over both families."""
    node = world.cluster.nodes[node]
    clients, servers = world.clients[node], [[pod.ns.path, SERVER_PORT] for pod in world.inside]
    return [{"name": f"{name} {node.name}{i}", "client": clients[i % N_CLIENTS].ns.path,
             "address": world.service.ip[FAMILIES[i // N_CLIENTS % 2]], "port": 80, "interval_ms": interval_ms,
             "servers": servers} for i in range(n)]


def from_both(world, name, n, interval_ms):
    """The same, n from each node."""
    return connections(world, name, n, interval_ms, 0) + connections(world, name, n, interval_ms, 1)


def from_hidden(world, name, sports):
    """Silent ones from the pods whose sockets are inside: to the service, and to the other node's own address."""
    flows = []
    for node, other in zip(world.cluster.nodes, reversed(world.cluster.nodes)):
        for family, sport in itertools.product(FAMILIES, sports):
            flow = {"client": world.hidden[node].ns.path, "sport": sport, "interval_ms": SILENT_INTERVAL_MS}
            what = f"{name} {node.name}{family} {sport}"
            flows += [{**flow, "name": what, "address": world.service.ip[family], "port": 80,
                       "servers": [[pod.ns.path, SERVER_PORT] for pod in world.inside]},
                      {**flow, "name": f"{what} outside", "address": other.ip[family], "port": OUTSIDE_PORT,
                       "servers": [[other.ns.path, OUTSIDE_PORT]]}]
    return flows


def is_opaque(node, pod):
    return next(view["opaque"] for view in node.ringway("pods")["pods"] if view["name"] == pod.name)


def wait_arrived(world, what):
    wait_until(lambda: all(flow["arrived"] for flow in world.traffic.ask("mark").values()), what=what)


def open_new(world, name, n):
    """New connections, n from each node, each closed again. Returns how many each backend got."""
    traffic = world.traffic
    wanted = from_both(world, name, n, SILENT_INTERVAL_MS)
    names = [flow["name"] for flow in wanted]
    assert traffic.ask("open", wanted)["errors"] == {}
    found = wait_until(lambda: (lambda flows: all(flows[n]["arrived"] for n in names) and flows)(traffic.ask("mark")),
                       what="new connections are answered")
    traffic.ask("drop", names)
    return collections.Counter(found[n]["server"] for n in names)


def check_unbroken(world, wanted):
    """All of these connections go on, but for those whose backend died. Returns them."""
    names = {flow["name"] for flow in wanted}
    before = {name: flow for name, flow in world.traffic.ask("mark").items() if name in names}
    world.traffic.ask("poke", list(names))
    alive = {name for name, flow in before.items() if flow["server"] not in world.dead}
    wait_until(lambda: all(flow["arrived"] > before[name]["arrived"] or flow["error"]
                           for name, flow in world.traffic.ask("mark").items() if name in alive), what="all go on")
    broken = {name: flow for name, flow in world.traffic.ask("mark").items() if flow["error"] and name in alive}
    assert broken == {}, f"{len(broken)} of {len(alive)} connections broke"
    return alive


def test_endpoint_changes_reset_nothing(world):
    traffic = world.traffic
    silent, active = ([*connections(world, name, N_CONNECTIONS // 2, interval_ms, 0),
                       *connections(world, name, N_ONE_WORKER // 2, interval_ms, 1)]
                      for name, interval_ms in (("silent", SILENT_INTERVAL_MS), ("active", ACTIVE_INTERVAL_MS)))
    silent += from_hidden(world, "hidden", OWN_PORTS)
    assert traffic.ask("open", silent + active)["errors"] == {}
    wait_arrived(world, "all connections stand")
    start = time.monotonic()
    steps = world.steps()
    for i in range(N_CHANGES):
        sleep_until(start + i * SILENT_S / N_CHANGES)
        ready = next(steps)
        got = open_new(world, f"new {i}", NEW_PER_CHANGE)
        assert set(got) <= ready, f"after change {i}, connections went to {set(got) - ready}"
    sleep_until(start + SILENT_S)
    assert len(check_unbroken(world, silent + active)) > N_CONNECTIONS / 4, "this proves something"
    # whoever has connections without a socket is known by now, and what it opens in slots stays, too
    wait_until(lambda: all(is_opaque(node, pod) for node, pod in world.hidden.items()), what="sockets are missed")
    assert not any(is_opaque(node, pod) for node, pods in world.clients.items() for pod in pods)
    unseen = from_hidden(world, "unseen", SLOT_PORTS)
    assert traffic.ask("open", unseen)["errors"] == {}
    wait_arrived(world, "those stand as well")
    for _ in range(N_BACKENDS):
        next(steps)
    assert len(check_unbroken(world, unseen)) > len(unseen) / 2, "this proves something, too"
    traffic.ask("close")


def test_a_new_backend_soon_has_its_share(world):
    """While connections open all the time, those from before the move included in the count."""
    new = world.make_backend()
    world.inside.append(new)
    world.publish()
    got, names = collections.Counter(), itertools.count()

    def has_share():
        got.update(open_new(world, f"share {next(names)}", 100))
        return sum(got.values()) >= N_SHARE and got[new.ns.path] >= 0.8 * sum(got.values()) / len(world.inside)

    wait_until(has_share, what="the new backend has 80% of its share")
    assert set(got) <= world.ready()


def test_nothing_waits_for_a_pod_that_is_gone(world):
    """It left while connections were open, which are pinned; then it dies. They end as with any dead server, and who
    connects anew is served."""
    traffic = world.traffic
    pod = next(pod for pod in world.inside if pod.node is world.cluster.nodes[1])
    kept = from_both(world, "kept", 64, SILENT_INTERVAL_MS)
    assert traffic.ask("open", kept)["errors"] == {}
    wait_arrived(world, "all connections stand")
    there = {name for name, flow in traffic.ask("mark").items() if flow["server"] == pod.ns.path}
    assert there
    world.inside.remove(pod)
    world.publish()
    pod.detach()
    world.cluster.wait_published()
    assert set(open_new(world, "after its end", 64)) <= world.ready()
    traffic.ask("poke", [flow["name"] for flow in kept])
    wait_until(lambda: all(traffic.ask("mark")[name]["error"] for name in there), what="connections to the dead pod end")
    assert not any(flow["error"] for name, flow in traffic.ask("mark").items() if name not in there)
    traffic.ask("close")
