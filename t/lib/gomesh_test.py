"""What an end-to-end test of GoMesh starts from: TAP, clean-up, deadlines, ports, and every other helper.

A test is a Python script named t/NNname.t that begins with

    #!/usr/bin/env python3
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
    from gomesh_test import *

groups its checks in subtest(name, function) and ends with done(). Whatever is started inside a subtest
(processes, origins, connections) ends with it, in reverse order.

    $GOMESH         the binary; default build/gomesh below the repository's root
    $GM_ENGINE      the engine of proxies that this library configures; default gomesh
    $GM_TEST_SLOW   multiplies every deadline and configured timeout, for sanitizer builds
"""
import sys

sys.dont_write_bytecode = True

# fmt: off
from gomesh_tap import (  # noqa: E402,F401
    ENGINE, SLOW, Skip, background, closing, deadline, done, duration, elapsed_since, explain, give_up, is_,
    known_limit, like, note, now, ok, skip, skip_all, subtest, temporary_folder, unlike, wait_until)
from gomesh_ports import free_port, has_ipv6, listening_sockets, tcp_state  # noqa: E402,F401
from gomesh_process import (  # noqa: E402,F401
    GOMESH, START_LINE, Backend, Process, Proxy, gomesh, gomesh_run, proxy_config, to_yaml, write_file)
from gomesh_wire import (  # noqa: E402,F401
    Client, ProtocolError, Request, Response, Wire, chunked, http_message, once, sha256, some_bytes)
from gomesh_origin import Origin, answering, blackhole, echo_body, trickle  # noqa: E402,F401
from gomesh_tools import (  # noqa: E402,F401
    Hosts, NameServer, NginxOrigin, certificate, check_failure, curl, expired_certificate, openssl, s_client, want_tool)
