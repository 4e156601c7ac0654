"""What goes wrong around a restart: files that are damaged, gone or of another size, two starts at once, a daemon that dies
again and again, a configuration with an error. Pods keep what they have, or the start says what is wrong."""

import os
import pathlib
import re
import shutil
import signal

import pytest
import yaml

from cluster import FAMILIES, Cluster, children
from lab import PATIENCE, run, wait_until
from traffic import ping, wait_reachable


@pytest.fixture
def node():
    with Cluster() as cluster:
        node = cluster.add_node("a")
        cluster.start()
        node.client, node.server = node.add_pod("client"), node.add_pod("server")
        cluster.wait_published()
        yield node


def assert_pods_work(node):
    for family in FAMILIES:
        for place in (node.client, node):
            wait_reachable(place, node.server.ip[family])
            assert ping(place, node.server.ip[family]) == 3
    assert len(node.ringway("pods")["pods"]) == 2


def pod_programs(node):
    """Pods' interfaces that have an XDP program."""
    return sorted(line.split(":")[1].split("@")[0].strip() for line in node.ns.ip("-o link").stdout.splitlines()
                  if ": rw" in line and "xdp" in line)


def edit_config(node, **sections):
    path = node.dir / "ringway.yaml"
    config = yaml.safe_load(path.read_text())
    for section, keys in sections.items():
        config.setdefault(section, {}).update(keys)
    path.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("damage", ("noise", "cut", "gone"))
def test_a_damaged_arena_is_made_anew(node, damage):
    node.stop()
    arena = node.dir / "run" / "arena"
    if damage == "noise":
        with open(arena, "r+b") as f:
            f.write(os.urandom(1 << 20))
    elif damage == "cut":
        os.truncate(arena, 1000)
    else:
        arena.unlink()
    node.start()
    node.wait_ready()
    assert_pods_work(node)


def test_an_arena_of_another_size_is_made_anew(node):
    node.stop()
    edit_config(node, services={"exceptions": 32768}, pods={"max": 300})
    node.start()
    node.wait_ready()
    assert_pods_work(node)


def test_other_frames_and_rings_after_a_crash(node):
    """What the holder kept of before does not fit any more."""
    edit_config(node, pods={"framesPerShard": 8192}, io={"ringSize": 1024})
    node.crash()  # the holder has read its configuration once
    assert_pods_work(node)
    node.restart()
    assert_pods_work(node)


def ring_sizes(node):
    """Of the sockets' receive rings, which are mapped at offset 0: descriptors of 16 bytes after less than that many as head."""
    (daemon,) = children(node.daemon.pid)
    mapped = re.findall(r"^(\w+)-(\w+) rw-s 00000000 .*socket:", pathlib.Path(f"/proc/{daemon}/maps").read_text(), re.MULTILINE)
    return {1 << ((int(end, 16) - int(begin, 16)) // 16).bit_length() - 1 for begin, end in mapped}


def replace(node):
    """As a rollout does it: the next one waits, and is given the sockets."""
    former = node.daemon
    node.daemon = node.lab.start([*former.args, "--wait"])
    node.daemon.wait_for("waiting until it ends")
    assert former.stop() == 0
    node.daemon.wait_for("taking over, with ")
    node.wait_ready()


@pytest.mark.parametrize("sections", ({"pods": {"framesPerShard": 8192}}, {"io": {"ringSize": 1024}}), ids=("frames", "rings"))
def test_what_is_handed_over_and_does_not_fit_is_made_anew(node, sections):
    edit_config(node, **sections)
    replace(node)
    assert_pods_work(node)
    log = node.log()
    assert "with 0 descriptors" not in log and "busy" not in log, log
    assert ring_sizes(node) == {sections.get("io", {}).get("ringSize", 2048)}


def test_a_wiped_run_directory_is_filled_again(node):
    """As after an unmount of /run: pins and arena are gone, links are not."""
    node.stop()
    run(node.wrap(["umount", node.dir / "run" / "bpf"]))
    shutil.rmtree(node.dir / "run")
    node.start()
    node.wait_ready()
    assert_pods_work(node)
    assert len(pod_programs(node)) == 2


def test_without_the_state_file_links_that_nobody_knows_stay_shut(node):
    """It cannot be told what they were; no packet of theirs may reach the node's own stack."""
    before = pod_programs(node)
    assert len(before) == 2
    node.stop()
    shutil.rmtree(node.dir / "state")
    node.start()
    node.wait_ready()
    assert node.ringway("pods")["pods"] == []
    assert pod_programs(node) == before
    assert ping(node.client, node.server.ip[4], 1, wait=1) == 0
    node.cni("DEL", node.client)
    fresh = node.add_pod("fresh")
    wait_reachable(fresh, "169.254.1.1")


def test_two_starts_at_once(node):
    second = node.lab.start(node.wrap([node.daemon.args[-3], "--config", node.dir / "ringway.yaml"]))
    assert second.popen.wait(PATIENCE) == 1
    assert "another ringwayd" in second.output() and str(node.daemon.pid) in second.output()
    assert_pods_work(node)


def test_a_start_that_waits_takes_over(node):
    """As the next pod of a DaemonSet does during a rollout. One that is told to end while it waits ends, as does one that
    could not start."""
    command = node.wrap([node.daemon.args[-3], "--wait", "--config", node.dir / "ringway.yaml"])
    waiting, other = node.lab.start(command), node.lab.start(command)
    for one in (waiting, other):
        one.wait_for("waiting until it ends")
    assert other.stop() == 0
    hopeless = node.lab.start([*command, "--set", "cluster.manifests="])
    assert hopeless.popen.wait(PATIENCE) == 1
    assert "cluster.manifests is not set" in hopeless.output()
    assert_pods_work(node)
    node.stop()
    waiting.wait_for("taking over")
    node.daemon = waiting
    node.wait_ready()
    assert_pods_work(node)


def test_a_daemon_that_keeps_dying_is_started_ever_later(node):
    for _ in range(4):
        (worker,) = wait_until(lambda: children(node.daemon.pid), what="a process")
        wait_until(node.is_ready, what="ready")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda gone=worker: children(node.daemon.pid) not in ([], [gone]), what="another process")
    node.wait_ready()
    log = node.log()
    for pause in (0, 100, 200, 400):
        assert f"starting it again in {pause} ms" in log, log
    assert_pods_work(node)


def test_an_error_in_the_configuration_ends_the_start_and_changes_nothing(node):
    before = pod_programs(node)
    config = (node.dir / "ringway.yaml").read_text()
    node.stop()
    edit_config(node, pods={"framesPerShard": 1000})
    node.start()
    assert node.daemon.popen.wait(PATIENCE) == 2
    assert "pods.framesPerShard" in node.log()
    assert pod_programs(node) == before and len(before) == 2
    assert ping(node.client, node.server.ip[4], 1, wait=1) == 0  # shut, not open
    (node.dir / "ringway.yaml").write_text(config)
    node.start()
    node.wait_ready()
    assert_pods_work(node)
