"""What tests on real packets and the demo stand on: namespaces that a test makes, and that are gone when it ends.

All interfaces that carry traffic live in namespaces made here; nothing is sent from the root namespace. A
`Lab` undoes what it made in reverse order, also when the test failed, and fails the test when something is
left behind.

    def test_ping(lab):
        a, b = lab.netns("a"), lab.netns("b")
        lab.veth(a, "eth0", b, "eth0")
        a.ip("addr add 10.9.0.1/24 dev eth0")
        b.ip("addr add 10.9.0.2/24 dev eth0")
        a.run("ping -c 1 -W 10 10.9.0.2")
"""

import itertools
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("RINGWAY_BUILD", pathlib.Path(__file__).parents[2] / "build"))
NAME_PREFIX = f"rwt{os.getpid():x}-"
PATIENCE = 60  # seconds; only what fails takes so long: a busy machine must not look like an error


def as_args(command):
    """A command as a list; a string is split as a shell would."""
    return shlex.split(command) if isinstance(command, str) else [str(part) for part in command]


def run(command, check=True, timeout=2 * PATIENCE, **options):
    """Runs a command and returns its CompletedProcess with text output; a failure shows that output."""
    args = as_args(command)
    result = subprocess.run(args, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **options)
    if check and result.returncode != 0:
        raise AssertionError(
            f"{shlex.join(args)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def wait_until(condition, *, what="the condition"):
    """Polls until condition() is true and returns its value; fails the test when it never is. How long that is, is not for
    a test to say: a limit of its own is too short on some machine. what: said then; may be a function, for what is only
    known then."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what() if callable(what) else what}: not within {PATIENCE} s")
        time.sleep(0.02)


def sleep_until(moment):
    """Until time.monotonic() says so: for what is to be spread over time, or not to happen for a while."""
    time.sleep(max(0, moment - time.monotonic()))


class Netns:
    """A network namespace. Programs enter it with nsenter, since `ip netns exec` remounts /sys and hides bpffs."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"

    def __str__(self):
        return self.name

    def wrap(self, command):
        return ["nsenter", f"--net={self.path}", *as_args(command)]

    def run(self, command, **options):
        return run(self.wrap(command), **options)

    def ip(self, arguments, **options):
        return run(["ip", "-n", self.name, *as_args(arguments)], **options)

    def sysctl(self, key, value):
        self.run(["sysctl", "-qw", f"{key}={value}"])

    def ifindex(self, interface):
        return int(self.ip(f"-o link show dev {interface}").stdout.split(":")[0])

    def mac(self, interface):
        words = self.ip(f"-o link show dev {interface}").stdout.split()
        return words[words.index("link/ether") + 1]


class Process:
    """A program in the background, with its output in a file."""

    def __init__(self, args, log, **options):
        self.args = args
        self.log = log
        with open(log, "wb") as out:
            # a session of its own: a Ctrl-C at the terminal is for who started it to handle
            self.popen = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                          start_new_session=True, **options)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def wait_for(self, text):
        """Waits until its output holds the text; fails at once when it ends without."""

        def seen():
            ended = self.popen.poll() is not None  # looked at first: what it wrote before is seen below
            if text in self.output():
                return True
            if ended:
                raise AssertionError(f"{shlex.join(self.args)}: ended without '{text}':\n{self.output()}")
            return False

        return wait_until(seen, what=f"'{text}' from {shlex.join(self.args)}")

    def stop(self, sig=signal.SIGTERM):
        """Ends it; returns its exit code. A program that ignores the signal is killed, and the test fails."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{shlex.join(self.args)}: did not end on signal {sig}:\n{self.output()}") from None


class Lab:
    """What one test made. close() takes it apart again."""

    _count = itertools.count()

    def __init__(self, prefix=None, directory=None):
        """Tests leave both to the lab; who wants to find it again from another process (purge()) names them."""
        self.prefix = prefix or f"{NAME_PREFIX}{next(self._count)}-"
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix=NAME_PREFIX))
        self.dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._undo = []
        self._logs = itertools.count()

    def defer(self, function, *args):
        """Has something undone at the end, before whatever was made earlier."""
        self._undo.append((function, args))

    def netns(self, name):
        ns = Netns(self.prefix + name)
        run(["ip", "netns", "add", ns.name])
        self.defer(run, ["ip", "netns", "del", ns.name])
        ns.ip("link set lo up")
        return ns

    def veth(self, ns_a, name_a, ns_b, name_b, mtu=1500, up=True):
        """A veth pair between two namespaces."""
        ns_a.ip(f"link add {name_a} mtu {mtu} type veth peer name {name_b} mtu {mtu} netns {ns_b}")
        if up:
            ns_a.ip(f"link set {name_a} up")
            ns_b.ip(f"link set {name_b} up")

    def start(self, command, ns=None, **options):
        """Starts a program in the background, stopped at the end."""
        args = ns.wrap(command) if ns else as_args(command)
        log = self.dir / f"{next(self._logs)}-{pathlib.Path(as_args(command)[0]).name}.log"
        process = Process(args, log, **options)
        self.defer(process.stop)
        return process

    def close(self):
        """Undoes everything, whatever fails on the way, and returns what went wrong."""
        problems = []
        for function, args in reversed(self._undo):
            try:
                function(*args)
            except Exception as problem:  # pylint: disable=broad-except
                problems.append(str(problem))
        for mount in mounts_below(self.dir):
            problems.append(f"left mounted: {mount}")
            run(["umount", "-l", mount], check=False)
        if not problems:
            shutil.rmtree(self.dir)
        else:
            problems.append(f"logs are kept in {self.dir}")
        return problems


def processes_in(names):
    """Process ids of everything that runs in these namespaces."""
    inodes = {os.stat(f"/run/netns/{name}").st_ino for name in names}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino in inodes:
                found.append(int(pid))
        except OSError:
            pass
    return found


def purge(prefix, directory):
    """Removes the lab of another process, whatever state it is in. Returns whether there was one."""
    names = [name for name in os.listdir("/run/netns") if name.startswith(prefix)] if os.path.isdir("/run/netns") else []
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_in(names):
            os.kill(pid, sig)
        for _ in range(50):
            if not processes_in(names):
                break
            time.sleep(0.1)
    for mount in mounts_below(directory):
        run(["umount", "-l", mount], check=False)
    for name in names:
        run(["ip", "netns", "del", name], check=False)
    existed = bool(names) or os.path.isdir(directory)
    shutil.rmtree(directory, ignore_errors=True)
    return existed


def mounts_below(directory):
    mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    return sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True)


def what_exists():
    """What tests could leave behind on this machine: our namespaces, links of the root namespace, bpffs mounts."""
    found = {f"namespace {name}" for name in os.listdir("/run/netns") if name.startswith(NAME_PREFIX)} \
        if os.path.isdir("/run/netns") else set()
    found |= {f"link {line.split(':')[1].strip()}" for line in run("ip -o link").stdout.splitlines()
              if NAME_PREFIX in line}
    found |= {f"mount {line.split()[1]}" for line in pathlib.Path("/proc/mounts").read_text().splitlines()
              if f"/{NAME_PREFIX}" in line}
    return found
