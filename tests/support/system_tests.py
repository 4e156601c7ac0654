"""Runs the system tests, some files side by side, each in a network and a mount namespace of its own: whatever a test leaves
behind is seen exactly, is not confused with what the machine or another file does, and goes when the file has been run. These
tests mostly wait, for packets and timers.

They run on shared machines, where for seconds nothing may happen that a test waits for. One that fails is run once more, alone,
after all the others. If it passes then, it counts as passed, and a line says so, there and at the end:

    FLAKY tests/system/test_x.py::test_y (first failure: build/test-results/flaky/test_x.test_y.txt)

That is a signal, not a cushion: each such line is a bug to be found, of the test or of the product. More than FLAKY_MAX
(run_tests.py) of them in one run have failed.

As a program, it runs one file with pytest inside such namespaces: system_tests.py REPORT OPTION... TARGET..."""

import concurrent.futures
import ctypes
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PR_SET_CHILD_SUBREAPER = 36
AGAIN_MAX = 10  # where more fail than that, once more would only take time
NOTHING_MATCHED = 5  # pytest's exit code
NAMESPACES = ["unshare", "--net", "--mount", "--propagation", "private", "bash", "-c",
              'mkdir -p /run/netns && mount -t tmpfs -o mode=0755 ringway-tests /run/netns && ip link set lo up && exec "$@"',
              "system tests"]


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


class Result:
    """Of one run of pytest."""

    def __init__(self, targets, rc, report, log):
        self.targets, self.rc, self.log = targets, rc, pathlib.Path(log)
        self.cases = {}  # by name
        self.has_report = os.path.exists(report)
        left = pathlib.Path(f"{report}.left")
        self.left = left.read_text().splitlines() if left.exists() else []
        if not self.has_report:
            return
        for element in xml.parse(report).getroot().iter("testcase"):
            case = Case(element)
            if case.name not in self.cases or case.failed:  # what fails when it is taken apart comes twice
                self.cases[case.name] = case


def run(build, names, with_cluster, lanes, counts):
    if os.geteuid() != 0:
        counts.add_skip("system tests", "need root, to make network namespaces")
        return
    print(f"== system tests, {lanes} files at a time", flush=True)
    # What takes longest first, so that no processor has nothing to do at the end: the cluster, and then, roughly, the longest text.
    files = sorted(glob.glob(os.path.join(ROOT, "tests", "system", "test_*.py")), key=os.path.getsize, reverse=True)
    targets = [*([os.path.join(ROOT, "tests", "cluster")] if with_cluster else []), *files]
    ran = run_twice(targets, os.path.join(build, "test-results"), counts, lanes=lanes,
                    options=["-k", " or ".join(names)] if names else [], env=dict(os.environ, RINGWAY_BUILD=build),
                    enter=NAMESPACES)
    if ran and names:
        print(f"(only: {' '.join(names)})")


def run_twice(targets, results, counts, lanes=1, options=(), env=None, root=ROOT, enter=()):
    """Runs and counts the tests of files or directories, and those that fail once more. False: there was nothing to run."""
    shutil.rmtree(results, ignore_errors=True)
    os.makedirs(results)
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        done = [pool.submit(run_pytest, [target], results, options, env, root, enter) for target in targets]
        ran = []
        for future in concurrent.futures.as_completed(done):
            ran.append(future.result())
            tell(ran[-1], len(ran), len(targets))
    ran = [result for result in ran if result.rc != NOTHING_MATCHED]
    if not ran:
        return False
    failed = [case for result in ran for case in result.cases.values() if case.failed]
    again = run_again(failed, results, env, root, enter) if len(failed) <= AGAIN_MAX else {}
    for result in ran:
        count_troubles(result, counts)
    counts.add_flaky(count_cases([case for result in ran for case in result.cases.values()], again, results, counts))
    return True


def run_pytest(targets, results, options, env, root, enter):
    """Its output is kept beside its report."""
    name = re.sub(r"\W+", "-", os.path.relpath(targets[0], root).removesuffix(".py")) if len(targets) == 1 else "again"
    report = os.path.join(results, f"{name}.xml")
    command = [*enter, sys.executable, os.path.abspath(__file__), report, *targets, "-v", "-ra", "--tb=short",
               "-p", "no:cacheprovider", f"--rootdir={root}", f"--junitxml={report}", "-o", "junit_family=xunit1",
               "-o", "junit_logging=all", "--color=no", *options]
    with open(os.path.join(results, f"{name}.log"), "w") as log:
        rc = subprocess.run(command, cwd=root, env=env, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    return Result(targets, rc, report, log.name)


def tell(result, n, n_all):
    """Shows what pytest said of a file that failed, and one line of any other that had something to run."""
    text = result.log.read_text()
    if result.rc == NOTHING_MATCHED:
        return
    if result.rc != 0 or result.left:
        print(text, end="")
    closing = text.splitlines()[-1].strip("= ") if text else "pytest said nothing"
    print(f"{n}/{n_all} {os.path.relpath(result.targets[0], ROOT)}: {closing}", flush=True)


def run_again(failed, results, env, root, enter):
    """{name: Case} of the second attempt."""
    if not failed:
        return {}
    print(f"== once more, alone: {len(failed)} that failed", flush=True)
    result = run_pytest([os.path.join(root, case.name) for case in failed], results, (), env, root, enter)
    print(result.log.read_text(), end="", flush=True)
    return result.cases


def count_troubles(result, counts):
    """What is wrong with a run besides its tests, and what it left behind."""
    name = os.path.relpath(result.targets[0], ROOT)
    if not result.has_report:
        counts.add_failure(name, f"pytest exited {result.rc} and left no report")
    elif result.rc != 0 and not any(case.failed for case in result.cases.values()):
        counts.add_failure(name, f"pytest exited {result.rc}")
    if result.left:
        counts.add_failure(f"{name}: nothing is left behind", "\n    " + "\n    ".join(result.left))


def count_cases(cases, again, results, counts):
    """Returns those that passed at the second attempt, as (name, where its first failure is kept)."""
    flaky = []
    for case in cases:
        second = again.get(case.name)
        if case.failed and second is not None and not second.failed and second.skip_reason is None:
            flaky.append((case.name, case.keep_output(results)))
        elif case.failed:
            counts.add_failure(case.name)
        elif case.skip_reason is not None:
            counts.add_skip(case.name, case.skip_reason)
        else:
            counts.passed += 1
    return flaky


# --- inside the namespaces

def surroundings():
    """What a test could leave behind, as a set of lines."""
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


def what_is_left(before):
    for _ in range(200):  # what was told to end may take a moment
        left = sorted(surroundings() - before)
        if not left:
            break
        time.sleep(0.1)
    return left


def main():
    report, arguments = sys.argv[1], sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = surroundings()
    rc = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    left = what_is_left(before)
    for pid, _ in orphans():
        os.kill(pid, signal.SIGKILL)
    with open(f"{report}.left", "w") as file:
        file.writelines(f"{line}\n" for line in left)
    return rc


if __name__ == "__main__":
    sys.exit(main())
