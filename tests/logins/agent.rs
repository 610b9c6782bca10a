//! An agent or a proxy of Vault's that logs in itself: ci-creds sends no token, and takes back its leases alone.

use serde_json::{Value, json};

use crate::main_job::story::{ROLE, Story};
use crate::support::openbao::call;
use crate::support::{BaoProxy, Cmd, Fake, Space, eventually, secret};

/// The story behind an agent that has logged in, with its own AppRole and token.
struct Agent<'a> {
    story: &'a Story<'a>,
    proxy: BaoProxy,
}

/// The block that adds the token: where the client sends none, or always.
const ADDS: [(&str, &str); 3] = [("proxy", "true"), ("proxy", "\"force\""), ("agent", "true")];

impl<'a> Agent<'a> {
    fn start(story: &'a Story<'a>, (command, adds): (&str, &str), more: &str) -> Self {
        let space = story.space;
        let rules =
            format!("path \"{}/creds/{ROLE}\" {{ capabilities = [\"read\"] }}\n{more}", story.engine.mount);
        let policy = space.policy(&rules);
        let login = space.approle(ROLE, json!({"token_policies": policy, "token_ttl": "15m"}));
        let blocks = format!(
            "auto_auth {{\n method {{\n  type = \"approle\"\n  mount_path = \"auth/{}\"\n  config = {{\n   \
             role_id_file_path = \"{{dir}}/role_id\"\n   secret_id_file_path = \"{{dir}}/secret_id\"\n   \
             remove_secret_id_file_after_reading = false\n  }}\n }}\n}}\napi_proxy {{ use_auto_auth_token = {adds} }}\n",
            login.mount
        );
        let files = [("role_id", login.role_id.as_str()), ("secret_id", login.secret_id.as_deref().unwrap())];
        let proxy = BaoProxy::start_as(command, space.server, &blocks, &files);
        let port = proxy.addr.rsplit(':').next().unwrap().parse().unwrap();
        eventually("the agent has logged in", || {
            call(port, "", "GET", "auth/token/lookup-self", &Value::Null)
                .is_ok_and(|reply| reply.status == 200)
        });
        Self { story, proxy }
    }

    /// A job that has a token of its own as well, which is good for something else.
    fn cmd(&self, args: &[&str]) -> Cmd {
        let [_, _, (_, cmd)] = self.story.logins(&Cmd::new(args));
        let other = self.story.space.token(&["default"], json!({}));
        let cmd = cmd.no_env("VAULT_ADDR").env("VAULT_AGENT_ADDR", &self.proxy.addr);
        cmd.env("VAULT_AUTH_METHOD", "agent").env("VAULT_TOKEN", other)
    }

    /// The agent's own token, and no other, is alive.
    #[track_caller]
    fn is_as_before(&self) {
        assert_eq!(self.story.space.login_tokens().len(), 1, "the agent's token, and no other");
    }
}

const MAY_REVOKE: &str = "path \"sys/leases/revoke\" { capabilities = [\"update\"] }";

#[test]
fn a_command_gets_keys_by_the_agents_login_and_they_end_with_it() {
    for adds in ADDS {
        let space = Space::new();
        let story = Story::new(&space);
        let agent = Agent::start(&story, adds, MAY_REVOKE);
        let run = agent.cmd(&["exoscale", "--", "/bin/sh", "-c", "test -n \"$EXOSCALE_API_KEY\" && exit 7"]);
        let run = run.run().expect(7);
        assert!(!run.stderr.contains("warning"), "{adds:?}: {run}");
        eventually("the key and its lease are gone", || {
            story.engine.objects().is_empty() && story.engine.leases().is_empty()
        });
        agent.is_as_before();
    }
}

#[test]
fn revoke_takes_back_by_the_agents_login() {
    let space = Space::new();
    let story = Story::new(&space);
    let agent = Agent::start(&story, ADDS[0], MAY_REVOKE);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    agent.cmd(&["exoscale", "--state-file"]).args([&state]).may_show_secrets().run().expect(0);
    let status = agent.cmd(&["status", "--state-file"]).args([&state]).run().expect(0);
    assert!(!status.stdout.contains("VAULT_TOKEN"), "{status}");
    assert_eq!(story.engine.leases().len(), 1);
    agent.cmd(&["revoke", "--state-file"]).args([&state]).run().expect(0);
    eventually("the key is gone", || story.engine.objects().is_empty());
    agent.is_as_before();
}

#[test]
fn what_the_agents_policy_does_not_revoke_is_named() {
    let space = Space::new();
    let story = Story::new(&space);
    let agent = Agent::start(&story, ADDS[0], "");
    let run = agent.cmd(&["exoscale", "--", "/bin/true"]).run().expect(0);
    assert!(run.stderr.contains("sys/leases/revoke"), "{run}");
    assert_eq!(story.engine.leases().len(), 1);
    agent.is_as_before();
}

#[test]
fn doctor_walks_a_run_by_the_agents_login() {
    let space = Space::new();
    let story = Story::new(&space);
    let agent = Agent::start(&story, ADDS[0], MAY_REVOKE);
    let run = agent.cmd(&["doctor", "exoscale", "--issue"]).run().expect(0);
    assert!(
        run.stdout.contains("the agent or proxy at that address logs in; named by VAULT_AUTH_METHOD"),
        "{run}"
    );
    assert!(!run.stdout.contains("VAULT_TOKEN is"), "{run}");
    eventually("what doctor issued is gone", || story.engine.objects().is_empty());
    agent.is_as_before();
}

#[test]
fn no_token_leaves_ci_creds() {
    let server = Fake::vault();
    let cmd = Cmd::new(["exoscale", "ci", "--auth", "agent", "--min-ttl", "1m", "--", "/bin/true"]);
    let cmd =
        cmd.env("VAULT_AGENT_ADDR", &server.addr).env("VAULT_TOKEN", secret()).env("VAULT_ROLE_ID", secret());
    cmd.run().expect(0);
    assert!(server.seen().iter().all(|seen| seen.header("x-vault-token").is_none()), "{:?}", server.seen());
    let lines = server.lines();
    assert!(lines.iter().any(|line| line == "GET /v1/exoscale/apikey/ci"), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("/sys/leases/revoke")), "{lines:?}");
    for never in ["revoke-self", "renew-self", "/login"] {
        assert!(lines.iter().all(|line| !line.ends_with(never)), "{lines:?}");
    }
}

#[test]
fn a_server_where_nobody_logs_in_is_named() {
    let space = Space::new();
    let story = Story::new(&space);
    let [_, _, (_, cmd)] = story.logins(&Cmd::new(["exoscale"]));
    let run = cmd.env("VAULT_AUTH_METHOD", "agent").run().expect(4);
    assert!(run.stderr.contains("use_auto_auth_token") && run.stderr.contains("VAULT_AGENT_ADDR"), "{run}");
    assert!(!run.stderr.contains("VAULT_ROLE_ID is missing"), "{run}");
}

#[test]
fn there_is_no_token_to_hand_over() {
    let cmd = Cmd::new(["login", "--auth", "agent"]).env("VAULT_AGENT_ADDR", "http://127.0.0.1:1");
    let run = cmd.run().expect(3);
    assert!(run.stderr.contains("the agent keeps its token") && run.stdout.contains("(exit 3)"), "{run}");
    let cmd = Cmd::new(["exoscale", "ci", "--and", "login", "--auth", "agent"]);
    cmd.env("VAULT_AGENT_ADDR", "http://127.0.0.1:1").run().expect(3);
}
