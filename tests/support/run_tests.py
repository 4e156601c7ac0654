"""Runs the tests of a build directory and counts them: meson's tests (single cmocka cases where a program prints TAP)
and, as root, the system tests (system_tests.py). Called by tests/run."""

import argparse
import json
import os
import re
import subprocess
import sys

import system_tests

FLAKY_MAX = 2  # more are no accident


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.flaky = []  # (name, file with its first failure)

    def add_skip(self, what, reason):
        self.skipped += 1
        print(f"SKIP {what}: {reason}")

    def add_failure(self, what, detail=""):
        self.failed += 1
        print(f"FAIL {what}{': ' if detail else ''}{detail}")

    def add_flaky(self, flaky):
        """Passed at the second attempt, as far as that is believed."""
        for name, first_failure in flaky:
            print(f"FLAKY {name} (first failure: {first_failure})")
        if len(flaky) <= FLAKY_MAX:
            self.passed += len(flaky)
            self.flaky = flaky
            return
        for name, _ in flaky:
            self.add_failure(name, f"passed at the second attempt, but so did {len(flaky) - 1} others")

    def closing(self):
        flaky = [f"FLAKY {name} (first failure: {first_failure})" for name, first_failure in self.flaky]
        return "\n".join([*flaky, f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"])


# --- meson's tests

def meson_tests(build, names, suites):
    out = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    tests = json.loads(out)
    if suites:
        tests = [t for t in tests if any(suite.split(":")[-1] in suites for suite in t["suite"])]
    if not names:
        return tests
    return [t for t in tests if any(n in text for n in names for text in [t["name"], *t["suite"]])]


def run_meson(build, tests, jobs, counts):
    """Individual cmocka cases are counted from the TAP that the programs print; other programs count as one test."""
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    names = sorted({t["name"] for t in tests})
    subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--num-processes", str(jobs), *names],
                   env=env, check=False)
    if not os.path.exists(log):
        counts.add_failure("meson test", "it left no log")
        return
    with open(log) as lines:
        for line in lines:
            count_program(json.loads(line), counts)


def count_program(entry, counts):
    name, output = entry["name"], entry.get("stdout", "")
    cases = re.findall(r"^(ok|not ok) \d+(?: - |( # SKIP) ?)(.*)$", output, re.M)
    failed_before = counts.failed
    for outcome, skip, case in cases:
        if skip:
            reasons = [line for line in output.splitlines() if re.search(r"skip|need|cannot", line, re.I)
                       and "# SKIP" not in line]
            counts.add_skip(f"{name}: {case}", reasons[0].lstrip("# ") if reasons else "no reason given")
        elif outcome == "ok":
            counts.passed += 1
        else:
            counts.add_failure(f"{name}: {case}")
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        if not cases:
            counts.passed += 1
    elif entry["result"] == "SKIP":
        last = (output + entry.get("stderr", "")).strip().splitlines()
        counts.add_skip(name, last[-1] if last else "no reason given")
    elif counts.failed == failed_before:
        counts.add_failure(name, f"{entry['result'].lower()}, exit code {entry['returncode']}")
    if counts.failed > failed_before:
        tail = (output + entry.get("stderr", "")).splitlines()
        print("\n".join("    " + line for line in tail if not line.startswith("ok "))[-6000:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only-suites", help="these suites of meson's, and no system tests", default="")
    parser.add_argument("--no-cluster", action="store_true", help="not those on a real Kubernetes cluster")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    counts = Counts()
    tests = meson_tests(args.build, args.names, args.only_suites.split(",") if args.only_suites else [])
    if tests:
        print("== units and packets", flush=True)
        run_meson(args.build, tests, args.jobs, counts)
    if not args.only_suites:
        system_tests.run(args.build, args.names, not args.no_cluster, args.jobs, counts)
    if not counts.passed + counts.failed + counts.skipped:
        print("no test has this name" if args.names else "there is no test")
        print(counts.closing())
        return 1
    print(counts.closing())
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
