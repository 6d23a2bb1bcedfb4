#!/usr/bin/env python3
"""
HTTP/2 to backends, many requests on a connection: how many share one, flow control both ways, who leaves when, GOAWAY,
refused and reset streams, dead connections, what is sent twice and what never.
"""
import os
import re
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MIB = 1 << 20
KIB = 1 << 10
CUT = r"^(stream_reset|stream_refused|connection_reset|connection_terminated|response_malformed|response_truncated|overloaded): "


def fine(stream):
    stream.wait_end()
    stream.answer(200, body=b"fine " + stream.target.encode())


def unless_held(stream):
    """Paths below /hold are the test's to answer."""
    if not stream.target.startswith("/hold"):
        fine(stream)


def held(origin):
    return [stream for stream in list(origin.requests) if stream.target.startswith("/hold")]


def wait_held(origin, count):
    origin.wait(lambda _origin: len(held(origin)) >= count, "%d requests that wait" % count)
    return held(origin)


def finish(client, streams, served, name):
    for stream in served:
        stream.answer(200, body=b"late " + stream.target.encode())
    got = [client.response(stream).text for stream in streams]
    ok(len(got) == len(streams) and all(text.startswith("late /hold") for text in got), name) or note(got)


def warm(proxy, origin, count=1):
    """A connection whose settings are known to both sides."""
    is_(once(proxy.port, target="/warm").text, "fine /warm", "a first answer")
    session = origin.wait_session(count)
    session.wait_settled()
    return session


def failed(answer, name, statuses=(502, 503), words=CUT):
    ok(answer.status in statuses, "%s: %s" % (name, " or ".join(map(str, statuses)))) or note(answer.status)
    like(answer.text, words, "with the name of a failure")


# --- how many


def shared():
    """Requests of several clients, of both versions, are on one connection at the same time."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % n) for n in range(30)]
    old = [Client(proxy.port) for _ in range(10)]
    for each in old:
        each.send_request(target="/hold/old")
    served = wait_held(origin, 40)
    is_((len(origin.sessions), len(session.open_streams())), (1, 40), "40 requests on one connection")
    for stream in reversed(served):
        stream.answer(200, body=b"late " + stream.target.encode())
    is_([client.response(stream).text for stream in streams], ["late /hold/%d" % n for n in range(30)], "each gets its own answer")
    is_({each.read_response().text for each in old}, {"late /hold/old"}, "those of HTTP/1.1, too")
    is_(once(proxy.port, target="/next").text, "fine /next", "and the connection goes on")
    is_((len(origin.sessions), session.goaways), (1, []), "still one")
    is_(proxy.stop(), 0, "an orderly end")


def own_limit():
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin, upstream={"max_streams_per_connection": 4})
    warm(proxy, origin)
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % n) for n in range(9)]
    served = wait_held(origin, 9)
    is_(sorted(len(session.open_streams()) for session in origin.sessions), [1, 4, 4], "max_streams_per_connection: 4 means 4, 4 and 1")
    finish(client, streams, served, "all are answered")
    streams = [client.start(path="/hold/again/%d" % n) for n in range(9)]
    served = wait_held(origin, 18)[9:]
    is_(len(origin.sessions), 3, "nine more need no new connection")
    finish(client, streams, served, "all are answered")


def default_limit():
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin, http2={"max_concurrent_streams": 200})
    warm(proxy, origin)
    client = proxy.client()
    client.wait(lambda: client.settings_seen)
    streams = [client.start(path="/hold/%d" % n) for n in range(120)]
    served = wait_held(origin, 120)
    is_(sorted(len(session.open_streams()) for session in origin.sessions), [20, 100], "100 on one, by default")
    finish(client, streams, served, "all are answered")


def peers_limit():
    """The origin checks that never one more is open than it allows; it raises and lowers that."""
    origin = H2Origin(unless_held, settings={MAX_STREAMS: 3})
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % n) for n in range(3)]
    wait_held(origin, 3)
    is_(len(origin.sessions), 1, "three fit")
    streams.append(client.start(path="/hold/3"))
    wait_held(origin, 4)
    is_([len(each.open_streams()) for each in origin.sessions], [3, 1], "the fourth has a connection of its own")
    session.settings({MAX_STREAMS: 6})
    session.wait_settled()
    origin.sessions[1].settings({MAX_STREAMS: 1})
    origin.sessions[1].wait_settled()
    streams += [client.start(path="/hold/%d" % n) for n in range(4, 7)]
    wait_held(origin, 7)
    is_([len(each.open_streams()) for each in origin.sessions], [6, 1], "a limit that grows is used")
    session.settings({MAX_STREAMS: 1})
    session.wait_settled()
    for stream in held(origin):
        stream.answer(200, body=b"late " + stream.target.encode())
    is_([client.response(stream).text for stream in streams], ["late /hold/%d" % n for n in range(7)], "one that shrinks ends nothing")
    streams = [client.start(path="/hold/%d" % n) for n in range(7, 9)]
    wait_held(origin, 9)
    is_([len(each.open_streams()) for each in origin.sessions], [1, 1], "and is kept from then on")
    finish(client, streams, held(origin)[7:], "all are answered")


def no_streams():
    """Who allows nothing gets nothing, and nobody waits for ever."""
    origin = H2Origin(unless_held, settings={MAX_STREAMS: 0})
    proxy = proxy_to(origin, timeout={"connect_timeout": duration(500), "read_timeout": duration(1000)})
    client = proxy.client()
    for turn in range(3):
        start = now()
        answer = client.request("GET", "/hold/%d" % turn) if turn else None
        if answer:
            ok(answer.status in (502, 503, 504), "MAX_CONCURRENT_STREAMS 0: a failure (%d)" % answer.status)
        else:  # it may be on its way before the settings are known
            stream = client.start(path="/hold/0")
            ok(client.wait(lambda: client.streams[stream].ended or client.streams[stream].error, 15), "the first one ends")
        ok(elapsed_since(start) < 8000, "in time")
    ok(proxy.alive(), "the proxy lives on")


def allowed_later():
    """Requests wait for a turn where connections are limited, and get it."""
    origin = H2Origin(unless_held, settings={MAX_STREAMS: 2})
    proxy = proxy_to(origin, upstream={"max_connections": 1}, timeout={"connect_timeout": "20s"})
    warm(proxy, origin)
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % n) for n in range(5)]
    for turn in range(5):
        stream = wait_held(origin, turn + 1)[turn]
        ok(len(stream.session.open_streams()) <= 2, "never more than two")
        stream.answer(200, body=b"late " + stream.target.encode())
    is_(sorted(client.response(stream).text for stream in streams), ["late /hold/%d" % n for n in range(5)], "all get their turn")
    is_(len(origin.sessions), 1, "on the one connection")


# --- flow control


def closed_window():
    """An origin that opens no window holds its clients back; the neighbours do not notice."""
    origin = H2Origin(lambda stream: None if stream.target == "/up" else fine(stream), settings={INITIAL_WINDOW: 0}, credit=False)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    body = some_bytes(8 * MIB)
    client = proxy.client()
    upload = client.send_headers(None, client.fields("POST", "/up"))
    sent = 0
    while client.wait(lambda: min(client.send_window, client.streams[upload].send_window) > 0, 1) and sent < len(body):
        size = min(client.send_window, client.streams[upload].send_window, 16384)
        client.send_frame(DATA, 0, upload, body[sent : sent + size])
        client.send_window -= size
        client.streams[upload].send_window -= size
        sent += size
    ok(sent <= 2 * MIB, "HTTP/2: held back after %d bytes" % sent)
    seen = next(stream for stream in origin.requests if stream.target == "/up")
    is_(len(seen.body), 0, "not a byte at the origin")
    is_(once(proxy.port, target="/other").text, "fine /other", "a neighbour on the same connection")
    session.grant(16 * MIB)
    seen.grant(1)
    is_(len(seen.wait_body(1).body), 1, "a window of one byte lets one pass")
    session.settings({INITIAL_WINDOW: 10})
    is_(len(seen.wait_body(11).body), 11, "settings open it, too")
    seen.grant(16 * MIB)
    client.send_data(upload, body[sent:], True)
    is_(sha256(bytes(seen.wait_end(30).body)), sha256(body), "and then all of it comes")
    seen.answer(200)
    is_(client.response(upload).status, 200, "it is answered")
    before = len(origin.requests)
    old = Client(proxy.port)
    old.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    seen = origin.wait_stream(before + 1)
    sent = 0
    old.sock.setblocking(False)
    while sent < len(body) and select.select([], [old.sock], [], deadline(1))[1]:
        sent += old.sock.send(body[sent : sent + 65536])
    ok(sent < len(body), "HTTP/1.1: held back after %d bytes" % sent)
    is_(len(seen.body), 10, "the origin got what its window has room for")
    old.sock.settimeout(deadline(20))
    seen.grant(16 * MIB)
    old.send(body[sent:])
    is_(sha256(bytes(seen.wait_end(30).body)), sha256(body), "and then all of it")
    seen.answer(200)
    is_(old.read_response().status, 200, "it is answered")
    is_(len(origin.sessions), 1, "one connection for everything")


def slow_clients():
    """Clients that take nothing: the origin gets no more window, and their neighbours on the connection go on."""
    progress = {}

    def serve(stream):
        if not stream.target.startswith("/large"):
            return fine(stream)
        stream.head(200)
        body = some_bytes(8 * MIB)
        for at in range(0, len(body), 16384):
            progress[stream.target] = progress.get(stream.target, 0) + stream.data(body[at : at + 16384])
        return stream.end()

    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    warm(proxy, origin)
    slow = [proxy.client(settings={INITIAL_WINDOW: 1000}, credit=False) for _ in range(4)]
    streams = [each.start(path="/large/%d" % n) for n, each in enumerate(slow)]
    for each, stream in zip(slow, streams):
        ok(each.wait(lambda: len(each.streams[stream].body) == 1000), "a client that takes 1,000 bytes")
    old = Client(proxy.port, receive_buffer=4096)
    old.send_request(target="/large/old")
    old.read_line()
    neighbour = proxy.client()
    body = some_bytes(MIB)
    for turn in range(5):
        answer = neighbour.request("POST", "/n/%d" % turn, body=body)
        is_(answer.text, "fine /n/%d" % turn, "a neighbour's request")
    is_(len(origin.sessions), 1, "on the same connection")
    for path in ["/large/%d" % n for n in range(4)] + ["/large/old"]:
        ok(progress.get(path, 0) < 4 * MIB, "%s: %d bytes left the origin" % (path, progress.get(path, 0)))
    for each, stream in zip(slow, streams):
        each.grant(16 * MIB)
        each.grant(16 * MIB, stream)
        is_(sha256(each.response(stream, 60).body), sha256(some_bytes(8 * MIB)), "when it takes, all of it comes")
    old.reset()
    is_(proxy.stop(), 0, "an orderly end")


# --- who leaves


def clients_that_leave():
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    client = proxy.client()
    neighbour = client.start(path="/hold/neighbour")
    neighbour_seen = wait_held(origin, 1)[0]
    cases = ("before the answer", "within the answer", "within the request")
    for case in cases:
        for version in ("HTTP/2", "HTTP/1.1"):
            before = len(held(origin))
            body = case == "within the request"
            if version == "HTTP/2":
                stream = client.send_headers(None, client.fields("POST" if body else "GET", "/hold/leaves"), not body)
            else:
                old = Client(proxy.port)
                old.send("%s /hold/leaves HTTP/1.1\r\nHost: a\r\n%s\r\n" % (("POST", "Content-Length: 9\r\n") if body else ("GET", "")))
            seen = wait_held(origin, before + 1)[before]
            if case == "within the answer":
                seen.head(200)
                seen.data(b"some of it")
                ok(client.wait(lambda: client.streams[stream].body) if version == "HTTP/2" else old.read_response_head(), "the answer begins")
            client.cancel(stream) if version == "HTTP/2" else old.reset()
            is_(seen.wait_reset(), "CANCEL", "%s leaves %s: RST_STREAM CANCEL" % (version, case))
    neighbour_seen.answer(200, body=b"late /hold")
    is_(client.response(neighbour).text, "late /hold", "their neighbour is answered")
    is_(once(proxy.port, target="/after").text, "fine /after", "and others after it")
    is_((len(origin.sessions), session.ended, session.goaways), (1, None, []), "the connection lives")


def many_leave():
    """Hundreds of cancelled requests: that is no reason to end the connection, and none stays."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    for turn in range(6):
        client = proxy.client()
        before = len(held(origin))
        for _ in range(40):
            client.start(path="/hold")
        served = wait_held(origin, before + 40)[before:]
        client.reset()
        for stream in served:
            stream.wait_reset()
        ok({stream.error for stream in served} == {"CANCEL"}, "40 streams are cancelled with their connection")
    wait_until(lambda: not session.open_streams(), "no stream to stay")
    is_(once(proxy.port, target="/after").text, "fine /after", "and it goes on")
    is_(len(origin.sessions), 1, "on one connection")


def early_answers():
    """A whole answer while the request is still coming; then the origin takes no more of it, or all."""
    origin = H2Origin(lambda stream: None if stream.target.startswith("/early") else fine(stream), credit=False)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    session.grant(64 * MIB)
    for version, with_reset in (("HTTP/2", True), ("HTTP/2", False), ("HTTP/1.1", True), ("HTTP/1.1", False)):
        before, name = len(origin.requests), "%s, %s" % (version, "RST_STREAM NO_ERROR" if with_reset else "no reset")
        if version == "HTTP/2":
            client = proxy.client()
            stream = client.send_headers(None, client.fields("POST", "/early"))
            client.send_data(stream, bytes(1000))
        else:
            client = Client(proxy.port)
            client.send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(1000))
        seen = origin.wait_stream(before + 1).wait_body(1000)
        seen.answer(200, body=b"early")
        if with_reset:
            seen.reset("NO_ERROR")
        if version == "HTTP/2":
            record = client.streams[stream]
            ok(client.wait(lambda: record.ended or record.error), name + ": the answer comes while the request is open")
            is_((record.status, bytes(record.body)), (200, b"early"), "whole")
            is_(client.request("GET", "/next").text, "fine /next", "the client's connection goes on")
        else:
            answer = client.read_response()
            is_((answer.status, answer.text), (200, "early"), name + ": the answer, whole")
        if not with_reset and version == "HTTP/2":
            client.cancel(stream)
            ok(seen.wait_reset() in ("CANCEL", "NO_ERROR", "STREAM_CLOSED"), "who has his answer and leaves, leaves there, too")
    is_(once(proxy.port, target="/after").text, "fine /after", "and others are served")
    is_((len(origin.sessions), session.goaways), (1, []), "on the same connection")


def half_closed():
    """Either side may go on when the other is done: messages to and fro, the answer's end first or last."""

    def serve(stream):
        stream.head(200)
        at = 0
        while not (stream.ended and at == len(stream.body)):
            stream.wait(lambda self: len(self.body) > at or self.ended, "a message")
            at += stream.data(bytes(stream.body[at:]))
        for _ in range(3):
            stream.data(b"still here ")
        stream.end([("x-end", "1")])

    proxy = proxy_to(H2Origin(serve))
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/", [("te", "trailers")]))
    record = client.streams[stream]
    for turn in range(50):
        message = b"message %d." % turn
        size = len(record.body) + len(message)
        client.send_data(stream, message)
        if not client.wait(lambda: len(record.body) == size):
            break
    is_(turn, 49, "50 messages there and back, one after another")
    client.send_data(stream, b"last", True)
    answer = client.response(stream)
    like(answer.text, r"message 49\.laststill here still here still here $", "the origin goes on behind the end of the request")
    is_(answer.trailers, [("x-end", "1")], "up to its trailers")


# --- GOAWAY, REFUSED_STREAM, RST_STREAM


def goaway():
    """Streams up to the last one finish, later ones go elsewhere once, new ones never come here again."""
    for first in (None, BIGGEST_WINDOW):
        origin = H2Origin(unless_held)
        proxy = proxy_to(origin)
        session = warm(proxy, origin)
        client = proxy.client()
        kept = client.start(path="/hold/kept")
        seen = wait_held(origin, 1)[0]
        requests = [client.start(method, "/hold/%s" % method, body=body) for method, body in (("GET", None), ("POST", None), ("POST", b"small"))]
        wait_held(origin, 4)[3].wait_end()
        if first:
            session.goaway(first)
            session.ping()
        session.goaway(seen.number)
        again = wait_held(origin, 7)[4:]
        is_(len(origin.sessions), 2, "GOAWAY%s: a second connection" % (" in two steps" if first else ""))
        ok(all(stream.session is origin.sessions[1] for stream in again), "takes what the first one did not process")
        is_(sorted((each.method, bytes(each.wait_end().body)) for each in again), [("GET", b""), ("POST", b""), ("POST", b"small")], "whole")
        for stream in again:
            stream.answer(200, body=b"again " + stream.method.encode())
        is_([client.response(stream).text for stream in requests], ["again GET", "again POST", "again POST"], "POST, too: nobody had seen it")
        is_(client.request("GET", "/new").text, "fine /new", "a new request")
        ok(origin.requests[-1].session is origin.sessions[1], "goes to the new connection")
        seen.answer(200, body=b"late /hold")
        is_(client.response(kept).text, "late /hold", "the one that was accepted finishes where it was")
        ok(session.wait_end(), "then that connection ends")
        is_((len(held(origin)), client.goaways), (7, []), "nothing was sent a third time, and the client has not noticed")


def goaway_idle():
    """While nobody asks anything."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    for code in ("NO_ERROR", "ENHANCE_YOUR_CALM"):
        before = len(origin.sessions)
        is_(once(proxy.port).text, "fine /", "an answer")
        session = origin.wait_session(before + 1)
        session.goaway(code=code)
        ok(session.wait_end(), "GOAWAY %s ends an idle connection" % code)
    is_(once(proxy.port, "POST", "/", body=b"x").text, "fine /", "the next one is opened for who needs it")


def allows_none(asked, *more):
    """Answers, and allows no streams any more, in one write: what waited for that stream has been given out by then."""
    asked.is_answered = True
    asked.session.unacknowledged.append([(MAX_STREAMS, 0)])
    asked.session.send(frame(HEADERS, END_HEADERS | END_STREAM, asked.number, b"\x88") + frame(
        SETTINGS, 0, 0, settings_payload({MAX_STREAMS: 0})) + b"".join(more))  # fmt: skip


def given_out_in_vain():
    """Requests that a connection was given, but could not send: they go elsewhere, or are cancelled, or go out later."""
    origin = H2Origin(unless_held, settings={MAX_STREAMS: 1})
    proxy = proxy_to(origin, upstream={"max_connections": 1})
    session = warm(proxy, origin)
    client = proxy.client()
    long = [("x-%d" % n, "%d" % n * 3000) for n in range(4)]  # heads that are borrowed until they are sent
    client.start(path="/hold/first")
    asked = wait_held(origin, 1)[0]
    gone, kept = client.start(path="/gone", headers=long), Client(proxy.port)
    client.ping()
    allows_none(asked)
    session.wait_settled()
    client.cancel(gone)
    client.ping()
    kept.send_request("GET", "/kept", headers=long)
    session.settings({MAX_STREAMS: 1})
    is_(kept.read_response().text, "fine /kept", "one that was cancelled meanwhile is in nobody's way")
    is_([each.target for each in origin.requests if each.target == "/gone"], [], "and is not sent")

    client.start(path="/hold/second")
    asked = wait_held(origin, 2)[1]
    later = client.start("POST", "/later", long, b"body")
    client.ping()
    allows_none(asked)
    session.wait_settled()
    session.settings({MAX_STREAMS: 1})
    is_(client.response(later).text, "fine /later", "one whose turn comes again goes out")
    seen = origin.requests[-1]
    is_(([(name, seen.get(name)) for name, _value in long], bytes(seen.body)), (long, b"body"), "as it was")

    client.start(path="/hold/third")
    asked = wait_held(origin, 3)[2]
    elsewhere = client.start("POST", "/elsewhere", long, b"body")
    client.ping()
    allows_none(asked, frame(GOAWAY, 0, 0, number(asked.number) + number(0)))
    is_(client.response(elsewhere).text, "fine /elsewhere", "one that GOAWAY overtakes goes to another connection")
    is_((len(origin.sessions), bytes(origin.requests[-1].body)), (2, b"body"), "with its body")
    is_(proxy.stop(), 0, "an orderly end")


def goaway_again():
    """A second GOAWAY for the same request is one too many."""

    def serve(stream):
        if stream.target == "/refused":
            stream.session.goaway(0)
        else:
            fine(stream)

    for method in ("GET", "POST"):
        origin = H2Origin(serve)
        proxy = proxy_to(origin)
        failed(once(proxy.port, method, "/refused"), "%s, GOAWAY twice" % method)
        is_(len(origin.requests), 2, "it was tried twice")
        is_(once(proxy.port).text, "fine /", "and the next request is served")


def refused():
    for version in ("HTTP/1.1", "HTTP/2"):
        for method, body in (("GET", None), ("POST", None), ("POST", b"small")):
            origin = H2Origin()
            proxy = proxy_to(origin)
            client = Client(proxy.port) if version == "HTTP/1.1" else proxy.client()
            asked = background(client.request, method, "/x", [], body)
            origin.wait_stream(1).reset("REFUSED_STREAM")
            origin.wait_stream(2).wait_end().answer(200, body=b"second")
            is_(asked.result().text, "second", "%s %s %r: a refused stream is tried again" % (version, method, body))
            is_(bytes(origin.requests[1].body), body or b"", "with its body")
            asked = background(client.request, method, "/y", [], body)
            origin.wait_stream(3).reset("REFUSED_STREAM")
            origin.wait_stream(4).reset("REFUSED_STREAM")
            failed(asked.result(), "twice refused")
            is_(len(origin.requests), 4, "once, and not more")


def reset_before():
    """Any other code: the request may have been processed, so it is not sent again, not even GET."""
    origin = H2Origin(lambda stream: stream.reset(int(stream.target[1:])) if stream.target[1:].isdigit() else fine(stream))
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    for code in [0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 0x99, 0xFFFFFFFF]:
        for method in ("GET", "POST"):
            before = len(origin.requests)
            failed(once(proxy.port, method, "/%d" % code), "%s, RST_STREAM %s" % (method, error_name(code)),
                   words=CUT.replace("(", "(protocol_mismatch|"))
            is_(len(origin.requests), before + 1, "sent once")
    is_(once(proxy.port, target="/after").text, "fine /after", "others are served")
    is_((len(origin.sessions), session.ended), (1, None), "on the same connection")


def reset_within():
    """Behind the head: the client's answer is cut, not ended."""

    def serve(stream):
        if stream.target == "/warm":
            return fine(stream)
        stream.head(200, [("content-length", "100")] if stream.target == "/length" else [])
        stream.data(b"some")
        stream.wait(lambda self: stream.target in told, "the client to have seen it")
        return stream.reset("INTERNAL_ERROR")

    told = set()
    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    for path in ("/length", "/open"):
        told.clear()
        client = proxy.client()
        stream = client.start(path=path)
        ok(client.wait(lambda: client.streams[stream].body == b"some"), "some of an answer")
        old = Client(proxy.port)
        old.send_request(target=path)
        head = old.read_response_head()
        told.add(path)
        with origin.changed:
            origin.changed.notify_all()
        ok(client.wait_reset(stream) not in (None, "NO_ERROR"), "HTTP/2: a reset")
        is_(client.request("GET", "/warm").status, 200, "of the stream alone")
        try:
            old.read_body(head, True)
            ok(False, "HTTP/1.1: no end")
        except (ProtocolError, ConnectionError):
            ok(True, "HTTP/1.1: no end")
        proxy.wait_line(r"^\[ERROR\] GET %s → \S+ failed: (connection_reset|response_truncated) \(" % path)
        ok(True, "the log has the failure")
    is_((len(origin.sessions), session.ended), (1, None), "the origin's connection lives")


# --- connections that die


def dead_at_once():
    """A new connection that dies with requests on it: they failed, and are not sent again."""
    for with_reset in (False, True):
        origin = H2Origin()
        proxy = proxy_to(origin)
        client = proxy.client()
        streams = [client.start(method, "/x", body=body) for method, body in (("GET", None), ("POST", b"x"), ("GET", None))]
        session = origin.wait_stream(3).session
        origin.wait_stream(2).wait_end()
        sessions = {stream.session for stream in origin.requests}
        for each in sessions:
            each.close(with_reset)
        for stream in streams:
            failed(client.response(stream), "a connection that %s" % ("is reset" if with_reset else "ends"), (502,))
        ok(session.wait_end(), "it is gone")
        is_(len(origin.requests), 3, "nothing was sent twice")
        asked = background(client.request, "GET", "/y")
        origin.wait_stream(4).answer(200, body=b"new")
        is_(asked.result().text, "new", "the next request has a new one")


def dead_when_idle():
    """One that had been idle, and died under the request: what may be sent twice is (GET), the rest is not."""
    for method, body, again in (("GET", None, True), ("PUT", b"x", True), ("POST", b"x", False)):
        origin = H2Origin(lambda stream: fine(stream) if stream.target == "/warm" else None)
        proxy = proxy_to(origin)
        session = warm(proxy, origin)
        client = Client(proxy.port)
        asked = background(client.request, method, "/x", [], body)
        origin.wait_stream(2).wait_end()
        session.close()
        if again and method == "GET":
            origin.wait_stream(3).wait_end().answer(200, body=b"second")
            is_(asked.result().text, "second", "%s: sent again" % method)
        elif again:  # only if all of the body is still at hand
            origin.wait(lambda self: len(self.requests) > 2 or asked.value, "what becomes of it")
            if len(origin.requests) > 2:
                origin.requests[2].wait_end().answer(200, body=b"second")
            answer = asked.result()
            ok(answer.text == "second" or answer.status == 502, "%s: sent again, or failed" % method)
        else:
            failed(asked.result(), method, (502,))
            is_(len(origin.requests), 2, "%s: sent once" % method)


def dead_with_many():
    """A connection in use dies: each of its requests ends, those with some of an answer cut, and no POST comes twice."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    client = proxy.client()
    gets = [client.start(path="/hold/get/%d" % n) for n in range(5)]
    posts = [client.start("POST", "/hold/post/%d" % n, body=b"x") for n in range(3)]
    begun = client.start(path="/hold/begun")
    served = {stream.target: stream for stream in wait_held(origin, 9)}
    served["/hold/begun"].head(200)
    served["/hold/begun"].data(b"some")
    ok(client.wait(lambda: client.streams[begun].body), "one answer has begun")
    session.close()
    ok(client.wait_reset(begun) not in (None, "NO_ERROR"), "it is cut")
    for stream in posts:
        failed(client.response(stream), "POST", (502,))
    repeated = set()
    end = now() + deadline(30)
    while not all(client.streams[stream].ended for stream in gets) and now() < end:
        for stream in [each for each in held(origin)[9:] if each not in repeated]:
            repeated.add(stream)
            stream.answer(200, body=b"second")
        client.read_frame(0.05)
    answers = [client.response(stream) for stream in gets]
    ok(all(each.text == "second" or each.status == 502 and re.search(CUT, each.text) for each in answers), "GET: sent again, or failed")
    is_([stream.target for stream in held(origin)[9:] if "get" not in stream.target], [], "nothing else was sent again")
    is_(client.request("GET", "/new").text, "fine /new", "the proxy goes on")


# --- time


def silence():
    """read_timeout is each stream's own."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin, timeout={"read_timeout": duration(500)})
    session = warm(proxy, origin)
    client = proxy.client()
    stream = client.start(path="/hold/silent")
    seen = wait_held(origin, 1)[0]
    while not client.streams[stream].ended and client.request("GET", "/busy").status == 200:
        pass
    failed(client.response(stream), "a silent stream between busy ones", (504,), r"^response_timeout: ")
    is_(seen.wait_reset(), "CANCEL", "the origin is told")
    is_(client.request("GET", "/after").text, "fine /after", "the connection goes on")
    is_((len(origin.sessions), session.ended), (1, None), "it is the same")


def idle():
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin, upstream={"idle_timeout": duration(300)})
    session = warm(proxy, origin)
    ok(session.wait_end(), "an idle connection is closed")
    is_([code for _last, code, _text in session.goaways if code != "NO_ERROR"], [], "and not as if anything were wrong")
    stream = proxy.client()
    asked = stream.start(path="/hold")
    seen = wait_held(origin, 1)[0]
    is_(stream.wait(lambda: stream.streams[asked].ended, 0.9), False, "but not under a request that waits")
    seen.answer(200, body=b"late /hold")
    is_(stream.response(asked).text, "late /hold", "which is answered")


def pings():
    origin = H2Origin(unless_held)
    session = warm(proxy_to(origin), origin)
    is_(session.pings, [], "no PING by default")
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin, upstream={"ping_interval": duration(100), "idle_timeout": "60s"})
    session = warm(proxy, origin)
    client = proxy.client()
    asked = client.start(path="/hold")
    seen = wait_held(origin, 1)[0]
    origin.wait(lambda _origin: len(session.pings) >= 3, "three pings")
    ok(True, "ping_interval: while a request waits")
    seen.answer(200, body=b"late /hold")
    is_(client.response(asked).text, "late /hold", "which is answered")
    origin = H2Origin(unless_held, acknowledge=False)
    proxy = proxy_to(origin, upstream={"ping_interval": duration(100), "idle_timeout": "60s"}, timeout={"read_timeout": "60s"})
    client = proxy.client()
    asked = client.start(path="/hold")
    session = wait_held(origin, 1)[0].session
    ok(session.wait_end(), "a connection on which nobody answers is given up")
    failed(client.response(asked), "its request", (502, 504), r"^(connection_\w+|response_timeout): ")


def drain():
    """SIGTERM: what is open finishes, then the connections end."""
    origin = H2Origin(unless_held)
    proxy = proxy_to(origin)
    session = warm(proxy, origin)
    client = proxy.client()
    asked = client.start(path="/hold")
    seen = wait_held(origin, 1)[0]
    ending = background(proxy.stop)
    ok(client.wait(lambda: client.goaways), "the client is told")
    seen.answer(200, body=b"late /hold")
    is_(client.response(asked).text, "late /hold", "what was open is answered")
    is_(ending.result(), 0, "an orderly end")
    ok(session.wait_end(), "the origin's connection ends")
    is_([code for _last, code, _text in session.goaways if code != "NO_ERROR"], [], "without an error")


for what in (shared, own_limit, default_limit, peers_limit, no_streams, allowed_later, closed_window, slow_clients, clients_that_leave,
             many_leave, early_answers, half_closed, goaway, goaway_idle, given_out_in_vain, goaway_again, refused, reset_before,
             reset_within, dead_at_once, dead_when_idle, dead_with_many, silence, idle, pings, drain):  # fmt: skip
    subtest(what.__name__.replace("_", " "), what)
done()
