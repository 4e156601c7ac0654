"""Fixtures for tests on real packets. What they hand out is in lab.py and cluster.py."""

import os

import pytest

from lab import Lab, what_exists


@pytest.fixture
def lab():
    made = Lab()
    yield made
    problems = made.close()
    if problems:
        pytest.fail("clean-up: " + "\n".join(problems))


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    if os.geteuid() != 0:
        pytest.skip("system tests make network namespaces: they need root")
    yield
    left = what_exists()
    assert not left, f"left behind: {sorted(left)}"
