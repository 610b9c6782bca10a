"""Commands that take turns, and what each run costs."""

import http.client
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import setup


def peak(argv, env):
    """Peak memory in MiB, of the largest process. A child of ours would show our own memory, hence time(1)."""
    if not shutil.which("time"):
        return "?"
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as report:
        command = [shutil.which("time"), "-f", "%M", "-o", report.name, *argv]
        subprocess.run(command, env=env, capture_output=True, check=False)
        return f"{int(report.read().split()[-1]) / 1024:.1f}"


class Way:
    """One way to get credentials: a command and its environment."""

    def __init__(self, name, argv, env):
        self.name, self.argv, self.env, self.samples = name, argv, env, []

    def run(self):
        """One run: wall and CPU milliseconds."""
        with open(os.devnull, "wb") as nowhere:
            actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), fd) for fd in (1, 2)]
            start = time.perf_counter()
            pid = os.posix_spawnp(self.argv[0], self.argv, self.env, file_actions=actions)
            _, status, usage = os.wait4(pid, 0)
            wall = (time.perf_counter() - start) * 1000
        if status:
            sys.exit(f"{self.name} failed with {os.waitstatus_to_exitcode(status)}")
        self.samples.append((wall, (usage.ru_utime + usage.ru_stime) * 1000))

    def median(self, column):
        return statistics.median(sample[column] for sample in self.samples)

    def row(self, base):
        walls = sorted(sample[0] for sample in self.samples)
        tenth = max(len(walls) // 10, 0)
        return (
            f"| {self.name} | {self.median(0):.1f} ({walls[tenth]:.1f}–{walls[-1 - tenth]:.1f}) | {self.median(1):.1f} "
            f"| {peak(self.argv, self.env)} | {self.median(0) / base.median(0):.1f} | {self.median(1) / base.median(1):.1f} |"
        )


class Floor(Way):
    """An empty process, and the same calls by a client that is there already: it keeps its connection over http, and
    makes a new one over TLS, because each job has to."""

    def __init__(self, server, env):
        handshake = ", a handshake" if server.tls else ""
        super().__init__(f"floor: an empty process{handshake} and the three calls", ["true"], env)
        self.server = server
        self.context = ssl.create_default_context(cafile=server.ca()) if server.tls else None
        self.kept = None if server.tls else http.client.HTTPConnection("127.0.0.1", server.port)

    def run(self):
        super().run()
        wall, cpu = self.samples.pop()
        start = time.perf_counter()
        self.calls(self.kept or http.client.HTTPSConnection("127.0.0.1", self.server.port, context=self.context))
        self.samples.append((wall + (time.perf_counter() - start) * 1000, cpu))

    def calls(self, connection):
        """Split custody's three."""
        def call(method, path, token, body):
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/v1/{path}", data, {"X-Vault-Token": token})
            return json.loads(connection.getresponse().read())

        answer = call("POST", f"auth/approle/role/{setup.ROLE}/secret-id", self.server.issuer, {})
        login = {"role_id": self.server.role_id, "secret_id": answer["data"]["secret_id"]}
        token = call("POST", "auth/approle/login", "", login)["auth"]["client_token"]
        call("GET", f"exoscale/apikey/{setup.ROLE}", token, None)


def compare(title, ways, runs):
    """Runs the ways in turn; the first is what the others are compared with."""
    for way in ways:
        way.run()
        way.samples.clear()
    for _ in range(runs):
        for way in ways:
            way.run()
    print(f"\n### {title}: medians of {runs} runs in turn\n")
    print("| way | wall ms (10 %–90 %) | CPU ms | peak MiB | wall, ratio | CPU, ratio |")
    print("|---|---|---|---|---|---|")
    for way in ways:
        print(way.row(ways[0]), flush=True)
