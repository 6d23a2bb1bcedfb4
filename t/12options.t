#!/usr/bin/env python3
"""
Every option, set to another value than its default, is seen to act: without its line in the file the check
would fail. Where the default would come to the same end later, the order of two timers tells, not a clock. A
row without a check fails the test.
"""
import json
import os
import pty
import re
import select
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_tap import levels  # noqa: E402
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import issued_certificate  # noqa: E402

CHECKS = {}


def acts(row):
    def register(function):
        CHECKS[row] = function
        return function

    return register


def named(name):
    return Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], name.encode())))


def silent(wire):
    wire.origin.saw(wire.read_request())
    wire.ends()


def refuses(address, port):
    try:
        Client(port, address=address).close()
        return False
    except ConnectionRefusedError:
        return True


@acts("proxy.listen_host")
def listen_host():
    proxy = Proxy(named("x").port, listen_host="127.0.0.2")
    is_(once(proxy.port, address="127.0.0.2").text, "x", "127.0.0.2 is served")
    ok(refuses("127.0.0.1", proxy.port), "127.0.0.1 is not")
    is_(listening_sockets(proxy.pid, proxy.port)["tcp6"], 0, "and no IPv6 address")


@acts("proxy.listen_port")
def listen_port():
    proxy = Proxy(named("x").port)
    is_(once(proxy.port).text, "x", "that port is served")


@acts("proxy.backend.host")
def backend_host():
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"x")), host="127.0.0.2")
    is_(once(Proxy(("127.0.0.2", origin.port)).port).text, "x", "an address is asked that is not localhost")
    path = "unix:" + os.path.join(temporary_folder(), "option.sock")
    Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"y")), host=path)
    is_(once(Proxy((path, None)).port).text, "y", "a socket is asked that has no port")


@acts("proxy.backend.port")
def backend_port():
    is_(once(Proxy(named("other").port).port).text, "other", "another port is asked")


@acts("proxy.workers")
def workers():
    proxy = Proxy(named("x").port, workers=3)
    names = []
    for task in os.listdir("/proc/%d/task" % proxy.pid):
        with open("/proc/%d/task/%s/comm" % (proxy.pid, task), encoding="utf-8") as file:
            names.append(file.read())
    is_(sum(name.startswith("gm-worker-") for name in names), 3, "three workers")


@acts("proxy.timeout.read_timeout")
def read_timeout():
    proxy = Proxy(named("x").port, timeout={"read_timeout": duration(300)})
    client = Client(proxy.port)
    client.send("GET / HTTP/1.1\r\nHo")
    is_(client.read_response().status, 408, "half a head: 408")
    proxy = Proxy(Origin(silent).port, timeout={"read_timeout": duration(300)})
    is_(once(proxy.port).status, 504, "a silent backend: 504")


@acts("proxy.timeout.write_timeout")
def write_timeout():
    def deaf(wire):
        wire.read_request_head()
        while not wire.origin.stopped:
            time.sleep(0.05)

    proxy = Proxy(Origin(deaf).port, timeout={"write_timeout": duration(300)})
    response = once(proxy.port, "POST", body=b"x" * (16 << 20), seconds=60)
    is_(response.status, 504, "a backend that takes nothing: 504")
    like(response.text, "took nothing for write_timeout", "for that reason")


@acts("proxy.timeout.idle_timeout")
def idle_timeout():
    proxy = Proxy(named("x").port, timeout={"idle_timeout": duration(300)})
    client = Client(proxy.port)
    is_(client.request().text, "x", "an answer")
    ok(client.ends(), "then the end")


@acts("proxy.timeout.connect_timeout")
def connect_timeout():
    nobody = blackhole()
    usual = Client(Proxy(nobody, timeout={"shutdown_timeout": "0s"}).port)  # 5s
    usual.send_request()
    proxy = Proxy(nobody, timeout={"connect_timeout": duration(300)})
    check_failure(once(proxy.port), 504, "connect_timeout", proxy)
    ok(not usual.readable(), "earlier than with the default, which was asked first")


@acts("proxy.timeout.request_timeout")
def request_timeout():
    proxy = Proxy(Origin(silent).port, timeout={"request_timeout": duration(300)})
    check_failure(once(proxy.port), 504, "request_total_timeout", proxy)


@acts("proxy.timeout.tunnel_idle_timeout")
def tunnel_idle_timeout():
    def handler(wire):
        wire.read_request()
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        wire.ends()

    proxy = Proxy(Origin(handler).port, engine="gomesh", timeout={"tunnel_idle_timeout": duration(300)})
    client = Client(proxy.port)
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    is_(client.read_response_head().status, 101, "a tunnel")
    ok(client.ends(), "ends after silence")


@acts("proxy.timeout.shutdown_timeout")
def shutdown_timeout():
    origin = Origin(silent)
    # the default, 10s, would let the request end with read_timeout
    proxy = Proxy(origin.port, timeout={"shutdown_timeout": duration(300), "read_timeout": "4s"})
    Client(proxy.port).send_request()
    origin.wait_requests(1)
    is_(proxy.stop(), 0, "exit code 0")
    ok(proxy.find(r"^\[WARN\] Cut 1 request that did not finish within "), "it is said that one was cut")


def tls_proxy(**tls):
    crt, key = certificate("option")
    port = free_port()
    tls = dict({"listen_port": port, "cert_file": crt, "key_file": key}, **tls)
    return Proxy(named("secret").port, tls=tls), port, crt


def tls_files():
    proxy, port, crt = tls_proxy()
    answer = curl("--cacert", crt, "https://localhost:%d/" % port)
    is_(answer.stdout, b"secret", "HTTPS with that certificate: %s" % answer.stderr.decode()[:100])
    ok(proxy.find(r"^\[INFO\] TLS listener on port %d$" % port), "on that port")


for row in ("listen_port", "cert_file", "key_file"):
    acts("proxy.tls." + row)(tls_files)


@acts("proxy.tls.min_version")
def min_version():
    _, port, crt = tls_proxy(min_version="1.3")
    ok(
        curl("--cacert", crt, "--tls-max", "1.2", "https://localhost:%d/" % port).returncode != 0,
        "TLS 1.2 is refused",
    )
    is_(curl("--cacert", crt, "https://localhost:%d/" % port).stdout, b"secret", "TLS 1.3 is served")


def certificates_by_name():
    authority = issued_certificate("names-ca")
    first, second = [issued_certificate(name, authority, "DNS:%s.test" % name) for name in ("first", "second")]
    port = free_port()
    certificates = [
        {"cert_file": first[0], "key_file": first[1]},
        {"cert_file": second[0], "key_file": second[1], "names": ["*.third.test"]},
    ]
    Proxy(named("x").port, tls={"listen_port": port, "certificates": certificates})
    tls = ssl.create_default_context(cafile=authority[0])
    tls.check_hostname = False
    for host, wanted in (("first.test", "first"), ("second.test", "first"), ("a.third.test", "second")):
        client = Client(port, tls=tls, server_name=host)
        is_(client.sock.getpeercert()["subject"][0][0][1], wanted, "%s gets the certificate %s" % (host, wanted))


for row in ("cert_file", "key_file", "names"):
    acts("proxy.tls.certificates[]." + row)(certificates_by_name)


@acts("proxy.tls.client_ca_file")
def client_ca_file():
    members = issued_certificate("clients-ca")
    member = issued_certificate("client", members)
    _, port, crt = tls_proxy(client_ca_file=members[0])
    shown = ("--cert", member[0], "--key", member[1])
    is_(curl("--cacert", crt, *shown, "https://localhost:%d/" % port).stdout, b"secret", "a member is served")
    ok(curl("--cacert", crt, "https://localhost:%d/" % port).returncode != 0, "nobody else is")


@acts("proxy.tls.client_auth")
def client_auth():
    _, port, crt = tls_proxy(client_ca_file=issued_certificate("clients-ca")[0], client_auth="optional")
    is_(curl("--cacert", crt, "https://localhost:%d/" % port).stdout, b"secret", "a client without certificate")


class TlsOrigin(Origin):
    """Answers over TLS with the common name of the client's certificate, "nobody" without one."""

    def __init__(self, files, members=None):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*files)
        if members:
            self.tls.load_verify_locations(members[0])
            self.tls.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(self.answer)

    def answer(self, wire):
        wire.sock = self.tls.wrap_socket(wire.sock, server_side=True)
        shown = wire.sock.getpeercert()
        name = shown["subject"][0][0][1] if shown else "nobody"
        answering(lambda request: http_message("HTTP/1.1 200 OK", [], name.encode()))(wire)


def backend_tls(through_route, row):
    def check():
        if ENGINE == "h2o":
            raise Skip("only the engine gomesh speaks TLS to backends")
        authority, strangers = issued_certificate("backend-ca"), issued_certificate("strange-ca")
        member = issued_certificate("member", authority)
        origin = TlsOrigin(issued_certificate("backend", authority, "DNS:backend.test,IP:127.0.0.1"), authority)
        host, usual = "127.0.0.1", {"ca_file": authority[0]}
        without, wanted, tls = {
            "ca_file": (dict(usual, ca_file=strangers[0]), "nobody", usual),
            "server_name": (dict(usual, server_name="else.test"), "nobody", dict(usual, server_name="backend.test")),
            "cert_file": (None, "member", dict(usual, cert_file=member[0], key_file=member[1])),
            "verify": ({"ca_file": strangers[0]}, "nobody", {"ca_file": strangers[0], "verify": False}),
        }[row]
        for settings, status, text in ((without, 502, None), (tls, 200, wanted)):
            if settings is None:
                continue
            backend = {"host": host, "port": origin.port, "tls": settings}
            if through_route:
                proxy = Proxy(named("plain").port, routes=[{"backend": backend}])
            else:
                config = proxy_config(free_port())
                config["proxy"]["backend"] = backend
                proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
            response = once(proxy.port)
            is_(response.status, status, "with %s: %d" % (settings, status))
            if text:
                is_(response.text, text, "the backend saw " + text)

    return check


for place in ("proxy.", "routes[]."):
    for row in ("ca_file", "server_name", "cert_file", "verify"):
        check = backend_tls(place != "proxy.", row)
        acts(place + "backend.tls." + row)(check)
        if row == "cert_file":
            acts(place + "backend.tls.key_file")(check)


@acts("proxy.limits.max_request_body")
def max_request_body():
    proxy = Proxy(named("x").port, limits={"max_request_body": "1KiB"})
    is_(once(proxy.port, method="POST", body=b"x" * 1024).status, 200, "that much is allowed")
    is_(once(proxy.port, method="POST", body=b"x" * 1025).status, 413, "more is not")


@acts("proxy.supervise")
def supervise():
    processes = [Proxy(1, supervise=value) for value in (True, False)]
    is_([len(proxy.children()) for proxy in processes], [1, 0], "a process of its own that serves, or none")


@acts("proxy.engine")
def engine():
    def upload_is_streamed(proxy):
        client = Client(proxy.port)
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        return client

    def handler(wire):
        wire.read_line()
        heads.append(wire.origin.port)
        wire.ends()

    heads = []
    ours, library = Origin(handler), Origin(handler)
    upload_is_streamed(Proxy(library.port, engine="h2o"))
    upload_is_streamed(Proxy(ours.port, engine="gomesh"))
    wait_until(lambda: heads, "half an upload to arrive")
    is_(heads, [ours.port], "gomesh streams an upload, h2o waits for all of it")


def refused_with(status, limits, **request):
    proxy = Proxy(named("x").port, engine="gomesh", limits=limits)
    is_(once(proxy.port, **request).status, status, "beyond the limit: %d" % status)
    usual = Proxy(named("x").port, engine="gomesh")
    is_(once(usual.port, **request).status, 200, "within the default: 200")


@acts("proxy.error_details")
def error_details():
    port = free_port()
    for details, lines in (("auto", 4), ("none", 1)):
        text = once(Proxy(port, error_details=details).port).text
        is_(text.count("\n"), lines, "%s: %d lines for a client on this machine" % (details, lines))
    handed_on = [("X-Forwarded-For", "192.0.2.1")]
    for details, lines in (("auto", 1), ("all", 4)):
        text = once(Proxy(port, error_details=details).port, headers=handed_on).text
        is_(text.count("\n"), lines, "%s: %d lines for another one" % (details, lines))


@acts("proxy.limits.max_head")
def max_head():
    refused_with(431, {"max_head": "1KiB"}, headers=[("X-%d" % i, "v" * 90) for i in range(12)])


@acts("proxy.limits.max_field")
def max_field():
    refused_with(431, {"max_field": "1KiB"}, headers=[("X-Long", "v" * 1024)])


@acts("proxy.limits.max_target")
def max_target():
    refused_with(414, {"max_target": "1KiB"}, target="/" + "t" * 1024)


@acts("proxy.limits.max_fields")
def max_fields():
    refused_with(431, {"max_fields": 8}, headers=[("X-%d" % i, "v") for i in range(9)])


@acts("proxy.limits.max_requests_per_connection")
def max_requests_per_connection():
    proxy = Proxy(named("x").port, engine="gomesh", limits={"max_requests_per_connection": 2})
    client = Client(proxy.port)
    is_(client.request().tokens("connection"), [], "the first of two requests")
    is_(client.request().tokens("connection"), ["close"], "the last says so")
    ok(client.ends(), "and ends the connection")


@acts("proxy.upstream.idle_timeout")
def upstream_idle_timeout():
    origin = named("x")
    proxy = Proxy(origin.port, engine="gomesh", upstream={"idle_timeout": duration(200)})
    client = Client(proxy.port)
    client.request()
    usual = named("y")
    Client(Proxy(usual.port, engine="gomesh", upstream={"idle_timeout": "60s"}).port).request()
    origin.wait(lambda self: not self.open, "the end of the idle connection")
    ok(usual.open, "which a longer time keeps")


@acts("proxy.upstream.max_idle_per_endpoint")
def upstream_max_idle():
    origin = named("x")
    proxy = Proxy(origin.port, engine="gomesh", workers=1, upstream={"max_idle_per_endpoint": 0})
    client = Client(proxy.port)
    is_([client.request().text, client.request().text], ["x", "x"], "two requests")
    is_(origin.connections, 2, "use two connections")


@acts("proxy.upstream.max_connections")
def upstream_max_connections():
    origin = Origin(silent)
    proxy = Proxy(origin.port, engine="gomesh", workers=1, upstream={"max_connections": 1})
    clients = [Client(proxy.port) for _ in range(2)]
    for client in clients:
        client.send_request()
    origin.wait_requests(1)
    usual = Origin(silent)
    other = Proxy(usual.port, engine="gomesh", workers=1)
    for client in [Client(other.port) for _ in range(2)]:
        client.send_request()
    usual.wait_requests(2)
    is_(len(origin.requests), 1, "one request at a time; without a limit two")


@acts("proxy.trusted_proxies")
def trusted_proxies():
    origin = named("x")
    proxy = Proxy(origin.port, engine="gomesh", trusted_proxies=["127.0.0.2"])
    for address, wanted in (("127.0.0.2", "10.1.2.3, 127.0.0.2"), ("127.0.0.3", "127.0.0.3")):
        once(proxy.port, headers=[("X-Forwarded-For", "10.1.2.3")], source=address)
        is_(origin.requests[-1].all("x-forwarded-for"), [wanted], "a request from " + address)


@acts("proxy.normalize_path")
def normalize_path():
    origin = named("x")
    proxy = Proxy(origin.port, normalize_path="off")
    is_(once(proxy.port, target="/a/../%62").text, "x", "a request")
    is_(origin.requests[-1].target, "/a/../%62", "its path is not touched")


@acts("proxy.dns.refresh")
def dns_refresh():
    first, hosts = named("first"), Hosts(users="127.0.0.1")
    other = Origin(named("second").handler, host="127.0.0.2", port=first.port)
    # the default, 30s, would never come to the other address within this test
    proxy = Proxy(("users.test", first.port), wrapper=hosts.wrapper, dns={"refresh": "100ms"})
    is_(once(proxy.port).text, "first", "the name's first address")
    hosts.set(users=other.host)
    wait_until(lambda: once(proxy.port).text == "second", "the name's other address")


@acts("proxy.limits.max_connections")
def max_connections():
    origin = named("x")
    proxy = Proxy(origin.port, limits={"max_connections": 1}, workers=2)
    first = Client(proxy.port)
    is_(first.request().text, "x", "one is served")
    second = Client(proxy.port)
    second.send_request()
    for _ in range(20):
        first.request()
    ok(not second.readable(0.1), "another waits")
    first.close()
    is_(second.read_response().text, "x", "until that one leaves")
    is_(len(origin.requests), 22, "and is forwarded then")


@acts("proxy.limits.min_body_rate")
def min_body_rate():
    limits = {"min_body_rate": "1MiB"}
    proxy = Proxy(named("x").port, engine="gomesh", limits=limits, timeout={"read_timeout": duration(300)})
    client = Client(proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    while not client.readable(0.02):  # never as long as read_timeout; the whole would take half a minute
        client.send(b"x" * 1000)
    check_failure(client.read_response(), 408, "request_timeout", proxy)


@acts("proxy.limits.max_connections_per_ip")
def max_connections_per_ip():
    proxy = Proxy(named("x").port, limits={"max_connections_per_ip": 1}, workers=2)
    first = Client(proxy.port)
    is_(first.request().text, "x", "one of a client is served")
    try:
        second = Client(proxy.port)
        second.send_request()
        is_(second.read_to_end(), b"", "no answer to the second")
    except ConnectionError:
        ok(True, "the second is reset")
    is_(once(proxy.port, source="127.0.0.2").text, "x", "one of another client is served")


def routed(match, name=None):
    """A proxy with one route to "routed" and a backend "default"."""
    route = {"match": match, "backend": {"host": "127.0.0.1", "port": named("routed").port}}
    if name:
        route["name"] = name
    return Proxy(named("default").port, routes=[route])


@acts("routes[].name")
def route_name():
    ok(routed({"path": {"prefix": "/a"}}, "users").find(r"^\[INFO\] Route users: /a → "), "it is printed")


@acts("routes[].match.host")
def route_host():
    proxy = routed({"host": "*.Example.com"})
    for host, wanted in (
        ("a.example.com", "routed"),
        ("A.EXAMPLE.COM:99", "routed"),
        ("example.com", "default"),
        ("b.example.org", "default"),
    ):
        is_(once(proxy.port, host=host).text, wanted, host)


@acts("routes[].match.path.prefix")
def route_prefix():
    proxy = routed({"path": {"prefix": "/users"}})
    for target, wanted in (
        ("/users", "routed"),
        ("/users/7?x", "routed"),
        ("/%75sers", "routed"),
        ("/x/../users", "routed"),
        ("/users2", "default"),
        ("/users%2F7", "default"),
        ("/", "default"),
    ):
        is_(once(proxy.port, target=target).text, wanted, target)


@acts("routes[].match.path.exact")
def route_exact():
    proxy = routed({"path": {"exact": "/health"}})
    for target, wanted in (
        ("/health", "routed"),
        ("/health?x", "routed"),
        ("/health/", "default"),
        ("/health/x", "default"),
    ):
        is_(once(proxy.port, target=target).text, wanted, target)


def began(wire):
    wire.origin.saw(wire.read_request_head())
    wire.read_to_end()


def sends_half(port, target="/"):
    """Half of a body; once it has arrived, a request that is whole shows that."""
    client = Client(port)
    client.send("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf" % target)
    return client


@acts("proxy.request_buffering")
def request_buffering():
    origin = Origin(began)
    proxy = Proxy(origin.port, request_buffering=True)
    client = sends_half(proxy.port)
    proxy.wait_line(r"Forwarding: POST / ")
    is_(origin.connections, 0, "half a body does not go to the backend")
    client.send(b"x" * 96)
    ok(origin.wait_requests(1), "a whole one does")


@acts("routes[].request_buffering")
def route_request_buffering():
    origin = Origin(began)
    backend = {"host": "127.0.0.1", "port": origin.port}
    routes = [{"match": {"path": {"prefix": "/held"}}, "request_buffering": True, "backend": backend}]
    proxy = Proxy(origin.port, routes=routes)
    held, _ = sends_half(proxy.port, "/held"), proxy.wait_line(r"Forwarding: POST /held")
    streamed = sends_half(proxy.port)
    is_(origin.wait_requests(1).target, "/", "half a body goes to the backend, but not by that route")
    held.send(b"x" * 96)
    is_(origin.wait_requests(2).target, "/held", "a whole one does")
    streamed.close()


def held_on_disk(folder, *, room=None):
    limits = {"max_buffered_bodies": room} if room else {}
    proxy = Proxy(named("x").port, request_buffering=True, temp_dir=folder, limits=limits)
    return proxy, Client(proxy.port)


@acts("proxy.temp_dir")
def temp_dir():
    folder = os.path.join(temporary_folder(), "held")
    os.mkdir(folder)
    proxy, client = held_on_disk(folder)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
    client.send(b"x" * 2000000)

    def is_there():
        names = ["/proc/%d/fd/%s" % (proxy.pid, fd) for fd in os.listdir("/proc/%d/fd" % proxy.pid)]
        return any(os.readlink(name).startswith(folder) for name in names if os.path.islink(name))

    wait_until(is_there, "a file in that folder")
    ok(True, "a body that is held lies there")


@acts("proxy.limits.max_buffered_bodies")
def max_buffered_bodies():
    _proxy, client = held_on_disk(temporary_folder(), room="100KiB")
    is_(client.request("POST", body=b"x" * 102400).status, 200, "100 KiB are held")
    is_(client.request("POST", body=b"x" * 102401).status, 503, "and no byte more")


def route_backend():
    is_(once(routed({"path": {"prefix": "/"}}).port).text, "routed", "that backend is asked")


for row in ("host", "port"):
    acts("routes[].backend." + row)(route_backend)


def started(log, **options):
    """A proxy with these settings of log, whose backend refuses; it listens when this returns."""
    port = free_port()
    config = proxy_config(port, free_port())
    config["log"] = log
    proxy = gomesh("-config", write_file("log-%d.yaml" % port, to_yaml(config)), **options)
    wait_until(lambda: any(listening_sockets(proxy.pid, port).values()), "the port")
    return proxy, port


@acts("tracing.enabled")
def tracing_enabled():
    ok(once(Proxy(named("x").port).port).get("x-trace-id"), "answers tell their trace")
    is_(once(Proxy(named("x").port, tracing={"enabled": False}).port).get("x-trace-id"), None, "and do not")


@acts("log.level")
def log_level():
    proxy, port = started({"level": "warn", "format": "text"})
    is_(once(port).status, 502, "a request fails")
    is_(proxy.stop(), 0, "exit code 0")
    like("\n".join(proxy.out), r"(?m)^\[ERROR\] GET / ", "an error is printed")
    is_(
        [line for line in proxy.out if not re.match(r"\[(WARN|ERROR)\] ", line)],
        [],
        "nothing below the level is",
    )


def first_line(terminal):
    """What a program printed first on a terminal."""
    text = ""
    while "\n" not in text and select.select([terminal], [], [], deadline(15))[0]:
        text += os.read(terminal, 4096).decode()
    return text.split("\n")[0].strip()


@acts("log.format")
def log_format():
    # auto, the default, would choose the other one in both places
    proxy, _ = started({"format": "text"})
    like(proxy.wait_line(r"Loading").string, r"^\[INFO\] ", "text where nobody reads")
    terminal, end = pty.openpty()
    closing(lambda: os.close(terminal))
    started({"format": "json"}, stdout=end)
    os.close(end)
    is_(json.loads(first_line(terminal))["level"], "info", "JSON on a terminal")


@acts("log.output")
def log_output():
    proxy, _ = started({"output": "stderr", "format": "text"})
    proxy.wait_line(r"^\[INFO\] Loading", stream="err")
    is_(proxy.out, [], "stderr instead of stdout")
    path = os.path.join(temporary_folder(), "proxy.log")
    proxy, port = started({"output": path})
    once(port)
    is_(proxy.stop(), 0, "exit code 0")
    is_(proxy.out, [], "a file instead of stdout")
    is_([json.loads(line)["msg"] for line in open(path)][-1], "Stopped", "JSON there, to the last line")


def completed(requests, **access):
    """The lines about requests that ended, of a proxy with these settings; its backend refuses, or is slow."""
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"x")))
    proxy = Proxy(origin.port, workers=1, log={"format": "json", "access": access or {"enabled": True}})
    for number in range(requests):
        once(proxy.port, target="/%d" % number)
    once(proxy.port, headers=[("Expect", "nothing")])
    proxy.stop()
    records = [json.loads(line) for line in proxy.out]
    return [record["path"] for record in records if record["msg"] == "request completed"]


@acts("log.access.enabled")
def access_enabled():
    is_(completed(2), ["/0", "/1", "/"], "one line each")
    is_(completed(2, enabled=False), [], "and none where they are off")


@acts("log.access.path")
def access_path():
    path = os.path.join(temporary_folder(), "access.log")
    is_(completed(2, path=path), [], "none where all lines go")
    is_([json.loads(line)["path"] for line in open(path)], ["/0", "/1", "/"], "but there")


@acts("log.access.sample")
def access_sample():
    is_(completed(10, sample=0.2), ["/4", "/9", "/"], "one in five, and failures")
    is_(completed(3, sample=0), ["/"], "none but failures")


@acts("log.access.only_failures")
def access_only_failures():
    is_(completed(3, only_failures=True), ["/"], "none but failures")


@acts("log.access.slower_than")
def access_slower_than():
    slow = threading.Event()

    def answer(request):
        if request.target == "/slow":
            slow.wait(0.2)
        return http_message("HTTP/1.1 200 OK", [], b"x")

    path = os.path.join(temporary_folder(), "slow.log")
    log = {"format": "json", "access": {"slower_than": "100ms", "path": path}}
    proxy = Proxy(Origin(answering(answer)).port, log=log)
    once(proxy.port, target="/slow")
    is_(proxy.stop(), 0, "exit code 0")
    records = [json.loads(line) for line in open(path)]
    is_([record["path"] for record in records], ["/slow"], "it is there")


def shown(**access):
    """The line of one request with two fields, of a proxy that shows them, and of answers the same two."""
    fields = [("Cookie", "c"), ("X-A", "a")]
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", fields, b"x")))
    access = dict({"request_headers": ["Cookie", "X-A"]}, **access)
    proxy = Proxy(origin.port, log={"format": "json", "access": access})
    once(proxy.port, headers=fields)
    proxy.stop()
    return [json.loads(line) for line in proxy.out if '"request completed"' in line][0]


@acts("log.access.request_headers")
def access_request_headers():
    line = shown()
    is_(line["request_headers"], {"cookie": "[redacted]", "x-a": "a"}, "values of these, but for secrets")
    ok("response_headers" not in line, "and of no answers")


@acts("log.access.response_headers")
def access_response_headers():
    is_(shown(response_headers="X-A")["response_headers"], {"x-a": "a"}, "values of these")


@acts("log.access.redact")
def access_redact():
    is_(set(shown(redact="x-a")["request_headers"].values()), {"[redacted]"}, "one more secret")


@acts("log.access.show_secrets")
def access_show_secrets():
    is_(shown(show_secrets=True)["request_headers"], {"cookie": "c", "x-a": "a"}, "all values")


def counting(**metrics):
    """A proxy with these settings of metrics."""
    return Proxy(named("x").port, workers=1, metrics=metrics)


@acts("metrics.path")
def metrics_path():
    proxy = counting(path="/numbers")
    like(once(proxy.port, target="/numbers").text, r"(?m)^# TYPE gomesh_requests_total counter$", "the page is there")
    is_(once(proxy.port, target="/metrics").text, "x", "what is there by default is the backend's")
    is_(once(counting(path="").port, target="/metrics").text, "x", "and so is everything where there is none")


@acts("metrics.max_series")
def metrics_max_series():
    proxy = counting(max_series=2)
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        once(proxy.port, method=method)
    others = r'(?m)^gomesh_route_requests_total\{route="other",cluster="other",method="other",code="other",failure="other"\} '
    for _ in range(20):  # a request is counted when it is over, just after its answer
        text = once(proxy.port, target="/metrics").text
        if re.search(others + "[2-9]", text):
            break
    like(text, others + "[2-9]", "the third and fourth combination are others, and perhaps the page")


@acts("admin.listen")
def admin_listen():
    port = free_port()
    Proxy(named("x").port, admin={"listen": "127.0.0.2:%d" % port})
    is_(once(port, target="/healthz", address="127.0.0.2", host="127.0.0.2").status, 200, "the window is there")
    ok(refuses("127.0.0.1", port), "and not elsewhere")


@acts("admin.socket")
def admin_socket():
    path = os.path.join(temporary_folder(), "option-admin.sock")
    Proxy(named("x").port, admin={"listen": "", "socket": path})
    is_(gomesh_run("healthcheck", "-admin", "unix:" + path).out, ["ok"], "the window is at that socket")


@acts("admin.ready_needs_backend")
def ready_needs_backend():
    port = free_port()
    Proxy(("option.invalid", 1), admin={"listen": "127.0.0.1:%d" % port, "ready_needs_backend": True})
    is_(once(port, target="/readyz", host="localhost").status, 503, "no name of a backend is known: not ready")


rows = re.findall(r"(?m)^\| `([^`]+)` \|", "\n".join(gomesh_run("reference").out))
# those are in 50policies.t, 52otlp.t, 45http2-foreign.t and 40http2-origin.t, which count them themselves
ELSEWHERE = r"policies\[\]|tracing\.otlp\.|proxy\.http2\.|backend\.protocol|upstream\.(max_streams|ping)_"
rows = [row for row in rows if not re.search(ELSEWHERE, row)]
ok(len(rows) > 20, "the reference lists %d options" % len(rows))
is_(sorted(rows), sorted(CHECKS), "each has a check here")
for check in dict.fromkeys(CHECKS.values()):
    subtest(", ".join(row for row in CHECKS if CHECKS[row] is check), check)
done()
