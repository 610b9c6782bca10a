#!/usr/bin/env python3
"""What a job pays for its credentials: ci-creds beside what people use today, against one OpenBao server.

    cargo build --release && python3 tests/bench/run.py

The ways take turns, A B C A B C …, so that a machine that gets slower slows all of them. Printed are medians, the
spread, and ratios; nothing passes or fails. Needs the OpenBao binary (BAO, PATH, or where `cargo test` put it), curl
and jq; strace, valgrind and time add figures.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time

import setup
from measure import Floor, Way, compare, peak
from stub import CountingProxy, huge_answer

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1 << 20

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


def story(server, program, runs):
    """Split custody, in each of the ways."""
    env = server.env()
    ways = [
        Way("ci-creds", [program, "exoscale"], env),
        Way("3 × bao, 2 × jq (as published)", ["bash", "-euc", SNIPPET], env),
        Way("3 × curl, 3 × jq", ["bash", "-euc", CURL], env),
    ]
    compare("Split custody over TLS" if server.tls else "Split custody over http",
            [*ways, Floor(server, env)], runs)


def others(server, program, runs):
    """The other ways to use it, and the parts of a run."""
    env, jwt = server.env(), server.jwt_env()
    compare("Other runs over http", [
        Way("ci-creds exoscale, split custody", [program, "exoscale"], env),
        Way("the same, `-- true`", [program, "exoscale", "--", "true"], env),
        Way("the same, `-- true`, --no-mask", [program, "exoscale", "--no-mask", "--", "true"], env),
        Way("true", ["true"], env),
        Way("ci-creds exoscale, ID token", [program, "exoscale"], jwt),
        Way("ci-creds exoscale --and scaleway, ID token", [program, "exoscale", "--and", "scaleway"], jwt),
        Way("ci-creds --version", [program, "--version"], env),
    ], runs)


def references(server, program, runs):
    """Three references to one path, and thirty to ten paths."""
    env = server.env()
    compare("References in variables over TLS" if server.tls else "References in variables over http", [
        Way("ci-creds env, 3 references, 1 path", [program, "env"], server.reference_env(env, 1)),
        Way("ci-creds env, 30 references, 10 paths", [program, "env"], server.reference_env(env, 10)),
    ], runs)


def roots(server, program, runs):
    """What the system's certificate store costs."""
    env = server.env()
    system = {**env, "SSL_CERT_FILE": server.system_bundle()}
    del system["VAULT_CACERT"]
    compare("TLS, the system's roots", [
        Way("VAULT_CACERT", [program, "exoscale"], env),
        Way("the system's bundle", [program, "exoscale"], system),
    ], runs)


def load(server, program, jobs):
    """Many jobs at once, beside as many keep-alive clients that make the same calls at once."""
    env = server.env()

    def timed(work):
        """How long each of many took that began together, in seconds."""
        ready, ends = threading.Barrier(jobs + 1), []

        def one():
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.connect()
            ready.wait()
            work(connection)
            ends.append(time.perf_counter())

        threads = [threading.Thread(target=one) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        ready.wait()
        start = time.perf_counter()
        for thread in threads:
            thread.join()
        return sorted(end - start for end in ends)

    floor = Floor(server, env)
    clients = timed(floor.calls)
    start = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        running = [subprocess.Popen([program, "exoscale"], env=env, stdout=nowhere, stderr=nowhere) for _ in range(jobs)]
        failed = sum(child.wait() != 0 for child in running)
    wall = time.perf_counter() - start
    print(f"\n### {jobs} jobs at once\n\n{jobs - failed} succeeded, {failed} failed; the last ended after {wall:.2f} s. "
          f"{jobs} keep-alive clients at once: {clients[-1]:.2f} s; ratio {wall / clients[-1]:.2f}", flush=True)


def mask(server, program, size):
    """How fast a command's output passes the mask: plain text, and text that looks like secrets."""
    env = server.env()
    numbers = random.Random(1)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    line = "2026-11-21T10:00:00Z INFO  compiled module {} in {} ms, 0 warnings, 0 errors\n"
    texts = {
        "a build's log": "".join(line.format(n, numbers.randrange(999)) for n in range(20_000)),
        "base64": "".join("".join(numbers.choices(letters, k=76)) + "\n" for _ in range(20_000)),
    }
    print(f"\n### The mask, {size // MIB} MiB of output through `cat`\n")
    print("| output | MiB/s masked | MiB/s --no-mask |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            file = pathlib.Path(folder) / "output"
            file.write_text(text * (size // len(text)), encoding="utf-8")
            speeds = []
            for flags in ([], ["--no-mask"]):
                walls = []
                for _ in range(5):
                    start = time.perf_counter()
                    with subprocess.Popen([program, "exoscale", "-q", *flags, "--", "cat", str(file)], env=env,
                                          stdout=subprocess.PIPE) as child:
                        while os.read(child.stdout.fileno(), MIB):
                            pass
                    walls.append(time.perf_counter() - start)
                speeds.append(file.stat().st_size / MIB / sorted(walls)[len(walls) // 2])
            print(f"| {name} | {speeds[0]:.0f} | {speeds[1]:.0f} |", flush=True)


def scan(server, program, size):
    """How fast files are searched, and in how much memory."""
    numbers = random.Random(2)
    line = "2026-11-21T10:00:00Z INFO  compiled module {} in {} ms, 0 warnings, 0 errors\n"
    parts = {
        "a build's log": "".join(line.format(n, numbers.randrange(999)) for n in range(20_000)).encode(),
        "random bytes": numbers.randbytes(MIB),
    }
    print(f"\n### scan, {size // MIB} MiB in one file\n")
    print("| content | MB/s | peak memory, MiB |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        state, file = pathlib.Path(folder) / "state", pathlib.Path(folder) / "file"
        given = subprocess.run([program, "exoscale", "-q", "--format", "json", "--state-file", str(state)],
                               env=server.env(), capture_output=True, check=True)
        env = {**server.env(), **json.loads(given.stdout)["credentials"][0]["variables"]}
        for name, part in parts.items():
            with open(file, "wb") as out:
                for _ in range(size // len(part)):
                    out.write(part)
            walls, argv = [], [program, "scan", "-q", "--state-file", str(state), str(file)]
            for _ in range(5):
                start = time.perf_counter()
                subprocess.run(argv, env=env, check=True)
                walls.append(time.perf_counter() - start)
            speed = file.stat().st_size / 1e6 / sorted(walls)[len(walls) // 2]
            print(f"| {name} | {speed:.0f} | {peak(argv, env)} |", flush=True)
        subprocess.run([program, "revoke", "-q", "--state-file", str(state)], env=server.env(), check=True)


def counters(server, program):
    """What does not depend on the machine's speed."""
    env = server.env()
    print(f"\n### Counted\n\n- binary: {pathlib.Path(program).stat().st_size / MIB:.2f} MiB")
    with contextlib.ExitStack() as stack:
        out = f"{stack.enter_context(tempfile.TemporaryDirectory())}/out"
        if shutil.which("strace"):
            subprocess.run(["strace", "-f", "-c", "-o", out, program, "exoscale"], env=env, capture_output=True, check=True)
            total = [line for line in pathlib.Path(out).read_text(encoding="utf-8").splitlines() if line.endswith("total")]
            print(f"- system calls: {total[0].split()[-3] if total else '?'}")
        if shutil.which("valgrind"):
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, "exoscale"]
            result = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
            found = [line.split()[-1] for line in result.stderr.splitlines() if "Collected" in line]
            print(f"- instructions: {int(found[0]) / 1e6:.2f} million" if found else "- instructions: ?")
    proxy = CountingProxy(env["VAULT_ADDR"])
    subprocess.run([program, "exoscale"], env={**env, "VAULT_ADDR": proxy.addr}, capture_output=True, check=True)
    print(f"- connections: {proxy.connections}, requests: {proxy.requests}")
    refused = {**env, "VAULT_ADDR": huge_answer(5 * MIB), "VAULT_TOKEN": "t"}
    del refused["VAULT_ROLE_ID"]
    print(f"- peak memory: {peak([program, 'exoscale'], env)} MiB; {peak([program, 'exoscale'], refused)} MiB where an answer "
          "of more than 4 MiB is refused", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=25, help="runs of each way")
    parser.add_argument("--jobs", type=int, default=500, help="jobs at once")
    parser.add_argument("--mask", type=int, default=256, help="MiB of output through the mask")
    parser.add_argument("--scan", type=int, default=1024, help="MiB of a file to be searched")
    parser.add_argument("--program", default=str(ROOT / "target/release/ci-creds"))
    options = parser.parse_args()
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")]
    print(f"{os.cpu_count()} cores, {model[0] if model else 'unknown'}; Linux {os.uname().release}")
    with setup.Server(tls=False) as server:
        story(server, options.program, options.n)
        others(server, options.program, options.n * 2)
        references(server, options.program, options.n * 2)
        load(server, options.program, options.jobs)
        mask(server, options.program, options.mask * MIB)
        scan(server, options.program, options.scan * MIB)
        counters(server, options.program)
    with setup.Server(tls=True) as server:
        story(server, options.program, options.n)
        references(server, options.program, options.n * 2)
        roots(server, options.program, options.n * 4)


if __name__ == "__main__":
    main()
