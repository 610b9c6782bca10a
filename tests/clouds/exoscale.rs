//! Exoscale: the plugin's answers as they were seen on the wire (exoscale/vault-plugin-secrets-exoscale 0.1 to
//! 0.4), and its Python SDK with what came out.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Cmd, python, script, secret};

struct Wire {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
}

impl Wire {
    fn new(at: &str, status: u16, body: &Value, delay: Duration) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(MockServer::start());
        let answer = ResponseTemplate::new(status).set_body_json(body).set_delay(delay);
        runtime.block_on(Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(&server));
        Self { runtime, server }
    }

    fn job(&self, cmd: Cmd) -> Cmd {
        cmd.env("VAULT_ADDR", self.server.uri()).env("VAULT_TOKEN", "s.x")
    }

    fn requests(&self) -> Vec<String> {
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        requests.iter().map(|request| format!("{} {}", request.method, request.url.path())).collect()
    }
}

fn answer(secret: &str) -> Value {
    json!({"request_id": "1", "lease_id": "exoscale/apikey/ci/s2iGn15E", "renewable": true, "lease_duration": 600,
        "data": {"api_key": "EXO0123456789abcdef01234567", "api_secret": secret,
            "name": "vault-ci-token-1795247686107364045"},
        "wrap_info": null, "warnings": null, "auth": null})
}

#[test]
fn the_plugin_s_answer_becomes_the_two_variables_and_the_zone() {
    let secret = format!("{}_-/", secret());
    let mut capped = answer(&secret);
    capped["warnings"] =
        json!(["TTL of \"10m\" exceeded the effective max_ttl of \"4m\"; TTL value is capped accordingly"]);
    capped["mount_type"] = json!("exoscale");
    for (mount, body) in [("exoscale", answer(&secret)), ("cloud/exo", capped.clone())] {
        let wire = Wire::new(&format!("/v1/{mount}/apikey/ci"), 200, &body, Duration::ZERO);
        let text = "eval $(ci-creds exoscale ci --zone ch-dk-2); env | grep ^EXOSCALE_ | sort";
        let job =
            wire.job(script("dash", text)).env("CI_CREDS_EXOSCALE_MOUNT", mount).env("EXOSCALE_KEY", "old");
        let run = job.run().expect(0);
        let expected = format!(
            "EXOSCALE_API_KEY=EXO0123456789abcdef01234567\nEXOSCALE_API_SECRET={secret}\nEXOSCALE_ZONE=ch-dk-2\n"
        );
        assert_eq!(run.stdout, expected);
        assert!(
            run.stderr.contains("exoscale vault-ci-token-1795247686107364045 (role ci), valid 10m"),
            "{run}"
        );
        assert_eq!(run.stderr.contains("is capped accordingly"), body == capped, "{run}");
        assert_eq!(wire.requests(), [format!("GET /v1/{mount}/apikey/ci")]);
    }
}

#[test]
fn a_slow_plugin_is_waited_for_and_its_errors_are_final() {
    let wire = Wire::new("/v1/exoscale/apikey/ci", 200, &answer(&secret()), Duration::from_secs(3));
    wire.job(Cmd::new(["exoscale", "ci"])).run().expect(0);
    assert_eq!(wire.requests().len(), 1);
    let down = "failed to create api key: Post \"https://api-ch-gva-2.exoscale.com/v2/api-key\": giving up after 5 attempt(s)";
    for (status, text, code, hint) in [
        (400, "role \"ci\" not found", 4, "is there a role ci in this engine?"),
        (500, down, 5, "retry the job"),
        (500, "Exoscale secret engine not configured", 5, "look at Vault's server log"),
    ] {
        let body = json!({"errors": [text]});
        let wire = Wire::new("/v1/exoscale/apikey/ci", status, &body, Duration::ZERO);
        let run = wire.job(Cmd::new(["exoscale", "ci"])).run().expect(code);
        assert!(run.stderr.contains(text.split('"').next().unwrap()) && run.stderr.contains(hint), "{run}");
        assert_eq!(wire.requests().len(), 1, "it may have made a key: not asked again");
    }
    wire.job(Cmd::new(["exoscale", "ci", "--ttl", "5m"])).run().expect(3);
}

/// The signature of the API's second version, checked as Exoscale documents it.
const STUB: &str = r#"
import base64, hashlib, hmac, os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from exoscale.api.v2 import Client
class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        fields = dict(part.split("=", 1) for part in self.headers["Authorization"].removeprefix("EXO2-HMAC-SHA256 ").split(","))
        message = f"GET {self.path}\n\n\n\n{fields['expires']}".encode()
        wanted = base64.b64encode(hmac.new(SECRET.encode(), message, hashlib.sha256).digest()).decode()
        good = fields["credential"] == KEY and hmac.compare_digest(wanted, fields["signature"])
        self.send_response(200 if good else 403)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"instances": []}' if good else b'{"message": "bad signature"}')
    def log_message(self, *_): pass
KEY, SECRET = "EXO0123456789abcdef01234567", open(os.environ["WANTED"]).read()
server = HTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Client(os.environ["EXOSCALE_API_KEY"], os.environ["EXOSCALE_API_SECRET"], url=f"http://127.0.0.1:{server.server_port}/v2")
print(client.list_instances())
"#;

#[test]
fn exoscales_sdk_signs_a_request_that_is_accepted() {
    let requirements = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/requirements.txt");
    let Some(bin) = python("test-sdks", &requirements) else { return };
    let (secret, folder) = (format!("{}_-/", secret()), tempfile::tempdir().unwrap());
    let (wanted, program) = (folder.path().join("wanted"), folder.path().join("stub.py"));
    std::fs::write(&wanted, &secret).unwrap();
    std::fs::write(&program, STUB).unwrap();
    let wire = Wire::new("/v1/exoscale/apikey/ci", 200, &answer(&secret), Duration::ZERO);
    let python = bin.join("python");
    let text = format!("eval $(ci-creds exoscale ci); {} {}", python.display(), program.display());
    let run = wire.job(script("dash", &text)).env("WANTED", &wanted).run().expect(0);
    assert_eq!(run.stdout, "{'instances': []}\n", "{run}");
    std::fs::write(&wanted, "another secret").unwrap();
    assert_ne!(wire.job(script("dash", &text)).env("WANTED", &wanted).run().code, 0, "the stub does check");
}
