#!/usr/bin/env python3
"""
HTTP/2 to backends, when there are more requests than connections: upstream.max_connections, who waits and is let in,
connections that die or whose address changes while many wait, how often one request is sent.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, backend_of, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

PATIENT = {"connect_timeout": "30s"}  # as long as a request waits for a connection


def fine(stream):
    stream.wait_end()
    stream.answer(200, body=b"fine " + stream.target.encode())


def nothing(_stream):
    """The test answers."""


def one_connection(origin, **settings):
    limits = {"max_connections": 1, **settings.pop("upstream", {})}
    timeout = {**PATIENT, **settings.pop("timeout", {})}
    return proxy_to(origin, upstream=limits, timeout=timeout, http2={"max_concurrent_streams": 300}, **settings)


def client_of(proxy):
    client = proxy.client()
    client.wait(lambda: client.settings_seen)
    return client


def many():
    origin = H2Origin(fine)
    proxy = one_connection(origin)
    client = client_of(proxy)
    streams = [client.start(path="/%d" % n) for n in range(200)]
    is_([client.response(stream).text for stream in streams], ["fine /%d" % n for n in range(200)], "200 at once are answered")
    is_(len(origin.sessions), 1, "on one connection")
    is_(proxy.stop(), 0, "an orderly end")


def one_by_one():
    """Each answer lets one in that waits, and nobody opens a connection beyond the limit for it."""
    origin = H2Origin(nothing)
    proxy = one_connection(origin, upstream={"max_streams_per_connection": 2})
    client = client_of(proxy)
    streams = [client.start(path="/%d" % n) for n in range(12)]
    for n in range(12):
        stream = origin.wait_stream(n + 1)
        ok(len(origin.sessions[0].open_streams()) <= 2, "never more than two at once")
        stream.answer(200, body=b"x")
    is_([client.response(stream).text for stream in streams], ["x"] * 12, "12 requests are answered")
    is_(len(origin.sessions), 1, "on one connection")
    is_(proxy.stop(), 0, "an orderly end")


def fewer_allowed():
    """The endpoint lowers its limit below what is under way: an answer makes no room then."""
    origin = H2Origin(nothing)
    proxy = one_connection(origin, upstream={"max_streams_per_connection": 8})
    client = client_of(proxy)
    streams = [client.start(path="/0")]
    origin.wait_stream(1)
    origin.sessions[0].wait_settled()
    streams += [client.start(path="/%d" % n) for n in range(1, 16)]
    origin.wait_stream(8)
    session = origin.sessions[0]
    session.settings({MAX_STREAMS: 1})
    session.wait_settled()
    for n in range(16):
        origin.wait_stream(n + 1).answer(200, body=b"x")
        session.ping()
    is_([client.response(stream).text for stream in streams], ["x"] * 16, "all are answered")
    is_(len(origin.sessions), 1, "on one connection")


def more_allowed():
    """It allows nothing at first, and more later: those that wait are let in without anybody's end."""
    origin = H2Origin(nothing, settings={MAX_STREAMS: 1})
    proxy = one_connection(origin)
    client = client_of(proxy)
    streams = [client.start(path="/%d" % n) for n in range(10)]
    origin.wait_stream(1)
    session = origin.sessions[0]
    session.wait_settled()
    session.settings({MAX_STREAMS: 20})
    origin.wait_stream(10)
    for stream in list(origin.requests):
        stream.answer(200, body=b"x")
    is_([client.response(stream).text for stream in streams], ["x"] * 10, "all are answered")
    is_(len(origin.sessions), 1, "on one connection")


def refused():
    """A request that the only connection refuses waits, and has it again: nothing else was to be had."""
    origin = H2Origin(lambda stream: stream.reset("REFUSED_STREAM") if stream.session.count(HEADERS) == 1 else fine(stream))
    proxy = one_connection(origin)
    is_(once(proxy.port, "POST", "/again", body=b"a").text, "fine /again", "POST: the second try")
    is_((len(origin.sessions), len(origin.requests)), (1, 2), "on the same connection")


def dies_while_many_wait():
    for name, close in (("FIN", lambda s: s.close()), ("RST", lambda s: s.close(True))):
        begun = []
        serve = lambda stream: fine(stream) if stream.session is not begun[0] else None  # noqa: E731
        origin = H2Origin(serve, greet=begun.append, acknowledge=False)
        proxy = proxy_to(origin)
        client = client_of(proxy)
        streams = [client.start(path="/%d" % n) for n in range(50)]
        origin.wait_stream(1)
        client.ping()
        origin.greet, origin.acknowledge = None, True
        close(begun[0])
        statuses = [client.response(stream).status for stream in streams]
        ok(set(statuses) <= {200, 502}, "%s before its SETTINGS: each of 50 requests ends" % name) or note(statuses)
        is_(client.request("GET", "/next").text, "fine /next", "the next one is served")
        is_(proxy.stop(), 0, "an orderly end")
        origin.problems.clear()


def dies_at_its_limit():
    """One that is at its limit dies: those that wait for a part in it open another."""
    origin = H2Origin(lambda stream: fine(stream) if stream.session is not origin.sessions[0] else None)
    proxy = one_connection(origin, upstream={"max_streams_per_connection": 5})
    client = client_of(proxy)
    streams = [client.start("POST", "/%d" % n, body=b"a") for n in range(40)]
    origin.wait_stream(5)
    client.ping()
    origin.sessions[0].close()
    statuses = [client.response(stream).status for stream in streams]
    is_((statuses.count(502), statuses.count(200)), (5, 35), "5 die with it, and 35 are served")
    is_(len(origin.sessions), 2, "by the next one")
    is_(once(proxy.port).text, "fine /", "and it goes on")


def tries():
    """All connections die by the same request: it is not tried on each of them."""

    def serve(stream):
        if stream.target == "/kill":
            stream.session.close()
        elif stream.target != "/hold":
            fine(stream)

    origin = H2Origin(serve)
    proxy = proxy_to(origin, upstream={"max_streams_per_connection": 1})
    client = client_of(proxy)
    streams = [client.start(path="/hold") for _ in range(8)]
    for stream in list(origin.wait_stream(8) and origin.requests):
        stream.answer(200, body=b"x")
    is_([client.response(stream).text for stream in streams], ["x"] * 8, "eight connections")
    is_(len(origin.sessions), 8, "have served")
    answer = once(proxy.port, target="/kill")
    ok(answer.status == 502, "a GET that kills connections: 502") or note(answer.status)
    sent = len([each for each in origin.requests if each.target == "/kill"])
    ok(1 < sent <= 3, "after %d tries" % sent)
    answer = once(proxy.port, "POST", "/kill", body=b"a")
    sent = len([each for each in origin.requests if each.target == "/kill"]) - sent
    is_((answer.status, sent), (502, 1), "a POST: once")
    is_(once(proxy.port, target="/next").text, "fine /next", "and it goes on")


def idle_ones():
    """A backend that allows one stream makes connections many; max_idle_per_endpoint bounds those kept."""
    origin = H2Origin(nothing, settings={MAX_STREAMS: 1})
    proxy = proxy_to(origin, upstream={"max_idle_per_endpoint": 2, "idle_timeout": "60s"})
    client = client_of(proxy)
    streams = [client.start(path="/%d" % n) for n in range(8)]
    origin.wait_stream(8)
    is_(len(origin.sessions), 8, "eight connections")
    for stream in list(origin.requests):
        stream.answer(200, body=b"x")
    is_([client.response(stream).text for stream in streams], ["x"] * 8, "eight answers")
    origin.wait(lambda _origin: sum(not each.ended for each in origin.sessions) == 2, "all but two connections to end")
    is_([code for each in origin.sessions for _last, code, _text in each.goaways if code != "NO_ERROR"], [], "without an error")


def moved():
    """The name gets another address under load: what is under way ends well, what comes goes to the new one."""
    hosts = Hosts(users="127.0.0.2")
    old = H2Origin(lambda stream: fine(stream) if stream.target != "/hold" else None, host="127.0.0.2")
    new = H2Origin(fine, host="127.0.0.3", port=old.port)
    backend = {"host": "users.test", "port": old.port, "protocol": "h2"}
    proxy = H2Proxy(backend, wrapper=hosts.wrapper, dns={"refresh": "100ms"}, workers=1, upstream={"max_connections": 1}, timeout=PATIENT)
    client = client_of(proxy)
    kept = [client.start(path="/hold") for _ in range(20)]
    old.wait_stream(20)
    hosts.set(users="127.0.0.3")
    wait_until(lambda: client.request("GET", "/x").status == 200 and new.requests, "requests to go to the new address")
    is_([once(proxy.port, "POST", "/y", body=b"a").text for _ in range(20)], ["fine /y"] * 20, "it serves")
    for stream in [each for each in old.requests if each.target == "/hold"]:
        stream.answer(200, body=b"old")
    is_([client.response(stream).text for stream in kept], ["old"] * 20, "what was under way at the old one is answered")
    ok(old.sessions[0].wait_end(), "whose connection ends")
    is_(len(new.sessions), 1, "one to the new one")


def unix():
    path = "unix:" + os.path.join(temporary_folder(), "h2.sock")
    origin = H2Origin(lambda stream: fine(stream) if stream.target != "/hold" else None, host=path)
    proxy = H2Proxy({"host": path, "protocol": "h2"}, workers=1, timeout={"write_timeout": duration(1000), "read_timeout": duration(1000)})
    client = client_of(proxy)
    streams = [client.start("POST", "/%d" % n, body=bytes(50000)) for n in range(20)]
    is_([client.response(stream).text for stream in streams], ["fine /%d" % n for n in range(20)], "a unix socket: 20 requests")
    is_(len(origin.sessions), 1, "on one connection")
    is_(once(proxy.port, target="/hold").status, 504, "an origin that is silent")
    session = origin.sessions[0]
    session.reading.clear()
    statuses = {once(proxy.port, "POST", "/deaf", body=bytes(1 << 20)).status for _ in range(3)}
    ok(statuses <= {502, 503, 504}, "one that takes nothing") or note(statuses)
    session.reading.set()
    session.close()
    is_(once(proxy.port, target="/next").text, "fine /next", "and a new connection")
    origin.problems.clear()
    is_(proxy.stop(), 0, "an orderly end")


for what in (many, one_by_one, fewer_allowed, more_allowed, refused, dies_while_many_wait, dies_at_its_limit, tries, idle_ones, moved,
             unix):  # fmt: skip
    subtest(what.__name__.replace("_", " "), what)
done()
