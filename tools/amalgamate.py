#!/usr/bin/env python3
"""Writes single_include/netsync/*.hpp from include/netsync/, the same bytes for the same input.

    amalgamate.py            write them
    amalgamate.py --check    fail when one of them is not what would be written

netsync.hpp holds the core. Each sibling includes it, and the siblings that it needs, and holds only what they do not.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "include"
TARGET = ROOT / "single_include"
CORE = "netsync/netsync.hpp"
NAMES = [
    "lan", "await", "json", "describe", "format", "sqlite", "rendezvous", "meet", "pool_exchange", "http", "https", "testing",
    "rapidcheck",
]
SIBLINGS = [f"netsync/{name}.hpp" for name in NAMES]
SIBLINGS += [f"netsync/detail/{name}.hpp" for name in ("asio", "entropy")]  # what several need, and the core must not

INCLUDE = re.compile(r"\s*#\s*include\s*<([^>]+)>")
STANDARD = re.compile(r"[a-z_]+")
BANNER = "// {name}: made by tools/amalgamate.py from include/; edit those files, not this one.\n"


class Amalgamation:
    """One output file: the headers reached from an entry, each where it is first needed."""

    def __init__(self, entry, core=None):
        self.core_headers = core.headers if core else set()
        self.core_standard = core.standard if core else set()
        self.entry = entry
        self.siblings = set()
        self.headers = set()
        self.standard = set()  # standard headers go to the top: their order cannot matter
        self.outside = set(core.outside) if core else set()  # others stay where they are: theirs can
        self.lines = []
        self.add(entry)
        self.text = self.assemble(entry, core)

    def add(self, header):
        if header in self.headers | self.core_headers:
            return
        if header in SIBLINGS and header != self.entry:
            self.siblings.add(header)
            return
        self.headers.add(header)
        body, depth = [], 0
        for line in (SOURCE / header).read_text("utf-8").splitlines():
            directive = re.match(r"\s*#\s*(if|endif|pragma once)", line)
            if directive and directive[1] == "pragma once":
                continue
            depth += {"if": 1, "endif": -1}[directive[1]] if directive else 0
            include = INCLUDE.match(line)
            if not include:
                body.append(line)
            elif depth and include[1].startswith("netsync/"):
                sys.exit(f"{header}: <{include[1]}> inside #if cannot be amalgamated")
            elif depth:
                body.append(line)
            elif include[1].startswith("netsync/"):
                self.add(include[1])  # its text goes before this header's
            elif STANDARD.fullmatch(include[1]):
                self.standard.add(include[1])
            elif include[1] not in self.outside:
                self.outside.add(include[1])
                body.append(line)
        self.lines += ["", f"// ---- {header} ----", "", *body]

    def assemble(self, entry, core):
        top = [f"#include <{name}>" for name in ([CORE] if core else []) + sorted(self.siblings)]
        top += [f"#include <{name}>" for name in sorted(self.standard - self.core_standard)]
        text = "\n".join(["#pragma once", "", *top, *self.lines]) + "\n"
        return BANNER.format(name=entry) + re.sub(r"\n{3,}", "\n\n", text)


def amalgamate():
    """The text of each output file by its name."""
    core = Amalgamation(CORE)
    texts, owner = {CORE: core.text}, {}
    for entry in SIBLINGS:
        if (SOURCE / entry).exists():
            sibling = Amalgamation(entry, core)
            for header in sibling.headers:
                if owner.setdefault(header, entry) != entry:
                    sys.exit(f"<{header}> would be in both {owner[header]} and {entry}: it belongs to the core")
            texts[entry] = sibling.text
    return texts


def main(arguments):
    texts = amalgamate()
    stale = [name for name in texts if not (TARGET / name).exists() or (TARGET / name).read_text("utf-8") != texts[name]]
    stale += [p.relative_to(TARGET).as_posix() for p in TARGET.glob("**/*.hpp") if p.relative_to(TARGET).as_posix() not in texts]
    if arguments == ["--check"]:
        return f"stale in single_include/: {', '.join(stale)}; run tools/amalgamate.py" if stale else None
    for name in stale:
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], "utf-8") if name in texts else path.unlink()
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
