#!/usr/bin/env python3
"""plant.py TARGET: copies include/netsync to TARGET/netsync with the bugs of bugs.toml in it, each chosen at run time.

The library itself holds no switches. Each `code` must occur in its file exactly once, so that the list stays true when the
code moves; in `becomes`, PLANTED asks whether this bug is the one chosen. TARGET/planted_bugs.inc names them, and says which
are to be caught where commits take time, too, or there only.
"""
import pathlib
import shutil
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[2] / "include" / "netsync"
SWITCH = """#pragma once

namespace netsync::detail {
/// The bug that is planted; 0: none.
inline int planted_bug = 0;
inline bool planted(int bug) noexcept { return planted_bug == bug; }
}  // namespace netsync::detail
"""


def plant(target):
    bugs = tomllib.loads((HERE / "bugs.toml").read_text("utf-8"))["bug"]
    texts, errors, names = {}, [], []
    for number, bug in enumerate(bugs, 1):
        for edit in [bug, *bug.get("also", [])]:
            path = SOURCE / edit["file"]
            text = texts.setdefault(path, path.read_text("utf-8"))
            code, becomes = edit["code"].strip("\n"), edit["becomes"].strip("\n")
            if text.count(code) != 1:
                errors.append(f"{bug['name']}: occurs {text.count(code)} times in {edit['file']}:\n{code}")
            if "PLANTED" not in becomes:
                errors.append(f"{bug['name']}: no PLANTED in `becomes`")
            texts[path] = text.replace(code, becomes.replace("PLANTED", f"netsync::detail::planted({number})"))
        stores = {None: "Stores::at_once", True: "Stores::both", "only": "Stores::late"}[bug.get("late")]
        names.append(f'{{{number}, "{bug["name"]}", {stores}}},\n')
    if errors:
        sys.exit("\n".join(errors))
    tree = target / "netsync"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(SOURCE, tree)
    for path, text in texts.items():
        text = text.replace("#pragma once\n", "#pragma once\n\n#include <netsync/detail/planted.hpp>\n", 1)
        (tree / path.relative_to(SOURCE)).write_text(text, "utf-8")
    (tree / "detail" / "planted.hpp").write_text(SWITCH, "utf-8")
    (target / "planted_bugs.inc").write_text("".join(names), "utf-8")


if __name__ == "__main__":
    plant(pathlib.Path(sys.argv[1]))
