#!/usr/bin/env python3
"""Repeats what 0001-smtp-session.md claims and prints each observation.

    cargo build --release && python3 observe.py target/release/smtp-session-observed
"""
import os
import signal
import socket
import subprocess
import sys
import time

PROGRAM = sys.argv[1]
LONG_LINE = 50 * 1024 * 1024
SILENT = 4


class Server:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "server"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline())

    def line(self):
        return self.process.stdout.readline().decode().strip()

    def peak_memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(line.split(None, 1)[1].strip() for line in status if line.startswith("VmHWM"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Client:
    def __init__(self, server, wait=3):
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.settimeout(wait)
        self.read()

    def read(self):
        try:
            answer = self.socket.recv(4096)
        except TimeoutError:
            return "(no answer)"
        except ConnectionError as error:
            return f"({type(error).__name__})"
        return answer.decode().strip().replace("\r\n", " | ") or "(closed)"

    def say(self, octets):
        self.socket.sendall(octets)
        return self.read()

    def to_data(self, recipient=b"a@b.example"):
        for command in (b"EHLO c", b"MAIL FROM:<a@b.example>", b"RCPT TO:<" + recipient + b">", b"DATA"):
            answer = self.say(command + b"\r\n")
        return answer


def heading(text):
    print(f"\n== {text}")


def show(sent, answer):
    print(f"   {sent!r} -> {answer}")


def mailin_embedded():
    with Server() as server:
        heading("mailin-embedded: the null reverse path")
        client = Client(server)
        show(b"EHLO c", client.say(b"EHLO c\r\n"))
        show(b"MAIL FROM:<>", client.say(b"MAIL FROM:<>\r\n"))

        heading("mailin-embedded: parameters of MAIL and RCPT")
        for command in (b"MAIL FROM:<a@b.example> SIZE=100", b"MAIL FROM:<a@b.example> RET=HDRS ENVID=1",
                        b"MAIL FROM:<a@b.example> SMTPUTF8", b"MAIL FROM:<a@b.example> BODY=8BITMIME",
                        b"RCPT TO:<a@b.example> NOTIFY=NEVER", b"RCPT TO:<a@b.example>"):
            show(command, client.say(command + b"\r\n"))

        heading(r"mailin-embedded: a dot between a bare LF and a CRLF ends the message")
        client = Client(server)
        client.to_data()
        body = b"outer\n.\r\nMAIL FROM:<smuggled@b.example>\r\n"
        show(body, client.say(body))
        print(f"   server: {server.line()}")

        heading("mailin-embedded: a refusal after DATA")
        client = Client(server)
        client.to_data(b"refuse@b.example")
        show(b"x\r\n.\r\n", client.say(b"x\r\n.\r\n"))
        print(f"   server: {server.line()}")
        show(b"RSET", client.say(b"RSET\r\n"))
        show(b".", client.say(b".\r\n"))
        print(f"   server: {server.line()}")

    with Server() as server:
        heading(f"mailin-embedded: {LONG_LINE} octets without a line end")
        client = Client(server)
        print(f"   peak memory before: {server.peak_memory()}")
        client.to_data()
        for _ in range(LONG_LINE // 65536):
            client.socket.sendall(b"x" * 65536)
        show(b"\\r\\n.\\r\\n after it", client.say(b"\r\n.\r\n"))
        print(f"   peak memory after: {server.peak_memory()}")

    with Server() as server:
        heading(f"mailin-embedded: {SILENT} silent clients")
        clients = [Client(server) for _ in range(SILENT)]
        fifth = socket.create_connection(("127.0.0.1", server.port))
        fifth.settimeout(10)
        try:
            print(f"   greeting of client {SILENT + 1}: {fifth.recv(100)!r}")
        except TimeoutError:
            print(f"   greeting of client {SILENT + 1}: none within 10 s")
        clients[0].socket.close()
        print(f"   after client 1 has closed: {fifth.recv(100)!r}")

        heading("mailin-embedded: SIGTERM while clients are connected")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        print(f"   process: {server.process.poll()} (-15: killed by the signal; the package has no call that stops it)")

    with Server() as server:
        heading("mailin-embedded: a handler that panics, once for each worker")
        for _ in range(4):
            client = Client(server)
            client.to_data(b"panic@b.example")
            show(b"x\r\n.\r\n", client.say(b"x\r\n.\r\n"))
        after = socket.create_connection(("127.0.0.1", server.port))
        after.settimeout(5)
        try:
            print(f"   greeting afterwards: {after.recv(100)!r}; process: {server.process.poll()}")
        except (TimeoutError, ConnectionError) as error:
            print(f"   greeting afterwards: {type(error).__name__}; process: {server.process.poll()}")


def smtp_proto():
    heading("smtp-proto: what becomes of a command")
    for command in (b"RCPT TO:<Postmaster>\r\n", b"RCPT TO:<+39347000001>\r\n", b"RCPT TO:<a\rb@c.example>\r\n",
                    b"RCPT TO:<a@[IPv6:::1]>\r\n", b"RCPT TO:<a@[127.0.0.1]>\r\n", b"RCPT TO:<@relay.example:a@b.example>\r\n",
                    b"RCPT TO:<\"a b\"@c.example>\r\n", b"RCPT TO:<\"a@b\"@c.example>\r\n",
                    b"MAIL FROM:<> SIZE=18446744073709551617\r\n",
                    b"MAIL FROM:<> SIZE=18446744073709551615\r\n", b"MAIL FROM: <a@b.example>\r\n",
                    b"NOOP\n", b"RSET\nQUIT\r\n", b"MAIL FROM:<> RET=HDRS RET=FULL\r\n", b"DATA now\r\n"):
        done = subprocess.run([PROGRAM, "parse"], input=command, capture_output=True, check=True)
        print(f"   {command!r}")
        for line in done.stdout.decode().splitlines():
            print(f"      {line}")


if __name__ == "__main__":
    mailin_embedded()
    smtp_proto()
