"""A cluster with DNS: pods in which unbound or a scripted server answers, clients that ask from a pod's or a node's namespace,
and programs that find a resolv.conf of the test's own.

    dns = Unbound(pod)                                   # unbound as in a pod of CoreDNS: test names, see ZONES
    reply = ask(client, "10.96.0.10", "www.example.", "A")
    server = Scripted(pod, lambda message, over: [dns_wire.reply(message, [("A", 60, "192.0.2.1")])])
"""

import contextlib
import ctypes
import heapq
import os
import select
import shutil
import signal
import socket
import threading
import time

import dns_wire
from lab import PATIENCE, run, wait_until

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
BRIEFLY = 0.7  # seconds until silence counts as such: what is dropped is counted, besides
LOCAL = "169.254.20.10"

# What unbound serves. Whatever else it is asked does not exist.
ZONES = """
    local-zone: "." static
    local-data: ". 60 IN SOA ns.test. root.test. 1 3600 600 86400 60"
    local-zone: "example." static
    local-data: "example. 120 IN SOA ns.example. root.example. 1 3600 600 86400 90"
    local-data: "www.example. 300 IN A 192.0.2.1"
    local-data: "www.example. 300 IN AAAA 2001:db8::1"
    local-data: "1.2.0.192.in-addr.arpa. 300 IN PTR www.example."
    local-zone: "many.example." redirect
    local-data: "many.example. 300 IN A 192.0.2.7"
    local-zone: "soon.example." redirect
    local-data: "soon.example. 1 IN A 192.0.2.8"
"""


@contextlib.contextmanager
def inside(ns):
    """This thread is in a network namespace for a while; sockets that it makes stay there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(ns.path, "rb") as there:
        if LIBC.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {ns}")
        try:
            yield
        finally:
            if LIBC.setns(home.fileno(), CLONE_NEWNET):
                os.abort()  # nothing may be sent from there by mistake


def socket_in(place, address, kind=socket.SOCK_DGRAM):
    """A socket in a place's namespace, of an address's family."""
    with inside(place.ns):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.settimeout(PATIENCE)
    return made


def ask(place, server, name, kind="A", port=53, patience=PATIENCE, message=None, **how):
    """Asks once over UDP and returns the reply; None when none comes. how: as of dns_wire.query(). The reply has to come
    from where the question went to and to repeat it as it was."""
    message = dns_wire.query(name, kind, **how) if message is None else message
    with socket_in(place, server) as s:
        s.settimeout(patience)
        s.sendto(message, (server, port))
        try:
            data, source = s.recvfrom(65535)
        except TimeoutError:
            return None
    got = dns_wire.parse(data, source[:2])
    assert source[:2] == (server, port), (source, got)
    assert (data[:2], got.has(dns_wire.QR)) == (message[:2], True), got
    return got


def ask_tcp(place, server, name, kind="A", port=53, **how):
    message = dns_wire.query(name, kind, **how)
    with socket_in(place, server, socket.SOCK_STREAM) as s:
        s.connect((server, port))
        s.sendall(len(message).to_bytes(2, "big") + message)
        with s.makefile("rb") as stream:
            return dns_wire.parse(stream.read(int.from_bytes(stream.read(2), "big")), (server, port))


def ask_at_once(place, server, names, kind="A", port=53, **how):
    """Sends a query for each name before it looks for a reply, each from a port of its own; their replies in that order."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for name in names:
            s = stack.enter_context(socket_in(place, server))
            s.connect((server, port))
            sockets.append((s, dns_wire.query(name, kind, **how)))
        for s, message in sockets:
            s.send(message)
        return [dns_wire.parse(s.recv(65535), (server, port)) for s, _ in sockets]


def wait_answered(place, server, name, kind="A", rcode="NOERROR", **how):
    """Until a name is answered so: for what has just been changed, and for a first packet on a way."""
    def asked():
        got = ask(place, server, name, kind, patience=2, **how)
        return got if got and got.rcode == rcode else None

    return wait_until(asked, what=f"{rcode} for {name} {kind} from {server}, asked by {place.name}")


def lab_of(place):
    return place.lab if hasattr(place, "lab") else place.node.lab


class Unbound:
    """unbound in a pod. The binary is a copy, since AppArmor lets the one in /usr/sbin read its own configuration only."""

    def __init__(self, place, port=53, zones=ZONES, options=""):
        self.place, self.lab, self.port = place, lab_of(place), port
        self.dir = self.lab.dir / f"unbound-{place.name}-{port}"
        self.dir.mkdir()
        self.logs = []
        self.process = None
        (self.dir / "unbound.conf").write_text(f"""server:
    interface: 0.0.0.0
    interface: ::0
    port: {port}
    access-control: 0.0.0.0/0 allow
    access-control: ::0/0 allow
    chroot: ""
    username: ""
    pidfile: ""
    directory: "{self.dir}"
    use-syslog: no
    logfile: ""
    log-queries: yes
    num-threads: 1
    module-config: "iterator"
    {options}{zones}
remote-control:
    control-enable: no
""")
        self.binary = shutil.copy("/usr/sbin/unbound", self.dir / "unbound")
        self.start()

    def start(self):
        """Starts it, also again after it ended."""
        self.process = self.lab.start([self.binary, "-d", "-c", self.dir / "unbound.conf"], ns=self.place.ns)
        self.logs.append(self.process)
        self.process.wait_for("start of service")

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()

    def freeze(self):
        """It is there and says nothing, until it thaws."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def n_asked(self, name):
        """How often it was asked for a name, of whatever type and by whomever."""
        return sum(" info: " in line and f" {name.lower()} " in line.lower()
                   for process in self.logs for line in process.output().splitlines())


class Scripted:
    """A DNS server in a pod, run by a thread of the test. script(message, over) gets a query as bytes and "udp" or "tcp", and
    returns what to send back: a list of bytes, or of (seconds to wait, bytes); or None for nothing. seen: all that came, as
    (name in lower case, type, "udp" or "tcp", sender's address, sender's port, id)."""

    def __init__(self, place, script, port=53):
        self.place, self.script, self.port = place, script, port
        self.seen = []
        self.error = None
        self._later = []
        self._pipe = os.pipe()
        with inside(place.ns):
            self.udp = [self._udp(family) for family in (socket.AF_INET, socket.AF_INET6)]
            self.tcp = [socket.create_server((any_of(family), port), family=family)
                        for family in (socket.AF_INET, socket.AF_INET6)]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        lab_of(place).defer(self.stop)

    def _udp(self, family):
        made = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((any_of(family), self.port))
        return made

    def n_asked(self, name, kind=None, over=None):
        return sum(seen[0] == name.lower() and kind in (None, seen[1]) and over in (None, seen[2]) for seen in self.seen)

    def stop(self):
        """Its sockets are gone then: who asks gets an ICMP error. An AssertionError when the script failed."""
        if self._thread.is_alive():
            os.write(self._pipe[1], b"x")
            self._thread.join(PATIENCE)
        for made in self.udp + self.tcp:
            made.close()
        for fd in self._pipe:
            os.close(fd)
        self._pipe = ()
        if self.error:
            raise AssertionError(f"script of {self.place.name}: {self.error!r}")

    def _serve(self):
        try:
            while self._round():
                pass
        except Exception as problem:  # pylint: disable=broad-except
            self.error = problem

    def _round(self):
        wait = max(0, self._later[0][0] - time.monotonic()) if self._later else None
        readable, _, _ = select.select(self.udp + self.tcp + [self._pipe[0]], [], [], wait)
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        for s in readable:
            if s == self._pipe[0]:
                return False
            if s in self.tcp:
                threading.Thread(target=self._stream, args=s.accept(), daemon=True).start()
            else:
                message, peer = s.recvfrom(65535)
                self._answer(message, "udp", peer, lambda data, s=s, peer=peer: s.sendto(data, peer))
        return True

    def _stream(self, connection, peer):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            with connection.makefile("rb") as stream:
                while head := stream.read(2):
                    message = stream.read(int.from_bytes(head, "big"))
                    self._answer(message, "tcp", peer,
                                 lambda data: connection.sendall(len(data).to_bytes(2, "big") + data), later=False)

    def _answer(self, message, over, peer, send, later=True):
        asked = dns_wire.parse(message)
        self.seen.append((asked.name.lower(), asked.type, over, peer[0], peer[1], asked.id))
        for item in self.script(message, over) or ():
            delay, data = item if isinstance(item, tuple) else (0, item)
            if delay and later:
                heapq.heappush(self._later, (time.monotonic() + delay, id(data), lambda d=data: send(d)))
            else:
                send(data)


def any_of(family):
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


class Resolving:
    """Runs programs in a pod as in its container: an /etc of its own with this resolv.conf, and an empty /run, so that
    neither the machine's resolver nor its cache of names has a say."""

    def __init__(self, place, nameservers, search=(), options="ndots:5"):
        self.place = place
        self.etc = lab_of(place).dir / f"etc-{place.name}-{'-'.join(nameservers).replace(':', '.')}-{options.replace(':', '.')}"
        self.etc.mkdir(exist_ok=True)
        lines = [f"search {' '.join(search)}"] * bool(search) + [f"nameserver {server}" for server in nameservers]
        for name, text in (("resolv.conf", "\n".join([*lines, f"options {options}", ""])),
                           ("nsswitch.conf", "hosts: files dns\n"), ("hosts", "127.0.0.1 localhost\n")):
            (self.etc / name).write_text(text)

    def run(self, command, **options):
        return self.place.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && mount -t tmpfs tmpfs /run && exec "$@"',
                               self.etc, *command], **options)


def build_lookup(lab):
    """lookup.c with musl: its path."""
    program = lab.dir / "lookup"
    if not program.exists():
        source = os.path.join(os.path.dirname(__file__), "lookup.c")
        run(["musl-gcc", "-static", "-O1", "-Wall", "-o", program, source])
    return program
