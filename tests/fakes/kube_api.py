#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The API server of the system tests as a program of its own, for tests in C. It says "ready PORT FOLDER" (the folder is
the ServiceAccount's), then takes a command a line from stdin and answers each with a line; it ends with its stdin.

    phase NAME        the set of recordings, such as v1.36-1-settled     page N, chunks N   how lists are cut
    rotate TOKEN      a new token, in the file too                       revoke TOKEN       one that the file has not
    ca other, ca own  what ca.crt holds                                  asked STEP         how often it was asked
    fault STEP KIND N what the next N requests (0: all) of deployment, replicasets or pods get: a status with its
                      recording, or garbage, cut, endless, expired (410 for a continue token; others are answered), hang
    live              from now on the objects of the phase are a beginning, changed by
    pod NAME IP STATE ready, unready or terminating; `pod NAME` deletes it. `quiet ...`: the watches are not told
    set UID OWNER     a ReplicaSet, owned by the Deployment of that uid; `set UID` deletes it
    again UID [APP]   the Deployment is made again, with the selector app=APP; `gone` deletes it
    slice NAME TYPE ENDPOINT...    an EndpointSlice, see kube.slice(); `slice NAME` deletes it
    owned NAME IP SET a ready pod of that ReplicaSet
    replay            the next event of a recorded rollout; answers how many pods should count then, -1: there was none
    line STEP TEXT    that line for the watches that run; `part`: without an end of line
    end STEP, cut STEP  ends the watches that run, well or not
    watch STEP KIND N   as fault: a status, or gone (200 and an error of code 410), error (another code), zero (200 and at once
                      the end), silent (200 and never anything), hang (no head), drop (no answer at all)
    watched STEP, running STEP, versions STEP    how many watches there were, are; from how many versions they began
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


GONE = b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 1 (2)","code":%d}}\n'


def refuse(request, step, status):
    if status == 429:
        body, how = kube.recording("pods-list-429.json"), {"content_type": "text/plain", "fields": [("Retry-After", "1")]}
    elif status in (401, 403, 404):
        body, how = kube.recording(f"{'pods-list' if status == 401 else VERBS[step]}-{status}.json"), {}
    else:
        body, how = b"{}", {}
    request.reply(status, body, **how)


def misbehave(api, request, step, kind):
    if kind == "hang":
        over.wait()
        request.close_connection = True
    elif kind == "garbage":
        request.reply(200, b"<html>not today</html>")
    elif kind == "cut":
        whole = kube.recording(f"{api.phase}-{step}.json")
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


def watch_badly(api, request, step, kind):
    if kind in ("gone", "error"):
        request.begin_stream()
        request.stream(GONE % (410 if kind == "gone" else 500))
        request.end_stream()
    elif kind == "zero":
        request.begin_stream()
        request.end_stream()
    elif kind == "drop":
        request.close_connection = True
    elif kind in ("silent", "hang"):
        if kind == "silent":
            request.begin_stream()
        over.wait()
        request.close_connection = True
    elif kind == "403":
        request.reply(403, kube.recording("pods-watch-403.json"))
    elif kind == "410":
        request.reply(410, EXPIRED)
    else:
        refuse(request, step, int(kind))


def set_watch_fault(api, step, kind, times):
    left = int(times)

    def fault(request):
        nonlocal left
        left -= 1
        if left == 0:
            del api.watch_faults[step]
        watch_badly(api, request, step, kind)
    api.watch_faults[step] = fault
    if kind == "well":
        del api.watch_faults[step]


def change(api, tell, command, *args):
    """The cluster changes. False: that is none of its commands."""
    if command == "pod" and len(args) == 1:
        api.delete("pods", f"uid-{args[0]}", tell)
    elif command == "pod":
        api.put("pods", api.pod(*args), tell)
    elif command == "slice" and len(args) == 1:
        api.delete("endpointslices", f"uid-{args[0]}", tell)
    elif command == "slice":
        api.put("endpointslices", api.slice(*args), tell)
    elif command == "owned":
        api.put("pods", api.pod(*args[:2], owner=args[2]), tell)
    elif command == "set" and len(args) == 1:
        api.delete("replicasets", args[0], tell)
    elif command == "set":
        replicaset = api.again(args[1])[1]
        replicaset["metadata"]["uid"] = args[0]
        api.put("replicasets", replicaset, tell)
    elif command == "gone":
        for uid in list(api.objects["deployment"]):
            api.delete("deployment", uid, tell)
    elif command == "again":
        deployment, replicaset = api.again(*args)
        for step in ("pods", "replicasets", "deployment"):
            for uid in list(api.objects[step]):
                api.delete(step, uid, tell)
        api.put("deployment", deployment, tell)
        api.put("replicasets", replicaset, tell)
    else:
        return False
    return True


def script(api, command, *args):
    """What the watches do. None: that is none of its commands."""
    if command in ("line", "part"):
        api.push_bytes(args[0], " ".join(args[1:]).encode() + (b"\n" if command == "line" else b""))
    elif command in ("end", "cut"):
        api.end_watches(args[0], cut=command == "cut")
    elif command == "watch":
        set_watch_fault(api, *args)
    elif command == "replay":
        api.replaying = getattr(api, "replaying", None) or api.replay()
        return str(next((len(names) for names in api.replaying), -1))
    elif command == "watched":
        return str(sum(step == args[0] for step, _ in api.watched))
    elif command == "versions":
        return str(len({version for step, version in api.watched if step == args[0]}))
    elif command == "running":
        return str(api.watching.get(args[0], 0))
    else:
        return None
    return "ok"


def obey(api, authorities, command, *args):
    tell = command != "quiet"
    answer = script(api, command, *args)
    if answer or change(api, tell, *([command, *args] if tell else args)):
        return answer or "ok"
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
    elif command == "live":
        api.live()
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
