#!/usr/bin/env python3
"""What a job pays for its credentials: ci-creds beside what people use today, against one OpenBao server.

    cargo build --release && python3 tests/bench/run.py

The ways take turns, A B C A B C …, so that a machine that gets slower slows all of them. Printed are medians, the
spread, and ratios; nothing passes or fails. Needs the OpenBao binary (BAO, PATH, or where `cargo test` put it), curl
and jq; strace and valgrind add a table each.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import setup

ROOT = pathlib.Path(__file__).resolve().parents[2]

SNIPPET = """
export SECRET_ID=$(VAULT_TOKEN=$VAULT_TOKEN bao write -f -field=secret_id auth/approle/role/$VAULT_AUTH_ROLE/secret-id)
export VAULT_TOKEN=$(bao write -field=token auth/approle/login role_id=$VAULT_ROLE_ID secret_id=$SECRET_ID)
json=$(bao read -format=json exoscale/apikey/$VAULT_AUTH_ROLE)
export EXOSCALE_API_KEY=$(echo "$json" | jq -r .data.api_key)
export EXOSCALE_API_SECRET=$(echo "$json" | jq -r .data.api_secret)
test -n "$EXOSCALE_API_SECRET"
"""

CURL = """
vault() { curl -sf ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} -H "X-Vault-Token: $1" "${@:2}"; }
id=$(vault "$VAULT_TOKEN" -X POST "$VAULT_ADDR/v1/auth/approle/role/$VAULT_AUTH_ROLE/secret-id" | jq -r .data.secret_id)
token=$(printf '{"role_id":"%s","secret_id":"%s"}' "$VAULT_ROLE_ID" "$id" |
  vault "" -d @- "$VAULT_ADDR/v1/auth/approle/login" | jq -r .auth.client_token)
eval "$(vault "$token" "$VAULT_ADDR/v1/exoscale/apikey/$VAULT_AUTH_ROLE" |
  jq -r '.data | "export EXOSCALE_API_KEY=\\(.api_key|@sh) EXOSCALE_API_SECRET=\\(.api_secret|@sh)"')"
test -n "$EXOSCALE_API_SECRET"
"""


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

    def peak(self):
        """Peak memory in MiB, of the largest process. A child of ours would show our own memory, hence time(1)."""
        if not shutil.which("time"):
            return "?"
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as report:
            command = [shutil.which("time"), "-f", "%M", "-o", report.name, *self.argv]
            subprocess.run(command, env=self.env, capture_output=True, check=True)
            return f"{int(report.read()) / 1024:.1f}"

    def median(self, column):
        return statistics.median(sample[column] for sample in self.samples)

    def row(self, base):
        walls = sorted(sample[0] for sample in self.samples)
        tenth = max(len(walls) // 10, 0)
        return (
            f"| {self.name} | {self.median(0):.1f} ({walls[tenth]:.1f}–{walls[-1 - tenth]:.1f}) | {self.median(1):.1f} "
            f"| {self.peak()} | {self.median(0) / base.median(0):.1f} | {self.median(1) / base.median(1):.1f} |"
        )


class Floor(Way):
    """An empty process, and the same calls by a client that is there already and keeps its connection."""

    def __init__(self, server, env):
        super().__init__("floor: an empty process and the three calls", ["true"], env)
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def run(self):
        super().run()
        wall, cpu = self.samples.pop()
        start = time.perf_counter()
        secret_id = self.call("POST", f"auth/approle/role/{setup.ROLE}/secret-id", self.server.issuer, {})["data"]["secret_id"]
        login = {"role_id": self.server.role_id, "secret_id": secret_id}
        token = self.call("POST", "auth/approle/login", "", login)["auth"]["client_token"]
        self.call("GET", f"exoscale/apikey/{setup.ROLE}", token, None)
        self.call("POST", "auth/token/revoke-self", token, {})
        self.samples.append((wall + (time.perf_counter() - start) * 1000, cpu))

    def call(self, method, path, token, body):
        data = None if body is None else json.dumps(body)
        self.connection.request(method, f"/v1/{path}", data, {"X-Vault-Token": token})
        text = self.connection.getresponse().read()
        return json.loads(text) if text else {}


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


def load(server, env, program, jobs):
    """Many jobs at once: the slowest, beside the server's own pace for the same calls."""
    start = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        running = [subprocess.Popen([program, "exoscale"], env=env, stdout=nowhere, stderr=nowhere) for _ in range(jobs)]
        codes = [child.wait() for child in running]
    wall = time.perf_counter() - start
    floor = Floor(server, env)
    start = time.perf_counter()
    for _ in range(jobs):
        floor.run()
    paced = time.perf_counter() - start
    failed = sum(code != 0 for code in codes)
    print(f"\n### {jobs} jobs at once\n\n{jobs - failed} succeeded, {failed} failed; the last ended after {wall:.2f} s; "
          f"one keep-alive client needs {paced:.2f} s for the same, one after the other: ratio {wall / paced:.2f}")


def counters(program, env):
    """What does not depend on the machine's speed."""
    size = pathlib.Path(program).stat().st_size
    print(f"\n### Counted\n\n- binary: {size / (1 << 20):.2f} MiB")
    if shutil.which("strace"):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["strace", "-f", "-c", "-o", f"{folder}/count", program, "exoscale"],
                           env=env, capture_output=True, check=False)
            total = [line for line in pathlib.Path(f"{folder}/count").read_text().splitlines() if line.endswith("total")]
        print(f"- system calls: {total[0].split()[-3] if total else '?'}")
    if shutil.which("valgrind"):
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, "exoscale"],
                                    env=env, capture_output=True, text=True, check=False)
        found = [line.split()[-1] for line in result.stderr.splitlines() if "Collected" in line]
        print(f"- instructions: {int(found[0]) / 1e6:.1f} million" if found else "- instructions: ?")
    proxy = setup.CountingProxy(env["VAULT_ADDR"])
    subprocess.run([program, "exoscale"], env={**env, "VAULT_ADDR": proxy.addr}, capture_output=True, check=True)
    print(f"- connections: {proxy.connections}, requests: {proxy.requests} (one more is the revocation: KV has no lease)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=25, help="runs of each way")
    parser.add_argument("--jobs", type=int, default=500, help="jobs at once")
    parser.add_argument("--program", default=str(ROOT / "target/release/ci-creds"))
    options = parser.parse_args()
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")]
    print(f"{os.cpu_count()} cores, {model[0] if model else 'unknown'}; Linux {os.uname().release}")
    for tls in (False, True):
        with setup.Server(tls=tls) as server:
            env = server.env()
            program = options.program
            own = Way("ci-creds", [program, "exoscale"], env)
            ways = [own, Way("3 × bao, 2 × jq (as published)", ["bash", "-euc", SNIPPET], env),
                    Way("3 × curl, 3 × jq", ["bash", "-euc", CURL], env)]
            if tls:
                system = {**env, "SSL_CERT_FILE": server.system_bundle()}
                del system["VAULT_CACERT"]
                compare("Split custody over TLS", ways, options.n)
                compare("TLS, the system's roots", [Way("VAULT_CACERT", [program, "exoscale"], env),
                                                    Way("the system's bundle", [program, "exoscale"], system)], options.n * 4)
                continue
            compare("Split custody over http", [*ways, Floor(server, env)], options.n)
            jwt = server.jwt_env()
            compare("Other runs over http", [
                Way("ci-creds, ID token", [program, "exoscale"], jwt),
                Way("ci-creds, two providers", [program, "exoscale", "--and", "scaleway"], jwt),
                Way("ci-creds --version", [program, "--version"], env),
            ], options.n * 2)
            load(server, env, program, options.jobs)
            counters(program, env)


if __name__ == "__main__":
    main()
