#!/usr/bin/env python3
"""run.py CASE COMPILER FLAG...: the case compiles; with -DREJECT it does not, and the compiler says what was expected.

The first line of a case is `// expect: <regular expression>`, searched in what the compiler writes.
"""
import re
import subprocess
import sys


def main(case, compiler, *flags):
    with open(case, encoding="utf-8") as file:
        expected = re.fullmatch(r"// expect: (.+)\n", file.readline())
    if not expected:
        return f"{case}: the first line is not `// expect: <regular expression>`"

    def compile(*more):
        return subprocess.run([compiler, *flags, *more, "-fsyntax-only", case], capture_output=True, text=True)

    accepted = compile()
    if accepted.returncode != 0:
        return f"{case}: does not compile without REJECT\n{accepted.stderr}"
    rejected = compile("-DREJECT")
    if rejected.returncode == 0:
        return f"{case}: compiles with REJECT"
    if not re.search(expected[1], rejected.stderr):
        return f"{case}: rejected, but not with /{expected[1]}/\n{rejected.stderr}"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
