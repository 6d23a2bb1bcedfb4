#!/usr/bin/env python3
"""Logs on a disk without room: requests are served as ever, each lost line is counted once, and room is used again."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_tap import Skip, deadline, elapsed_since, now  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

CLIENTS, EACH = 4, 300
LONG = "/" + "x" * 2000  # lines of this are more than the buffer of a log holds while it waits for room
FULL = "/dev/full"


def fine():
    return Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"fine"))).port


def started(backend, log, wrapper=()):
    """A proxy that may have nowhere to say that it has started."""
    port = free_port()
    path = write_file("full-%d.yaml" % port, to_yaml(proxy_config(port, backend, log=log)))
    process = Process(list(wrapper) + [GOMESH, "proxy", "-config", path], name="proxy")
    wait_until(lambda: listens(port), "its listener")
    return process, port


def listens(port):
    try:
        Client(port).close()
        return True
    except OSError:
        return False


def dropped(port):
    text = once(port, target="/metrics").text
    return int(re.search(r"(?m)^gomesh_log_dropped_total (\d+)$", text).group(1))


def load(port, target=LONG, each=EACH):
    """The statuses that many clients get at once."""
    def ask():
        client = Client(port)
        return [client.request(target=target).status for _ in range(each)]

    return [status for answers in [background(ask) for _ in range(CLIENTS)] for status in answers.result()]


def check_lost(port, number, what):
    wait_until(lambda: dropped(port) >= number, "%d lost lines, and not %d" % (number, dropped(port)), 20)
    is_(dropped(port), number, what)


def check_end(process):
    before = now()
    is_(process.stop(), 0, "exit code 0")
    ok(elapsed_since(before) < deadline(5000), "and the end does not wait for room")


def lines_of_requests():
    process, port = started(fine(), {"format": "json", "access": {"path": FULL}})
    is_(load(port), [200] * CLIENTS * EACH, "all are served")
    check_lost(port, CLIENTS * EACH, "each lost line is counted once")
    is_(once(port).text, "fine", "and further requests are served")
    check_end(process)


def all_other_lines():
    process, port = started(free_port(), {"format": "text", "level": "error", "output": FULL})
    is_(load(port), [502] * CLIENTS * EACH, "all get their answer")
    check_lost(port, CLIENTS * EACH, "each lost line is counted once")
    check_end(process)


def both():
    log = {"format": "text", "level": "error", "output": FULL, "access": {"path": FULL}}
    process, port = started(free_port(), log)
    is_({once(port).status for _ in range(20)}, {502}, "all get their answer")
    check_lost(port, 40, "the lines of both logs are counted")
    check_end(process)


def small_disk():
    """A real file system of 64 KiB, in name spaces of the proxy's own; others look into it through /proc."""
    unshare, folder = shutil.which("unshare"), os.path.join(temporary_folder(), "small")
    os.mkdir(folder)
    mount = ["sh", "-c", 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"', folder]
    wrapper = [unshare or "", "--user", "--map-root-user", "--mount"]
    if unshare is None or subprocess.run(wrapper + mount + ["true"], capture_output=True).returncode != 0:
        raise Skip("no file system may be mounted here")
    process, port = started(fine(), {"format": "json", "access": {"path": folder + "/access.log"}}, wrapper + mount)
    path = "/proc/%d/root%s/access.log" % (process.pid, folder)
    is_(load(port, "/", 50), [200] * CLIENTS * 50, "all are served")  # 90 KB; when there is room, the rest fits
    wait_until(lambda: dropped(port) > 0, "lost lines")
    with open(path, "rb") as file:
        text = file.read()
    is_(len(text), 65536, "the disk is full")
    os.truncate(path, 0)  # somebody makes room
    wait_until(lambda: b" lost: " in open(path, "rb").read(), "the line that counts them", 20)
    once(port, target="/last")
    wait_until(lambda: b'"/last"' in open(path, "rb").read(), "further lines", 20)
    with open(path, "rb") as file:
        text += file.read()
    told = sum(map(int, re.findall(rb"(\d+) log lines? (?:was|were) lost", text)))
    is_(told, dropped(port), "the log tells of as many lost lines as the metric")
    off = len([line for line in text.split(b"\n") if is_whole(line)]) + told - CLIENTS * 50 - 1
    ok(off in (0, 1), "and each line is there or counted, or it lacks its last byte alone (%d)" % off)
    check_end(process)


def is_whole(line):
    try:
        return json.loads(line)["msg"] == "request completed"
    except ValueError:
        return False


for function in (lines_of_requests, all_other_lines, both, small_disk):
    subtest(function.__name__.replace("_", " "), function)
done()
