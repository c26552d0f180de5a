#!/usr/bin/env python3
"""Checks the headers under include/netsync: includes stand at the top, are rooted, point one way, and keep the core light.

    check_includes.py [include-directory]
    check_includes.py --self-test
"""
import graphlib
import pathlib
import re
import sys
import tempfile

# From the bottom up: a header includes from lower places and from its own.
ORDER = [
    "base",
    "causal",
    "clock",
    "crdt",
    "wire",
    "options",
    "store transport discovery",
    "observe",
    "pool sync",
    "root",
    "rendezvous",
    "http",
    "testing",
]
SIDEWAYS = {("transport", "discovery"), ("sync", "pool")}  # places side by side do not see each other, except these
PLACES = {  # of folders and files that do not give their name to a place; other files directly in netsync/ are "root"
    "detail": "base",
    "config.hpp": "base",
    "error.hpp": "base",
    "options.hpp": "options",
    "rendezvous.hpp": "rendezvous",
    "meet.hpp": "rendezvous",
    "pool_exchange.hpp": "rendezvous",
    "http.hpp": "http",
    "https.hpp": "http",
    "testing.hpp": "testing",
    "rapidcheck.hpp": "testing",
}
CORE = "netsync/netsync.hpp"  # it and what it includes need the standard library only
HEAVY = {"iostream", "ranges", "regex"}  # and not these parts of it

RANK = {place: rank for rank, places in enumerate(ORDER) for place in places.split()}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)
TOP = re.compile(r"(?:[ \t]*\n|[ \t]*//.*\n|[ \t]*#(?:.*\\\n)*.*\n)*")  # blank lines, comments, directives


def place_of(header):
    top = header.split("/")[1]
    return PLACES.get(top, "root" if top.endswith(".hpp") else top)


def may_include(header, other):
    here, there = place_of(header), place_of(other)
    return here == there or RANK[there] < RANK[here] or (here, there) in SIDEWAYS


def reachable(header, graph):
    seen, todo = set(), [header]
    while todo:
        header = todo.pop()
        if header not in seen:
            seen.add(header)
            todo += graph[header]
    return seen


def check(root):
    """What is wrong with the headers below root, as a list of lines."""
    texts = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in sorted(root.glob("netsync/**/*.hpp"))}
    if CORE not in texts:
        return [f"no {CORE} in {root}"]
    errors, graph, outside = [], {}, {}
    for header, text in texts.items():
        includes = INCLUDE.findall(text)
        rooted = [include[1:-1] for include in includes if include[0] == "<"]
        graph[header] = [include for include in rooted if include in texts]
        outside[header] = [include for include in rooted if not include.startswith("netsync/")]
        if "#pragma once" not in text:
            errors.append(f"{header}: no #pragma once")
        if INCLUDE.search(text, TOP.match(text).end()):
            errors.append(f"{header}: an #include below the top")
        if place_of(header) not in RANK:
            errors.append(f"{header}: its folder has no place in ORDER")
            continue
        for include in includes:
            other = include[1:-1]
            if include[0] == '"':
                errors.append(f"{header}: {include} is not rooted (<netsync/...>)")
            elif other.startswith("netsync/") and other not in texts:
                errors.append(f"{header}: <{other}> does not exist")
            elif other in texts and place_of(other) in RANK and not may_include(header, other):
                errors.append(f"{header}: <{other}> points up")
    for header in reachable(CORE, graph):
        for include in outside[header]:
            if include in HEAVY:
                errors.append(f"{header}: <{include}> is too heavy for the core")
            elif not re.fullmatch("[a-z_]+", include):
                errors.append(f"{header}: <{include}> is not of the standard library, and this header is of the core")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        errors.append("cycle: " + " -> ".join(error.args[1]))
    return sorted(errors)


def self_test():
    """A good tree has no errors; each fault, planted alone in it, is the one error found."""
    good = {
        CORE: "#include <netsync/replica.hpp>",
        "netsync/replica.hpp": "#include <netsync/sync/session.hpp>\n#include <vector>",
        "netsync/lan.hpp": "#include <netsync/netsync.hpp>\n#include <netsync/transport/tcp.hpp>",
        "netsync/sync/session.hpp": "#include <netsync/pool/pool.hpp>",
        "netsync/pool/pool.hpp": "#include <netsync/causal/dot.hpp>",
        "netsync/transport/tcp.hpp": "#include <netsync/discovery/peer.hpp>\n#include <asio/io_context.hpp>",
        "netsync/discovery/peer.hpp": "",
        "netsync/store/store.hpp": "",
        "netsync/causal/dot.hpp": "#include <netsync/detail/hash.hpp>",
        "netsync/causal/vector.hpp": "#include <netsync/causal/dot.hpp>",
        "netsync/detail/hash.hpp": "#include <netsync/error.hpp>",
        "netsync/error.hpp": "",
    }
    faults = [
        ("points up", "netsync/causal/vector.hpp", "#include <netsync/pool/pool.hpp>"),
        ("points up", "netsync/discovery/peer.hpp", "#include <netsync/store/store.hpp>"),
        ("points up", "netsync/store/store.hpp", "#include <netsync/replica.hpp>"),
        ("not rooted", "netsync/causal/vector.hpp", '#include "../causal/dot.hpp"'),
        ("does not exist", "netsync/causal/vector.hpp", "# include <netsync/causal/dots.hpp>"),
        ("cycle: ", "netsync/causal/dot.hpp", "#include <netsync/causal/vector.hpp>"),
        ("too heavy", "netsync/error.hpp", "  #include <iostream>"),
        ("not of the standard library", "netsync/pool/pool.hpp", "#include <fmt/core.h>"),
        ("has no place", "netsync/misc/all.hpp", ""),
        ("below the top", "netsync/replica.hpp", "int early;\n#include <netsync/error.hpp>"),
        ("no #pragma once", "netsync/causal/vector.hpp", None),
    ]
    failures = []
    for expected, where, text in [("", CORE, good[CORE])] + faults:
        with tempfile.TemporaryDirectory() as directory:
            for header, content in (good | {where: text}).items():
                path = pathlib.Path(directory, header)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("" if content is None else f"#pragma once\n{content}\n", "utf-8")
            errors = check(pathlib.Path(directory))
        if len(errors) != bool(expected) or not all(expected in error for error in errors):
            failures.append(f"expected {expected or 'nothing'!r} of {where}, found {errors}")
    return "\n".join(failures) or None


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent / "include"
    return "\n".join(check(root)) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
