#!/usr/bin/env python3
"""Priorities (RFC 9218): whose body comes first where there is room for some only, by the field and by PRIORITY_UPDATE."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

PRIORITY_UPDATE = 16
SIZE, GRANT = 8000, 1000
CALM = "GOAWAY ENHANCE_YOUR_CALM"


def answer(request):
    size = FIRST_WINDOW if request.target == "/filler" else SIZE
    return http_message("HTTP/1.1 200 OK", [], bytes(size))


def update(stream, value, on=0):
    return frame(PRIORITY_UPDATE, 0, on, number(stream) + value.encode())


class Narrow:
    """A connection whose window is used up, and requests whose answers wait for it."""

    def __init__(self, proxy, origin):
        self.origin = origin
        self.client = proxy.client(settings={INITIAL_WINDOW: BIGGEST_WINDOW}, credit=False)
        filler = self.client.start(path="/filler")
        assert self.client.wait(lambda: self.client.streams[filler].ended) and not self.client.window

    def start(self, priority=None):
        count = len(self.origin.requests)
        stream = self.client.start(path="/body", headers=[("priority", priority)] if priority is not None else [])
        assert self.client.wait(lambda: self.client.streams[stream].status == 200)
        self.origin.wait_requests(count + 1)
        return stream

    def order(self, *streams):
        """Opens the window step by step. Returns who got each step: [index of the stream …], without repetitions."""
        client, got = self.client, []
        sizes = lambda: [len(client.streams[stream].body) for stream in streams]  # noqa: E731
        client.ping()
        for _ in range(len(streams) * SIZE // GRANT):
            before = sizes()
            client.grant(GRANT)
            assert client.wait(lambda: not client.window), "the window is not used"
            got += [at for at, size in enumerate(sizes()) if size != before[at]]
        assert client.wait(lambda: all(client.streams[stream].ended for stream in streams))
        return got

    def firsts(self, *streams):
        return list(dict.fromkeys(self.order(*streams)))


def connect():
    origin = Origin(answering(answer))
    return Narrow(H2Proxy(origin.port, workers=1), origin)


def in_order(got):
    return got == sorted(got, key=list(dict.fromkeys(got)).index)


def urgencies():
    narrow = connect()
    streams = [narrow.start("u=7"), narrow.start("u=5"), narrow.start("u=0")]
    got = narrow.order(*streams)
    ok(in_order(got), "one answer after the other")
    is_(list(dict.fromkeys(got)), [2, 1, 0], "the most urgent first, whoever came first")
    streams = [narrow.start("u=4"), narrow.start(), narrow.start("u=2")]
    is_(narrow.firsts(*streams), [2, 1, 0], "without the field it is 3")
    is_([request.get("priority") for request in narrow.origin.requests[-3:]], ["u=4", None, "u=2"], "the origin gets the field")
    streams = [narrow.start(), narrow.start(), narrow.start()]
    is_(narrow.firsts(*streams), [0, 1, 2], "equal ones in the order of their requests")


def incremental():
    narrow = connect()
    streams = [narrow.start("u=3, i"), narrow.start("u=3,i")]
    got = narrow.order(*streams)
    ok(not in_order(got), "incremental ones take turns")
    streams = [narrow.start("u=3, i"), narrow.start("i;x=1, u=1")]
    is_(narrow.firsts(*streams), [1, 0], "but the urgent comes first")


def malformed():
    narrow = connect()
    for value in ("u=9", "u=", "u=-1", "=", "u=0;", "\"", "u=0,,", "u=0 i", "u=0, u=99", ","):
        streams = [narrow.start("u=4"), narrow.start(value), narrow.start("u=2")]
        is_(narrow.firsts(*streams), [2, 1, 0], "%r means nothing" % value)
    streams = [narrow.start("u=4"), narrow.start("x=1, u=1, y"), narrow.start("u=2")]
    is_(narrow.firsts(*streams), [1, 2, 0], "what is unknown in it is left out")


def updates():
    narrow = connect()
    client = narrow.client
    streams = [narrow.start("u=1"), narrow.start("u=5")]
    client.send(update(streams[1], "u=0"))
    is_(narrow.firsts(*streams), [1, 0], "PRIORITY_UPDATE of an answer that waits")
    client.send(update(client.next_stream + 2, "u=0"))
    streams = [narrow.start(), narrow.start()]
    is_(narrow.firsts(*streams), [1, 0], "of a request that is yet to come")
    streams = [narrow.start("u=1"), narrow.start("u=5")]
    client.send(update(streams[1], "u=?") + update(streams[0], "u=9"))
    is_(narrow.firsts(*streams), [0, 1], "malformed ones mean nothing")
    client.send(update(1, "u=0") + update(streams[0], "u=0" + " " * 5000))
    is_(client.outcome(answers=False), "ignored", "nor do those of streams that are over, or long ones")
    for name, bad, want in (
        ("one on a stream", update(1, "u=0", 1), "GOAWAY PROTOCOL_ERROR"),
        ("one without a stream", frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0"), "GOAWAY FRAME_SIZE_ERROR"),
    ):
        client = connect().client
        client.send(bad)
        is_(client.outcome(answers=False), want, name)


def signals_as_floods():
    origin = Origin(answering(answer))
    proxy = H2Proxy(origin.port, workers=1)
    other = proxy.client()
    for name, frames in (
        ("of a stream", [update(1, "u=%d" % (at % 8)) for at in range(200)]),
        ("of a stream that is yet to come", [update(1001, "u=%d" % (at % 8)) for at in range(200)]),
        ("as RFC 7540 had them", [frame(PRIORITY, 0, 1001, number(1) + b"\1")] * 200),
    ):
        client = proxy.client()
        stream = client.start("POST", "/body", body=b"x")
        is_(client.response(stream).status, 200, "an answer")
        client.flood(frames)
        is_(client.outcome(answers=False), CALM, "200 priorities %s: " % name)
        is_(other.request(path="/body").status, 200, "others are served")
    client = proxy.client()
    client.flood([update(2 * at + 1001, "u=0") for at in range(200)])
    got = client.outcome(answers=False)
    ok(got in (CALM, "GOAWAY PROTOCOL_ERROR"), "of 200 streams that are yet to come: " + got)
    # an honest client says it for each of its requests
    client = proxy.client()
    got = []
    for _turn in trickle(range(5), 100):
        first = client.next_stream
        streams = [client.start(path="/body", headers=[("priority", "u=%d" % (at % 8))]) for at in range(20)]
        client.send(b"".join(update(stream, "u=1") for stream in range(first, first + 40, 4)))
        got += [client.response(stream).status for stream in streams]
    is_((got, client.goaways), ([200] * 100, []), "100 requests with a priority, 50 of which change it")
    is_(proxy.stop(), 0, "exit code 0")


for what in (urgencies, incremental, malformed, updates, signals_as_floods):
    subtest(what.__name__.replace("_", " "), what)
done()
