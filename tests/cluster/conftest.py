"""One real cluster for all tests of this directory: a control plane and two nodes. It starts in seconds, once its programs are
built."""

import os
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "system"), str(pathlib.Path(__file__).parent)]

# pylint: disable=wrong-import-position
import programs  # noqa: E402
from kube import CONTROLLERS, NOT_READY_TAINT, KubeCluster  # noqa: E402
from lab import BUILD, NAME_PREFIX, what_exists  # noqa: E402


@pytest.fixture(scope="session")
def kubernetes(request):
    """The directory with Kubernetes' programs."""
    if os.geteuid() != 0:
        pytest.skip("makes namespaces: needs root")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():  # it may take minutes
        directory, reason = programs.make(BUILD)
    if reason:
        pytest.skip(reason)
    yield directory
    left = what_exists() | {f"cgroup {name}" for controller in pathlib.Path(CONTROLLERS).iterdir()
                            for name in os.listdir(controller) if name.startswith(NAME_PREFIX)}
    assert not left, f"left behind: {sorted(left)}"


@pytest.fixture(scope="session")
def cluster(kubernetes):
    with KubeCluster(kubernetes, taints=[{"key": NOT_READY_TAINT, "effect": "NoSchedule"}]) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        yield made
