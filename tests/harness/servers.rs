//! The server, a test's corner of it, and the proxy in front of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{
    CANARY, Cmd, Engine, Options, Proxy, Server, Space, bao, canary, eventually, jwt, proxy, require, secret,
};

#[test]
fn an_approle_with_canary_ids_logs_in() {
    let space = Space::new();
    let login = space.approle("deploy", json!({"token_ttl": "5m"}));
    let (role_id, secret_id) = (&login.role_id, login.secret_id.as_ref().unwrap());
    assert!(role_id.contains(CANARY) && secret_id.contains(CANARY));
    let path = format!("auth/{}/login", login.mount);
    let reply = space.server.api_as("", "POST", &path, json!({"role_id": role_id, "secret_id": secret_id}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(space.login_tokens().len(), 1);
    let token = reply.body["auth"]["client_token"].as_str().unwrap();
    assert_eq!(space.server.api_as(token, "POST", "auth/token/revoke-self", Value::Null).status, 204);
    eventually("the token is gone", || space.login_tokens().is_empty() && !space.is_alive(token));
    let used = space.secret_id(&login, json!({"num_uses": 1}));
    let again =
        || space.server.api_as("", "POST", &path, json!({"role_id": role_id, "secret_id": used})).status;
    assert_eq!((again(), again()), (200, 400));
}

#[test]
fn an_issuing_token_makes_secret_ids_and_nothing_else() {
    let space = Space::new();
    let login = space.approle("deploy", json!({}));
    let token = space.issuing_token(&login);
    assert!(token.contains(CANARY));
    let path = format!("auth/{}/role/deploy", login.mount);
    let issued = space.server.api_as(&token, "POST", &format!("{path}/secret-id"), json!({}));
    assert_eq!(issued.status, 200, "{}", issued.body);
    let secret_id = &issued.body["data"]["secret_id"];
    let body = json!({"role_id": login.role_id, "secret_id": secret_id});
    assert_eq!(space.server.api_as("", "POST", &format!("auth/{}/login", login.mount), body).status, 200);
    assert_eq!(space.server.api_as(&token, "GET", &format!("{path}/role-id"), Value::Null).status, 403);
}

#[test]
fn a_minted_id_token_is_accepted_and_a_changed_one_is_not() {
    let space = Space::new();
    let jwt = space.jwt();
    jwt.role("deploy", json!({"bound_claims": {"project_path": "group/project", "ref_protected": "true"}}));
    let login = |token: String| {
        let path = format!("auth/{}/login", jwt.mount);
        space.server.api_as("", "POST", &path, json!({"role": "deploy", "jwt": token}))
    };
    let reply = login(jwt::mint(json!({})));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let refused = login(jwt::mint(json!({"ref_protected": "false"})));
    assert_eq!(refused.status, 400);
    assert!(refused.body["errors"][0].as_str().unwrap().contains("ref_protected"), "{}", refused.body);
    assert_eq!(login(jwt::mint(json!({"aud": null}))).status, 400);
    assert_eq!(
        login(jwt::mint(json!({"exp": 1_700_000_000, "iat": 1_699_990_000, "nbf": 1_699_990_000}))).status,
        400
    );
}

#[test]
fn engines_answer_and_policies_hold() {
    let space = Space::new();
    let (kv1, kv2) = (space.kv1("exoscale"), space.kv2("kv"));
    space.write(&format!("{kv1}/apikey/ci"), json!({"api_key": secret(), "ttl": "30m"}));
    space.write(&format!("{kv2}/data/app"), json!({"data": {"password": secret()}}));
    let policy = space.may_read(&[&format!("{kv1}/apikey/ci")]);
    let token = space.token(&[&policy], json!({"ttl": "10m"}));
    let read = |path: String| space.server.api_as(&token, "GET", &path, Value::Null);
    assert_eq!(read(format!("{kv1}/apikey/ci")).body["lease_duration"], 1800);
    assert_eq!(read(format!("{kv2}/data/app")).status, 403);
}

#[test]
fn leases_and_what_is_behind_them_can_be_counted() {
    let space = Space::new();
    let engine = Engine::new(&space, "exoscale", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("ci");
    let path = format!("{}/creds/ci", engine.mount);
    let read = || space.server.api("GET", &path, Value::Null);
    assert!(engine.leases().is_empty() && engine.objects().is_empty());
    let reply = read();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((&reply.body["lease_duration"], &reply.body["renewable"]), (&json!(900), &json!(true)));
    assert_eq!(engine.leases(), [reply.body["lease_id"].as_str().unwrap()]);
    assert_eq!(engine.objects(), [reply.body["data"]["username"].as_str().unwrap()]);
    for field in ["username", "password"] {
        assert!(canary::find(reply.body["data"][field].as_str().unwrap()).is_some(), "{field}");
    }
    space.write("sys/leases/revoke", json!({"lease_id": reply.body["lease_id"]}));
    eventually("the lease and the object are gone", || {
        engine.leases().is_empty() && engine.objects().is_empty()
    });
    engine.fail(true);
    assert_eq!(read().status, 500);
    assert!(engine.objects().is_empty());
}

#[test]
fn the_proxy_counts_requests_and_connections() {
    let proxy = Proxy::new(bao());
    let mut stream = TcpStream::connect(proxy.addr.strip_prefix("http://").unwrap()).unwrap();
    let get = "GET /v1/sys/health?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
    let login = "POST /v1/auth/x/login HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}";
    stream.write_all(format!("{get}{login}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert_eq!(proxy.connections(), 1);
    assert_eq!(proxy.requests(), ["GET /v1/sys/health?a=b", "POST /v1/auth/x/login"]);
    if let Some(curl) = require("curl") {
        Cmd::program(curl).args(["-s", &format!("{}/v1/sys/health", proxy.addr)]).run().expect(0);
        assert_eq!((proxy.connections(), proxy.requests().len()), (2, 3));
    }
}

#[test]
fn chunked_bodies_are_not_taken_for_requests() {
    let chunked =
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n2;x=y\r\n/b\r\n0\r\n\r\n";
    let sent = format!("{chunked}GET /c HTTP/1.1\r\n\r\n");
    assert_eq!(proxy::request_lines(sent.as_bytes()), ["POST /a", "GET /c"]);
}

#[test]
fn a_server_of_its_own_has_tls_an_audit_log_and_an_end() {
    let options = Options { tls: true, audit: true, ..Options::default() };
    let server = Server::start(&options);
    let space = Space::on(&server);
    let login = space.approle("ci", json!({}));
    let logins = || {
        let path = format!("auth/{}/role/ci", login.mount);
        server.audit().iter().filter(|request| request["path"] == json!(path)).count()
    };
    assert_eq!(logins(), 1);
    assert!(server.addr.starts_with("https://"));
    if let Some(curl) = require("curl") {
        let url = format!("{}/v1/sys/health", server.addr);
        Cmd::program(curl).args(["-sS", "--cacert"]).args([server.ca_cert()]).args([url]).run().expect(0);
    }
    let (dir, addr) = (server.dir.clone(), server.addr.clone());
    drop(server);
    let port = addr.strip_prefix("https://").unwrap();
    eventually("the server and its files are gone", || TcpStream::connect(port).is_err() && !dir.exists());
}

#[test]
fn a_server_dies_with_a_test_process_that_is_killed() {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([
            "harness::servers::holds_a_server_while_its_input_lasts",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    let started = lines
        .map(Result::unwrap)
        .find_map(|line| line.split_once("started http://").map(|(_, s)| s.to_owned()));
    let (addr, dir) =
        started.as_ref().and_then(|line| line.split_once(' ')).expect("the other process says so");
    assert!(TcpStream::connect(addr).is_ok() && Path::new(dir).exists());
    other.kill().unwrap();
    other.wait().unwrap();
    eventually("the server and its files are gone", || {
        TcpStream::connect(addr).is_err() && !Path::new(dir).exists()
    });
}

#[test]
#[ignore = "the other process of a_server_dies_with_a_test_process_that_is_killed"]
fn holds_a_server_while_its_input_lasts() {
    let server = Server::start(&Options::default());
    println!("started {} {}", server.addr, server.dir.display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
