"""Each header compiles alone, and no file includes what its layer may not know. Run by meson as test 'layers'."""

import concurrent.futures
import os
import re
import subprocess
import sys

LIBRARIES = r"<(jansson|curl/|microhttpd|sqlite3|yaml|netlink/|libnl|bpf/|xdp/)"
FORBIDDEN = {
    "dataplane/": [LIBRARIES.replace("|bpf/|xdp/", ""), r'"(control|xdp|cni|perf|tests)/'],
    "xdp/": [LIBRARIES.replace("|bpf/|xdp/", ""), r'"(control|cni|perf|tests)/'],
    "control/model/": [LIBRARIES, r'"(control/(source|admin|node)|xdp|cni|perf|tests)/'],
    "control/build/": [LIBRARIES, r'"(control/(source|admin)|cni|perf|tests)/'],
    "control/": [r'"(cni|perf|tests)/'],
    "cni/": [r"<(sqlite3|yaml|bpf/|xdp/)", r'"(control|xdp|perf|tests)/'],
    "perf/bench_sync": [r"<(curl/|sqlite3|yaml)", r'"(control/(admin|node)|cni|tests)/'],  # measures the source
    "perf/": [r"<(curl/|sqlite3|yaml)", r'"(control/(source|admin|node)|cni|tests)/'],
}


def sources(root):
    for top in ("dataplane", "control", "xdp", "cni", "perf", "tests"):
        for directory, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def wrong_includes(root, path):
    layer = next((prefix for prefix in FORBIDDEN if path.startswith(prefix)), None)
    if not layer:
        return []
    wrong = []
    with open(os.path.join(root, path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            include = re.match(r"\s*#\s*include\s+(\S+)", line)
            if include and any(re.match(pattern, include.group(1)) for pattern in FORBIDDEN[layer]):
                wrong.append(f"{path}:{number}: {layer} may not include {include.group(1)}")
    return wrong


def compiles_alone(root, build, flags, path):
    done = subprocess.run(
        ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-march=x86-64-v2", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-address-of-packed-member",
         *flags, f"-I{root}", f"-I{build}", "-fsyntax-only",
         "-include", os.path.join(root, path), "-x", "c", "/dev/null"],
        capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"{path} does not compile alone:\n{done.stderr[:1500]}"]


def main():
    root, build = sys.argv[1:]
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk", "libnl-3.0", "jansson"],
                           capture_output=True, text=True, check=True).stdout.split()
    files = list(sources(root))
    problems = [problem for path in files for problem in wrong_includes(root, path)]
    headers = [path for path in files if path.endswith(".h")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda path: compiles_alone(root, build, flags, path), headers):
            problems += found
    print("\n".join(problems) if problems else f"{len(headers)} headers compile alone; {len(files)} files keep to their layer")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
