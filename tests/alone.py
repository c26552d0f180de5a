#!/usr/bin/env python3
"""alone.py INCLUDE-DIRECTORY TARGET: writes the units that show that each header compiles alone; prints their names.

A unit is a chain of headers, each of which includes, directly or not, the one before it: a header meets there what it asks
for, and nothing else, as it would alone. The one thing that its place in a chain can hide is that it asks too late; but its
includes stand at its top (tools/check_includes.py sees to that), and each of those has its own place in some chain.
There are as few chains as can be, and the cheapest headers are their ends: a third of the work of a unit for each.
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from check_includes import INCLUDE, reachable  # noqa: E402


def chains(graph):
    """The headers, each in one of as few chains as can be (Dilworth's theorem, by augmenting paths)."""
    below = {header: reachable(header, graph) - {header} for header in graph if header.startswith("netsync/")}
    order = sorted(below, key=lambda header: (len(below[header]), header))
    lower = {}  # of a header: the one before it in its chain

    def place(header, tried):
        for upper in order:
            if header in below[upper] and upper not in tried:
                tried.add(upper)
                if upper not in lower or place(lower[upper], tried):
                    lower[upper] = header
                    return True
        return False

    ends = [header for header in reversed(order) if not place(header, set())]  # the dear ones are asked first
    for end in ends:
        chain = [end]
        while chain[0] in lower:
            assert lower[chain[0]] in below[chain[0]]
            chain.insert(0, lower[chain[0]])
        yield chain


def main(root, target):
    graph = {}
    for path in sorted(root.glob("netsync/**/*.hpp")):
        graph[path.relative_to(root).as_posix()] = [name[1:-1] for name in INCLUDE.findall(path.read_text("utf-8"))]
    headers = len(graph)
    for name in [name for names in graph.values() for name in names]:
        graph.setdefault(name, [])
    for chain in chains(graph):
        headers -= len(chain)
        unit = target / f"{chain[-1]}.cpp"
        text = "".join(f"#include <{header}>\n" for header in chain) * 2  # a second time it does no harm
        if not unit.is_file() or unit.read_text("utf-8") != text:
            unit.parent.mkdir(parents=True, exist_ok=True)
            unit.write_text(text, "utf-8")
        print(unit)
    assert headers == 0


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
