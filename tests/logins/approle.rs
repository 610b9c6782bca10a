//! AppRole: secret_ids that are given; those that come wrapped, or are issued on the way, have files of their own.

mod custody;
pub mod wrapped;

use serde_json::{Value, json};

use super::{Target, assert_issued, file};
use crate::support::run::Run;
use crate::support::space::AppRole;
use crate::support::{Cmd, Space, secret};

/// An AppRole that may read the target, with a secret_id.
struct Setup<'a> {
    target: Target<'a>,
    login: AppRole,
}

impl<'a> Setup<'a> {
    fn new(space: &'a Space<'a>, mut params: Value) -> Self {
        let target = Target::new(space);
        params["token_policies"] = json!(target.policy);
        Self { login: space.approle("gitlab", params), target }
    }

    fn cmd(&self) -> Cmd {
        self.target.cmd().approle(&self.login)
    }

    /// The command without the secret_id.
    fn bare(&self) -> Cmd {
        self.cmd().no_env("VAULT_SECRET_ID")
    }
}

#[test]
fn the_secret_id_comes_from_a_variable_a_file_or_standard_input() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    assert_issued(setup.cmd().run_both());
    let (bare, secret_id) = (setup.bare(), setup.login.secret_id.as_ref().unwrap());
    let (_dir, path) = file(&format!("{secret_id}\n"));
    assert_issued(bare.clone().env("CI_CREDS_SECRET_ID_FILE", &path).run_both());
    // A flag wins over a variable.
    let wrong = bare.clone().env("VAULT_SECRET_ID", secret());
    assert_issued(wrong.args(["--secret-id-file".as_ref(), path.as_os_str()]).run_both());
    let stdin = bare.args(["--secret-id-file", "-"]).stdin(secret_id.as_str());
    assert_issued(stdin.run_both());
}

#[test]
fn a_role_may_do_without_a_secret_id() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({"bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"}));
    assert_issued(setup.cmd().run_both());
}

#[test]
fn refused_ids() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let used = space.secret_id(&setup.login, json!({"num_uses": 1}));
    let cmd = setup.cmd().env("VAULT_SECRET_ID", &used);
    assert_issued(cmd.run());
    insta::assert_snapshot!(cmd.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: invalid role or secret ID
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let beside = cmd.env("VAULT_TOKEN", space.issuing_token(&setup.login));
    insta::assert_snapshot!(beside.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: invalid role or secret ID
    hint: if VAULT_TOKEN is a token that may issue secret_ids, `unset VAULT_SECRET_ID`: it comes first, and may be used up
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    assert_issued(beside.no_env("VAULT_SECRET_ID").env("VAULT_AUTH_ROLE", "gitlab").run());
    let none = setup.bare();
    insta::assert_snapshot!(none.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: missing secret_id
    hint: set VAULT_SECRET_ID, VAULT_WRAPPED_SECRET_ID or --secret-id-file, or VAULT_TOKEN to a token that may issue secret_ids
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let bound = space.secret_id(&setup.login, json!({"cidr_list": ["192.0.2.0/24"]}));
    let bound = setup.cmd().env("VAULT_SECRET_ID", bound);
    insta::assert_snapshot!(bound.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: source address "127.0.0.1" unauthorized through CIDR restrictions on the secret ID
    hint: this runner's address is not among the secret_id's bound CIDRs
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let text = setup.cmd().env("VAULT_SECRET_ID", "two\nlines");
    insta::assert_snapshot!(text.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: secret_id (VAULT_SECRET_ID) can't be used: it has blanks or characters that can't be printed
    hint: give it as it was issued, on one line
    ");
}

#[test]
fn a_locked_role_and_a_missing_mount_look_the_same() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let wrong = setup.cmd().env("VAULT_SECRET_ID", secret());
    let codes: Vec<Run> = (0..5).map(|_| wrong.run()).collect();
    assert!(codes.iter().all(|run| run.code == 4));
    insta::assert_snapshot!(setup.cmd().run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: permission denied
    hint: five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted at auth/X-approle: --auth-path or VAULT_AUTH_PATH names another mount
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let nowhere = AppRole { mount: "nowhere".to_owned(), ..setup.login.clone() };
    insta::assert_snapshot!(setup.target.cmd().approle(&nowhere).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/nowhere
      caused by: permission denied
    hint: five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted at auth/nowhere: --auth-path or VAULT_AUTH_PATH names another mount
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn a_token_that_is_bound_to_other_addresses_logs_in_and_reads_nothing() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({"token_bound_cidrs": "192.0.2.0/24"}));
    insta::assert_snapshot!(setup.cmd().run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the read of X-exoscale/apikey/ci
      caused by: permission denied
    hint: the policy must have: path "X-exoscale/apikey/ci" { capabilities = ["read"] }
    hint: a wrong role (is it ci?), an unknown mount, and a token that has ended, are refused in the same way
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

/// Editors of Windows write a byte order mark at the start of a file: it is no part of a secret.
#[test]
fn a_byte_order_mark_is_no_part_of_a_secret() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let base = setup.cmd();
    let secret_id = base.get_env("VAULT_SECRET_ID").unwrap().to_str().unwrap().to_owned();
    let marked = format!("\u{feff}{secret_id}\r\n");
    base.clone().env("VAULT_SECRET_ID", &marked).run().expect(0);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &marked).unwrap();
    base.no_env("VAULT_SECRET_ID").env("CI_CREDS_SECRET_ID_FILE", file.path()).run().expect(0);
}
