#!/usr/bin/env python3
"""check_readme.py: each whole program in README.md and docs/ (a cpp block that begins with an #include) stands, to the
letter, in a file of examples/, which is compiled and run as a test."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
examples = [path.read_text(encoding="utf-8") for path in root.glob("examples/*.cpp")]
texts = [path.read_text(encoding="utf-8") for path in [root / "README.md", *root.glob("docs/*.md")]]
programs = [program for text in texts for program in re.findall(r"```cpp\n(#include.*?)```", text, re.DOTALL)]
strangers = [program for program in programs if not any(program in example for example in examples)]
for program in strangers:
    print("in no example:\n" + program)
sys.exit(not programs or bool(strangers))
