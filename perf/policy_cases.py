#!/usr/bin/python3
"""Writes a made-up cluster's manifests, and cases that are as expected, for measuring `ringway policies test`:

    perf/policy_cases.py DIR && time ringway policies test --manifests DIR --cases DIR/cases.jsonl

Pods go round the namespaces and, in each, five apps. Each policy isolates the pods of an app both ways: it lets in what namespaces
of one team send to a port, and lets out all that goes to pods.
"""

import argparse
import json
import os
import random

NAMESPACES, APPS, TEAMS = 50, 5, 7


def namespace(i):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns{i}", "labels": {"team": f"t{i % TEAMS}"}}}


def pod(i):
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"p{i}", "namespace": f"ns{i % NAMESPACES}", "labels": {"app": f"a{app_of(i)}"}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
    }


def app_of(i):
    return i // NAMESPACES % APPS


def policy(i):
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": f"np{i}", "namespace": f"ns{i % NAMESPACES}"},
        "spec": {
            "podSelector": {"matchLabels": {"app": f"a{app_of(i)}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": f"t{i % TEAMS}"}}}], "ports": [{"port": "http"}]}],
            "egress": [{"to": [{"namespaceSelector": {}}]}],
        },
    }


def case(sender, receiver, teams):
    admitted = teams.get((receiver % NAMESPACES, app_of(receiver)))
    allowed = sender == receiver or admitted is None or sender % NAMESPACES % TEAMS in admitted
    return {
        "from": f"ns{sender % NAMESPACES}/p{sender}", "to": f"ns{receiver % NAMESPACES}/p{receiver}",
        "port": 8080, "protocol": "TCP", "expected": "allow" if allowed else "deny",
    }


def main():
    parser = argparse.ArgumentParser(description="Writes manifests and cases for `ringway policies test`.")
    parser.add_argument("directory")
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--policies", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=100000)
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    rng = random.Random(1)
    teams = {}
    for i in range(args.policies):
        teams.setdefault((i % NAMESPACES, app_of(i)), set()).add(i % TEAMS)
    objects = [*map(namespace, range(NAMESPACES)), *map(pod, range(args.pods)), *map(policy, range(args.policies))]
    with open(os.path.join(args.directory, "cluster.yaml"), "w", encoding="utf-8") as out:
        out.write("".join(f"---\n{json.dumps(o)}\n" for o in objects))
    with open(os.path.join(args.directory, "cases.jsonl"), "w", encoding="utf-8") as out:
        for _ in range(args.cases):
            out.write(json.dumps(case(rng.randrange(args.pods), rng.randrange(args.pods), teams)) + "\n")


if __name__ == "__main__":
    main()
