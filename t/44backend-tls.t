#!/usr/bin/env python3
"""Backends over TLS: chain and name are checked under every version, resumed or not; failures have their words."""
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import issued_certificate  # noqa: E402

if ENGINE == "h2o":
    skip_all("only the engine gomesh speaks TLS to backends")
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
MIB = 1 << 20


def answer(request):
    if request.target == "/big":
        return http_message("HTTP/1.1 200 OK", [], b"x" * (4 * MIB))
    if request.target == "/close":
        return http_message("HTTP/1.1 200 OK", [("Connection", "close")], b"bye")
    return http_message("HTTP/1.1 200 OK", [], sha256(request.body).encode())


class TlsOrigin(Origin):
    """Counts the handshakes, and how many of them resumed a session."""

    def __init__(self, files, version=None, handler=answering(answer)):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*files)
        if version:
            self.tls.minimum_version = self.tls.maximum_version = version
        self.handshakes, self.resumed, self.names, self.inner = 0, 0, [], handler
        self.tls.sni_callback = lambda sock, name, context: self.names.append(name)
        super().__init__(self.over_tls)

    def over_tls(self, wire):
        try:
            wire.sock = self.tls.wrap_socket(wire.sock, server_side=True)
        except (ssl.SSLError, OSError):
            return  # a client that refuses the certificate
        self.handshakes += 1
        self.resumed += wire.sock.session_reused
        self.inner(wire)


def proxy_to(port, tls, **settings):
    config = proxy_config(free_port(), **settings)
    config["proxy"]["backend"] = {"host": "127.0.0.1", "port": port, "tls": tls}
    return Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])


def good(ca, files):
    for version in VERSIONS:
        origin = TlsOrigin(files, version)
        proxy = proxy_to(origin.port, {"ca_file": ca[0], "server_name": "backend.test"}, workers=1)
        client = Client(proxy.port)
        body = some_bytes(3 * MIB)
        is_(client.request("POST", "/up", body=body).text, sha256(body), "%s: an upload" % version.name)
        is_(len(client.request(target="/big").body), 4 * MIB, "a download")
        is_(origin.handshakes, 1, "on one connection")
        for _ in range(3):
            is_(client.request(target="/close").text, "bye", "an answer that ends its connection")
        client.request(target="/again")
        ok(origin.resumed >= 2, "later connections resume the session (%d)" % origin.resumed)
        is_(set(origin.names), {"backend.test"}, "the name was sent")
        is_(proxy.stop(), 0, "exit code 0")


def refused(ca, files):
    stranger = issued_certificate("stranger")
    wrong = issued_certificate("wrong", ca, "DNS:other.test")
    for what, origin_files, settings in (
        ("a certificate for another name", wrong, {"ca_file": ca[0], "server_name": "backend.test"}),
        ("an address that is not in it", wrong, {"ca_file": ca[0]}),
        ("an authority that is not trusted", files, {"ca_file": stranger[0]}),
        ("one that has expired", expired_certificate("late"), {"ca_file": None}),
    ):
        settings = {key: value or path for key, value in settings.items() for path in [origin_files[0]]}
        for version in VERSIONS:
            origin = TlsOrigin(origin_files, version)
            proxy = proxy_to(origin.port, settings)
            for attempt in (1, 2):
                check_failure(once(proxy.port), 502, "tls_certificate_invalid", proxy)
            is_(origin.requests, [], "%s, %s: nothing is sent" % (version.name, what))


def resumed_with_another_name(ca, files):
    """What one backend's session proves is not proved for another."""
    for version in VERSIONS:
        origin = TlsOrigin(files, version)
        routes = [
            {
                "match": {"path": {"prefix": "/wrong"}},
                "backend": {
                    "host": "127.0.0.1",
                    "port": origin.port,
                    "tls": {"ca_file": ca[0], "server_name": "other.test"},
                },
            }
        ]
        config = proxy_config(free_port(), routes=routes, workers=1)
        config["proxy"]["backend"] = {
            "host": "127.0.0.1",
            "port": origin.port,
            "tls": {"ca_file": ca[0], "server_name": "backend.test"},
        }
        proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
        for _ in range(2):
            is_(once(proxy.port, target="/close").status, 200, "%s: the right name" % version.name)
            check_failure(once(proxy.port, target="/wrong"), 502, "tls_certificate_invalid", proxy)


def keeps_quiet(wire):
    while wire.fill():
        pass


def no_handshake(ca):
    plain = Origin(lambda wire: (wire.fill(), wire.send("HTTP/1.1 400 Bad Request\r\n\r\n")))
    proxy = proxy_to(plain.port, {"ca_file": ca[0]})
    check_failure(once(proxy.port), 502, "tls_handshake_failed", proxy)
    closing_origin = Origin(lambda wire: (wire.fill(), None)[1])
    proxy = proxy_to(closing_origin.port, {"ca_file": ca[0]})
    check_failure(once(proxy.port), 502, "tls_handshake_failed", proxy)
    silent = Origin(keeps_quiet)
    proxy = proxy_to(silent.port, {"ca_file": ca[0]}, timeout={"connect_timeout": duration(300)})
    check_failure(once(proxy.port), 504, "connect_timeout", proxy)
    is_(proxy.stop(), 0, "exit code 0")


def truncated(ca, files):
    def short(wire):
        wire.read_request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    proxy = proxy_to(TlsOrigin(files, handler=short).port, {"ca_file": ca[0]})
    try:
        once(proxy.port)
        ok(False, "a truncated answer shows")
    except (ProtocolError, ConnectionError):
        ok(True, "a truncated answer shows")
    proxy.wait_line("response_truncated")


def who_the_client_is(ca, files):
    """X-Forwarded-Client-Cert says who a client proved to be, and only the proxy can say it."""
    members = issued_certificate("members")
    member = issued_certificate("member", members, "URI:spiffe://test/member,DNS:m.test")
    origin = Origin(answering(answer))
    port = free_port()
    tls = {"listen_port": port, "cert_file": files[0], "key_file": files[1], "client_ca_file": members[0]}
    proxy = Proxy(origin.port, tls=dict(tls, client_auth="optional"))
    forged = [("X-Forwarded-Client-Cert", "Subject=\"CN=root\""), ("x_forwarded_client_cert", "root")]
    for version in VERSIONS:
        for own in (member, None):
            context = ssl.create_default_context(cafile=ca[0])
            context.check_hostname = False
            context.minimum_version = context.maximum_version = version
            if own:
                context.load_cert_chain(*own)
            client = Client(port, tls=context, server_name="backend.test")
            for _ in range(2):
                client.request(headers=forged)
            seen = origin.requests[-1].all("x-forwarded-client-cert")
            if own:
                is_(len(seen), 1, "%s: one field" % version.name)
                like(
                    seen[0],
                    r'\AHash=[0-9a-f]{64};Subject="CN=member";URI=spiffe://test/member;DNS=m\.test\Z',
                    "with the member's names",
                )
            else:
                is_(seen, [], "nothing about a client without a certificate")
            is_(origin.requests[-1].get("x_forwarded_client_cert"), None, "nor its twin")
    once(proxy.port, headers=forged)
    is_(origin.requests[-1].all("x-forwarded-client-cert"), [], "nor about a client without TLS")


authority = issued_certificate("authority")
backend = issued_certificate("backend", authority, "DNS:backend.test,IP:127.0.0.1")
subtest("a good certificate", good, authority, backend)
subtest("certificates that do not do", refused, authority, backend)
subtest("sessions of another name", resumed_with_another_name, authority, backend)
subtest("no handshake", no_handshake, authority)
subtest("a truncated answer", truncated, authority, backend)
subtest("who the client is", who_the_client_is, authority, backend)
done()
