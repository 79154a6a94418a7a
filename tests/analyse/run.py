#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What static analysers say of the core and the modules: tests/analyse/run.py [FILE...]

cppcheck looks at all files together, clang's analyser at one after the other. Nothing may be said,
but for what stands in KNOWN with the reason why it is not so; and what stands there must be said,
so that the list does not outlive its reasons."""
import collections
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEFINES = ["-D_GNU_SOURCE", '-DTMAIL_VERSION="0"', '-DTMAIL_SYSCONFDIR="/etc"',
           '-DTMAIL_MODULEDIR="/usr/lib/tmail"', '-DTMAIL_DATADIR="/usr/share/tmail"']
INCLUDES = ["-iquote", "core", "-iquote", ".", "-Icore/include"]
# cppcheck 2.10 reads two macros of ours wrongly and calls that an error.
CPPCHECK = ["cppcheck", "-q", "--enable=warning,performance,portability", "--std=c11",
            "--suppress=missingIncludeSystem", "--suppress=internalAstError",
            "--template={file}:{line}: {message} [{id}]", "-Icore", "-Icore/include"] + DEFINES
CLANG = ["--analyze", "-Xclang", "-analyzer-output=text", "-Xclang", "-analyzer-disable-checker",
         "-Xclang", "security.insecureAPI.DeprecatedOrUnsafeBufferHandling", "-std=gnu11"]
SAID = re.compile(r"^([^:\s]+):\d+:(?:\d+:)? (?:warning: )?(.*) \[([\w.]+)\]$", re.M)

# (file, checker): why it is not so. An analyser sees one function and what it calls.
KNOWN = {
    ("core/base/fail.c", "ctunullpointer"): "a `why` that is NULL is looked for first",
    ("core/queue/lane.c", "unix.Malloc"): "a lane that is pumped is not removed by others",
    ("core/base/list.h", "unix.Malloc"): "what was popped in cache.c is not on its list any more",
    ("core/host/call.c", "unix.Malloc"): "calls are counted; the caller's own reference is left",
    ("core/host/chain.c", "unix.Malloc"): "a chain is freed only when it was moved off the stack",
    ("core/host/trail_read.c", "core.NonNullParamChecker"): "a loss is never one of no events",
    ("core/mail/dsn.c", "core.NonNullParamChecker"): "what is as long as a boundary has octets",
}


def clang():
    return next((name for name in ("clang-14", "clang") if shutil.which(name)), None)


def analyse(program, path):
    run = subprocess.run([program] + CLANG + DEFINES + INCLUDES + ["-o", os.devnull, path],
                         cwd=TOP, stderr=subprocess.PIPE, text=True, check=False)
    return path, run.returncode, run.stderr


def main():
    for program in ("cppcheck", clang()):
        if not program or not shutil.which(program):
            print(f"{program or 'clang'} is not installed: see packaging/needs/test")
            print("0 passed, 1 failed")
            return 1
    sources = sys.argv[1:] or sorted(
        glob.glob("core/*/*.c", root_dir=TOP) + glob.glob("modules/*/*/*.c", root_dir=TOP))
    said = collections.defaultdict(list)
    broken = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        check = pool.submit(subprocess.run, CPPCHECK + sources, cwd=TOP, stderr=subprocess.PIPE,
                            text=True, check=False)
        outputs = [check] + [pool.submit(analyse, clang(), path) for path in sources]
        texts = [check.result().stderr]
        for output in outputs[1:]:
            path, status, text = output.result()
            texts.append(text)
            if status:
                broken.append(f"{path}: the analyser failed\n{text}")
    for text in texts:
        for path, message, checker in SAID.findall(text):
            said[path, checker].append(message)
    for line in broken:
        print(line)
    failed = len(broken)
    for (path, checker), messages in sorted(said.items()):
        if (path, checker) not in KNOWN:
            failed += len(messages)
            for message in messages:
                print(f"{path}: {message} [{checker}]")
    for path, checker in KNOWN:
        if path in sources and (path, checker) not in said:
            failed += 1
            print(f"{path}: nothing is said of [{checker}] any more: take it out of KNOWN")
    print(f"{len(sources) - min(failed, len(sources))} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
