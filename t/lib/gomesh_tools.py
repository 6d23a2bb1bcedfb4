"""Foreign programs that the tests drive (curl, openssl, nginx), and the check of all that a failure shows."""
import datetime
import os
import re
import shutil
import socket
import subprocess
import threading

from gomesh_ports import free_port
from gomesh_process import Process, clean_environment, serial, write_file
from gomesh_tap import Skip, closing, deadline, is_, like, note, ok, temporary_folder

# RFC 9209, section 2.3: the words that tell why, for each of GoMesh's names.
PROXY_STATUS_WORDS = {
    "connect_refused": "connection_refused",
    "connect_failed": "destination_ip_unroutable",
    "connect_timeout": "connection_timeout",
    "overloaded": "connection_limit_reached",
    "connection_reset": "connection_terminated|http_response_incomplete",
    "connection_terminated": "connection_terminated|http_response_incomplete",
    "response_timeout": "http_response_timeout|connection_read_timeout",
    "request_total_timeout": "http_response_timeout|connection_read_timeout|connection_timeout",
    "response_malformed": "http_protocol_error",
    "dns_failed": "dns_error|dns_timeout",
    "bad_request": "http_request_error",
    "payload_too_large": "http_request_error|http_request_denied",
    "not_implemented": "http_request_error|http_request_denied",
    "request_timeout": "http_request_error|connection_read_timeout",
    "no_route": "destination_not_found",
    "access_denied": "http_request_denied",
    "internal": "proxy_internal_error",
    "tls_handshake_failed": "tls_protocol_error",
    "tls_certificate_invalid": "tls_certificate_error",
}


def check_failure(response, status, name, proxy=None, line=None):
    """
    Checks everything that a failure shows: status, Proxy-Status, Content-Type, body, and the log line. line
    is the pattern up to "failed:" for a request that has one, such as "GET /x → localhost:3000".
    """
    is_(response.status, status, "%s: status %d" % (name, status))
    pattern = r'gomesh; error=(%s); details="%s: ([ !#-\[\]-~]|\\[\\"])+"' % (PROXY_STATUS_WORDS[name], name)
    like(response.get("proxy-status"), r"\A%s\Z" % pattern, "%s: Proxy-Status" % name)
    is_(response.get("content-type"), "text/plain; charset=utf-8", "%s: Content-Type" % name)
    pattern = r"\A%s: \S[^\n]+\n(backend: [^\n]+\n)?(cause: [^\n]+\n)?(try: [^\n]+\n)?\Z" % name
    like(response.text, pattern, "%s: the body says it in its first line" % name)
    if proxy is None:
        return
    pattern = r"^\[ERROR\] %s failed: %s \(.+\)$" % (line, name) if line else r"\b%s\b" % name
    try:
        found = proxy.wait_line(pattern, seconds=5)
    except AssertionError as problem:
        found = None
        note(problem)
    ok(found, "%s: the log says so" % name)


def want_tool(name):
    """The program's path; skips the subtest where it is missing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not path:
        raise Skip(name + " is not installed")
    return path


def run(argv, input=None, seconds=60):
    """Runs a program to its end; .returncode, .stdout, .stderr (bytes)."""
    options = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    return subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(None),
        timeout=deadline(seconds),
        check=False,
        **options
    )


def curl(*arguments):
    """curl without proxies and without the user's own settings; silent but for errors."""
    return run(
        [want_tool("curl"), "-q", "-sS", "--noproxy", "*", "--max-time", "%d" % deadline(30)]
        + list(arguments)
    )


def openssl(*arguments, input=None):
    return run([want_tool("openssl")] + list(arguments), input)


def s_client(port, *arguments, request=None):
    """A TLS connection by openssl s_client; returns its output as text. request is sent when connected."""
    result = openssl(
        "s_client",
        "-connect",
        "127.0.0.1:%d" % port,
        "-servername",
        "localhost",
        *(list(arguments) + (["-ign_eof"] if request else [])),
        input=request or b""
    )
    return (result.stdout + result.stderr).decode("utf-8", "replace")


class Hosts:
    """
    Names that only programs started with its wrapper know, and these no others: Proxy(…, wrapper=hosts.wrapper).
    They are looked up in a file, as in /etc/hosts, so an answer comes at once; set() changes it under them.
    """

    SCRIPT = (
        "mount -t tmpfs none /etc; echo 'hosts: files' >/etc/nsswitch.conf; "
        'ln -s "$1" /etc/hosts; shift; exec "$@"'
    )

    def __init__(self, **names):
        self.path = os.path.join(temporary_folder(), "hosts")
        self.wrapper = [want_tool("unshare"), "--map-root-user", "--mount", "sh", "-ec", self.SCRIPT, "sh", self.path]
        self.set(probe="127.0.0.9")
        probe = run(self.wrapper + ["getent", "hosts", "probe.test"])
        if not probe.stdout.startswith(b"127.0.0.9"):
            raise Skip("names of our own are not allowed here: " + probe.stderr.decode().strip())
        self.set(**names)

    def set(self, **names):
        """set(users="127.0.0.2") makes users.test known, and all others unknown."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.writelines("%s %s.test\n" % (address, name) for name, address in names.items())
        os.replace(self.path + ".new", self.path)


class NameServer:
    """
    A name server that knows the names it was given and no address of any; it alone is asked by programs that
    are started with its wrapper.
    """

    SCRIPT = (
        "mount -t tmpfs none /etc; echo 'hosts: dns' >/etc/nsswitch.conf; "
        'echo "nameserver $1" >/etc/resolv.conf; shift; exec "$@"'
    )

    def __init__(self, *names, is_silent=False):
        self.names = {b"".join(b"%c%s" % (len(part), part) for part in name.encode().split(b".")) for name in names}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address = "127.%d.%d.%d" % (next(serial) % 200 + 10, os.getpid() >> 8 & 255, os.getpid() & 255)
        try:
            self.sock.bind((address, 53))
        except PermissionError:
            self.sock.close()
            raise Skip("port 53 is not ours to use")
        closing(self.sock.close)
        self.wrapper = [want_tool("unshare"), "--map-root-user", "--mount", "sh", "-ec", self.SCRIPT, "sh", address]
        if not is_silent:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.sock.recvfrom(512)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5  # RFC 1035, 4.1: the name, its type and class
            error = 0 if query[12 : end - 5] in self.names else 3
            flags = bytes([0x84 | query[2] & 1, 0x80 | error])
            self.sock.sendto(query[:2] + flags + b"\0\1\0\0\0\0\0\0" + query[12:end], peer)


def path_in_folder(name):
    return os.path.join(temporary_folder(), name)


def must(result):
    if result.returncode != 0:
        raise AssertionError("%r failed: %s" % (result.args, result.stderr.decode("utf-8", "replace")))


def certificate(name, host="localhost"):
    """A fresh self-signed P-256 certificate for host and 127.0.0.1; returns the paths (certificate, key)."""
    cert, key = path_in_folder(name + ".crt"), path_in_folder(name + ".key")
    addresses = ",IP:127.0.0.1,IP:::1" if host == "localhost" else ""
    must(
        openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-sha256",
            "-days",
            "2",
            "-subj",
            "/CN=" + host,
            "-addext",
            "subjectAltName=DNS:%s%s" % (host, addresses),
            "-keyout",
            key,
            "-out",
            cert,
        )
    )
    return cert, key


def issued_certificate(name, authority=None, names=None, subject=None):
    """
    A fresh certificate signed by authority, the paths that this returned for it; without one it is an authority
    itself. names: "DNS:a,URI:b". Returns the paths (certificate, key).
    """
    cert, key, request = (path_in_folder(name + end) for end in (".crt", ".key", ".csr"))
    subject = subject or "/CN=" + name
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-keyout", key]
    if not authority:
        must(openssl("req", "-x509", *new_key, "-days", "2", "-subj", subject, "-out", cert))
        return cert, key
    must(openssl("req", "-new", *new_key, "-subj", subject, "-out", request))
    extensions = write_file(name + ".ext", "subjectAltName = %s\n" % names if names else "")
    signer = ["-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial", "-days", "2"]
    must(openssl("x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", cert))
    return cert, key


def expired_certificate(name):
    """The same, but valid only in days gone by."""
    cert, key = path_in_folder(name + ".crt"), path_in_folder(name + ".key")
    request = path_in_folder(name + ".csr")
    must(
        openssl(
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-sha256",
            "-subj",
            "/CN=localhost",
            "-keyout",
            key,
            "-out",
            request,
        )
    )
    write_file(name + ".index", "")
    write_file(name + ".serial", "01\n")
    config = write_file(
        name + ".cnf",
        "\n".join(
            [
                "[ca]",
                "default_ca = own",
                "[own]",
                "database = " + path_in_folder(name + ".index"),
                "serial = " + path_in_folder(name + ".serial"),
                "new_certs_dir = " + temporary_folder(),
                "default_md = sha256",
                "policy = any",
                "x509_extensions = names",
                "[any]",
                "commonName = supplied",
                "[names]",
                "subjectAltName = DNS:localhost,IP:127.0.0.1",
                "",
            ]
        ),
    )
    today = datetime.datetime.utcnow()
    start, end = [(today - datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (20, 10)]
    must(
        openssl(
            "ca",
            "-batch",
            "-config",
            config,
            "-selfsign",
            "-keyfile",
            key,
            "-in",
            request,
            "-out",
            cert,
            "-notext",
            "-startdate",
            start,
            "-enddate",
            end,
        )
    )
    return cert, key


class NginxOrigin(Process):
    """nginx as a static origin with a prefix of its own; access log lines are "connection request status"."""

    def __init__(self, files, server_settings=""):
        program = want_tool("nginx")
        self.port = free_port()
        self.folder = path_in_folder("nginx-%d" % self.port)
        for folder in ("html", "tmp"):
            os.makedirs(os.path.join(self.folder, folder))
        for name, content in files.items():
            with open(os.path.join(self.folder, "html", name), "wb") as file:
                file.write(content)
        temporary = "".join(
            "  %s_temp_path %s/tmp/%s;\n" % (kind, self.folder, kind)
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = write_file(
            "nginx-%d.conf" % self.port,
            """
daemon off;
%(user)s
worker_processes 1;
pid %(folder)s/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
http {
  default_type application/octet-stream;
%(temporary)s
  log_format counted '$connection "$request" $status';
  access_log %(folder)s/access.log counted;
  server {
    listen 127.0.0.1:%(port)d;
    root %(folder)s/html;
%(settings)s
  }
}
"""
            % {
                "user": "user root;" if os.geteuid() == 0 else "",
                "folder": self.folder,
                "temporary": temporary,
                "port": self.port,
                "settings": server_settings,
            },
        )
        super().__init__([program, "-e", "stderr", "-p", self.folder, "-c", config], name="nginx")
        self.wait_line(r"start worker process \d", stream="err")

    def access_log(self):
        """[(connection, request line, status)], of what nginx has logged so far."""
        with open(os.path.join(self.folder, "access.log")) as file:
            return [
                (int(match.group(1)), match.group(2), int(match.group(3)))
                for match in re.finditer(r'^(\d+) "([^"]*)" (\d+)$', file.read(), re.M)
            ]
