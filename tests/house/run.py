#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What keeps the house in order: each check reads the tree as text and names every place that
breaks a rule of docs/house.md. Needs nothing built. Ends with "N passed, N failed".

    tests/house/run.py [--self-test]

--self-test shows that each check can fail: it is given a small tree that breaks its rule."""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# What each floor may include beside its own files. docs/house.md has the reasons.
LOWER = ["base"]
HOST = ["net", "conf", "sys", "mail", "base"]
FLOORS = {
    "base": [],
    "mail": LOWER,
    "conf": LOWER,
    "sys": LOWER,
    "net": ["sys"] + LOWER,
    "host": HOST,
    "smtp": ["host"] + HOST,
    "queue": ["smtp", "host"] + HOST,
    "admin": ["queue", "smtp", "host"] + HOST,
    "daemon": ["admin", "queue", "smtp", "host"] + HOST,
}
CONTRACT = {"conf", "host", "smtp", "queue", "admin", "daemon"}  # may include <tmail/...>
BANNED = "strcpy strcat sprintf vsprintf gets atoi atol alloca strtok system popen".split()
# Lines with comments and blanks. The aim is 20,000 for the whole (docs/house.md says how far it is);
# until then no floor may grow beyond what it has without somebody deciding it here.
FLOOR_LINES = {"base": 2700, "mail": 3850, "conf": 2000, "sys": 2550, "net": 4600, "host": 8200,
               "smtp": 8350, "queue": 9500, "admin": 4200, "daemon": 4750, "include": 1100}
FILE_LINES = 600
CONTRACT_LINES = {"module.h": 500}
SERVICE_LINES = 200
WIDTH = 100


def files(top, *folders, suffixes=(".c", ".h")):
    for folder in folders:
        for root, _, names in os.walk(os.path.join(top, folder)):
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(root, name), top)


def text(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def includes(source):
    return re.findall(r'^\s*#\s*include\s+(["<])([^">]+)[">]', source, re.M)


def without_comments(source):
    """Comments and the insides of strings blanked, line numbers kept."""
    def blank(m):
        s = m.group(0)
        return s if s.startswith("#") else re.sub(r"[^\n]", " ", s)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, source, flags=re.S)


def check_floors(top):
    """a file of the core includes its own floor and floors below, never up"""
    for path in files(top, "core"):
        floor = path.split(os.sep)[1]
        if floor not in FLOORS:
            continue
        for kind, name in includes(text(top, path)):
            if kind == "<" and name.startswith("tmail/") and floor not in CONTRACT:
                yield f"{path}: {floor} includes the contract <{name}>"
            if kind == '"':
                seen = name.split("/")[0]
                if "/" not in name or seen not in FLOORS:
                    yield f'{path}: "{name}" does not name a floor'
                elif seen != floor and seen not in FLOORS[floor]:
                    yield f"{path}: {floor} includes {name}, which it may not see"


def check_modules(top):
    """a module includes the contract, its own folder, its area's common and core/base"""
    for path in files(top, "modules"):
        for kind, name in includes(text(top, path)):
            if kind != '"' or name.startswith("base/"):
                continue
            here = os.path.normpath(os.path.join(os.path.dirname(path), name))
            area = path.split(os.sep)[1]
            own = os.path.dirname(path)
            if os.path.dirname(here) not in (own, os.path.join("modules", area, "common")):
                yield f'{path}: includes "{name}"'
            elif not os.path.exists(os.path.join(top, here)):
                yield f'{path}: "{name}" is not there'


def check_module_pages(top):
    """each module has its page and its tests in folders of its name"""
    for area in sorted(os.listdir(os.path.join(top, "modules"))):
        for name in sorted(os.listdir(os.path.join(top, "modules", area))):
            folder = os.path.join("modules", area, name)
            if name == "common" or not os.path.isdir(os.path.join(top, folder)):
                continue
            if not os.path.exists(os.path.join(top, folder, name + ".md")):
                yield f"{folder}: no page {name}.md"
            if not os.path.isdir(os.path.join(top, "tests", folder)):
                yield f"{folder}: no tests in tests/{folder}"


def check_unit_tests(top):
    """the unit test of a floor includes no floor that the floor may not see"""
    for path in files(top, "tests", suffixes=(".c",)):
        parts = path.split(os.sep)
        floor = parts[1]
        if floor not in FLOORS or len(parts) != 3:
            continue
        for kind, name in includes(text(top, path)):
            seen = name.split("/")[0]
            if kind == '"' and seen in FLOORS and seen != floor and seen not in FLOORS[floor]:
                yield f"{path}: includes {name}, which {floor} may not see"


def check_banned(top):
    """no call that cannot be made safely"""
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for path in files(top, "core", "modules"):
        for number, line in enumerate(without_comments(text(top, path)).split("\n"), 1):
            for found in pattern.findall(line):
                yield f"{path}:{number}: {found}"


def check_sizes(top):
    """a file is one noun, 600 lines at most; no floor grows beyond its lines"""
    total = dict.fromkeys(FLOOR_LINES, 0)
    for path in files(top, "core", "modules"):
        count = text(top, path).count("\n")
        if path.startswith("core"):
            total[path.split(os.sep)[1]] += count
        if count > FILE_LINES:
            yield f"{path}: {count} lines"
        name = os.path.basename(path)
        if path.startswith(os.path.join("core", "include")):
            limit = CONTRACT_LINES.get(name, SERVICE_LINES if "service" in path else FILE_LINES)
            if count > limit:
                yield f"{path}: {count} lines, {limit} are promised"
    for floor, count in total.items():
        if count > FLOOR_LINES[floor]:
            yield f"core/{floor}: {count} lines, {FLOOR_LINES[floor]} are agreed"


def check_form(top):
    """a file starts with its licence and what it is; tabs, no blanks at a line's end, 100 columns"""
    for path in files(top, "core", "modules", "tests"):
        source = text(top, path)
        if not re.match(r"/\* SPDX-License-Identifier: MIT( \*/)?\n", source):
            yield f"{path}: does not start with its licence"
        elif path.startswith(("core", "modules")) and not source.startswith(
                "/* SPDX-License-Identifier: MIT\n *\n * "):
            yield f"{path}: does not say what it is"
        for number, line in enumerate(source.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end"
            if len(line.expandtabs(8)) > WIDTH:
                yield f"{path}:{number}: {len(line.expandtabs(8))} columns"


def check_marks(top):
    """nothing is left for later without a line in docs/roadmap.md"""
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in files(top, "core", "modules", "tests", suffixes=(".c", ".h", ".py", ".sh")):
        if path.startswith(os.path.join("tests", "house")):
            continue
        for number, line in enumerate(text(top, path).split("\n"), 1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()}"


def check_headers(top):
    """each header of the contract compiles alone, as C11 and as C++17, without a warning"""
    include = os.path.join(top, "core", "include")
    for path in files(top, "core/include", suffixes=(".h",)):
        name = os.path.relpath(os.path.join(top, path), include)
        for compiler, language, standard in (("cc", "c", "c11"), ("c++", "c++", "c++17")):
            run = subprocess.run(
                [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror",
                 "-pedantic", "-I", include, "-fsyntax-only", "-"],
                input=f"#include <{name}>\n", text=True, capture_output=True)
            if run.returncode:
                yield f"{path} as {standard}: {run.stderr.strip().splitlines()[0]}"


def check_scripts(top):
    """what begins as a script can be run as one"""
    for path in files(top, "tests", "tools", "packaging", suffixes=(".py", ".sh")):
        if text(top, path).startswith("#!") and not os.access(os.path.join(top, path), os.X_OK):
            yield f"{path} is not executable"


CHECKS = [check_floors, check_modules, check_module_pages, check_unit_tests, check_banned,
          check_sizes, check_form, check_marks, check_headers, check_scripts]

HEAD = "/* SPDX-License-Identifier: MIT\n *\n * A file.\n */\n"
BROKEN = {  # a tree that breaks the rule of each check
    "check_floors": {"core/mail/a.c": HEAD + '#include "smtp/server.h"\n'},
    "check_modules": {"modules/auth/x/x.c": HEAD + '#include "host/message.h"\n'},
    "check_module_pages": {"modules/auth/x/x.c": HEAD},
    "check_unit_tests": {"tests/base/test_a.c": HEAD + '#include "net/stream.h"\n'},
    "check_banned": {"core/base/a.c": HEAD + "int f(void)\n{\n\treturn atoi(\"1\");\n}\n"},
    "check_sizes": {"core/base/a.c": HEAD + "\n" * (FILE_LINES + 1)},
    "check_form": {"core/base/a.c": "int x;\n"},
    "check_marks": {"core/base/a.c": HEAD + "/* TODO later */\n"},
    "check_headers": {"core/include/tmail/a.h": HEAD + "nonsense\n"},
    "check_scripts": {"tests/a.py": "#!/usr/bin/env python3\n"},
}


def make_tree(top, content):
    for folder in ("core", "modules", "tests"):
        os.makedirs(os.path.join(top, folder), exist_ok=True)
    for path, source in content.items():
        os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
        with open(os.path.join(top, path), "w", encoding="utf-8") as f:
            f.write(source)


def main():
    passed = failed = 0
    for check in CHECKS:
        if "--self-test" in sys.argv:
            with tempfile.TemporaryDirectory() as top:
                make_tree(top, BROKEN[check.__name__])
                found = list(check(top))
            good = bool(found)
            found = [] if good else ["found nothing wrong with a tree that breaks its rule"]
        else:
            found = list(check(TOP))
            good = not found
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {check.__doc__ or check.__name__}")
        for line in found:
            print("     " + line)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
