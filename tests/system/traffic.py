"""Traffic between namespaces, as a program and as functions that run it there.

    traffic.py serve PORT NAME        answers TCP and UDP, both families, with NAME; prints at the end of its input what
                                      it saw: {"name", "tcp": flows, "udp": flows, "sources": [...first 20],
                                      "ports": {"tcp": [...], "udp": [...first 100 of its clients' ports]}}
    traffic.py flows PROTO ADDR PORT N [FIRST_PORT]
                                      N flows, each from a port of its own, one request each; prints {"answers":
                                      {NAME: flows}, "lost": N, "seconds": S}
    traffic.py attempt PROTO ADDR PORT PATIENCE
                                      one flow; prints {"outcome": "answered", "refused", "silence" or another error}
    traffic.py stream ADDR PORT INTERVAL_MS
                                      one TCP connection, a request every so often until its input ends; prints
                                      {"requests", "answers", "longest_gap_ms", "error"}
    traffic.py digest PORT            takes one TCP connection's bytes to their end, and answers with their SHA-256
    traffic.py transfer ADDR PORT MB  sends so much to such a server; prints {"intact", "seconds"}
    traffic.py checksums INTERFACE    receives at a packet socket; for each line of its input, and at its end, prints
                                      {"packets", "bad", "partial", "examples": [hex...]}
    traffic.py capture INTERFACE      likewise; prints {"frames": [hex...first 5000]}
"""

import collections
import contextlib
import errno
import hashlib
import itertools
import json
import math
import random
import select
import shlex
import socket
import struct
import subprocess
import sys
import time

from lab import PATIENCE, wait_until

PYTHON = "/usr/bin/python3"
PORTS = (33792, 49151)  # net.ipv4.ip_local_port_range of pods


# --- the program

def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def stdin_ended():
    return bool(select.select([sys.stdin], [], [], 0)[0]) and not sys.stdin.read(1)


def serve(port, name):
    answer = name.encode() + b"\n"
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    datagrams.bind(("::", port))
    seen = {"tcp": set(), "udp": set()}
    poll = select.epoll()
    for fd in (listener.fileno(), datagrams.fileno(), 0):
        poll.register(fd, select.EPOLLIN)
    connections = {}
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                connection, peer = listener.accept()
                seen["tcp"].add(peer[:2])
                connections[connection.fileno()] = connection
                poll.register(connection.fileno(), select.EPOLLIN)
            elif fd == datagrams.fileno():
                data, peer = datagrams.recvfrom(65536)
                seen["udp"].add(peer[:2])
                datagrams.sendto(answer + data[len(answer):], peer)
            elif fd == 0:
                sources = sorted({host for peers in seen.values() for host, _ in peers})
                print(json.dumps({"name": name, "tcp": len(seen["tcp"]), "udp": len(seen["udp"]),
                                  "sources": sources[:20],
                                  "ports": {proto: sorted(port for _, port in peers)[:100]
                                            for proto, peers in seen.items()}}))
                return
            else:
                try:
                    data = connections[fd].recv(65536)
                    if data:
                        connections[fd].sendall(answer)
                        continue
                except OSError:
                    pass
                connections.pop(fd).close()


def one_flow(kind, address, port, sport):
    with socket.socket(family_of(address), kind) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_STREAM:  # closed by a reset: ports must not wait in TIME_WAIT for the next run
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.settimeout(PATIENCE)
        if sport:
            s.bind(("", sport))
        s.connect((address, port))
        s.send(b"?")
        return s.recv(200).decode().strip()


def flows(proto, address, port, n, first=0):
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    answers, lost, errors = collections.Counter(), 0, collections.Counter()
    start = time.monotonic()
    sport = first
    while sum(answers.values()) + lost < n:
        try:
            answers[one_flow(kind, address, port, sport)] += 1
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:  # an earlier connection waits on this port: take the next
                lost += 1
                errors[str(problem)] += 1
            if lost > 2:
                break
        sport += 1 if first else 0
    print(json.dumps({"answers": answers, "lost": lost, "errors": errors, "seconds": time.monotonic() - start}))


def attempt_one(proto, address, port, patience):
    outcome = "answered"
    try:
        with socket.socket(family_of(address), socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as s:
            s.settimeout(patience)
            s.connect((address, port))
            s.send(b"?")
            s.recv(200)
    except ConnectionRefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "silence"
    except OSError as problem:
        outcome = str(problem)
    print(json.dumps({"outcome": outcome}))


def stream(address, port, interval_ms):
    result = {"requests": 0, "answers": 0, "longest_gap_ms": 0, "error": "", "name": ""}
    try:
        with socket.create_connection((address, port), timeout=PATIENCE) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            last = None
            while not stdin_ended():
                s.send(b"?")
                result["requests"] += 1
                result["name"] = s.recv(200).decode().strip()
                if not result["name"]:
                    raise OSError("closed by the server")
                now = time.monotonic()
                if last is None:
                    print("ready", flush=True)
                else:
                    result["longest_gap_ms"] = max(result["longest_gap_ms"], (now - last) * 1000)
                last = now
                result["answers"] += 1
                time.sleep(interval_ms / 1000)
    except OSError as problem:
        result["error"] = str(problem)
    print(json.dumps(result))


def digest(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    print("ready", flush=True)
    connection, _ = listener.accept()
    with connection:
        total = hashlib.sha256()
        while data := connection.recv(1 << 16):
            total.update(data)
        connection.sendall(total.digest())


def transfer(address, port, megabytes):
    total, start = hashlib.sha256(), time.monotonic()
    with socket.create_connection((address, port), timeout=PATIENCE) as s:
        for i in range(megabytes):
            data = random.Random(i).randbytes(1 << 20)
            total.update(data)
            s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        intact = s.recv(100) == total.digest()
    print(json.dumps({"intact": intact, "seconds": time.monotonic() - start}))


# --- checksums at the receiver

PACKET_AUXDATA, TP_STATUS_CSUMNOTREADY = 8, 1 << 3


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def checksum_is_valid(frame):
    """Whether all checksums of an IP frame are right; None when it has none to judge (fragments, other protocols)."""
    ethertype, packet = frame[12:14], frame[14:]
    if ethertype == b"\x08\x00":
        header_len, total = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        if ones_sum(packet[:header_len]) != 0xffff:
            return False
        if struct.unpack("!H", packet[6:8])[0] & 0x3fff:
            return None
        proto, body, addresses = packet[9], packet[header_len:total], packet[12:20]
    elif ethertype == b"\x86\xdd":
        proto, addresses = packet[6], packet[8:40]
        body = packet[40:40 + struct.unpack("!H", packet[4:6])[0]]
    else:
        return None
    if proto == 1:
        return ones_sum(body) == 0xffff
    if proto not in (6, 17, 58):
        return None
    if proto == 17 and body[6:8] == b"\0\0":
        return ethertype == b"\x08\x00"
    return ones_sum(addresses + struct.pack("!II", len(body), proto) + body) == 0xffff


def received(interface):
    """What comes in at an interface: (frame, whether its checksum is partial) each; None where the input asks for a
    report, with all that has arrived by then handed out before. Ends with the input."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
    s.setsockopt(263, PACKET_AUXDATA, 1)  # SOL_PACKET
    s.bind((interface, 0))
    s.setblocking(False)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([s, sys.stdin], [], [])
        asked = sys.stdin in readable and sys.stdin.buffer.raw.read(1)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, ancillary, _, sender = s.recvmsg(70000, 256)
                if sender[2] != socket.PACKET_OUTGOING:
                    yield frame, any(struct.unpack("=I", data[:4])[0] & TP_STATUS_CSUMNOTREADY
                                     for _, _, data in ancillary)
        if asked is not False:
            yield None
        if asked == b"":
            return


def checksums(interface):
    """What veth hands over as partial counts apart: the receiver's stack takes it as right without looking."""
    counts = {"packets": 0, "bad": 0, "partial": 0, "examples": []}
    for event in received(interface):
        if event is None:
            print(json.dumps(counts), flush=True)
            continue
        frame, partial = event
        valid = checksum_is_valid(frame)
        if valid is None:
            continue
        counts["packets"] += 1
        if partial:
            counts["partial"] += 1
        elif not valid:
            counts["bad"] += 1
            if len(counts["examples"]) < 3:
                counts["examples"].append(frame[:128].hex())


def capture(interface):
    frames = []
    for event in received(interface):
        if event is None:
            print(json.dumps({"frames": frames}), flush=True)
        elif len(frames) < 5000:
            frames.append(event[0].hex())


# --- running it in a namespace

class Running:
    """One of the programs above, in a namespace, until end(), which returns the JSON that it printed."""

    program = __file__

    def __init__(self, place, *arguments, wait=True):
        self.place = place
        ns = place.ns
        self.popen = subprocess.Popen(ns.wrap([PYTHON, self.program, *map(str, arguments)]), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        (place.lab if hasattr(place, "lab") else place.node.lab).defer(self.kill)
        if wait:
            first = self.popen.stdout.readline().strip()
            if first != "ready":
                raise AssertionError(f"traffic {arguments}: {first}{self.popen.stdout.read()}")

    def report(self):
        """What it has to say so far; only those that say so above."""
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()
        return last_json(self.popen.stdout.readline())

    def end(self):
        out, _ = self.popen.communicate(timeout=2 * PATIENCE)  # it may itself be waiting for an answer
        return last_json(out)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            pipe.close()


@contextlib.contextmanager
def serving(pods, port=8080):
    """Servers that answer with their pod's name; {name: Running}."""
    servers = {}
    try:
        for pod in pods:
            servers[pod.name] = Running(pod, "serve", port, pod.name)
        yield servers
    finally:
        for server in servers.values():
            server.kill()


def last_json(text):
    lines = text.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (ValueError, IndexError):
        raise AssertionError(f"no result: {text}") from None


def run_flows(place, proto, address, port, n, first=PORTS[0]):
    return last_json(place.run([PYTHON, __file__, "flows", proto, address, port, n, first], timeout=10 * PATIENCE).stdout)


def attempt(place, proto, address, port, patience=PATIENCE):
    """What becomes of one flow. Who expects silence waits for it briefly."""
    return last_json(place.run([PYTHON, __file__, "attempt", proto, address, port, patience]).stdout)["outcome"]


NEXT_PORT = itertools.count()


def who_answers(place, proto, address, port, n=24):
    """The names of those who answer so many flows. A flow in vain is an error. The clients' ports are none of the calls
    before: a backend that a client reaches by several frontends has their flows apart by the client's port."""
    first_port = PORTS[0] + next(NEXT_PORT) * 32 % (PORTS[1] - PORTS[0] - 32)
    result = run_flows(place, proto, address, port, n, first_port)
    assert result["lost"] == 0, result
    return set(result["answers"])


def run_transfer(sender, receiver, address, megabytes=4, port=8087, server_port=None):
    """Whether a TCP transfer arrived byte by byte."""
    server = Running(receiver, "digest", server_port or port)
    try:
        done = sender.run([PYTHON, __file__, "transfer", address, port, megabytes], timeout=5 * PATIENCE)
        return last_json(done.stdout)["intact"]
    except AssertionError as problem:
        sockets = "".join(place.run("ss -tim").stdout for place in (sender, receiver))
        raise AssertionError(f"{problem}\n{sockets}") from None
    finally:
        server.kill()


def pings(place, address, count, *arguments, wait=PATIENCE):
    """Number of answers, and all that was said. One after the other, each waited for so many seconds: of several in one go,
    ping waits for the last one no longer than for two round trips."""
    one = shlex.join(["ping", "-n", "-c", "1", "-W", str(wait), *map(str, arguments), address])
    done = place.run(["sh", "-c", f"for i in $(seq {count}); do {one}; done"], check=False, timeout=count * wait + PATIENCE)
    return done.stdout.count(" 1 received"), done.stdout + done.stderr


def ping(place, address, count=3, size=56, dont_fragment=False, wait=PATIENCE):
    """Number of answers. Who expects none does not wait long."""
    return pings(place, address, count, "-s", size, *(["-M", "do"] if dont_fragment else []), wait=wait)[0]


def wait_reachable(place, address):
    """Until an echo comes back. The first packet to a machine that was not met before, or since a change, may be lost while
    its way is found."""
    wait_until(lambda: ping(place, address, count=1, wait=2) == 1, what=f"{address} reached by {place.name}")


def chi_square_is_even(counts, n_backends):
    """Whether flows are spread evenly: chi-square at a chance of one in a million to be wrong, since a run of all tests
    asks often."""
    counts = list(counts) + [0] * (n_backends - len(counts))
    expected = sum(counts) / n_backends
    chi2 = sum((count - expected) ** 2 / expected for count in counts)
    df = n_backends - 1
    # Wilson and Hilferty's approximation of the 0.999999 quantile
    limit = df * (1 - 2 / (9 * df) + 4.7534 * math.sqrt(2 / (9 * df))) ** 3
    return chi2 <= limit


def main():
    commands = {"serve": (serve, int, str), "flows": (flows, str, str, int, int, int), "attempt": (attempt_one, str, str, int, float),
                "stream": (stream, str, int, float),
                "digest": (digest, int), "transfer": (transfer, str, int, int), "checksums": (checksums, str), "capture": (capture, str)}
    function, *types = commands[sys.argv[1]]
    function(*(kind(text) for kind, text in zip(types, sys.argv[2:])))


if __name__ == "__main__":
    main()
