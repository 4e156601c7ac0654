"""Many long-lived connections with steady traffic, each between namespaces of its own, driven by one process: it enters a
namespace only to make a socket there. What a restart does to them is the longest time without an arrival.

    steady.py < lines of JSON on its input, each answered by a line:
      {"open": [{"name", "client": netns, "address", "port", "sport", "interval_ms", "servers": [[netns, port], ...]}]}
                        listens, connects (TCP), and starts the traffic; {"opened": N, "errors": {name: error}}
      {"close": 0}      closes all of them
      {"drop": [name]}  closes these
      {"poke": [name]}  has these send once, at once: those whose interval is long are silent otherwise
      {"mark": 0}       what happened since the last mark: {name: {"gap_ms", "sent", "arrived", "server": netns, "error"}}
    It ends with its input.

The client sends a counter at its interval, whatever comes back; the server echoes each; both watch that no number is left
out or comes twice, and for how long nothing arrives.
"""

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

from lab import PATIENCE

PYTHON = "/usr/bin/python3"
SIZE = 8
CLONE_NEWNET = 0x40000000


class Spot:
    """Enters namespaces, given as paths."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fds = {}

    def enter(self, path):
        fd = self.fds.setdefault(path, None) or os.open(path, os.O_RDONLY)
        self.fds[path] = fd
        if self.libc.setns(fd, CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


class Side:
    """One end of a connection: what arrives, and when."""

    def __init__(self, now):
        self.next, self.pending, self.last, self.gap = 0, b"", now, 0.0
        self.arrived = 0
        self.error = ""

    def take(self, data, now):
        """Returns how many whole counters came."""
        self.gap = max(self.gap, now - self.last)
        self.last = now
        self.pending += data
        n = len(self.pending) // SIZE
        for (number,) in struct.iter_unpack("!Q", self.pending[:n * SIZE]):
            if number != self.next:
                self.error = self.error or f"{number} came where {self.next} was due"
            self.next = number + 1
        self.pending = self.pending[n * SIZE:]
        self.arrived += n

    def mark(self, now):
        gap = max(self.gap, now - self.last)
        self.gap, self.last = 0.0, now
        return gap


class Flow:
    def __init__(self, name, sock, interval, now):
        self.name, self.sock, self.interval, self.due = name, sock, interval, now
        self.sent = 0
        self.client, self.server = Side(now), None
        self.where = ""  # the server's namespace
        self.n_servers = 0
        self.echo = b""  # what the server still has to send back


class Steady:
    def __init__(self):
        self.spot = Spot()
        self.poll = select.epoll()
        self.handlers = {}
        self.flows = {}
        self.listeners = {}
        self.behind = {}  # flows whose echo did not fit, and their servers' sockets

    def watch(self, sock, handler):
        self.handlers[sock.fileno()] = (sock, handler)
        self.poll.register(sock.fileno(), select.EPOLLIN)

    def drop(self, sock):
        if sock.fileno() >= 0:
            self.handlers.pop(sock.fileno(), None)
            self.poll.unregister(sock.fileno())
            sock.close()

    def listen(self, path, port):
        if (path, port) in self.listeners:
            return
        self.spot.enter(path)
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        self.listeners[path, port] = listener
        self.watch(listener, lambda sock, now: self.accept(sock, path))

    def accept(self, listener, path):
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(PATIENCE)
        name = b""
        try:
            while not name.endswith(b"\n"):
                more = sock.recv(1)
                if not more:
                    return sock.close()
                name += more
        except OSError:
            return sock.close()
        flow = self.flows.get(name.decode().strip())
        if flow is None:
            return sock.close()
        sock.setblocking(False)
        flow.server = Side(time.monotonic())
        flow.n_servers += 1
        flow.where = path
        return self.watch(sock, lambda sock, now, flow=flow: self.serve(flow, sock, now))

    def serve(self, flow, sock, now):
        try:
            data = sock.recv(65536)
            if data:
                flow.server.take(data, now)
                flow.echo += data
                self.echo(flow, sock)
                return
            flow.server.error = flow.server.error or "closed by the client's end"
        except BlockingIOError:
            return  # the event was for a socket that had this number before
        except OSError as problem:
            flow.server.error = flow.server.error or str(problem)
        self.drop(sock)

    def echo(self, flow, sock):
        """Sends back as much as fits; the rest is tried again with each turn."""
        try:
            flow.echo = flow.echo[sock.send(flow.echo):]
        except BlockingIOError:
            pass
        if flow.echo:
            self.behind[flow] = sock
        else:
            self.behind.pop(flow, None)

    def hear(self, flow, sock, now):
        try:
            data = sock.recv(65536)
            if data:
                flow.client.take(data, now)
                return
            flow.client.error = flow.client.error or "closed by the server's end"
        except BlockingIOError:
            return
        except OSError as problem:
            flow.client.error = flow.client.error or str(problem)
        self.drop(sock)

    def open(self, wanted):
        errors = {}
        for w in wanted:
            for path, port in w["servers"]:
                self.listen(path, port)
        for w in wanted:
            family = socket.AF_INET6 if ":" in w["address"] else socket.AF_INET
            self.spot.enter(w["client"])
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if w.get("sport"):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # towards several, from one port
                    sock.bind(("", w["sport"]))
                sock.connect((w["address"], w["port"]))
                sock.sendall(w["name"].encode() + b"\n")
            except OSError as problem:
                errors[w["name"]] = str(problem)
                continue
            sock.setblocking(False)
            now = time.monotonic()
            flow = self.flows[w["name"]] = Flow(w["name"], sock, w["interval_ms"] / 1000, now)
            self.watch(sock, lambda sock, now, flow=flow: self.hear(flow, sock, now))
            self.turn(0)
        return {"opened": len(self.flows), "errors": errors}

    def mark(self):
        now = time.monotonic()
        return {flow.name: {
            "gap_ms": round(1000 * max(flow.client.mark(now), flow.server.mark(now) if flow.server else now), 1),
            "sent": flow.sent, "arrived": flow.client.arrived, "server": flow.where,
            "error": flow.client.error or (flow.server.error if flow.server else "never accepted")}
            for flow in self.flows.values()}

    def poke(self, names):
        """Has flows send once, whatever their interval."""
        for name in names:
            self.flows[name].due = time.monotonic()
        return {}

    def drop_flows(self, names):
        for name in names:
            self.drop(self.flows.pop(name).sock)
        return {}

    def close(self):
        for flow in self.flows.values():
            self.drop(flow.sock)
        self.flows = {}
        return {}

    def send_due(self, now):
        for flow in self.flows.values():
            if now < flow.due or flow.client.error:
                continue
            flow.due = max(flow.due + flow.interval, now)
            try:
                flow.sock.send(struct.pack("!Q", flow.sent))
                flow.sent += 1
            except BlockingIOError:
                pass  # so much is under way that the next one must wait
            except OSError as problem:
                flow.client.error = flow.client.error or str(problem)

    def turn(self, timeout):
        for fd, _ in self.poll.poll(timeout):
            if fd in self.handlers:
                sock, handler = self.handlers[fd]
                handler(sock, time.monotonic())
        for flow, sock in list(self.behind.items()):
            self.serve_again(flow, sock)

    def serve_again(self, flow, sock):
        try:
            self.echo(flow, sock)
        except OSError as problem:
            flow.server.error = flow.server.error or str(problem)
            self.drop(sock)
            del self.behind[flow]

    def run(self):
        commands = {"open": self.open, "mark": lambda _: self.mark(), "close": lambda _: self.close(),
                    "poke": self.poke, "drop": self.drop_flows}
        self.poll.register(0, select.EPOLLIN)
        print("ready", flush=True)
        ended = False

        def command(_sock, _now):
            nonlocal ended
            line = sys.stdin.readline()
            ended = not line
            for key, value in json.loads(line or "{}").items():
                print(json.dumps(commands[key](value)), flush=True)

        self.handlers[0] = (sys.stdin, command)
        while not ended:
            now = time.monotonic()
            self.send_due(now)
            due = min((flow.due for flow in self.flows.values() if not flow.client.error), default=now + 1)
            self.turn(max(0.001, due - time.monotonic()))


# --- from a test

class SteadyTraffic:
    """The program above; it ends with the lab."""

    def __init__(self, lab):
        self.popen = subprocess.Popen([PYTHON, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lab.defer(self.end)
        if self.popen.stdout.readline() != "ready\n":
            raise AssertionError("the traffic did not start")

    def ask(self, key, value=0):
        self.popen.stdin.write(json.dumps({key: value}) + "\n")
        self.popen.stdin.flush()
        answer = self.popen.stdout.readline()
        if not answer:
            raise AssertionError(f"the traffic ended with {self.popen.wait(PATIENCE)}")
        return json.loads(answer)

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(PATIENCE)
        self.popen.stdout.close()


if __name__ == "__main__":
    Steady().run()
