#!/usr/bin/env python3
"""Several certificates on one TLS listener, chosen by SNI; certificates of clients; sessions across workers."""
import os
import re
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import issued_certificate  # noqa: E402

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


class TlsProxy(Proxy):
    """With proxy.tls as given; tells of its TLS port."""

    def __init__(self, tls, **settings):
        self.tls_port = free_port()
        super().__init__(Origin(answering(fine)).port, tls=dict(tls, listen_port=self.tls_port), **settings)


def pair(files):
    return {"cert_file": files[0], "key_file": files[1]}


def context(trusted, version=None, own=None):
    """A client that trusts an authority, and shows a certificate of its own if it has one."""
    result = ssl.create_default_context(cafile=trusted[0])
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    if version:
        result.minimum_version = result.maximum_version = version
    if own:
        result.load_cert_chain(*own)
    return result


def name_of(proxy, ca, host):
    """The common name of the certificate that a client gets for a host; None = it asks for no host."""
    tls = context(ca)
    tls.check_hostname = False
    client = Client(proxy.tls_port, tls=tls, server_name=host)
    is_(client.request(target="/x").text, "fine /x", "a request for %s" % host)
    subject = dict(part[0] for part in client.sock.getpeercert()["subject"])
    client.close()
    return subject["commonName"]


def by_name(ca):
    proxy = TlsProxy(
        dict(
            pair(issued_certificate("default", ca, "DNS:default.test")),
            certificates=[
                pair(issued_certificate("one", ca, "DNS:one.test,DNS:www.wild.test")),
                pair(issued_certificate("wild", ca, "DNS:*.wild.test")),
                dict(pair(issued_certificate("given", ca, "DNS:x.test")), names=["given.test", "*.given.test"]),
            ],
        )
    )
    for host, wanted in (
        ("default.test", "default"),
        ("one.test", "one"),
        ("ONE.test", "one"),
        ("www.wild.test", "one"),
        ("a.wild.test", "wild"),
        ("wild.test", "default"),
        ("given.test", "given"),
        ("a.given.test", "given"),
        ("a.b.given.test", "given"),
        ("x.test", "default"),
        ("unknown.test", "default"),
        (None, "default"),
    ):
        is_(name_of(proxy, ca, host), wanted, "%s gets the certificate %s" % (host, wanted))
    for host in ("one.test", "a.wild.test"):
        client = Client(proxy.tls_port, tls=context(ca), server_name=host)
        is_(client.request(target="/y").text, "fine /y", "a client that checks the name is content: " + host)


def first_is_default(ca):
    certificates = [pair(issued_certificate(name, ca, "DNS:%s.test" % name)) for name in ("first", "second")]
    proxy = TlsProxy({"certificates": certificates})
    for host, wanted in (("second.test", "second"), ("other.test", "first"), (None, "first")):
        is_(name_of(proxy, ca, host), wanted, "%s gets the certificate %s" % (host, wanted))


def is_served(proxy, tls):
    """Whether a client with this context gets an answer; under TLS 1.3 it hears of a refusal only then."""
    try:
        client = Client(proxy.tls_port, tls=tls)
        return client.request(target="/x").text == "fine /x"
    except (ssl.SSLError, ConnectionError, ProtocolError):
        return False


def clients(ca):
    server = pair(issued_certificate("server", ca, "DNS:localhost"))
    stranger = issued_certificate("stranger", issued_certificate("others", subject="/CN=members"))
    members = issued_certificate("members")
    member = issued_certificate("member", members, "URI:spiffe://test/member")
    for settings, without in (
        ({}, False),
        ({"client_auth": "require"}, False),
        ({"client_auth": "optional"}, True),
    ):
        proxy = TlsProxy(dict(server, client_ca_file=members[0], **settings), workers=2)
        what = settings.get("client_auth", "client_ca_file alone")
        for version in VERSIONS:
            label = "%s, %s: " % (what, version.name)
            is_(is_served(proxy, context(ca, version)), without, label + "a client without a certificate")
            is_(is_served(proxy, context(ca, version, member)), True, label + "a member")
            is_(is_served(proxy, context(ca, version, stranger)), False, label + "a stranger")


def sessions(ca):
    """Each connection may land on another worker; the keys of the tickets are the same."""
    members = issued_certificate("session-members")
    member = issued_certificate("session-member", members)
    server = pair(issued_certificate("session-server", ca, "DNS:localhost"))
    proxy = TlsProxy(dict(server, client_ca_file=members[0]), workers=4)
    for version in VERSIONS:
        tls = context(ca, version, member)
        session, reused = None, []
        for _ in range(9):
            sock = tls.wrap_socket(
                socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=deadline(20)),
                server_hostname="localhost",
                session=session,
            )
            wire = Wire(sock)
            wire.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            is_(wire.read_response().text, "fine /x", "%s: served" % version.name)
            reused.append(sock.session_reused)
            session = sock.session
            sock.close()
        is_(reused, [False] + [True] * 8, "%s: a client that comes back is known to every worker" % version.name)


def mistakes(ca):
    issued_certificate("good", ca, "DNS:good.test")
    issued_certificate("other", ca)
    for what, yaml, wanted in (
        (
            "a key that does not fit",
            "    certificates:\n      - { cert_file: good.crt, key_file: good.key }\n"
            "      - { cert_file: good.crt, key_file: other.key }\n",
            r"5:42: error: key_file \"other\.key\" does not fit the certificate in \"good\.crt\"",
        ),
        (
            "a certificate without names",
            "    certificates:\n      - { cert_file: good.crt, key_file: good.key }\n"
            "      - { cert_file: other.crt, key_file: other.key }\n",
            r"5:22: error: this certificate can never be chosen: it names no host; give it names: \[www",
        ),
        (
            "nothing to check clients with",
            "    cert_file: good.crt\n    key_file: good.key\n    client_auth: optional\n",
            r"5:18: error: client_auth needs client_ca_file",
        ),
        (
            "authorities that are not there",
            "    cert_file: good.crt\n    key_file: good.key\n    client_ca_file: nope.crt\n",
            r"5:21: error: client_ca_file \"nope\.crt\": No such file",
        ),
        (
            "authorities that are none",
            "    cert_file: good.crt\n    key_file: good.key\n    client_ca_file: good.key\n",
            r"5:21: error: client_ca_file \"good\.key\" has no PEM certificate",
        ),
    ):
        run = gomesh_run("-t", "-config", write_file("mistake.yaml", "proxy:\n  tls:\n" + yaml))
        is_(run.code, 78, what + ": exit code 78")
        text = "\n".join(run.err).replace(temporary_folder() + "/", "")
        text = re.sub(r"(?m)^.*?mistake\.yaml:", "", text)
        like(text, "(?m)^" + wanted, "at its place, with the reason")
        is_(len(re.findall(r"(?m)^\d+:\d+: error", text)), 1, "and nothing else")


try:
    want_tool("openssl")
except Skip as reason:
    skip_all(str(reason))
own = issued_certificate("authority")
subtest("certificates by name", by_name, own)
subtest("the first is the default", first_is_default, own)
subtest("certificates of clients", clients, own)
subtest("sessions", sessions, own)
subtest("mistakes", mistakes, own)
done()
