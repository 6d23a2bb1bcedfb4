#!/usr/bin/env python3
"""Backends by name: addresses that change, a name server that fails, a name that nobody knows yet."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403


def named(name, **place):
    return Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], name.encode())), **place)


def proxy_for(hosts, port, **settings):
    return Proxy(("users.test", port), wrapper=hosts.wrapper, dns={"refresh": "100ms"}, **settings)


def changes():
    hosts = Hosts(users="127.0.0.2")
    old = named("old", host="127.0.0.2")
    named("new", host="127.0.0.3", port=old.port)
    proxy = proxy_for(hosts, old.port)
    client = Client(proxy.port)
    is_(client.request().text, "old", "the first address")
    hosts.set(users="127.0.0.3")
    wait_until(lambda: client.request().text == "new", "requests to go to the new address")
    is_(client.request().text, "new", "and they stay there")
    old.wait(lambda self: not self.open, "connections to the old one to end")
    is_(proxy.count("resolved"), 0, "without a word in the log")


def changes_under_a_request():
    """A connection that was busy when the name moved must not serve further requests to the old address."""
    hosts = Hosts(users="127.0.0.2")
    moved = threading.Event()
    closing(moved.set)

    def answer(request):
        if request.target == "/slow":
            moved.wait(deadline(15))
        return http_message("HTTP/1.1 200 OK", [], b"old")

    old = Origin(answering(answer), host="127.0.0.2")
    named("new", host="127.0.0.3", port=old.port)
    proxy = proxy_for(hosts, old.port, workers=1)
    busy = Client(proxy.port)
    busy.send_request(target="/slow")
    old.wait_requests(1)
    hosts.set(users="127.0.0.3")
    wait_until(lambda: once(proxy.port).text == "new", "requests to go to the new address")
    moved.set()
    is_(busy.read_response().text, "old", "the request that was under way gets its answer")
    is_([busy.request().text for _ in range(5)], ["new"] * 5, "and those behind it go to the new address")


def failures():
    hosts = Hosts(users="127.0.0.2")
    origin = named("kept", host="127.0.0.2")
    proxy = proxy_for(hosts, origin.port)
    is_(once(proxy.port).text, "kept", "the name is known")
    hosts.set()
    proxy.wait_line(r"^\[WARN\] users\.test cannot be resolved: .+; trying again every 100ms$")
    is_([once(proxy.port).text for _ in range(20)], ["kept"] * 20, "the last address stays in use")
    hosts.set(users="127.0.0.2")
    proxy.wait_line(r"^\[INFO\] users\.test can be resolved again$")
    is_(proxy.count("cannot be resolved"), 1, "the warning came once")


def unknown():
    hosts = Hosts()
    origin = named("found", host="127.0.0.2")
    proxy = proxy_for(hosts, origin.port)
    ok(proxy.wait_line(r"^\[WARN\] users\.test cannot be resolved: "), "a name that nobody knows is a warning")
    check_failure(once(proxy.port), 502, "dns_failed", proxy, r"GET / → users\.test:%d" % origin.port)
    hosts.set(users="127.0.0.2")
    wait_until(lambda: once(proxy.port).status == 200, "the name to be found")
    is_(once(proxy.port).text, "found", "and then it is served")


subtest("addresses that change", changes)
subtest("addresses that change under a request", changes_under_a_request)
subtest("a name server that fails", failures)
subtest("a name that is not known at start", unknown)
done()
