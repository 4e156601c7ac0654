"""DNS messages (RFC 1035) as tests write and read them: a query in all the odd shapes that one may have, a reply to look at."""

import dataclasses
import ipaddress
import itertools
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "ANY": 255}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x20, 0x10
EDE = 15  # the option of extended errors (RFC 8914)
IDS = itertools.count(1)


@dataclasses.dataclass
class Record:
    name: str
    type: str
    ttl: int
    data: str


@dataclasses.dataclass
class Message:
    id: int
    flags: int
    rcode: str
    name: str  # of the question, its letters as they are
    type: str
    qclass: int
    answers: list
    authority: list
    additional: list
    size: int
    opt: dict | None  # {"size", "version", "do", "options": {code: bytes}}
    source: tuple = ()  # address and port it came from, where it was received

    def has(self, flag):
        return bool(self.flags & flag)

    def records(self, kind=None):
        """The answers' data, of one type or of all; sorted, since answers rotate."""
        return sorted(record.data for record in self.answers if kind in (None, record.type))

    def ttls(self):
        return {record.ttl for record in self.answers + self.authority}

    def ede(self):
        """Number and text of its extended error; None when it has none."""
        option = (self.opt or {"options": {}})["options"].get(EDE)
        return (struct.unpack("!H", option[:2])[0], option[2:].decode()) if option else None


def encode_name(name):
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(name, kind="A", ident=None, flags=RD, qclass=1, opcode=0, edns=None, version=0, do=False, more=b""):
    """edns: the size that OPT says; None: no OPT. more: bytes behind the end."""
    opt = b"" if edns is None else b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], edns, 0, version, 0x8000 if do else 0, 0)
    ident = next(IDS) & 0xffff if ident is None else ident
    return struct.pack("!6H", ident, flags | opcode << 11, 1, 0, 0, 1 if opt else 0) + encode_name(name) + \
        struct.pack("!HH", TYPES.get(kind, kind), qclass) + opt + more


def encode_data(kind, data):
    """Of a type that is a number: hexadecimal, as decode_data() gives it."""
    if isinstance(kind, int):
        return bytes.fromhex(data)
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(data).packed
    if kind in ("CNAME", "NS", "PTR"):
        return encode_name(data)
    if kind == "SOA":
        mname, rname, *numbers = data.split()
        return encode_name(mname) + encode_name(rname) + struct.pack("!5I", *map(int, numbers))
    text = data.encode()
    return b"".join(bytes([len(text[i:i + 255])]) + text[i:i + 255] for i in range(0, max(len(text), 1), 255))


def reply(asked, answers=(), rcode=0, flags=0, authority=(), ident=None, name=None, opt=True):
    """What a server answers to a query (as bytes). answers: (type, TTL, data) of the question's name, or (name, type, TTL,
    data). name: of the question, in place of the one that was asked."""
    message = parse(asked)
    name = message.name if name is None else name
    body = b""
    for record in (*answers, *authority):
        owner, kind, ttl, data = record if len(record) == 4 else (name, *record)
        data = encode_data(kind, data)
        body += encode_name(owner) + struct.pack("!HHIH", TYPES.get(kind, kind), 1, ttl, len(data)) + data
    has_opt = bool(message.opt) and opt
    if has_opt:
        body += b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], 1232, 0, 0, 0, 0)
    return struct.pack("!6H", message.id if ident is None else ident, QR | RA | flags | message.flags & RD | rcode, 1,
                       len(answers), len(authority), has_opt) + encode_name(name) + \
        struct.pack("!HH", TYPES.get(message.type, message.type), message.qclass) + body


def decode_name(data, at):
    """A name and where it ends."""
    labels, end = [], None
    while data[at]:
        if data[at] >= 0xc0:
            end = end or at + 2
            at = struct.unpack("!H", data[at:at + 2])[0] & 0x3fff
        else:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
    return ".".join(labels) + ".", end or at + 1


def decode_data(kind, data, at, size):
    if kind in ("A", "AAAA"):
        return str(ipaddress.ip_address(data[at:at + size]))
    if kind in ("CNAME", "NS", "PTR"):
        return decode_name(data, at)[0]
    if kind == "SRV":
        return "{} {} {} ".format(*struct.unpack("!3H", data[at:at + 6])) + decode_name(data, at + 6)[0]
    if kind == "SOA":
        mname, at = decode_name(data, at)
        rname, at = decode_name(data, at)
        return " ".join([mname, rname, *map(str, struct.unpack("!5I", data[at:at + 20]))])
    if kind == "TXT":
        text, end = b"", at + size
        while at < end:
            text += data[at + 1:at + 1 + data[at]]
            at += 1 + data[at]
        return text.decode()
    return data[at:at + size].hex()


def parse(data, source=()):
    """A whole message; what it says about its own lengths is believed."""
    ident, flags, n_questions, *counts = struct.unpack("!6H", data[:12])
    name, kind, qclass, at = "", 0, 0, 12
    if n_questions:
        name, at = decode_name(data, at)
        kind, qclass = struct.unpack("!HH", data[at:at + 4])
        at += 4
    sections, opt = [], None
    for count in counts:
        sections.append([])
        for _ in range(count):
            owner, at = decode_name(data, at)
            number, klass, ttl, size = struct.unpack("!HHIH", data[at:at + 10])
            at += 10
            if number == TYPES["OPT"]:
                opt = decode_opt(klass, ttl, data[at:at + size])
            else:
                label = TYPE_NAMES.get(number, number)
                sections[-1].append(Record(owner, label, ttl, decode_data(label, data, at, size)))
            at += size
    assert at <= len(data), f"{len(data)} bytes end inside a record"
    rcode = (flags & 15) | (opt["rcode"] << 4 if opt else 0)
    return Message(ident, flags, RCODES.get(rcode, str(rcode)), name, TYPE_NAMES.get(kind, kind), qclass, *sections,
                   len(data), opt, source)


def decode_opt(klass, ttl, data):
    options, at = {}, 0
    while at < len(data):
        code, size = struct.unpack("!HH", data[at:at + 4])
        options[code] = data[at + 4:at + 4 + size]
        at += 4 + size
    return {"size": klass, "rcode": ttl >> 24, "version": ttl >> 16 & 255, "do": bool(ttl & 0x8000), "options": options}
