#!/usr/bin/env python3
"""The TLS listener: certificates good, wrong and expired; versions, ALPN, ciphers; bodies; headers."""
import json
import os
import re
import signal
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import issued_certificate  # noqa: E402

MIB = 1 << 20
GET = b"GET /over-tls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


class TlsProxy(Proxy):
    def __init__(self, backend, pair, min_version=None, **settings):
        self.tls_port = free_port()
        tls = {"listen_port": self.tls_port, "cert_file": pair[0], "key_file": pair[1]}
        if min_version:
            tls["min_version"] = min_version
        super().__init__(backend, tls=tls, **settings)


def context(cert):
    result = ssl.create_default_context(cafile=cert)
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    return result


def good_certificate(good):
    backend = Backend()
    proxy = TlsProxy(backend.port, good)
    wanted = [
        r"Loading configuration from: ",
        r"GoMesh Proxy starting on port %d$" % proxy.port,
        r"TLS listener on port %d$" % proxy.tls_port,
        r"Forwarding all traffic to: ",
        r"Press Ctrl\+C to stop$",
    ]
    ok(
        len(proxy.out) == 5
        and all(re.search(r"^\[INFO\] " + pattern, line) for pattern, line in zip(wanted, proxy.out)),
        "five start lines, the TLS listener's in its place",
    )
    for version in ("--tlsv1.2", "--tlsv1.3"):
        result = curl(
            "--cacert",
            good[0],
            version,
            "--tls-max",
            version[-3:],
            "https://localhost:%d/echo?v=1" % proxy.tls_port,
        )
        is_(result.returncode, 0, "curl --cacert %s: %s" % (version, result.stderr.decode().strip()))
        answer = json.loads(result.stdout or b"{}")
        headers = {field["name"].lower(): field["value"] for field in answer.get("headers", [])}
        is_(
            (answer.get("query"), headers.get("x-forwarded-proto"), headers.get("x-forwarded-for")),
            ("v=1", "https", headers.get("x-forwarded-for")),
            "X-Forwarded-Proto: https",
        )
        like(headers.get("x-forwarded-for"), r"^(127\.0\.0\.1|::1)$", "X-Forwarded-For over TLS")
    result = curl("https://localhost:%d/" % proxy.tls_port)
    # 77: on a machine without any authorities
    ok(result.returncode in (60, 77), "curl that does not know the certificate refuses it")
    result = curl("-k", "https://127.0.0.1:%d/health" % proxy.tls_port)
    is_((result.returncode, result.stdout.strip()), (0, b"OK"), "curl -k")
    result = curl(
        "--cacert",
        good[0],
        "--http2",
        "-w",
        "%{http_version}",
        "https://localhost:%d/health" % proxy.tls_port,
    )
    like(result.stdout.decode(), r"1\.1$" if ENGINE == "h2o" else r"2$", "curl --http2 gets HTTP/2")
    is_(Client(proxy.port).request(target="/health").status, 200, "the plain listener serves beside it")
    is_(proxy.stop(), 0, "exit code 0")


def protocol(output):
    match = re.search(r"^New, (TLSv[0-9.]+), Cipher is (\S+)", output, re.M)
    return (match.group(1), match.group(2)) if match else None


def alpn(output):
    match = re.search(r"^ALPN protocol: (\S+)", output, re.M)
    return match.group(1) if match else None


def versions(good):
    origin = Origin(answering(fine))
    proxy = TlsProxy(origin.port, good)
    for flag, wanted in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        output = s_client(proxy.tls_port, flag, "-CAfile", good[0], "-verify_return_error", request=GET)
        is_((protocol(output) or [None])[0], wanted, "s_client %s" % flag)
        like(output, r"fine /over-tls", "and a request through it")
    for flag in ("-tls1", "-tls1_1"):
        output = s_client(proxy.tls_port, flag, "-cipher", "ALL:@SECLEVEL=0")
        is_(protocol(output), None, "%s is refused" % flag)
    newer = TlsProxy(origin.port, good, min_version="1.3")
    is_(protocol(s_client(newer.tls_port, "-tls1_2")), None, 'min_version: "1.3" refuses TLS 1.2')
    is_((protocol(s_client(newer.tls_port, "-tls1_3")) or [None])[0], "TLSv1.3", "and accepts TLS 1.3")
    older = TlsProxy(origin.port, good, min_version="1.2")
    is_(
        (protocol(s_client(older.tls_port, "-tls1_2")) or [None])[0],
        "TLSv1.2",
        'min_version: "1.2" accepts TLS 1.2',
    )


def application_protocols(good):
    origin = Origin(answering(fine))
    if ENGINE != "h2o":
        proxy = TlsProxy(origin.port, good)
        for version in ("-tls1_2", "-tls1_3"):
            for offered, wanted in (("http/1.1", "http/1.1"), ("http/1.1,h2", "h2"), ("h2", "h2")):
                got = alpn(s_client(proxy.tls_port, version, "-alpn", offered))
                is_(got, wanted, "%s: of %s, %s" % (version, offered, wanted))
    port = free_port()
    tls = {"listen_port": port, "cert_file": good[0], "key_file": good[1]}
    proxy = Proxy(origin.port, tls=tls, http2={"enabled": False})
    proxy.tls_port = port
    for version in ("-tls1_2", "-tls1_3"):
        is_(
            alpn(s_client(proxy.tls_port, version, "-alpn", "http/1.1")),
            "http/1.1",
            "%s: http/1.1 is offered" % version,
        )
        is_(
            alpn(s_client(proxy.tls_port, version, "-alpn", "h2,http/1.1")),
            "http/1.1",
            "%s: preferred to h2" % version,
        )
        is_(
            alpn(s_client(proxy.tls_port, version, "-alpn", "h2")),
            None,
            "%s: h2 alone is not taken" % version,
        )
        like(
            s_client(proxy.tls_port, version, "-alpn", "http/1.0", request=GET),
            r"fine /over-tls",
            "%s: http/1.0 is served" % version,
        )
        like(
            s_client(proxy.tls_port, version, request=GET),
            r"fine /over-tls",
            "%s: without ALPN it is HTTP/1.1" % version,
        )


def ciphers(good):
    proxy = TlsProxy(Origin(answering(fine)).port, good)
    first, second = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    chosen = [
        protocol(s_client(proxy.tls_port, "-tls1_2", "-cipher", ":".join(order)))
        for order in ((first, second), (second, first))
    ]
    ok(chosen[0] and chosen[0] == chosen[1], "TLS 1.2: the server's order of ciphers counts: %r" % chosen)
    first, second = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"
    chosen = [
        protocol(s_client(proxy.tls_port, "-tls1_3", "-ciphersuites", ":".join(order)))
        for order in ((first, second), (second, first))
    ]
    ok(chosen[0] and chosen[0] == chosen[1], "TLS 1.3: the same: %r" % chosen)
    for weak in ("NULL", "RC4", "3DES", "aNULL", "EXPORT"):
        is_(
            protocol(s_client(proxy.tls_port, "-tls1_2", "-cipher", "%s:@SECLEVEL=0" % weak)),
            None,
            "%s is refused" % weak,
        )
    for version in ("-tls1_2", "-tls1_3"):
        session = os.path.join(temporary_folder(), "session" + version)
        s_client(proxy.tls_port, version, "-sess_out", session, request=GET)
        if os.path.exists(session):
            like(
                s_client(proxy.tls_port, version, "-sess_in", session, request=GET),
                r"fine /over-tls",
                "%s: a client that brings its old session is served" % version,
            )
        else:
            skip("%s: a client that brings its old session" % version, "no session was given")


def bodies(good):
    backend = Backend()
    proxy = TlsProxy(backend.port, good)
    large = some_bytes(16 * MIB)
    letters = bytes(range(97, 123)) * (16 * MIB // 26 + 1)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        tls = context(good[0])
        tls.minimum_version = tls.maximum_version = version
        client = Client(proxy.tls_port, tls=tls, seconds=60)
        for size in (0, 1, 1023, 65536, MIB, 16 * MIB):
            answer = json.loads(client.request("POST", "/echo", body=large[:size]).body)
            is_(
                (answer["body_length"], answer["body_sha256"]),
                (size, sha256(large[:size])),
                "%s: upload of %d bytes" % (version.name, size),
            )
            response = client.request(target="/bytes/%d" % size)
            is_(response.sha256, sha256(letters[:size]), "%s: download of %d bytes" % (version.name, size))
        client.send_request("PUT", "/echo", [("Transfer-Encoding", "chunked")], chunked(large[:100000], 7777))
        is_(
            json.loads(client.read_response("PUT").body)["body_sha256"],
            sha256(large[:100000]),
            "%s: chunks" % version.name,
        )
        response = client.request(target="/health", headers=[("Connection", "close")])
        ok("close" in response.tokens("connection") and client.ends(), "%s: Connection: close" % version.name)


def wrong_name():
    wrong = certificate("wrong", "wrong.example")
    proxy = TlsProxy(Origin(answering(fine)).port, wrong)
    result = curl("--cacert", wrong[0], "https://localhost:%d/" % proxy.tls_port)
    is_(result.returncode, 60, "curl refuses a certificate for another name")
    result = curl(
        "--cacert",
        wrong[0],
        "--resolve",
        "wrong.example:%d:127.0.0.1" % proxy.tls_port,
        "https://wrong.example:%d/x" % proxy.tls_port,
    )
    is_(
        (result.returncode, result.stdout), (0, b"fine /x"), "and takes it for that name, from the same proxy"
    )


def expired():
    pair = expired_certificate("expired")
    proxy = TlsProxy(Origin(answering(fine)).port, pair)
    proxy.wait_line(r": warning: .*expired", stream="err")
    is_(proxy.count(r": warning: .*expired", stream="err"), 1, "one warning at the start")
    result = curl("-k", "https://localhost:%d/x" % proxy.tls_port)
    is_((result.returncode, result.stdout), (0, b"fine /x"), "curl -k is served")
    is_(
        curl("--cacert", pair[0], "https://localhost:%d/x" % proxy.tls_port).returncode,
        60,
        "curl that checks refuses it",
    )
    check = gomesh_run("-t", "-config", proxy.path)
    is_(check.code, 0, "gomesh -t: valid")
    like(
        "\n".join(check.err),
        r"^%s:\d+:\d+: warning: .*expired" % re.escape(proxy.path),
        "gomesh -t: with a warning at its place",
    )


def unusable(good):
    other = certificate("other")
    text = write_file("text.pem", "this is no certificate\n")
    missing = os.path.join(temporary_folder(), "missing.pem")
    for what, cert, key, word in (
        ("a key that does not fit", good[0], other[1], r"key.*(match|fit|belong)"),
        ("a certificate that is none", text, good[1], r"text\.pem"),
        ("a key that is none", good[0], text, r"text\.pem"),
        ("a missing certificate", missing, good[1], r"missing\.pem"),
        ("a missing key", good[0], missing, r"missing\.pem"),
    ):
        path = write_file(
            "unusable.yaml",
            to_yaml(
                proxy_config(
                    free_port(), 3000, tls={"listen_port": free_port(), "cert_file": cert, "key_file": key}
                )
            ),
        )
        for arguments in (("proxy", "-config", path), ("-t", "-config", path)):
            process = gomesh_run(*arguments)
            is_(process.code, 78, "%s, gomesh %s: exit code 78" % (what, arguments[0]))
            like(
                "\n".join(process.err),
                r"(?mi)^%s:\d+:\d+: error: .*(?:%s)" % (re.escape(path), word),
                "the error, at its place",
            )


def abuse(good):
    proxy = TlsProxy(
        Origin(answering(fine)).port,
        good,
        timeout={"read_timeout": duration(500), "idle_timeout": duration(500)},
    )
    client = Client(proxy.tls_port)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    try:
        ok(not client.fill() or b"200 OK" not in client.buffer, "plain HTTP on the TLS port is not served")
    except ConnectionError:
        ok(True, "plain HTTP on the TLS port is not served")
    for data in (b"\x16\x03\x01\x40\x00" + b"\xff" * 5000, b"\x00" * 100, b"\x80\x2e\x01\x00\x02"):
        client = Client(proxy.tls_port)
        client.send(data)
        client.reset()
    client = Client(proxy.tls_port)
    ok(client.ends(), "a client that never begins its handshake is closed")
    client = Client(proxy.tls_port, tls=context(good[0]))
    is_(client.request(target="/x").text, "fine /x", "a client that leaves without close_notify: served")
    client.reset()
    client = Client(proxy.tls_port, tls=context(good[0]))
    is_(client.request(target="/x").text, "fine /x", "the proxy lives on")
    try:
        ok(client.ends(), "an idle TLS connection is closed")
    except ssl.SSLError as problem:
        ok("EOF" in str(problem), "an idle TLS connection is closed (%s)" % problem)


def shutdown(good):
    backend = Backend()
    proxy = TlsProxy(backend.port, good)
    idle, busy = [Client(proxy.tls_port, tls=context(good[0])) for _ in range(2)]
    is_(idle.request(target="/health").status, 200, "an idle connection")
    busy.send_request(target="/delay/" + duration(1000))
    backend.wait_line(r"^\[BACKEND\] Received: GET /delay/")
    proxy.send(signal.SIGTERM)
    response = busy.read_response()
    is_(
        (response.status, response.tokens("connection")),
        (200, ["close"]),
        "what is in flight over TLS is finished",
    )
    is_(proxy.wait(), 0, "exit code 0")
    is_(proxy.out[-1], "[INFO] Stopped", "in good order")


def reason_of(proxy, tls, version):
    """Why the proxy refused a handshake, as the client's library was told by an alert."""
    tls.minimum_version = tls.maximum_version = version
    try:
        client = Client(proxy.tls_port, tls=tls)
        client.send(GET)
        client.fill()  # under TLS 1.3 a client hears of it only now
        return "none"
    except ssl.SSLError as problem:
        return problem.reason
    except ConnectionError as problem:
        return repr(problem)


def alerts(good):
    members = issued_certificate("members")
    stranger = issued_certificate("stranger", issued_certificate("others"))
    proxy = TlsProxy(Origin(answering(fine)).port, good, min_version="1.3", workers=1)
    is_(reason_of(proxy, context(good[0]), ssl.TLSVersion.TLSv1_2), "TLSV1_ALERT_PROTOCOL_VERSION", "an old version")
    like(s_client(proxy.tls_port, "-alpn", "spdy/1"), r"SSL alert number 120", "a protocol that nobody speaks")
    proxy = TlsProxy(Origin(answering(fine)).port, good, workers=1)
    weak = context(good[0])
    weak.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # not with this certificate
    is_(reason_of(proxy, weak, ssl.TLSVersion.TLSv1_2), "SSLV3_ALERT_HANDSHAKE_FAILURE", "no cipher in common")
    config = proxy_config(free_port(), Origin(answering(fine)).port)
    tls_port = free_port()
    config["proxy"]["tls"] = {"listen_port": tls_port, "cert_file": good[0], "key_file": good[1], "client_ca_file": members[0]}
    proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
    proxy.tls_port = tls_port
    for version, wanted in (
        (ssl.TLSVersion.TLSv1_2, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (ssl.TLSVersion.TLSv1_3, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    ):
        is_(reason_of(proxy, context(good[0]), version), wanted, "%s: no certificate" % version.name)
        other = context(good[0])
        other.load_cert_chain(*stranger)
        is_(reason_of(proxy, other, version), "TLSV1_ALERT_UNKNOWN_CA", "%s: a stranger's certificate" % version.name)
        other = context(good[0])
        other.load_cert_chain(*issued_certificate("member", members))
        is_(reason_of(proxy, other, version), "none", "%s: the right certificate" % version.name)


def shutdown_of_handshakes(good):
    """Port scanners and health checks connect and say nothing; they keep nobody waiting."""
    proxy = TlsProxy(Origin(answering(fine)).port, good, timeout={"shutdown_timeout": "60s"}, workers=1)
    silent, half = Client(proxy.tls_port), Client(proxy.tls_port)
    half.send(b"\x16\x03\x01\x02\x00\x01\x00")
    empty = Client(proxy.port)
    empty.send(b"\r\n")
    is_(once(proxy.port).status, 200, "they have arrived")
    proxy.send(signal.SIGTERM)
    proxy.wait_line(r"^\[INFO\] Shutting down: waiting up to 1m for 0 requests$")
    is_(proxy.wait(seconds=20), 0, "the end does not wait for them")
    is_([client.ends() for client in (silent, half, empty)], [True] * 3, "their connections end")
    is_(proxy.out[-1], "[INFO] Stopped", "in good order")


try:
    want_tool("openssl")
    want_tool("curl")
except Skip as reason:
    skip_all(str(reason))
pair_of_files = certificate("good")
subtest("a good certificate", good_certificate, pair_of_files)
subtest("versions", versions, pair_of_files)
subtest("ALPN", application_protocols, pair_of_files)
subtest("ciphers and sessions", ciphers, pair_of_files)
subtest("bodies", bodies, pair_of_files)
subtest("a certificate for another name", wrong_name)
subtest("an expired certificate", expired)
subtest("files that cannot be used", unusable, pair_of_files)
subtest("what is not TLS", abuse, pair_of_files)
subtest("shutdown", shutdown, pair_of_files)
if ENGINE == "gomesh":
    subtest("alerts", alerts, pair_of_files)
    subtest("shutdown with handshakes that hang", shutdown_of_handshakes, pair_of_files)
done()
