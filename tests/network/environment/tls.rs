//! The rows about TLS.

use std::path::Path;

use super::Give;
use crate::network::one_read;
use crate::support::{Cmd, Fake, Pki, Reply, require};

/// A server with TLS, and its CA.
pub(in crate::network) fn tls() -> (Pki, Fake) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["127.0.0.1"]), |_| Reply::Vault);
    (pki, fake)
}

/// A server that wants a certificate of its CA: a runner's, with its key.
pub(in crate::network) fn mutual() -> (Pki, Fake, String, String) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server_with(&["127.0.0.1"], |_| {}, true), |_| Reply::Vault);
    let (certificate, key) = pki.issue(&["runner"], |_| {});
    (pki, fake, certificate, key)
}

pub(super) fn ca_cert(give: Give<'_>) {
    let (pki, fake) = tls();
    one_read(&fake.addr).run().expect(3);
    give(one_read(&fake.addr), pki.ca_file().to_str().unwrap()).run().expect(0);
    let missing = give(one_read(&fake.addr), "/nowhere/ca.pem").run().expect(3);
    assert!(missing.stderr.contains("/nowhere/ca.pem ("), "{missing}");
}

pub(super) fn ca_path(give: Give<'_>) {
    let (pki, fake) = tls();
    let other = Pki::new("Another CA");
    pki.ca_file();
    pki.file("other.crt", &other.pem());
    give(one_read(&fake.addr), pki.dir.path().to_str().unwrap()).run().expect(0);
    other.ca_file();
    give(one_read(&fake.addr), other.dir.path().to_str().unwrap()).run().expect(3);
}

pub(super) fn client_cert(give: Give<'_>) {
    let (pki, fake, certificate, key) = mutual();
    let base = one_read(&fake.addr)
        .env("VAULT_CACERT", pki.ca_file())
        .env("VAULT_CLIENT_KEY", pki.file("key", &key));
    give(base.clone(), pki.file("cert", &certificate).to_str().unwrap()).run().expect(0);
    assert!(fake.seen().iter().all(|seen| seen.client_certificate));
    assert!(base.run().expect(3).stderr.contains("needs both"));
    let bad = give(base, pki.file("bad", "junk").to_str().unwrap()).run().expect(3);
    assert!(bad.stderr.contains("holds no certificate in PEM form"), "{bad}");
}

pub(super) fn client_key(give: Give<'_>) {
    let (pki, fake, certificate, key) = mutual();
    let base = one_read(&fake.addr)
        .env("VAULT_CACERT", pki.ca_file())
        .env("VAULT_CLIENT_CERT", pki.file("cert", &certificate));
    give(base.clone(), pki.file("key", &key).to_str().unwrap()).run().expect(0);
    let (_, other) = pki.issue(&["x"], |_| {});
    let wrong = give(base, pki.file("other", &other).to_str().unwrap()).run().expect(3);
    assert!(wrong.stderr.contains("do not go together"), "{wrong}");
}

#[test]
fn a_server_that_wants_a_client_certificate_is_understood() {
    let (pki, fake, ..) = mutual();
    let run = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file()).run().expect(3);
    assert!(run.stderr.contains("it asks for a client certificate"), "{run}");
    assert!(run.stderr.contains("hint: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"), "{run}");
}

pub(super) fn tls_server_name(give: Give<'_>) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["vault.internal"]), |_| Reply::Vault);
    let base = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file());
    assert!(base.run().expect(3).stderr.contains("VAULT_TLS_SERVER_NAME"));
    give(base.clone(), "vault.internal").run().expect(0);
    let seen = &fake.seen()[0];
    assert_eq!(seen.sni.as_deref(), Some("vault.internal"));
    assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", fake.port).as_str()));
    let wrong = give(base, "other.internal").run().expect(3);
    assert!(wrong.stderr.contains("is not for other.internal, but for vault.internal"), "{wrong}");
}

pub(super) fn tls_skip_verify(give: Give<'_>) {
    let (_pki, fake) = tls();
    let run = give(one_read(&fake.addr), "true").run().expect(0);
    assert!(run.stderr.contains("warning: Vault's certificate is not checked"), "{run}");
    give(one_read(&fake.addr), "F").run().expect(3);
    let no_boolean = give(one_read(&fake.addr), "yes").run();
    assert!(matches!(no_boolean.code, 2 | 3) && no_boolean.stderr.contains("true or false"), "{no_boolean}");
}

/// What people take for a certificate or a key by mistake is named, with what makes the right thing of it.
#[test]
fn what_is_no_key_and_no_certificate_is_named() {
    let (pki, fake, certificate, key) = mutual();
    let (cert, key) = (pki.file("cert", &certificate), pki.file("key", &key));
    let folder = pki.dir.path().to_owned();
    let Some(tool) = require("openssl") else { return };
    let openssl = |words: &str| {
        let made = Cmd::program(&tool).args(words.split(' ')).dir(&folder).run();
        assert_eq!(made.code, 0, "{words}: {made}");
    };
    openssl("pkcs8 -topk8 -in key -out encrypted -passout pass:x");
    openssl("ec -in key -aes128 -passout pass:x -out old");
    openssl("pkey -in key -outform DER -out der");
    openssl("pkcs12 -export -inkey key -in cert -passout pass:x -out p12");
    openssl("req -new -key key -subj /CN=x -out csr");
    openssl("pkey -in key -pubout -out public");
    let base = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file());
    let with = |cert: &Path, key: &Path| {
        let cmd = base.clone().env("VAULT_CLIENT_CERT", cert).env("VAULT_CLIENT_KEY", key);
        cmd.run()
    };
    with(&cert, &key).expect(0);
    for (name, said, mend) in [
        ("encrypted", "is encrypted", "openssl pkey -in FILE"),
        ("old", "is encrypted", "openssl pkey -in FILE"),
        ("der", "DER instead of PEM", "openssl pkey -inform DER"),
        ("p12", "a PKCS#12 file", "openssl pkcs12"),
        ("csr", "a request for a certificate (CSR)", "a CA makes a certificate of it"),
        ("public", "a public key", "set VAULT_CLIENT_KEY to"),
        ("cert", "a certificate, where a private key belongs", "mixed up?"),
    ] {
        let run = with(&cert, &folder.join(name)).expect(3);
        assert!(run.stderr.contains(said) && run.stderr.contains(mend), "{name}: {run}");
        assert!(run.stderr.contains("(VAULT_CLIENT_KEY)"), "{run}");
    }
    for (name, said) in [
        ("key", "a private key, where a certificate belongs"),
        ("encrypted", "an encrypted private key, where a certificate belongs"),
        ("p12", "a PKCS#12 file"),
        ("csr", "a request for a certificate (CSR)"),
    ] {
        let run = with(&folder.join(name), &key).expect(3);
        assert!(run.stderr.contains(said) && run.stderr.contains("(VAULT_CLIENT_CERT)"), "{name}: {run}");
        let run = base.clone().env("VAULT_CACERT", folder.join(name)).run().expect(3);
        assert!(run.stderr.contains(said.split(',').next().unwrap()), "{name}: {run}");
        assert!(run.stderr.contains("where a CA certificate belongs"), "{name}: {run}");
    }
    let cut = pki.file("cut", "-----BEGIN EC PRIVATE KEY----- MIIEvQ -----END EC PRIVATE KEY-----");
    let run = with(&cert, &cut).expect(3);
    assert!(run.stderr.contains("is damaged") && run.stderr.contains("line ends"), "{run}");
}
