# A Fargate task in miniature, as the first process of its own network and process namespaces: the task's endpoint,
# a Vault that refuses everything, and ci-creds as a job that arrived by ssh, without the task's variables.
import http.server
import json
import subprocess
import sys
import threading

subprocess.run("ip link set lo up && ip addr add 169.254.170.2/32 dev lo", shell=True, check=True)


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        good = {"AccessKeyId": "AKIA", "SecretAccessKey": "k", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        self.answer(*((200, good) if self.path == "/v2/credentials/1" else (404, {})))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(400, {"errors": ["stop here"]})


for address in [("169.254.170.2", 80), ("127.0.0.1", 8200)]:
    server = http.server.HTTPServer(address, Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
env = {"VAULT_ADDR": "http://127.0.0.1:8200", "VAULT_AUTH_METHOD": "aws", "http_proxy": "http://127.0.0.1:1"}
sys.exit(subprocess.run([sys.argv[1], "exoscale", "ci"], env=env).returncode)
