#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The observer himself: he calls wrong what is, and nothing that can be right in some order of events."""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]
from harness import syncer, tap  # noqa: E402

import facts  # noqa: E402
import journal  # noqa: E402
import listing  # noqa: E402
import observer  # noqa: E402


class NoKube:
    """Takes what the listing tells."""

    def put(self, *_):
        pass

    delete = pod = put


class Server:
    def __init__(self, address, *has):
        self.address, self.history = address, facts.History()
        self.history.set_mode(1, facts.TRUTH)
        for token in has:
            self.history.token(token, (1, facts.YES))


class Scene:
    """Three pods that surely count; `two` alone lacks the token "t". Times are given, not waited for."""

    def __init__(self):
        self.said = []
        self.listing = listing.Listing(NoKube())
        self.journal = journal.Journal(self.said.append)
        self.observer = observer.Observer(self.listing, self.journal)
        self.servers = [Server("10.0.0.1", "t"), Server("10.0.0.2"), Server("10.0.0.3", "t")]
        self.pods = [self.listing.add(server) for server in self.servers]
        for pod in self.pods:
            pod.born, pod.changed = 1, 1
        self.learn()

    def learn(self, asked=10, got=11, counts=(True, True, True)):
        return self.listing.learn(asked, got, [{"name": pod.name, "address": pod.address, "counts": c, "state": "ready"}
                                               for pod, c in zip(self.pods, counts)])

    def judge(self, verdict="Synced", pods="2/2", began=100, ended=101, since=None, status=200, origin="gw-1", body=b"", **how):
        """The rules that the answer has broken."""
        check = observer.Check("t", origin, **how)
        check.began, check.ended, check.since = began, ended, since or began
        check.take(syncer.Answer(status, {"x-token-status": verdict, "x-token-pods": pods, "x-token-sync-ms": "10"}, body, 0))
        self.journal.wrongs.clear()
        self.observer.judge(check)
        return dict(self.journal.wrongs)


def test_a_wrong_synced_is_caught(t):
    scene = Scene()
    assert scene.judge() == {"synced": 1}
    assert any("gw-2" in text and "cannot have answered" in text for text in scene.said), scene.said
    scene.servers[1].history.token("t", (100.5, facts.YES))
    assert scene.judge() == {}
    assert scene.judge(began=99, ended=100.4) == {"synced": 1}


def test_a_pod_that_was_not_asked_is_missed(t):
    scene = Scene()
    scene.servers[1].history.token("t", (1, facts.YES))
    assert scene.judge(pods="1/1") == {"synced": 1}
    assert scene.judge(origin="-", pods="2/2") == {"synced": 1}
    assert scene.judge(origin="10.0.0.3") == {} and scene.judge(origin="-", pods="3/3") == {}


def test_what_only_may_be_proves_nothing(t):
    for spoil in (lambda s: s.servers[1].history.set_mode(100.9, facts.LIES),
                  lambda s: s.servers[1].history.token("t", (100.9, facts.MAYBE)),
                  lambda s: s.pods[1].sure.set(100.9, None)):
        scene = Scene()
        spoil(scene)
        assert scene.judge() == {}
        assert scene.judge(ended=100.8) == {"synced": 1}


def test_a_pod_that_cannot_answer_has_nothing(t):
    scene = Scene()
    scene.servers[1].history.token("t", (1, facts.YES))
    scene.servers[1].history.set_mode(99, facts.SILENT)
    assert scene.judge() == {"synced": 1} and scene.judge(since=98.5) == {}


def test_a_pod_counts_once_the_table_has_shown_it(t):
    scene = Scene()
    new = scene.listing.add(Server("10.0.0.4"))
    new.born, new.changed = 100.2, 100.2
    scene.pods.append(new)
    scene.servers[1].history.token("t", (1, facts.YES))
    assert scene.judge(ended=200) == {}
    scene.learn(100.3, 100.4, (True,) * 4)
    assert scene.judge() == {} and scene.judge(began=100.5) == {"synced": 2}  # not asked, and has it not


def test_a_table_that_loses_a_pod_is_wrong(t):
    scene = Scene()
    assert scene.learn(20, 21, (True, False, True)) == ["gw-2 counts: the table says ready"]
    scene.listing.change(scene.pods[1], "unready")
    assert scene.learn(facts.now(), facts.now(), (True, False, True)) == []


def test_a_state_between_two_that_look_alike_must_have_been_seen(t):
    """Unready and ready again: the table may still be as before the first of them."""
    scene = Scene()
    for state in ("unready", "ready"):
        scene.listing.change(scene.pods[1], state)
    later = facts.now() + 1
    scene.learn(later, later + 1)
    assert [pod.name for pod in scene.listing.surely_counting(later + 2, later + 3)] == ["gw-1", "gw-3"]
    scene.listing.settle()
    scene.learn(later + 3, later + 4)
    assert len(scene.listing.surely_counting(later + 5, later + 6)) == 3


def test_absent_is_the_reverse(t):
    scene = Scene()
    assert scene.judge(absent=True) == {"synced": 1}  # gw-3 has it
    assert scene.judge(absent=True, origin="gw-3") == {"synced": 1}  # gw-1 has it
    scene.servers[2].history.token("t", (100.5, facts.NO))
    assert scene.judge(absent=True) == {}


def test_answers_that_contradict_themselves(t):
    scene = Scene()
    for verdict, pods, status, how in (("Partialy", "2/2", 200, {}), ("NotSynced", "2/3", 200, {}), ("Synced", "1/2", 200, {}),
                                       ("Partialy", "1/2", 200, {}), ("NotSynced", "1/2", 200, {"strict": "1"}),
                                       ("Partialy", "2/3", 403, {"strict": "majority"}), ("Timeout", "2/2", 200, {})):
        assert scene.judge(verdict, pods, status=status, **how).get("consistent"), (verdict, pods, status, how)
    assert scene.judge("NotSynced", "1/2", status=403, strict="1") == {}
    assert scene.judge("Timeout", "3/3", origin="gw-99") == {}  # a list is awaited that may know it
    assert scene.judge("Partialy", "2/3", strict="majority", origin="-") == {}


def test_a_body_is_believed_no_more_than_the_rest(t):
    def body(*results):
        return b'{"pods":[%s]}' % b",".join(b'{"name":"%s","result":"%s","ms":%s}' % r for r in results)
    scene, right = Scene(), ((b"gw-2", b"absent", b"null"), (b"gw-3", b"present", b"1.5"))
    assert scene.judge("NotSynced", "1/2", body=body(*right), verbose=True) == {}
    assert scene.judge("NotSynced", "1/2", body=body((b"gw-2", b"present", b"2"), (b"gw-3", b"timeout", b"null")),
                       verbose=True) == {"pods said": 1}
    assert scene.judge("NotSynced", "0/2", body=body((b"gw-2", b"absent", b"null"), (b"gw-3", b"absent", b"null")),
                       verbose=True) == {"pods said": 1}
    assert scene.judge("NotSynced", "1/2", body=body(*right[:1]), verbose=True) == {"consistent": 1}


def test_what_a_check_of_before_had_found_may_be_shared(t):
    scene = Scene()
    first, second = observer.Check("t", "-"), observer.Check("t", "-")
    scene.observer.begin(first)
    scene.observer.begin(second)
    assert second.since == first.began
    scene.observer.end(first)
    scene.observer.end(second)
    third = observer.Check("t", "gw-1")
    scene.observer.begin(third)
    assert third.since == third.began


if __name__ == "__main__":
    sys.exit(tap.main(missing=lambda: ""))
