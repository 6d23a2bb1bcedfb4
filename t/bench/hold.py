"""Holds idle HTTP/2 connections over TLS, each after one request, until its stdin closes.

Started by measure.py as `hold.py PORT COUNT CERTIFICATE BODYFILE`; prints READY, or what went wrong.
"""
import os
import socket
import ssl
import sys

sys.dont_write_bytecode = True  # the source tree stays clean

from bench import HOST
from h2 import first_request, read_answer


def open_one(context, port, body):
    """A connection with one request behind it."""
    plain = socket.create_connection((HOST, port), 10)
    connection = context.wrap_socket(plain, server_hostname='bench.local')
    if connection.selected_alpn_protocol() != 'h2':
        raise OSError('not HTTP/2')
    connection.sendall(first_request('https'))
    if not read_answer(connection, body):
        raise OSError('closed before the answer')
    return connection


def main():
    """The command."""
    port, count, certificate, body_file = sys.argv[1:]
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(['h2'])
    with open(body_file, 'rb') as file:
        body = file.read()
    held = []
    try:
        for _ in range(int(count)):
            held.append(open_one(context, int(port), body))
    except OSError as error:
        print('connection %d: %s' % (len(held) + 1, error), flush=True)
        return 1
    print('READY', flush=True)
    sys.stdin.read()
    os._exit(0)  # the kernel closes them faster than Python does


if __name__ == '__main__':
    sys.exit(main())
