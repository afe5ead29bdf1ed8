#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manual pages and completion say what the programs do: each setting, command and option, and none besides; and the pages'
own checkers have nothing to say."""
import os
import re
import shutil
import subprocess
import sys

from harness import ctl, tap

SOURCE = os.environ.get("SYNCER_SRCDIR", ".")
MAN = os.path.join(SOURCE, "contrib/man")
COMPLETION = os.path.join(SOURCE, "contrib/completion")
COMMANDS = ["check", "pods", "status", "wait", "doctor"]


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def build(t):
    """syncer.yaml.5 as `make` makes it; paths of all pages."""
    settings = subprocess.run(["awk", "-f", os.path.join(MAN, "settings.awk"),
                               os.path.join(SOURCE, "include/syncer/conf/keys.def")], capture_output=True, text=True, check=True)
    page = os.path.join(t.folder, "syncer.yaml.5")
    with open(page, "w") as f:
        f.write(read(MAN, "syncer.yaml.5.in").replace("@SETTINGS@\n", settings.stdout).replace("@sysconfdir@", "/etc"))
    return [os.path.join(MAN, "syncer.8"), os.path.join(MAN, "syncerctl.1"), page]


def options(command):
    """Long names, and letters, as --help has them."""
    found = re.findall(r"^  (?:-(\w), |    )--([\w-]+)(?: ([A-Z]+))? ", ctl.run(command, "--help").out, re.M)
    return {long: letter for letter, long, _ in found}


def test_mandoc(t):
    if not shutil.which("mandoc"):
        raise tap.Skip("mandoc is not installed")
    for page in build(t):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "style", page], capture_output=True, text=True, timeout=30)
        said = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]  # not installed yet
        assert not said, "\n".join(said)


def test_man(t):
    if not shutil.which("man"):
        raise tap.Skip("man is not installed")
    for page in build(t):
        done = subprocess.run(["man", "--warnings", "-l", "-Tutf8", page], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "PAGER": "cat"})
        assert done.returncode == 0 and not done.stderr and done.stdout, done.stderr


def test_each_setting_has_its_place(t):
    page = read(build(t)[2])
    keys = re.findall(r"^CONF_\w+\((\w+)", read(SOURCE, "include/syncer/conf/keys.def"), re.M)
    assert len(keys) > 40 and re.findall(r"^\.It Cm (\w+)$", page, re.M) == keys + ["static"]
    for text in ("Default: 150 ms; 1 to 60000 ms.", "Default: scout; one of scout, parallel.", "Default: auto; 1 to 16.",
                 "Default: 0.0.0.0:8080; one value or a list.", "Default: true; true or false."):
        assert f"\n{text}\n" in page, text


def test_syncer_8_has_the_daemons_options(t):
    said = subprocess.run([os.environ["SYNCER"], "--help"], capture_output=True, text=True, timeout=10).stdout
    page = read(MAN, "syncer.8")
    for option in re.findall(r"-(-?[\w-]+)", "\n".join(re.findall(r"^  (-.*?)  ", said, re.M))):
        assert f"Fl {option}" in page, option


def test_syncerctl_1_has_commands_and_options(t):
    page = read(MAN, "syncerctl.1")
    wanted = {}
    for command in COMMANDS:
        assert f"\n.It Cm {command}\n" in page, command
        wanted.update(options(command))
    listed = {}
    for line in re.findall(r"^\.It (Fl .*)$", page, re.M):
        letters, longs = re.findall(r"Fl (\w)\b", line), re.findall(r"Fl -([\w-]+)", line)
        listed.update(dict.fromkeys(longs, letters[0] if letters else ""))
    assert listed == wanted, (sorted(listed.items()), sorted(wanted.items()))


def completed(*words):
    """What bash would offer for the last word."""
    script = f"source {os.path.join(COMPLETION, 'syncerctl')}; COMP_WORDS=(syncerctl {' '.join(map(repr, words))}); " \
             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _syncerctl; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def test_bash_completion(t):
    assert [w for w in completed("") if not w.startswith("-") and w != "help"] == COMMANDS
    assert completed("st") == ["status"]
    for command in COMMANDS:
        assert sorted(completed(command, "--")) == sorted(f"--{name}" for name in options(command)), command
    assert completed("check", "--expect", "a") == ["absent"]
    assert completed("check", "--strict", "m") == ["majority"]
    assert completed("pods", "--url", "") == []


def test_zsh_completion(t):
    """Its words: where there is no zsh, a text can still be compared."""
    text = read(COMPLETION, "_syncerctl")
    wanted = {name for command in COMMANDS for name in options(command)}
    assert set(re.findall(r"--([\w-]+)\[|--([\w-]+)}'\[", text)) and \
        {a or b for a, b in re.findall(r"--([\w-]+)\[|--([\w-]+)}'\[", text)} == wanted
    for command in COMMANDS:
        assert f"'{command}[" in text, command
    if shutil.which("zsh"):
        done = subprocess.run(["zsh", "-n", os.path.join(COMPLETION, "_syncerctl")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    sys.exit(tap.main(missing=lambda: ""))
