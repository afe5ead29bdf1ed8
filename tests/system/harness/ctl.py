# SPDX-License-Identifier: MIT
"""syncerctl as a person or a script runs it: with or without a terminal, the token by standard input, file or environment."""
import json
import os
import pty
import subprocess

from . import proc


def binary():
    """Beside the daemon."""
    return os.path.join(os.path.dirname(os.environ.get("SYNCER", "")), "syncerctl")


class Said:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return self.out.splitlines()

    def __str__(self):
        return f"exit code {self.code}\n{self.out}{self.err}"


def _env(more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SYNCER", "KUBE")) and k != "NO_COLOR"}
    return {**env, "TERM": "xterm", **more}


def run(*args, token=None, timeout=60, **env):
    """`token` goes to standard input, with a newline behind."""
    given = None if token is None else f"{token}\n"
    done = subprocess.run([binary(), *args], input=given, stdin=subprocess.DEVNULL if given is None else None,
                          capture_output=True, text=True, timeout=timeout, env=_env(env))
    return Said(done.returncode, done.stdout, done.stderr)


def on_terminal(*args, typed=None, **env):
    """With a pseudo-terminal for all three; `typed` once it has asked for something. What is seen, with the exit code."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([binary(), *args], stdin=theirs, stdout=theirs, stderr=theirs, env=_env(env))
    os.close(theirs)
    seen = b""
    try:
        while True:
            if typed and seen.endswith(b": "):
                os.write(ours, typed.encode() + b"\n")
                typed = None
            try:
                got = os.read(ours, 65536)
            except OSError:  # EIO: the other side is closed
                break
            if not got:
                break
            seen += got
        return Said(child.wait(30), seen.decode(), "")
    finally:
        os.close(ours)
        proc.end(child)


# ---- doctor ----

def doctor(*args, **env):
    """The findings, after a look at the text and the exit code."""
    said, shown = run("doctor", "--json", *args, **env), run("doctor", *args, **env)
    findings = said.json()["findings"]
    bad = [f for f in findings if f["level"] == "bad"]
    assert said.code == shown.code == (1 if bad else 0) and said.json()["ok"] is not bool(bad), f"{said}{shown}"
    assert f"{len(bad)} must change" in shown.lines()[-1], shown
    assert "syncerctl-doctor-" not in said.out + shown.out, "the made-up token"
    return findings


def texts(findings, level, topic):
    return [f["text"] for f in findings if (f["level"], f["topic"]) == (level, topic)]


def expect(findings, level, topic, *words):
    """One finding of that kind has all the words, in its text or its remedy."""
    for f in findings:
        if (f["level"], f["topic"]) == (level, topic) and all(w in f["text"] + (f["remedy"] or "") for w in words):
            return
    raise AssertionError(f"no {level} {topic} with {words}: {json.dumps(findings, indent=1)}")


def wait_status(server, what):
    """Until /v1/status is as `what` wants it."""
    proc.wait_until(lambda: what(server.get("/v1/status").json()), 20, 0.05, why="/v1/status does not say it")
