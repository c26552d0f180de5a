#!/usr/bin/env python3
"""unit.py UNIT FILE...: writes one translation unit of several tests, which then share what they instantiate.

What a file includes goes first; the rest of it follows in a namespace of its own, so that no file meets another's names.
"""
import pathlib
import re
import sys

unit, *files = map(pathlib.Path, sys.argv[1:])
preambles, bodies = "", ""
for file in files:
    text = file.read_text()
    # Comments, blank lines, directives; of conditions only those for an #include.
    size = re.match(r"(?:\s*\n|//.*\n|#if.*\n(?:#include.*\n)+#endif.*\n|#(?!if).*\n)*", text).end()
    if re.search("^#include", text[size:], re.MULTILINE):
        sys.exit(f"{file}: an #include below the top, where it would be in this file's namespace")
    preamble = re.sub('#include "', f'#include "{file.parent}/', text[:size])
    preambles += f'#line 1 "{file}"\n{preamble}'
    first = text.count("\n", 0, size) + 1
    bodies += f'namespace {file.parent.name}_{file.stem} {{\n#line {first} "{file}"\n{text[size:]}}}\n'
unit.write_text(preambles + bodies)
