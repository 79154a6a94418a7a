#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/modules/run.py BUILD [AREA/NAME ...]: modules through the running program. Each module's
cases are in AREA/NAME/cases.py; what its page says to type works, and the page names its settings
with their defaults. Ends with "N passed, N failed"."""
import glob
import importlib.util
import os
import re
import shlex
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]

import absent
from tmail import MODULES, TOP, Cases, Tmail


def cases_of(path):
    """A cases.py as a module of Python, whatever others are called the same."""
    spec = importlib.util.spec_from_file_location(path.replace(os.sep, "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page_of(name):
    path = os.path.join(TOP, "modules", name, os.path.basename(name) + ".md")
    with open(path, encoding="utf-8") as f:
        return f.read()


def page_commands(name):
    """The lines of its examples that begin with tmail, as words."""
    return [shlex.split(line, comments=True)[1:] for line in
            re.findall(r"^    (tmail .*)$", page_of(name), re.M)]


# With a page, and not among those that every test has: with mailboxes, local domains have limits.
OTHERS = ["auth/users", "route/dane", "route/mtasts", "route/tlsrpt"]


def with_others():
    return MODULES[:-1] + "".join(f', {{ module = "{name}"; }}' for name in OTHERS) + ")"


def commands_work(build, name, running):
    """In the order of the page, from an empty database."""
    server = Tmail(build, "queue = { deliver = false; };\n", modules=with_others())
    try:
        if running:
            server.start()
        for words in page_commands(name):
            server.command(*words)
    finally:
        server.close()


def configuration_works(build, name):
    """The page's own modules line, with the stores where it says "..."."""
    (line,) = re.findall(r"^    modules = (\((?:.|\n(?=    ))*?\));$", page_of(name), re.M)
    have = [m for m in ('{ module = "store/sqlite"; }', '{ module = "store/journal"; }')
            if m.split('"')[1] not in line]
    inner = re.sub(r"\.\.\.,?", "", line[1:-1]).strip().strip(",").strip()
    server = Tmail(build, modules="( " + ", ".join(have + [inner]) + " )")
    try:
        assert "is good" in server.command("check")
    finally:
        server.close()


def settings_are_on_page(build, name):
    """The table of the page and the table of the module say the same."""
    server = Tmail(build)
    try:
        rows = [r for r in server.json("modules", name) if r["kind"] == "setting"]
    finally:
        server.close()
    names = [r["name"] for r in rows]
    own = rows[:names.index("module")]  # what every module has comes behind
    section = page_of(name).partition("| setting |")[2].partition("\n\n")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`|]*)`)?", section, re.M))
    have = {}
    for row in own:
        default = re.search(r" Default: (.*)\.$", row["text"])
        have[row["name"]] = default.group(1) if default else ""
    assert table == have, f"the page says {table}, the module {have}"


def failed(trouble):
    raise trouble


def page(cases, build, name):
    try:
        page_of(name)
    except FileNotFoundError as trouble:
        cases.run(f"{name}: its page", failed, trouble)
        return
    cases.run(f"{name}: the configuration of its page", configuration_works, build, name)
    if page_commands(name):
        cases.run(f"{name}: the commands of its page, running", commands_work, build, name, True)
        cases.run(f"{name}: the commands of its page, stopped", commands_work, build, name, False)
    cases.run(f"{name}: the settings on its page", settings_are_on_page, build, name)


def main():
    build, wanted = os.path.join(TOP, sys.argv[1]), sys.argv[2:]
    cases = Cases()
    if not wanted:
        absent.run(cases, build)
    for name in re.findall(r'module = "([^"]+)"', MODULES) + OTHERS:
        if not wanted or name in wanted:
            page(cases, build, name)
    for path in sorted(glob.glob(os.path.join(HERE, "*", "*", "cases.py"))):
        name = os.path.relpath(os.path.dirname(path), HERE)
        if not wanted or name in wanted:
            cases_of(path).run(cases, build)
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())
