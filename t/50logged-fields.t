#!/usr/bin/env python3
"""Header fields in the lines of requests: which are shown, as whom they concern saw them, and that secrets stay ones."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tap import Skip  # noqa: E402

OURS = ENGINE == "gomesh"
SECRETS = ["Authorization", "Proxy-Authorization", "Cookie", "X-API-Key", "X-Auth-Token", "X-CSRF-Token",
           "X-Amz-Security-Token"]
HEADERS = [("Content-Type", "text/plain"), ("X-Twice", "a"), ("X-Twice", "b"), ("Set-Cookie", "s=secret"),
           ("Server", "origin"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")]


def proxy_with(access, log_format="json", headers=HEADERS, **settings):
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", headers, b"hello")))
    return Proxy(origin.port, log={"format": log_format, "access": access}, **settings)


def completed(proxy, count=1):
    wait_until(lambda: proxy.count(r'"request completed"') >= count, "%d lines" % count)
    records = [json.loads(line) for line in proxy.out]
    return [record for record in records if record["msg"] == "request completed"]


def shown():
    proxy = proxy_with({"request_headers": ["User-Agent", "X-Many", "X-None", "X-Empty"],
                        "response_headers": ["content-type", "X-Twice", "Content-Length", "Date", "X-None"]})
    once(proxy.port, headers=[("USER-AGENT", "test \"1\""), ("X-Many", "1"), ("x-other", "0"), ("x-many", "2, 3"),
                              ("X-Empty", "")])
    record = completed(proxy)[0]
    is_(record["request_headers"], {"user-agent": 'test "1"', "x-many": "1, 2, 3", "x-empty": ""},
        "those that the request has, by their names in lower case")
    is_(record["response_headers"], {"content-type": "text/plain", "x-twice": "a, b", "content-length": "5",
                                     **({"date": "Thu, 01 Jan 1970 00:00:00 GMT"} if OURS else {})}, "and the answer")
    once(proxy.port)
    ok("request_headers" not in completed(proxy, 2)[1], "a request that has none of them has no such member")


def none_by_default():
    proxy = proxy_with({"enabled": True})
    once(proxy.port, headers=[("User-Agent", "test")])
    is_([name for name in completed(proxy)[0] if "headers" in name], [], "nothing of them in the line")


def text_form():
    proxy = proxy_with({"request_headers": ["User-Agent", "Cookie"], "response_headers": "Content-Type"}, "text")
    once(proxy.port, headers=[("User-Agent", "a\\ \"b\" ü"), ("Cookie", "a=secret")])
    proxy.wait_line(r' user-agent="a\\\\ \\"b\\" (\\xfc|ü)" cookie="\[redacted\]" content-type="text/plain"$')
    ok("secret" not in "\n".join(proxy.out), "escaped, and the secret is not there")


def secrets():
    access = {"request_headers": SECRETS + ["X-Mine", "X-Other"], "response_headers": ["Set-Cookie", "Server"],
              "redact": ["x-mine", "Server"]}
    headers = [(name, "secret") for name in SECRETS + ["X-Mine"]] + [("X-Other", "open")]
    proxy = proxy_with(access)
    once(proxy.port, headers=headers)
    record = completed(proxy)[0]
    hidden = {name.lower(): "[redacted]" for name in SECRETS + ["X-Mine"]}
    is_(record["request_headers"], dict(hidden, **{"x-other": "open"}), "that they were there, and no more")
    is_(set(record["response_headers"].values()), {"[redacted]"}, "likewise of answers")
    ok("secret" not in "\n".join(proxy.out), "no line has a value")
    proxy = proxy_with(dict(access, show_secrets=True))
    ok(proxy.find(r"show_secrets: passwords, cookies and keys", "err") or proxy.find(r"show_secrets: passwords"),
       "a warning at the start")
    once(proxy.port, headers=headers)
    record = completed(proxy)[0]
    is_(set(record["request_headers"].values()), {"secret", "open"}, "unless somebody wants them")
    is_(record["response_headers"], {"set-cookie": "s=secret", "server": "origin"}, "of answers, too")


def long_values():
    proxy = proxy_with({"request_headers": ["X-Long", "X-Exact", "X-Wide", "X-List"]})
    wide = "x" + "€" * 400
    client = Client(proxy.port)
    lines = ["X-Long: " + "x" * 5000, "X-Exact: " + "y" * 1024, "X-Wide: " + wide] + ["X-List: " + "z" * 100] * 20
    client.send(("GET / HTTP/1.1\r\nHost: a\r\n" + "".join(line + "\r\n" for line in lines) + "\r\n").encode())
    is_(client.read_response().status, 200, "served")
    fields = completed(proxy)[0]["request_headers"]
    is_(fields["x-long"], "x" * 1024 + "…", "1,024 bytes are kept")
    is_(fields["x-exact"], "y" * 1024, "what is not longer is whole")
    is_(fields["x-wide"], wide[:342] + "…", "no character is cut in two")
    is_(fields["x-list"], ("z" * 100 + ", ") * 10 + "z" * 4 + "…", "many fields of one name, as one list")


def whose_view():
    changes = {"set": [{"name": "User-Agent", "value": "policy"}], "remove": ["X-Gone"]}
    proxy = proxy_with({"request_headers": ["User-Agent", "X-Gone", "X-Trace-ID"], "response_headers": ["X-Twice", "Server", "X-Trace-ID"]},
                       policies=[{"headers": {"request": changes, "response": {
                           "remove": ["X-Twice"], "set": [{"name": "Server", "value": "policy"}]}}}])
    response = once(proxy.port, headers=[("User-Agent", "client"), ("X-Gone", "here")])
    record = completed(proxy)[0]
    is_(record["request_headers"], {"user-agent": "client", "x-gone": "here"}, "requests as the client sent them")
    is_(record["response_headers"], {"server": "policy", "x-trace-id": record["trace_id"]}, "answers as it gets them")
    is_(response.get("server"), "policy", "which it does")


def own_answers():
    names = ["Content-Type", "Proxy-Status", "Content-Length"] + (["Date"] if OURS else [])
    proxy = Proxy(free_port(), log={"format": "json", "access": {"request_headers": "X-A", "response_headers": names}})
    response = once(proxy.port, headers=[("X-A", "1")])
    is_(response.status, 502, "nobody listens there")
    record = completed(proxy)[0]
    is_(record["request_headers"], {"x-a": "1"}, "what failed shows its fields")
    is_(record["response_headers"], {name.lower(): response.get(name) for name in names}, "and those of GoMesh's answer")


def refused_and_left():
    if not OURS:
        raise Skip("the library logs none of these")
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    proxy = Proxy(origin.port, log={"format": "json", "access": {"request_headers": "X-A", "response_headers": "Proxy-Status"}})
    client = Client(proxy.port)
    client.send(b"GET / HTTP/1.1\r\nX-A: 1\r\nX B: 2\r\n\r\n")
    is_(client.read_response().status, 400, "a head that is refused")
    record = completed(proxy)[0]
    ok("request_headers" not in record, "shows nothing of what nobody has checked")
    like(record["response_headers"]["proxy-status"], "bad_request", "but its answer")
    client = Client(proxy.port)
    client.send_request(headers=[("X-A", "1")])
    origin.wait_requests(1)
    client.reset()
    record = completed(proxy, 2)[1]
    is_((record["request_headers"], "response_headers" in record), ({"x-a": "1"}, False), "who leaves has got no answer")


def hostile():
    proxy = proxy_with({"request_headers": ["X-A"]}, headers=[])
    client = Client(proxy.port)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: \t\"},\"x\":{\"\xff\xc2\x9b\\ \x80\r\n\r\n")
    is_(client.read_response().status, 200, "served")
    record = completed(proxy)[0]
    is_(record["request_headers"], {"x-a": '"},"x":{"\ufffd\x9b\\ \ufffd'}, "any bytes are one value")
    ok("x" not in record, "and no other member")


def in_the_window():
    port = free_port()
    proxy = proxy_with({"request_headers": ["User-Agent", "Cookie"]}, admin={"listen": "127.0.0.1:%d" % port})
    once(proxy.port, headers=[("User-Agent", "test"), ("Cookie", "secret")])
    record = completed(proxy)[0]
    page = once(port, target="/requests/" + record["trace_id"], host="localhost", headers=[("Accept", "application/json")])
    is_((page.status, "secret" in page.text), (200, False), "the page of the request lives without them")


for function in (shown, none_by_default, text_form, secrets, long_values, whose_view, own_answers, refused_and_left, hostile,
                 in_the_window):
    subtest(function.__name__.replace("_", " "), function)
done()
