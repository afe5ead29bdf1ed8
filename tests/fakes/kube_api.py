#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The API server of the system tests as a program of its own, for tests in C. It says "ready PORT FOLDER" (the folder is
the ServiceAccount's), then takes a command a line from stdin and answers each with a line; it ends with its stdin.

    phase NAME        the set of recordings, such as v1.36-1-settled     page N, chunks N   how lists are cut
    rotate TOKEN      a new token, in the file too                       revoke TOKEN       one that the file has not
    ca other, ca own  what ca.crt holds                                  asked STEP         how often it was asked
    fault STEP KIND N what the next N requests (0: all) of deployment, replicasets or pods get: a status with its
                      recording, or garbage, cut, endless, expired (410 for a continue token; others are answered), hang
"""
import os
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from harness import certs, kube  # noqa: E402

over = threading.Event()
VERBS = {"deployment": "deployment-get", "replicasets": "replicasets-list", "pods": "pods-list"}
EXPIRED = b'{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}'
ENDLESS = b'{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"more"},"items":[]}'


def refuse(request, step, status):
    if status == 429:
        body, how = kube.recording("pods-list-429.json"), {"content_type": "text/plain", "fields": [("Retry-After", "1")]}
    elif status in (401, 403, 404):
        body, how = kube.recording(f"{'pods-list' if status == 401 else VERBS[step]}-{status}.json"), {}
    else:
        body, how = b"{}", {}
    request.reply(status, body, **how)


def misbehave(api, request, step, kind):
    whole = kube.recording(f"{api.phase}-{step}.json")
    if kind == "hang":
        over.wait()
        request.close_connection = True
    elif kind == "garbage":
        request.reply(200, b"<html>not today</html>")
    elif kind == "cut":
        request.reply(200, whole, cut=len(whole) // 2)
    elif kind == "endless":
        request.reply(200, ENDLESS)
    elif kind == "expired":
        request.reply(410, EXPIRED)
    else:
        refuse(request, step, int(kind))


def answer_well(api, request, step):
    fault = api.faults.pop(step)
    api.answer(request)
    api.asked.pop()  # it was noted twice
    api.faults[step] = fault


def set_fault(api, step, kind, times):
    left = int(times)

    def fault(request):
        nonlocal left
        if kind == "expired" and "continue=" not in request.path:
            answer_well(api, request, step)
            return
        left -= 1
        if left == 0:
            del api.faults[step]
        misbehave(api, request, step, kind)
    api.faults[step] = fault


def obey(api, authorities, command, *args):
    if command in ("page", "chunks"):
        setattr(api, command, int(args[0]))
    elif command == "phase":
        api.phase = args[0]
    elif command == "rotate":
        api.rotate(args[0])
    elif command == "revoke":
        api.token = args[0]
    elif command == "ca":
        with open(authorities[args[0]].ca) as f:
            api.write("ca.crt", f.read())
    elif command == "fault":
        set_fault(api, *args)
    elif command == "asked":
        return str(api.asked.count(args[0]))
    else:
        return "what?"
    return "ok"


def main():
    with tempfile.TemporaryDirectory(prefix="kube-api.") as folder:
        authorities = {}
        for name in ("own", "other"):
            os.mkdir(os.path.join(folder, name))
            authorities[name] = certs.Certs(os.path.join(folder, name))
        api = kube.Kube(folder, authorities["own"], "127.0.0.1")
        print("ready", api.port, api.folder, flush=True)
        for line in sys.stdin:
            print(obey(api, authorities, *line.split()), flush=True)
        over.set()
        api.close()


if __name__ == "__main__":
    main()
