//! The engine behind a run, as a sketch: no script runs it as it is, and filled in it works.

use serde_json::{Value, json};

use super::world::{World, cli};
use crate::gitlab::stories::{register_aws, sha256};
use crate::logins::moto::Moto;
use crate::support::jwt::AUDIENCE;
use crate::support::plugins::{aws_plugins, exoscale_plugin};
use crate::support::{Cmd, Options, Run, Server, secret};

const USUAL: [&str; 8] =
    ["--project", "22", "--gitlab-url", "https://gitlab.example.com", "--audience", AUDIENCE, "--cli", "bao"];

fn printed(format: &str, words: &[&str]) -> String {
    Cmd::new(["setup"]).args(words).args(USUAL).args(["--format", format]).run().expect(0).stdout
}

/// A world on a server of its own, with these plugins.
fn world(plugins: std::path::PathBuf) -> World {
    let options = Options { plugin_dir: Some(plugins), root_token: secret(), ..Options::default() };
    World::on(Box::leak(Box::new(Server::start(&options))), "login", "jwt").unwrap()
}

/// The commands of the sketches in a script, as the script says that they are got.
fn commands(world: &World, script: &str) -> String {
    assert!(script.contains("sed -n 's/^#~ //p'"), "{script}");
    let pipe = format!("sed -n 's/^#~ //p' <<'SCRIPT'\n{script}SCRIPT\n");
    world.shell(&pipe).run().expect(0).stdout
}

/// Fills in the sketch of `run`, writes the engine's own configuration, and runs it.
fn works(mut world: World, run: &[&str], fill: &[(&str, &str)], config: (&str, Value)) -> Run {
    world.run = run.iter().map(|&word| word.to_owned()).collect();
    let script = world.printed(&[]);
    // What is not filled in is never run.
    world.shell(&script).run().expect(0);
    let whole = commands(&world, &script);
    let filled = fill.iter().fold(whole.clone(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('<') || filled.matches('<').count() == 2, "only the here-document: {filled}");
    for _ in 0..2 {
        world.shell(&format!("set -eu\n{filled}")).run().expect(0);
    }
    world.space.write(config.0, config.1);
    let run = world.job(&world.token(json!({})), &[]).may_show_secrets().run().expect(0);
    assert_eq!(cli(), "bao");
    run
}

#[test]
fn an_exoscale_role_that_is_filled_in_works() {
    let Some(plugins) = exoscale_plugin() else { return };
    let sum = sha256(&plugins.join("vault-plugin-secrets-exoscale"));
    let world = world(plugins);
    world.space.server.ok(
        "PUT",
        "sys/plugins/catalog/secret/vault-plugin-secrets-exoscale",
        json!({"sha256": sum, "command": "vault-plugin-secrets-exoscale"}),
    );
    let root = json!({"root_api_key": "EXO1", "root_api_secret": secret(), "zone": "ch-gva-2"});
    let run =
        works(world, &["exoscale", "ci"], &[("<iam_role>", "gitlab-ci")], ("exoscale/config/root", root));
    assert!(run.stdout.contains("EXOSCALE_API_KEY="), "{run}");
}

#[test]
fn an_aws_role_has_the_runs_own_arn() {
    let (Some(plugins), Some(moto)) = (aws_plugins(), Moto::start()) else { return };
    let world = world(plugins.clone());
    register_aws(world.space.server, &plugins);
    let root = json!({"access_key": "vault", "secret_key": secret(), "region": "us-east-1", "sts_endpoint": moto.addr});
    let arn = "arn:aws:iam::123456789012:role/web";
    let run = works(world, &["aws", "web", "--role-arn", arn], &[], ("aws/config/root", root));
    assert!(run.stdout.contains("AWS_SESSION_TOKEN="), "{run}");
}

#[test]
fn a_scaleway_parent_is_kept_by_hand() {
    let world = World::new("login").unwrap();
    let app = "6170692e-7363-616c-6577-61792e636f6d";
    let mint = ["scaleway", "dev", "--mint", "--application-id", app];
    let script = printed("sh", &mint);
    assert!(
        script.contains(
            "# It is the parent. Its IAM policy at Scaleway has the permission set IAMApplicationManager"
        ),
        "{script}"
    );
    assert!(!printed("sh", &["scaleway", "dev"]).contains("parent"));
    world.shell(&commands(&world, &script)).run().expect(0);
    let mount = world.space.ok("GET", "sys/mounts/scaleway", Value::Null);
    assert_eq!((&mount["data"]["type"], &mount["data"]["options"]["version"]), (&json!("kv"), &json!("1")));
}

/// Each format says that it is a sketch, and none has it as something that is applied.
#[test]
fn every_format_marks_it() {
    for (run, role) in [
        (["exoscale", "ci"], "exoscale/role/ci"),
        (["aws", "web"], "aws/roles/web"),
        (["scaleway", "dev"], "scaleway/creds/dev"),
    ] {
        for format in ["sh", "terraform", "markdown"] {
            let text = printed(format, &run);
            assert!(text.contains("A sketch, for you to fill in"), "{format}: {text}");
            let applied = text.lines().filter(|line| !line.starts_with('#') && format != "markdown");
            let mount = format!("{}/", run[0]);
            for line in applied.filter(|line| line.contains(&mount)) {
                assert!(
                    line.trim_start().starts_with("path \"") || line.contains("ci-creds"),
                    "{format}: {line}"
                );
            }
        }
        let plan: Value = serde_json::from_str(&printed("json", &run)).unwrap();
        assert_eq!(plan["sketches"][0]["path"], role);
        assert!(!printed("hcl", &run).contains("sketch"));
    }
    // Another path inside the mount is another kind of role.
    let other = printed("sh", &["aws", "web", "--path", "static-creds/{role}"]);
    assert!(!other.contains("#~"), "{other}");
    let page = printed("markdown", &["aws", "web"]);
    assert!(page.contains("`{\"Version\": \"2012-10-17\"") && page.contains("\"sts:AssumeRole\""), "{page}");
}
