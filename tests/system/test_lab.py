"""The fixtures themselves: what they make works, and is gone afterwards."""

import os

import pytest

from lab import Lab, run
from traffic import wait_reachable


def test_namespaces_are_joined_and_answer(lab):
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    for ns, host in ((a, 1), (b, 2)):
        ns.ip(f"addr add 10.9.0.{host}/24 dev eth0")
        ns.ip(f"addr add fd09::{host}/64 dev eth0 nodad")
    for address in ("10.9.0.2", "fd09::2"):
        wait_reachable(a, address)


def test_everything_is_undone_after_a_failure():
    lab = Lab()
    ns = lab.netns("a")
    process = lab.start("sleep 60", ns=ns)
    mount = lab.dir / "forgotten"
    mount.mkdir()
    run(["mount", "-t", "tmpfs", "none", str(mount)])
    lab.defer(run, ["false"])

    problems = lab.close()

    assert any("false" in p for p in problems) and any("left mounted" in p for p in problems)
    assert not os.path.exists(ns.path)
    assert not os.path.ismount(mount)
    assert process.popen.poll() is not None
    run(["rm", "-r", str(lab.dir)])


def test_a_program_that_ends_early_is_told_at_once(lab):
    with pytest.raises(AssertionError, match="ended without 'ready'"):
        lab.start("echo hello").wait_for("ready")
