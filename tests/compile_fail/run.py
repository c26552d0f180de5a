#!/usr/bin/env python3
"""run.py CASE COMPILER FLAG...: the case does not compile with -DREJECT, and the compiler says what was expected.

The first line of a case is `// expect: <regular expression>`, searched in what the compiler writes. That all cases compile
without REJECT is tested in one unit.
"""
import re
import subprocess
import sys


def main(case, compiler, *flags):
    with open(case, encoding="utf-8") as file:
        expected = re.fullmatch(r"// expect: (.+)\n", file.readline())
    if not expected:
        return f"{case}: the first line is not `// expect: <regular expression>`"

    rejected = subprocess.run([compiler, *flags, "-DREJECT", "-fsyntax-only", case], capture_output=True, text=True)
    if rejected.returncode == 0:
        return f"{case}: compiles with REJECT"
    if not re.search(expected[1], rejected.stderr):
        return f"{case}: rejected, but not with /{expected[1]}/\n{rejected.stderr}"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
