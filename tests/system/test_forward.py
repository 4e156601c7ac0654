"""AF_XDP from end to end, bare: sockets, UMEM shards, workers and XDP programs forward between pods.

The forwarder (forwarder.c) is engine and loader with a pipeline that only rewrites MAC addresses. Pods have their
checksum offload off here, since completing checksums is the real pipeline's work."""

import os
import pathlib
import signal
import subprocess

import pytest

from lab import BUILD, PATIENCE, run, wait_until
from traffic import PYTHON, Running, ping, run_flows, run_transfer

FRAMES = 4096

# One after the other, whatever comes back; says how many of them did, and waits for the last ones.
STEADY_ECHOES = """
import select, socket, sys, time
address, n, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((address, 8080))
echoes, due = set(), time.monotonic()
for i in range(n):
    s.send(f"echo {i:04}".encode())
    due += interval
    while select.select([s], [], [], max(0, due - time.monotonic()))[0]:
        echoes.add(s.recv(99))
while len(echoes) < n and select.select([s], [], [], 10)[0]:
    echoes.add(s.recv(99))
print(len(echoes), "received")
"""


class Forwarder:
    """The program in a node's namespace, spoken to line by line."""

    def __init__(self, lab, node, workers=1, arguments=(), directory=None):
        self.dir = directory or lab.dir / "bpf"
        self.popen = subprocess.Popen(
            node.wrap([BUILD / "tests/forwarder", self.dir, workers, *arguments]), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lab.defer(self.end)
        self.hello = self.popen.stdout.readline().strip()
        assert self.hello == "ready" or self.hello.startswith("error"), self.hello

    def ask(self, command):
        self.popen.stdin.write(command + "\n")
        return self.popen.stdout.readline().strip()

    def tell(self, command):
        answer = self.ask(command)
        assert answer.startswith("ok"), f"{command}: {answer}"
        words = answer.split()[1:]
        return dict(zip(words[::2], words[1::2]))

    def numbers(self, command):
        return {key: int(value) for key, value in self.tell(command).items()}

    def audit(self):
        """Every frame is in exactly one place."""
        found = self.numbers("audit")
        assert found["twice"] == 0, found
        assert sum(found.values()) - found["frames"] == found["frames"], found
        return found

    def quiet_audit(self):
        """The same, once nothing is under way."""
        def quiet():
            found = self.audit()
            return found if found["in_hand"] == 0 and found["tx"] == 0 and found["in_kernel"] == 0 else None

        return wait_until(quiet, what="frames that nobody holds")

    def quit(self, how="quit"):
        answer = self.ask(how)
        assert answer == "bye", answer
        assert self.popen.wait(PATIENCE) == 0

    def kill_worker(self):
        """Kills the process that the holder started, as soon as all its threads sleep: a moment when it has nothing in hand,
        or next to nothing. The holder starts another."""
        pid = int(self.tell("pid")["pid"])

        def is_idle():
            stats = [path.read_text() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
            return all(stat.rpartition(")")[2].split()[0] == "S" for stat in stats)

        wait_until(is_idle, what="a moment's rest")
        os.kill(pid, signal.SIGKILL)
        assert self.popen.stdout.readline().strip() == "ready"

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def end(self):
        """Whatever happened, nothing stays mounted."""
        if self.popen.poll() is None:
            self.kill()
        self.popen.stdin.close()
        self.popen.stdout.close()
        if self.dir.is_mount():
            run(["umount", self.dir])


class Pod:
    """A namespace with eth0, whose far end is an interface of the node."""

    def __init__(self, lab, node, number, mtu=1450):
        self.lab, self.number = lab, number
        self.link = f"pod{number}"
        self.mtu = mtu
        self.ns = lab.netns(self.link)
        lab.veth(node, self.link, self.ns, "eth0", mtu=mtu)
        self.v4, self.v6 = f"10.9.0.{number}", f"fd09::{number:x}"
        self.ns.ip(f"addr add {self.v4}/24 dev eth0")
        self.ns.ip(f"addr add {self.v6}/64 dev eth0 nodad")
        self.ns.run("ethtool -K eth0 tx off")
        self.mac = self.ns.mac("eth0")

    def run(self, command, **options):
        return self.ns.run(command, **options)

    def meet(self, other):
        for ns, peer in ((self.ns, other), (other.ns, self)):
            ns.ip(f"neigh replace {peer.v4} lladdr {peer.mac} dev eth0")
            ns.ip(f"neigh replace {peer.v6} lladdr {peer.mac} dev eth0")

    def add_to(self, forwarder, worker=-1):
        return forwarder.tell(f"add {self.link} {self.link} {worker} {self.mtu} {self.mac}")

    def ping(self, other, count=3, size=56):
        for address in (other.v4, other.v6):
            assert ping(self, address, count, size) == count, address


@pytest.fixture
def node(lab):
    return lab.netns("node")


@pytest.fixture
def pods(lab, node):
    a, b = Pod(lab, node, 1), Pod(lab, node, 2)
    a.meet(b)
    return a, b


@pytest.mark.parametrize("workers", [1, 2])
def test_two_pods_reach_each_other(lab, node, pods, workers):
    a, b = pods
    f = Forwarder(lab, node, workers)
    ports = [pod.add_to(f) for pod in pods]
    assert [p["mode"] for p in ports] == ["native", "native"]
    assert {int(p["worker"]) for p in ports} == set(range(workers))
    f.tell(f"partner {a.link} {b.link}")

    a.ping(b)
    b.ping(a)
    server = Running(b, "serve", 8080, "b")
    for address in (b.v4, b.v6):
        assert run_transfer(a, b, address, 16)
        assert run_flows(a, "udp", address, 8080, 500)["answers"] == {"b": 500}
    server.end()

    def balanced():
        numbers = f.numbers(f"stats {a.link}")
        return numbers if numbers["received"] == numbers["forwarded"] + numbers["dropped"] else None

    # a packet that crosses between workers is counted received before it is counted forwarded
    seen = wait_until(balanced, what="balanced books")
    assert seen["multi_buffer"] == 0, seen
    print(seen)
    assert (seen["crossed"] > 0) == (workers == 2), seen
    f.quiet_audit()
    f.quit("uninstall")
    assert not f.dir.exists()


def test_a_flood_loses_no_frame(lab, node, pods):
    a, b = pods
    f = Forwarder(lab, node, 2)
    for pod in pods:
        pod.add_to(f)
    f.tell(f"partner {a.link} {b.link}")
    server = lab.start("iperf3 -s -1 --forceflush", ns=b.ns)
    server.wait_for("listening")
    flood = lab.start(f"iperf3 -c {b.v4} -u -b 0 -l 64 -t 2", ns=a.ns)
    for _ in range(10):
        f.audit()
    flood.popen.wait(PATIENCE)
    f.quiet_audit()


def test_what_a_pod_that_went_away_held_comes_back(lab, node, pods):
    a, b = pods
    f = Forwarder(lab, node, 1)
    a.add_to(f)
    b.add_to(f)
    f.tell(f"partner {a.link} {b.link}")
    a.ping(b)
    before = f.quiet_audit()
    # in each order: the port first, or the interface first
    for remove_link_first in (False, True):
        c = Pod(lab, node, 3 + remove_link_first)
        c.add_to(f)
        f.tell(f"partner {a.link} {c.link}")
        a.meet(c)
        a.ping(c)
        if remove_link_first:
            node.ip(f"link del {c.link}")
        f.tell(f"remove {c.link}")
        wait_until(lambda: f.audit()["free"] >= before["free"], what="the frames of a removed port")
        f.quiet_audit()
        f.tell(f"partner {a.link} {b.link}")
        a.ping(b)


def test_a_shard_goes_on_when_its_first_interface_vanished(lab, node, pods):
    """A shared bind needs a socket that is still bound."""
    f = Forwarder(lab, node, 1)
    pods[0].add_to(f)
    node.ip(f"link del {pods[0].link}")
    c = Pod(lab, node, 3)
    pods[1].add_to(f)
    c.add_to(f)
    f.tell(f"partner {pods[1].link} {c.link}")
    pods[1].meet(c)
    pods[1].ping(c)
    f.audit()


def test_twenty_pods_fill_two_shards(lab, node):
    pods = [Pod(lab, node, 10 + i) for i in range(20)]
    f = Forwarder(lab, node, 1)
    ids = [int(pod.add_to(f)["id"]) for pod in pods]
    assert len(set(ids)) == 20
    first, last = pods[0], pods[-1]
    f.tell(f"partner {first.link} {last.link}")
    first.meet(last)
    first.ping(last)
    assert f.numbers(f"stats {first.link}")["copied"] > 0
    assert f.quiet_audit()["frames"] == 2 * FRAMES
    for pod in pods[1:-1]:
        f.tell(f"remove {pod.link}")
    first.ping(last)
    # an id comes round again only after all others
    again = Pod(lab, node, 40)
    assert int(again.add_to(f)["id"]) not in ids
    f.quit("uninstall")


@pytest.mark.parametrize("mtu,fits", [(1450, 1464), (1500, 1514), (1600, 1614)])
def test_whole_packets_are_received(lab, node, mtu, fits):
    """Frames are as large as the MTU needs; tagged packets fit as well."""
    a, b = Pod(lab, node, 1, mtu=mtu), Pod(lab, node, 2, mtu=mtu)
    a.meet(b)
    f = Forwarder(lab, node, 1)
    a.add_to(f)
    b.add_to(f)
    f.tell(f"partner {a.link} {b.link}")
    assert ping(a, b.v4, 1, fits - 14 - 28, dont_fragment=True) == 1
    assert ping(a, b.v6, 1, fits - 14 - 48, dont_fragment=True) == 1
    assert f.numbers(f"stats {a.link}")["rx_dropped"] == 0


def test_programs_and_drops_stay_when_the_daemon_is_killed(lab, node, pods):
    a, b = pods
    f = Forwarder(lab, node, 1)
    for pod in pods:
        pod.add_to(f)
    f.tell(f"partner {a.link} {b.link}")
    a.ping(b)
    f.kill()
    # nobody forwards: not the kernel either, although it could
    node.sysctl("net.ipv4.ip_forward", 1)
    assert a.ns.run(f"ping -c 1 -W 1 {b.v4}", check=False).returncode != 0
    assert "xdp" in node.ip(f"link show dev {a.link}").stdout

    node.ip(f"link del {b.link}")
    again = Forwarder(lab, node, 1, directory=f.dir)
    assert again.ask("list") == f"ok {a.link}={node.ifindex(a.link)}"
    a.add_to(again)
    c = Pod(lab, node, 3)
    c.add_to(again)
    again.tell(f"partner {a.link} {c.link}")
    a.meet(c)
    a.ping(c)
    again.quit("uninstall")
    assert "xdp" not in node.ip(f"link show dev {a.link}").stdout


def test_another_program_on_the_interface_is_named(lab, node, pods):
    f = Forwarder(lab, node, 1)
    pods[0].add_to(f)
    other = Forwarder(lab, node, 1, directory=lab.dir / "other")
    answer = other.ask(f"add {pods[0].link} {pods[0].link} 0 1450 {pods[0].mac}")
    assert "another XDP program" in answer and "bpftool net" in answer
    assert other.ask("list") == "ok"


def test_missing_privileges_are_named(lab, node):
    command = node.wrap(["setpriv", "--bounding-set=-sys_admin,-bpf", "--inh-caps=-sys_admin,-bpf",
                         BUILD / "tests/forwarder", lab.dir / "bpf", 1])
    answer = run(command, check=False).stdout
    assert "error not allowed to mount a bpffs" in answer and "CAP_SYS_ADMIN" in answer


def test_a_killed_process_loses_only_what_it_has_in_hand(lab, node, pods):
    """Its sockets and its packet memory are kept, and what pods send meanwhile waits in the rings."""
    a, b = pods
    f = Forwarder(lab, node, 2, ["KEEP"])
    Running(b, "serve", 8080, "b")
    for round_ in range(4):
        for pod in pods:
            pod.add_to(f)
        f.tell(f"partner {a.link} {b.link}")
        f.tell("settle")
        if round_ != 0:
            assert pinging.popen.wait(PATIENCE) == 0, pinging.output()
            # one at most: the packet that a worker was just working on, if any
            assert int(pinging.output().split()[0]) >= 99, pinging.output()
            f.quiet_audit()
            assert run_transfer(a, b, b.v4, 16)
        if round_ != 3:
            before = f.numbers(f"stats {a.link}")["rx"]
            # within what a pod's fill ring holds while nobody is there, and for longer than a start takes
            pinging = lab.start([PYTHON, "-c", STEADY_ECHOES, b.v6, 100, 0.04], ns=a.ns)
            wait_until(lambda: f.numbers(f"stats {a.link}")["rx"] > before + 5, what="traffic")
            f.kill_worker()
    # one that nobody asks for any more is closed, and its frames are free again
    f.kill_worker()
    a.add_to(f)
    f.tell("settle")
    wait_until(lambda: f.audit()["in_kernel"] == 0, what="the frames of a socket that nobody wants")
    b.add_to(f)
    f.tell(f"partner {a.link} {b.link}")
    a.ping(b)
    f.quit("uninstall")


def test_frames_under_way_at_a_crash_are_found(lab, node, pods):
    a, b = pods
    f = Forwarder(lab, node, 2, ["KEEP"])
    for _ in range(4):
        for pod in pods:
            pod.add_to(f)
        f.tell(f"partner {a.link} {b.link}")
        server = lab.start("iperf3 -s -1 --forceflush", ns=b.ns)
        server.wait_for("listening")
        flood = lab.start(f"iperf3 -c {b.v4} -u -b 0 -l 200 -t {PATIENCE}", ns=a.ns)
        wait_until(lambda: f.numbers(f"stats {a.link}")["rx"] > 20000, what="a flood")
        os.kill(int(f.tell("pid")["pid"]), signal.SIGKILL)
        assert f.popen.stdout.readline().strip() == "ready"
        found = f.audit()
        assert found["in_hand"] == 0, found
        for process in (flood, server):
            process.stop(signal.SIGKILL)
    f.quit("uninstall")
