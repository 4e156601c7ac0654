"""Runs the tests of a build directory and counts them: meson's tests (single cmocka cases where a program prints TAP)
and, as root, the system tests. Called by tests/run, which has made the namespaces around it.

System tests run on shared machines, where for seconds nothing may happen that a test waits for. One that fails is run once
more, alone, after all the others. If it passes then, it counts as passed, and a line says so, there and at the end:

    FLAKY tests/system/test_x.py::test_y (first failure: build/test-results/flaky/test_x.test_y.txt)

That is a signal, not a cushion: each such line is a bug to be found, of the test or of the product. More than FLAKY_MAX of
them in one run are no accident: all of them count as failed."""

import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PR_SET_CHILD_SUBREAPER = 36
FLAKY_MAX = 2
AGAIN_MAX = 10  # where more fail than that, once more would only take time


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


# --- system tests

class Case:
    """What became of a system test."""

    def __init__(self, element):
        self.name = f"{element.get('file')}::{element.get('name')}"
        problems = [*element.iter("failure"), *element.iter("error")]
        skip = element.find("skipped")
        self.failed = bool(problems)
        self.skip_reason = None if skip is None or problems else skip.get("message", "no reason given")
        self.output = "\n".join(part.text or "" for part in [*problems, *element.iter("system-out"), *element.iter("system-err")])

    def keep_output(self, results):
        """Where its output is kept."""
        file, _, test = self.name.partition(".py::")
        path = os.path.join(results, "flaky", f"{os.path.basename(file)}.{test.replace('/', '-')[:200]}.txt")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(f"{self.name}\n\n{self.output}\n")
        return os.path.relpath(path, ROOT)


def run_pytest(targets, report, options=(), env=None, root=ROOT):
    """Exit code, and {name: Case} in the order of the run; None when pytest left no report."""
    os.makedirs(os.path.dirname(report), exist_ok=True)
    if os.path.exists(report):
        os.remove(report)
    rc = subprocess.run([sys.executable, "-m", "pytest", *targets, "-v", "-ra", "--tb=short", "-p", "no:cacheprovider",
                         f"--rootdir={root}", f"--junitxml={report}", "-o", "junit_family=xunit1", "-o", "junit_logging=all",
                         "--color=no", *options], cwd=root, env=env, check=False).returncode
    if not os.path.exists(report):
        return rc, None
    cases = {}
    for element in xml.parse(report).getroot().iter("testcase"):
        case = Case(element)
        if case.name not in cases or case.failed:  # what fails when it is taken apart comes twice
            cases[case.name] = case
    return rc, cases


def run_system(build, names, with_cluster, counts):
    directories = [os.path.join(ROOT, "tests", name) for name in ["system", *(["cluster"] if with_cluster else [])]]
    if os.geteuid() != 0:
        counts.add_skip("system tests", "need root, to make network namespaces")
        return
    print("== system tests", flush=True)
    before = surroundings()
    if not run_twice(directories, os.path.join(build, "test-results"), counts,
                     options=["-k", " or ".join(names)] if names else [], env=dict(os.environ, RINGWAY_BUILD=build)):
        return
    if names:
        print(f"(only: {' '.join(names)})")
    count_leftovers(before, counts)


def run_twice(directories, results, counts, options=(), env=None, root=ROOT):
    """Runs and counts the tests of directories, and those that fail once more. False: there was nothing to run."""
    shutil.rmtree(os.path.join(results, "flaky"), ignore_errors=True)
    rc, cases = run_pytest(directories, os.path.join(results, "system.xml"), options, env, root)
    if rc == 5:  # pytest's word for "nothing matched"
        return False
    if cases is None:
        counts.add_failure("system tests", f"pytest exited {rc} and left no report")
        return True
    failed = [case for case in cases.values() if case.failed]
    if rc != 0 and not failed:
        counts.add_failure("system tests", f"pytest exited {rc}")
    again = {}
    if rc == 1 and 0 < len(failed) <= AGAIN_MAX:  # 1: all were run
        print(f"== once more, alone: {len(failed)} that failed", flush=True)
        _, again = run_pytest([case.name for case in failed], os.path.join(results, "system-again.xml"), (), env, root)
    flaky = []
    for case in cases.values():
        second = (again or {}).get(case.name)
        if case.failed and second is not None and not second.failed and second.skip_reason is None:
            flaky.append((case.name, case.keep_output(results)))
        elif case.failed:
            counts.add_failure(case.name)
        elif case.skip_reason is not None:
            counts.add_skip(case.name, case.skip_reason)
        else:
            counts.passed += 1
    counts.add_flaky(flaky)
    return True


# --- nothing may be left behind

def surroundings():
    """What a test could leave behind, as a set of lines: this runs in namespaces in which nobody else does anything."""
    seen = set()
    for line in subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=False).stdout.splitlines():
        seen.add("link " + line.split(": ")[1].split("@")[0])
    netns = "/run/netns"
    for name in os.listdir(netns) if os.path.isdir(netns) else []:
        seen.add(f"namespace {netns}/{name}")
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            # The bind mount of /run/netns on itself comes with the first `ip netns add` and stays.
            if line.split()[4] != netns:
                seen.add("mount " + line.split()[4])
    seen.update(f"process {pid} {command}" for pid, command in orphans())
    return seen


def orphans():
    """Processes that outlived the tests which started them: as their subreaper we inherit them."""
    found = []
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for pid in children.read().split():
            try:
                with open(f"/proc/{pid}/cmdline") as cmdline:
                    command = cmdline.read().replace("\0", " ").strip()
            except OSError:
                continue
            if command:  # zombies have none
                found.append((int(pid), command))
    return found


def count_leftovers(before, counts):
    for _ in range(200):  # what was told to end may take a moment
        left = sorted(surroundings() - before)
        if not left:
            counts.passed += 1
            return
        time.sleep(0.1)
    counts.add_failure("nothing is left behind", "\n    " + "\n    ".join(left))
    for pid, _ in orphans():
        os.kill(pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only-suites", help="these suites of meson's, and no system tests", default="")
    parser.add_argument("--no-cluster", action="store_true", help="not those on a real Kubernetes cluster")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    counts = Counts()
    tests = meson_tests(args.build, args.names, args.only_suites.split(",") if args.only_suites else [])
    if tests:
        print("== units and packets", flush=True)
        run_meson(args.build, tests, args.jobs, counts)
    if not args.only_suites:
        run_system(args.build, args.names, not args.no_cluster, counts)
    if not counts.passed + counts.failed + counts.skipped:
        print("no test has this name" if args.names else "there is no test")
        print(counts.closing())
        return 1
    print(counts.closing())
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
