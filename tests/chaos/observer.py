# SPDX-License-Identifier: MIT
"""The judge. He knows from the servers' histories which pod could have answered what, from the listing which pods counted, and
from nobody else; he calls wrong only what no order of the events within a check's time could make right."""
import collections
import json
import threading

import facts

CHECK_LINGERS_S = 4.0  # one whose client has gone: syncer may not have noticed yet
STATUS = {("0", "Synced"): 200, ("1", "Synced"): 200, ("majority", "Synced"): 200, ("majority", "Partialy"): 200}


class Check:
    """One question and what came of it. `began` is before the first byte was sent; `since` is the beginning of the oldest check
    for the same that was under way then: what that one had found, this one may have been given."""

    def __init__(self, token, origin, strict="0", verbose=False, absent=False, method="GET", request_id=""):
        self.token, self.origin, self.strict, self.verbose, self.absent = token, origin, strict, verbose, absent
        self.method, self.request_id = method, request_id
        self.began = self.since = self.ended = None
        self.status = self.verdict = self.error = self.expected = self.peers = self.sync_s = self.pods = None

    def take(self, answer):
        """The answer as harness.syncer reads it."""
        self.status, self.verdict, self.error = answer.status, answer.verdict, answer.error
        if self.verdict:
            self.expected, self.peers = map(int, answer.pods.split("/"))
            self.sync_s = int(answer.headers["x-token-sync-ms"]) / 1000
            if self.verbose and self.method == "GET":
                self.pods = json.loads(answer.body)["pods"]

    def __str__(self):
        how = [f"strict={self.strict}"] + ["verbose=1"] * self.verbose + ["expect=absent"] * self.absent
        found = f"{self.status} {self.verdict or self.error} {self.expected}/{self.peers}" if self.status else "no answer"
        return f"{self.method} {self.token} of {self.origin} {'&'.join(how)}: {found} ({self.request_id})"


class Observer:
    def __init__(self, listing, journal):
        """`journal.wrong(kind, text)` is told of what must not be."""
        self.listing, self.journal, self.verdicts = listing, journal, collections.Counter()
        self._lock, self._running = threading.Lock(), {}  # (token, origin, absent): [[since, over from] ...]

    # ---- the life of a check ----

    def begin(self, check):
        with self._lock:
            check.began = facts.now()
            same = self._running.setdefault((check.token, check.origin, check.absent), [])
            same[:] = [s for s in same if s.over > check.began]
            check.since = min([check.began, *(s.check.since for s in same)])
            same.append(_Running(check))

    def end(self, check, answer=None):
        """No answer: the client went away, or the worker."""
        with self._lock:
            check.ended = facts.now()
            for running in self._running[check.token, check.origin, check.absent]:
                if running.check is check:
                    running.over = check.ended if answer else check.ended + CHECK_LINGERS_S
        if answer:
            check.take(answer)
            self.verdicts[check.verdict or check.error or str(check.status)] += 1
            self.judge(check)

    def forget(self, tokens):
        with self._lock:
            for key in [k for k in self._running if k[0] in tokens]:
                del self._running[key]

    # ---- the rules ----

    def judge(self, check):
        rules = (self.without_verdict,) if not check.verdict else (self.consistent, self.synced, self.pods_said)
        for rule in rules:
            for text in rule(check):
                self.journal.wrong(rule.__name__.replace("_", " "), f"{check}: {text}", check)

    def without_verdict(self, check):
        if check.error != "no-pods" or check.status != 503:
            yield "nothing but a verdict was to be expected"
        elif self._peers(check):
            yield "there are pods: " + ", ".join(i.name for i in self._peers(check))

    def consistent(self, check):
        """Verdict, numbers, status and body say the same."""
        right = "Synced" if check.expected == check.peers else "Partialy" if 2 * check.expected > check.peers else "NotSynced"
        timely = check.verdict != "Timeout" or (check.expected == check.peers and self._origin_is_known(check))
        if check.verdict != right and timely:
            yield f"{check.expected}/{check.peers} is {right}"
        if check.status != (200 if check.strict == "0" else STATUS.get((check.strict, check.verdict), 403)):
            yield "the status is wrong"
        if check.pods is not None and (len(check.pods), sum(map(_expected, check.pods))) != (check.peers, check.expected):
            yield f"the body has {len(check.pods)} pods: {check.pods}"

    def synced(self, check):
        """Each pod that surely counted has been asked, and can have answered so."""
        peers = self._peers(check)
        if check.peers < len(peers):
            yield f"{check.peers} pods were asked, and {len(peers)} counted: " + ", ".join(i.name for i in peers)
        if check.peers == 0 and check.origin == "-":
            yield "nobody was asked"
        if check.verdict == "Synced":
            for identity in peers:
                if (401 if check.absent else 200) not in self._answers(identity, check):
                    yield f"{identity.name} ({identity.address}) cannot have answered so"

    def pods_said(self, check):
        """What is said of single pods, or how many there can have been."""
        code = 401 if check.absent else 200
        for pod in check.pods or ():
            identity = self.listing.find(pod["name"])
            if not identity:
                continue
            if _expected(pod) and code not in self._answers(identity, check):
                yield f"{pod['name']} cannot have answered {code}: {pod}"
            elif pod["result"] in ("present", "absent") and \
                    {"present": 200, "absent": 401}[pod["result"]] not in self._answers(identity, check):
                yield f"{pod['name']} cannot be {pod['result']}: {pod}"

    def _peers(self, check):
        """Those that were in the table when the check was concluded, whenever that was; not the origin."""
        concluded = check.began + (check.sync_s or 0)
        return [i for i in self.listing.surely_counting(concluded, check.ended) if check.origin not in (i.name, i.address)]

    def _origin_is_known(self, check):
        """For certain. Else the list may be awaited that brings it, with all pods present."""
        sure = self.listing.surely_counting(check.began, check.ended)
        return check.origin == "-" or any(check.origin in (i.name, i.address) for i in sure)

    def _answers(self, identity, check):
        return identity.server.history.answers(check.token, max(check.since, identity.born), check.ended)


def _expected(pod):
    return pod["ms"] is not None


class _Running:
    def __init__(self, check):
        self.check, self.over = check, float("inf")
