//! TLS certificate: real mutual TLS.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::json;

use super::{Target, assert_issued};
use crate::support::{Cmd, Fake, Options, Server, Space, bao, secret};

pub(super) type Ca = CertifiedIssuer<'static, KeyPair>;

pub fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client certificate and its key, as files.
fn client(ca: &Ca, name: &str, dir: &Path) -> (PathBuf, PathBuf) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    let (cert_file, key_file) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}-key.pem")));
    std::fs::write(&cert_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    (cert_file, key_file)
}

/// The method at a server with TLS, with a role for runners of one CA.
pub struct Setup<'a> {
    target: Target<'a>,
    mount: String,
    trusted: Ca,
    dir: tempfile::TempDir,
}

impl<'a> Setup<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        let (target, mount, trusted) = (Target::new(space), space.auth("cert"), ca("runners"));
        let role = json!({"certificate": trusted.pem(), "allowed_common_names": "runner",
            "token_policies": target.policy});
        space.write(&format!("auth/{mount}/certs/runner"), role);
        Self { target, mount, trusted, dir: tempfile::tempdir().unwrap() }
    }

    /// The command of a machine with this name in its certificate.
    pub fn cmd(&self, name: &str) -> Cmd {
        with(&self.bare(), &client(&self.trusted, name, self.dir.path()))
    }

    /// The command without a certificate.
    fn bare(&self) -> Cmd {
        self.target.cmd().env("VAULT_AUTH_METHOD", "cert").env("VAULT_AUTH_PATH", &self.mount)
    }
}

fn with(cmd: &Cmd, (cert, key): &(PathBuf, PathBuf)) -> Cmd {
    cmd.clone().env("VAULT_CLIENT_CERT", cert).env("VAULT_CLIENT_KEY", key)
}

/// Vault's listener may ask the command for a certificate: after another login, its path stays. The key itself does not.
#[test]
fn a_command_keeps_the_path_of_a_key_that_did_not_log_in() {
    let (vault, dir) = (Fake::vault(), tempfile::tempdir().unwrap());
    let (cert, key) = client(&ca("runners"), "runner", dir.path());
    let token = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).env("VAULT_TOKEN", secret());
    let token = token.env("VAULT_AUTH_METHOD", "token").env("PATH", "/usr/bin:/bin").args(["--", "env"]);
    let given = |cmd: Cmd| cmd.may_show_secrets().run().expect(0).stdout;
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let paths = given(with(&token, &(cert.clone(), key.clone())));
    assert!(paths.contains(&format!("VAULT_CLIENT_KEY={}\n", key.display())), "{paths}");
    assert!(paths.contains(&format!("VAULT_CLIENT_CERT={}\n", cert.display())), "{paths}");
    let texts = [("VAULT_CLIENT_CERT_BYTES", text(&cert)), ("VAULT_CLIENT_KEY_BYTES", text(&key))];
    let texts = given(token.envs(texts));
    assert!(!texts.contains("VAULT_CLIENT_KEY_BYTES") && !texts.contains("PRIVATE KEY"), "{texts}");
}

#[test]
fn the_connections_certificate_logs_in() {
    let server = Server::start(&Options { tls: true, root_token: secret(), ..Options::default() });
    let space = Space::on(&server);
    let setup = Setup::new(&space);
    let cmd = setup.bare();
    let (trusted, dir) = (&setup.trusted, &setup.dir);
    let good = client(trusted, "runner", dir.path());
    assert_issued(with(&cmd, &good).run_both());
    assert_issued(with(&cmd, &good).env("VAULT_AUTH_ROLE", "runner").run_both());
    let environment = with(&cmd, &good).env("PATH", "/usr/bin:/bin").args(["--", "env"]).may_show_secrets();
    assert!(!environment.run().expect(0).stdout.contains("VAULT_CLIENT_"), "a command can't log in with it");
    let login = Cmd::new(["login", "--", "env"]).inherit(&with(&cmd, &good)).env("PATH", "/usr/bin:/bin");
    let handed = login.may_show_secrets().run().expect(0);
    assert!(handed.stdout.contains("VAULT_CLIENT_KEY="), "the token's user reaches Vault with it: {handed}");
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let texts = [("VAULT_CLIENT_CERT_BYTES", text(&good.0)), ("VAULT_CLIENT_KEY_BYTES", text(&good.1))];
    assert_issued(cmd.clone().envs(texts).run_both());
    insta::assert_snapshot!(cmd.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the TLS certificate login needs a client certificate, and none is set
    hint: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, or --client-cert and --client-key, or VAULT_CLIENT_CERT_BYTES and VAULT_CLIENT_KEY_BYTES
    ");
    let other_name = client(trusted, "laptop", dir.path());
    insta::assert_snapshot!(with(&cmd, &other_name).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the TLS certificate login at auth/X-cert
      caused by: no chain matching all constraints could be found for this login certificate
    hint: no role at auth/X-cert trusts the CA of this certificate and allows its names too
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let other_ca = client(&ca("others"), "runner", dir.path());
    insta::assert_snapshot!(with(&cmd, &other_ca).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the TLS certificate login at auth/X-cert
      caused by: invalid certificate or no client certificate supplied
    hint: a role at auth/X-cert must trust the CA of this certificate; where VAULT_AUTH_ROLE names one, that role
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    insta::assert_snapshot!(with(&cmd, &good).env("VAULT_AUTH_ROLE", "nope").run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the TLS certificate login at auth/X-cert, role nope
      caused by: invalid certificate or no client certificate supplied
    hint: a role at auth/X-cert must trust the CA of this certificate; where VAULT_AUTH_ROLE names one, that role
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    // Without TLS no certificate reaches Vault.
    let plain = Space::on(bao());
    let plain_mount = plain.auth("cert");
    let cmd = with(&cmd, &good).env("VAULT_ADDR", &bao().addr).env("VAULT_AUTH_PATH", plain_mount);
    insta::assert_snapshot!(cmd.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the TLS certificate login at auth/X-cert
      caused by: no client certificate found
    hint: the certificate did not reach Vault: use https://, and nothing that ends TLS before Vault
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}
