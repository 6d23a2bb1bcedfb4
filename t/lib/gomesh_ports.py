"""Ports for the end-to-end tests, and what the kernel says about sockets (Linux)."""
import os
import random
import socket

claims = {}


def ephemeral_start():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 32768


def can_bind(family, host, port):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def has_ipv6():
    try:
        return can_bind(socket.AF_INET6, "::1", 0)
    except OSError:
        return False


def free_port():
    """
    A port that nothing uses on any address. It lies below the range from which the kernel takes ports for
    outgoing connections, and an abstract socket claims it among tests that run at the same time, so it
    stays free until the test binds it, and between two starts of a server.
    """
    top = ephemeral_start()
    low, high = (10000, top - 1) if top > 12000 else (61001, 65535)
    for _ in range(1000):
        port = random.randint(low, high)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind("\0gomesh-test-port-%d" % port)
        except OSError:
            claim.close()
            continue
        wildcards = [(socket.AF_INET, "0.0.0.0")] + ([(socket.AF_INET6, "::")] if has_ipv6() else [])
        if all(can_bind(family, host, port) for family, host in wildcards):
            claims[port] = claim
            return port
        claim.close()
    raise AssertionError("no free port")


def tcp_table():
    """Rows of the kernel's TCP tables: (family, local port, remote port, state, inode)."""
    for family, path in (("tcp", "/proc/net/tcp"), ("tcp6", "/proc/net/tcp6")):
        try:
            with open(path) as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            column = line.split()
            yield (
                family,
                int(column[1].rsplit(":", 1)[1], 16),
                int(column[2].rsplit(":", 1)[1], 16),
                int(column[3], 16),
                column[9],
            )


def listening_sockets(pid, port):
    """How many listening sockets of a process are bound to port, by family: {"tcp": n, "tcp6": n}."""
    inodes = set()
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            inodes.add(os.readlink("/proc/%d/fd/%s" % (pid, name)))
        except OSError:
            pass  # closed in the meantime
    count = {"tcp": 0, "tcp6": 0}
    for family, local, _remote, state, inode in tcp_table():
        if local == port and state == 10 and "socket:[%s]" % inode in inodes:
            count[family] += 1
    return count


def tcp_state(local_port, remote_port):
    """The state of one end of a connection by the kernel's number (1 = established); None if it is gone."""
    for _family, local, remote, state, _inode in tcp_table():
        if local == local_port and remote == remote_port:
            return state
    return None
