#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The steps of tests/run, one after the other; each is a command whose output ends with (or
holds, for Check) counts of what passed and failed. A step that fails does not stop the others,
but for a build. Logs are kept below build-test/logs."""
import glob
import os
import re
import subprocess
import sys
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
JOBS = str(os.cpu_count() or 1)
CHECK = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
SKIP = re.compile(r"^skip (.+?): (.*)$", re.M)  # what was left out, and why
THREADED = re.compile(r"^tests/((sys|net|host|queue|smtp|admin|daemon)/test_|"
                      r"modules/store/journal/test_(threads|conform|journal|model)$)")


class Run:
    def __init__(self):
        self.passed = self.failed = 0
        self.troubles = []
        self.skips = []  # (what, why)
        self.logs = os.path.join(TOP, "build-test", "logs")
        os.makedirs(self.logs, exist_ok=True)

    def command(self, name, argv, cwd=TOP, env=None):
        """Runs it with its output in a file; answers (status, output)."""
        path = os.path.join(self.logs, name.replace("/", "-").replace(" ", "-") + ".log")
        start = time.monotonic()
        with open(path, "wb") as log:
            status = subprocess.run(argv, cwd=cwd, env=dict(os.environ, **(env or {})), stdout=log,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
        with open(path, encoding="utf-8", errors="replace") as log:
            return status, log.read(), time.monotonic() - start

    def count(self, name, passed, failed, status, output, seconds):
        skips = SKIP.findall(output)
        if not failed and (status or not passed + len(skips)):
            failed = 1  # it died before it could count, or there was nothing to count
        self.passed += passed
        self.failed += failed
        self.skips += skips
        print(f"{'ok  ' if not failed else 'FAIL'} {name}: {passed} passed, {failed} failed"
              + (f", {len(skips)} skipped" if skips else "") + f" ({seconds:.0f} s)", flush=True)
        for what, why in skips:
            print(f"     skip {what}: {why}", flush=True)
        if failed:
            self.troubles.append(name)
            # What went well says nothing of what did not.
            told = [line for line in output.splitlines() if not line.startswith("ok ")]
            for line in told[-60:]:
                print("     " + line, flush=True)

    def build(self, folder, options):
        """Configures and builds everything, tests included. False: the steps after it cannot run."""
        if not os.path.exists(os.path.join(TOP, "configure")) or os.path.getmtime(
                os.path.join(TOP, "configure.ac")) > os.path.getmtime(os.path.join(TOP, "configure")):
            if self.command("autoreconf", ["autoreconf", "-fi"])[0]:
                self.count("autoreconf", 0, 1, 1, "see build-test/logs/autoreconf.log", 0)
                return False
        build = os.path.join(TOP, folder)
        os.makedirs(build, exist_ok=True)
        name = "build " + folder
        status, output, seconds = 0, "", 0
        if not os.path.exists(os.path.join(build, "Makefile")):
            status, output, seconds = self.command(name + " configure", ["../configure"] + options, build)
        if not status:
            status, output, seconds = self.command(
                name, ["make", "-j" + JOBS, "V=0", "all", "check", "TESTS="], build)
        self.count(name, 0 if status else 1, 0, status, output, seconds)
        return not status

    def unit(self, name, folder, env=None, only=None):
        """make check, its counts from the logs of Check."""
        build = os.path.join(TOP, folder)
        for old in glob.glob(build + "/tests/**/*.log", recursive=True):
            os.remove(old)
        argv = ["make", "-j" + JOBS, "-k", "check"]
        if only:
            tests = [t for t in self.programs(build) if only.match(t)]
            argv.append("TESTS=" + " ".join(tests))
        status, output, seconds = self.command(name, argv, build, env)
        passed = failed = 0
        for path in sorted(glob.glob(build + "/tests/**/*.log", recursive=True)):
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            found = CHECK.findall(text)
            for checks, failures, errors in found:
                bad = int(failures) + int(errors)
                passed, failed = passed + int(checks) - bad, failed + bad
            skips = SKIP.findall(text)
            if found:
                passed -= len(skips)  # Check does not know of them
            output += "".join(f"\nskip {what}: {why}\n" for what, why in skips)
            plain = PLAIN.findall(text)
            for good, bad, _ in plain:
                passed, failed = passed + int(good), failed + int(bad)
            trs = path[:-4] + ".trs"
            died = os.path.exists(trs) and ":test-result: FAIL" in open(trs).read()
            if died and not any(int(f) + int(e) for _, f, e in found):
                failed += 1
            if died:
                output += f"\n--- {os.path.relpath(path, build)}\n" + text[-3000:]
        self.count(name, passed, failed, status, output, seconds)

    def programs(self, build):
        with open(os.path.join(build, "Makefile")) as f:
            text = f.read().replace("\\\n", " ")
        # Those of a conditional stand in variables of automake's own.
        found = re.findall(r"^(?:check_PROGRAMS|am__EXEEXT_\d+) =(.*)$", text, re.M)
        words = " ".join(found).replace("$(EXEEXT)", "").split()
        return sorted({w for w in words if w.startswith("tests/")})

    def script(self, name, argv, env=None):
        """A program whose last lines say "N passed, N failed"."""
        status, output, seconds = self.command(name, argv, env=env)
        found = PLAIN.findall(output)
        passed, failed = (int(found[-1][0]), int(found[-1][1])) if found else (0, 1)
        self.count(name, passed, failed, status, output, seconds)


ASAN = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
TSAN = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:suppressions="
                        + os.path.join(TOP, "tests", "lib", "tsan.supp")}


def scripts(run, build, env=None, mark=""):
    """Those that run the program itself, in the order from small to large."""
    for name in ("dialog", "daemon", "modules", "commands", "internet"):
        run.script(name + mark, ["python3", f"tests/{name}/run.py", build], env)


def steps(run, sanitizers):
    yield "house", lambda: (
        run.script("house self-test", ["python3", "tests/house/run.py", "--self-test"]),
        run.script("house", ["python3", "tests/house/run.py"]))
    yield "build", lambda: run.build("build-test", ["--enable-werror", "CFLAGS=-O2 -g"])
    yield "unit", lambda: run.unit("unit", "build-test")
    yield "programs", lambda: scripts(run, "build-test")
    yield "sdk", lambda: run.script("sdk", ["sh", "tests/sdk/run", os.path.join(TOP, "build-test/tmail-module-test")])
    for name in ("peers", "tls", "crash"):
        yield name, lambda name=name: run.script(name, ["python3", f"tests/{name}/run.py", "build-test"])
    yield "overload", lambda: run.script("overload", [
        "python3", "tests/overload/run.py", "build-test", "--clients", "500", "--messages", "4000",
        "--runs", "1"])
    yield "analyse", lambda: run.script("analyse", ["python3", "tests/analyse/run.py"])
    if not sanitizers:
        return
    yield "asan build", lambda: run.build(
        "build-asan", ["--enable-werror", "--enable-sanitizer=address,undefined", "CFLAGS=-O1 -g"])
    yield "asan unit", lambda: run.unit("unit under ASan and UBSan", "build-asan", ASAN)
    yield "asan programs", lambda: scripts(run, "build-asan", ASAN, " under ASan and UBSan")
    yield "tsan build", lambda: run.build(
        "build-tsan", ["--enable-werror", "--enable-sanitizer=thread", "CFLAGS=-O1 -g"])
    yield "tsan unit", lambda: run.unit("unit under TSan", "build-tsan", TSAN, THREADED)
    yield "distcheck", lambda: run.script("distcheck", ["sh", "tests/lib/distcheck", "build-test"])


def main():
    run = Run()
    argv = sys.argv[1:]
    only = argv[argv.index("--only") + 1] if "--only" in argv else ""
    for name, step in steps(run, "--sanitizers" in argv):
        if "--list" in argv:
            print(name)
        elif name.startswith(only):
            if step() is False and "build" in name:
                break
    if "--list" in argv:
        return 0
    if run.troubles:
        print("failed: " + ", ".join(run.troubles))
    reasons = "; ".join(dict.fromkeys(why for _, why in run.skips))
    print(f"{run.passed} passed, {run.failed} failed"
          + (f", {len(run.skips)} skipped: {reasons}" if run.skips else ""))
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
