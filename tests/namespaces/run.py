#!/usr/bin/env python3
"""Three processes in network namespaces of their own, on one bridge: a split, changes on both sides, and how soon all are equal.

    run.py PEER-PROGRAM [SPLIT-SECONDS]

Exits with 77 where this system does not allow namespaces (ctest counts that as skipped).
"""
import os
import subprocess
import sys
import time

CHANGES = 1000
HEALS_WITHIN = 3.0  # seconds
TAG = f"ns{os.getpid() % 100000}"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Peer:
    def __init__(self, program, number, others):
        self.space = f"{TAG}-{number}"
        self.port_of_bridge = f"{TAG}b{number}"
        ip("netns", "add", self.space)
        ip("link", "add", self.port_of_bridge, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", self.port_of_bridge, "netns", f"{TAG}-0")
        ip("-n", f"{TAG}-0", "link", "set", self.port_of_bridge, "master", "bridge", "up")
        ip("-n", self.space, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        ip("-n", self.space, "link", "set", "eth0", "up")
        ip("-n", self.space, "link", "set", "lo", "up")
        peers = [f"10.77.0.{other}:21500" for other in others]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, program, f"peer-{number}", TAG, "21500", *peers],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def plug(self, state):
        ip("-n", f"{TAG}-0", "link", "set", self.port_of_bridge, state)


def wait_for(condition, most):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > most:
            return None
        time.sleep(0.02)
    return time.monotonic() - begin


def main():
    program, split = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    peers = []
    try:
        try:
            ip("netns", "add", f"{TAG}-0")
            ip("-n", f"{TAG}-0", "link", "add", "bridge", "type", "bridge")
            ip("-n", f"{TAG}-0", "link", "set", "bridge", "up")
            peers = [Peer(program, number, [1, 2, 3][: number - 1]) for number in (1, 2, 3)]
        except (OSError, subprocess.CalledProcessError) as refused:
            print("skipped: no network namespaces here:", getattr(refused, "stderr", None) or refused)
            return 77
        one, two, three = peers
        if wait_for(lambda: all(peer.ask("members") == "2" for peer in peers), 30) is None:
            print("the three do not find each other")
            return 1
        three.plug("down")
        time.sleep(split / 2)
        one.ask(f"add 0 {CHANGES}")
        three.ask(f"add {CHANGES} {2 * CHANGES}")
        time.sleep(split / 2)
        if three.ask("size") != str(CHANGES) or two.ask("size") != str(CHANGES):
            print("the split does not split")
            return 1
        three.plug("up")
        took = wait_for(lambda: all(peer.ask("size") == str(2 * CHANGES) for peer in peers), 60)
        if took is None or len({peer.ask("digest") for peer in peers}) != 1:
            print("the three are not equal after the split")
            return 1
        print(f"a split of {split:.0f} s, {CHANGES} changes a side: equal after {took:.2f} s (at most {HEALS_WITHIN:.0f})")
        return 0 if took <= HEALS_WITHIN else 1
    finally:
        for peer in peers:
            peer.process.kill()
            peer.process.wait()
        for number in range(4):
            subprocess.run(["ip", "netns", "del", f"{TAG}-{number}"], capture_output=True)


sys.exit(main())
