"""SCTP's four-way handshake (RFC 9260 section 5.1) over raw sockets, for kernels that have no SCTP. Every packet's CRC32c is
looked at by who receives it.

    sctp.py serve PORT NAME           answers on both families; at the end of its input prints {"taken", "bad", "ports": [...]}
    sctp.py handshakes ADDR PORT N [FIRST_PORT]
                                      N of them, each from a port of its own; prints {"answers": {NAME: N}, "bad": [...]}

In the State Cookie of its INIT ACK a server says its name.
"""

import collections
import json
import select
import socket
import struct
import sys

PROTO = 132
INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK = 1, 2, 10, 11
STATE_COOKIE = 7
HEADER, CHUNK, INIT_FIXED = "!HHII", "!BBH", "!IIHHI"
TAG, SERVER_TAG = 0x1234567, 0x7654321


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def packet(sport, dport, tag, kind, value):
    chunk = struct.pack(CHUNK, kind, 0, 4 + len(value)) + value
    chunk += bytes(-len(chunk) % 4)
    bare = struct.pack("!HHI", sport, dport, tag)
    return bare + struct.pack("<I", crc32c(bare + bytes(4) + chunk)) + chunk


def parse(data):
    """(source port, destination port, tag, chunk type, its value), or None where the checksum is wrong."""
    sport, dport, tag, _ = struct.unpack_from(HEADER, data)
    if struct.unpack_from("<I", data, 8)[0] != crc32c(data[:8] + bytes(4) + data[12:]):
        return None
    kind, _, length = struct.unpack_from(CHUNK, data, 12)
    return sport, dport, tag, kind, data[16:12 + length]


def init(tag, cookie=b""):
    parameter = struct.pack("!HH", STATE_COOKIE, 4 + len(cookie)) + cookie if cookie else b""
    return struct.pack(INIT_FIXED, tag, 1 << 16, 10, 10, 1) + parameter


def raw_socket(family):
    return socket.socket(family, socket.SOCK_RAW, PROTO)


def receive(raw):
    """The SCTP packet and its sender's address: raw sockets of IPv4 show the header, those of IPv6 do not."""
    data, peer = raw.recvfrom(4096)
    return (data[(data[0] & 15) * 4:] if raw.family == socket.AF_INET else data), peer[0]


def serve(port, name):
    sockets = [raw_socket(socket.AF_INET), raw_socket(socket.AF_INET6)]
    seen = {"taken": 0, "bad": 0, "ports": set()}
    print("ready", flush=True)
    while True:
        for source in select.select([*sockets, sys.stdin], [], [])[0]:
            if source is sys.stdin:
                print(json.dumps({**seen, "ports": sorted(seen["ports"])}))
                return
            data, peer = receive(source)
            parsed = parse(data)
            if not parsed:
                seen["bad"] += 1
                continue
            sport, dport, tag, kind, value = parsed
            if dport != port:
                continue
            seen["ports"].add(sport)
            if kind == INIT:
                answer = packet(port, sport, struct.unpack_from("!I", value)[0], INIT_ACK, init(SERVER_TAG, name.encode()))
            elif kind == COOKIE_ECHO and (tag, value) == (SERVER_TAG, name.encode()):
                seen["taken"] += 1
                answer = packet(port, sport, TAG, COOKIE_ACK, b"")
            else:
                continue
            source.sendto(answer, (peer, 0))


def handshake(raw, address, port, sport):
    """The server's name; ValueError with what went wrong."""

    def ask(tag, kind, value):
        raw.sendto(packet(sport, port, tag, kind, value), (address, 0))
        while True:
            data, peer = receive(raw)
            if peer != address:
                raise ValueError(f"an answer from {peer}")
            parsed = parse(data)
            if not parsed:
                raise ValueError("a wrong checksum")
            if parsed[1] != sport:  # a late one
                continue
            if parsed[:4] != (port, sport, TAG, kind + 1):
                raise ValueError(f"unexpected {parsed}")
            return parsed[4]

    name = ask(0, INIT, init(TAG))[struct.calcsize(INIT_FIXED) + 4:]
    ask(SERVER_TAG, COOKIE_ECHO, name)
    return name.decode()


def handshakes(address, port, n, first=40000):
    answers, bad = collections.Counter(), []
    with raw_socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as raw:
        raw.settimeout(60)
        for sport in range(first, first + n):
            try:
                answers[handshake(raw, address, port, sport)] += 1
            except (OSError, ValueError) as problem:
                bad.append(f"from port {sport}: {problem}")
                if len(bad) > 2:
                    break
    print(json.dumps({"answers": answers, "bad": bad}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        handshakes(sys.argv[2], *map(int, sys.argv[3:]))
