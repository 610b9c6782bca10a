//! What is wrong with a certificate is said, and which variable mends it.

use rcgen::date_time_ymd;

use super::{one_read, with_jwt};
use crate::support::pki::{self_signed, version_1, without_key};
use crate::support::{Fake, Options, Pki, Reply, Server, secret};

fn stderr_of(fake: &Fake, pki: &Pki) -> String {
    one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file()).run_both().expect(3).stderr
}

#[test]
fn an_unknown_issuer_is_named() {
    let (ours, theirs) = (Pki::new("Ours"), Pki::new("The Other CA"));
    let fake = Fake::tls(theirs.server(&["127.0.0.1"]), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &ours);
    assert!(stderr.contains("its certificate is from an unknown issuer, CN=The Other CA"), "{stderr}");
    assert!(stderr.contains("ca.pem (VAULT_CACERT) has other CA certificates"), "{stderr}");
    let run = one_read(&fake.addr).run().expect(3);
    assert!(run.stderr.contains("hint: set VAULT_CACERT or --ca-cert"), "{run}");
    // A TLS fault is not repeated.
    assert!(run.elapsed.as_secs() < 5, "{:?}", run.elapsed);
}

#[test]
fn a_wrong_name_shows_the_right_ones() {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["vault.example.com", "10.1.2.3"]), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &pki);
    assert!(
        stderr.contains("its certificate is not for 127.0.0.1, but for vault.example.com, 10.1.2.3"),
        "{stderr}"
    );
    assert!(stderr.contains("VAULT_TLS_SERVER_NAME"), "{stderr}");
    let fake = Fake::tls(pki.server(&[]), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &pki);
    assert!(stderr.contains("it names no host (no subjectAltName)"), "{stderr}");
}

#[test]
fn an_end_and_a_beginning_have_a_date() {
    let pki = Pki::new("A test's CA");
    let ended = pki.server_with(&["127.0.0.1"], |params| params.not_after = date_time_ymd(2020, 2, 3), false);
    let stderr = stderr_of(&Fake::tls(ended, |_| Reply::Vault), &pki);
    assert!(stderr.contains("its certificate expired at 2020-02-03T00:00:00Z"), "{stderr}");
    assert!(stderr.contains("clock"), "{stderr}");
    let future =
        pki.server_with(&["127.0.0.1"], |params| params.not_before = date_time_ymd(3000, 1, 1), false);
    let stderr = stderr_of(&Fake::tls(future, |_| Reply::Vault), &pki);
    assert!(stderr.contains("its certificate is not valid before 3000-01-01"), "{stderr}");
}

#[test]
fn a_ca_certificate_as_the_servers_own_is_understood() {
    let pki = Pki::new("A test's CA");
    let own = |params: &mut rcgen::CertificateParams| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    let fake = Fake::tls(pki.server_with(&["127.0.0.1"], own, false), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &pki);
    assert!(stderr.contains("it shows a CA's certificate as its own"), "{stderr}");
}

#[test]
fn http_and_https_mixed_up_are_told_apart() {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        let mut hello = [0; 512];
        let _ = std::io::Read::read(&mut stream, &mut hello);
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let run = one_read(&format!("https://127.0.0.1:{port}")).run().expect(3);
    assert!(run.stderr.contains("it does not answer with TLS"), "{run}");
    let text = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let go = Fake::new(move |_| Reply::Bytes(text.into()));
    let run = one_read(&go.addr).run().expect(3);
    let port = go.addr.trim_start_matches("http://");
    assert!(
        run.stderr.contains(&format!("hint: this port speaks TLS: set VAULT_ADDR to https://{port}")),
        "{run}"
    );
    assert_eq!(go.seen().len(), 1, "it is sent again");
    // A real one resets the connection of a longer request before its answer is read: an ID token makes one.
    let real = Server::start(&Options { tls: true, root_token: secret(), ..Options::default() });
    let run = with_jwt(&real.addr.replace("https:", "http:")).run().expect(3);
    let hint = format!("hint: this port speaks TLS: set VAULT_ADDR to {}\n", real.addr);
    assert!(run.stderr.contains(&hint) && !run.stderr.contains("lost"), "{run}");
    // A server that has no words for it.
    let pki = Pki::new("A test's CA");
    let tls = Fake::tls(pki.server_with(&["127.0.0.1"], |_| {}, false), |_| Reply::Vault);
    let run = one_read(&tls.addr.replace("https:", "http:")).env("VAULT_MAX_RETRIES", "0").run().expect(5);
    assert!(run.stderr.contains("does this port speak TLS?"), "{run}");
}

#[test]
fn the_clients_certificate_is_refused_by_name() {
    let (pki, other) = (Pki::new("A test's CA"), Pki::new("Another CA"));
    let fake = Fake::tls(pki.server_with(&["127.0.0.1"], |_| {}, true), |_| Reply::Vault);
    let (certificate, key) = other.issue(&["runner"], |_| {});
    let cmd = one_read(&fake.addr)
        .env("VAULT_CACERT", pki.ca_file())
        .env("VAULT_CLIENT_CERT", other.file("cert", &certificate))
        .env("VAULT_CLIENT_KEY", other.file("key", &key));
    let run = cmd.run().expect(3);
    assert!(run.stderr.contains("it does not accept our client certificate"), "{run}");
}

/// A server that ends every handshake with this alert (RFC 8446, section 6.2).
fn alerting(alert: u8) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut hello = [0; 2048];
            let _ = std::io::Read::read(&mut stream, &mut hello);
            let _ = std::io::Write::write_all(&mut stream, &[0x15, 3, 3, 0, 2, 2, alert]);
        }
    });
    format!("https://127.0.0.1:{port}")
}

#[test]
fn no_common_cipher_suite_is_no_client_certificate() {
    let run = one_read(&alerting(40)).run().expect(3);
    assert!(run.stderr.contains("it ended the TLS handshake: it found nothing in common"), "{run}");
    assert!(run.stderr.contains("a cipher suite"), "{run}");
    assert!(!run.stderr.contains("it asks for a client certificate"), "{run}");
}

/// A server whose certificate the user names, with a change, and the certificate as a file.
fn named(names: &[&str], change: fn(&mut rcgen::CertificateParams), own: bool) -> (Pki, Fake, String) {
    let pki = Pki::new("A test's CA");
    let (config, certificate) =
        if own { self_signed(names, change) } else { pki.server_and_certificate(names, change) };
    let fake = Fake::tls(config, |_| Reply::Vault);
    let file = pki.file("server.pem", &certificate);
    (pki, fake, file.to_str().unwrap().to_owned())
}

fn is_ca(params: &mut rcgen::CertificateParams) {
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
}

#[test]
fn the_certificate_that_was_named_is_the_servers() {
    for (change, own) in [(is_ca as fn(&mut _), true), (|_| {}, true), (|_| {}, false), (is_ca, false)] {
        let (pki, fake, file) = named(&["127.0.0.1"], change, own);
        one_read(&fake.addr).env("VAULT_CACERT", &file).run().expect(0);
        let folder = pki.dir.path();
        one_read(&fake.addr).env("VAULT_CAPATH", folder).run().expect(0);
        let text = std::fs::read_to_string(&file).unwrap();
        one_read(&fake.addr).env("VAULT_CACERT_BYTES", text).run().expect(0);
        // The system's certificates vouch for others, and are nobody's choice.
        one_read(&fake.addr)
            .env("SSL_CERT_FILE", pki.file("other.pem", &Pki::new("x").pem()))
            .run()
            .expect(3);
    }
}

#[test]
fn a_named_certificate_is_checked_as_any_other() {
    fn ended(params: &mut rcgen::CertificateParams) {
        params.not_after = date_time_ymd(2020, 2, 3);
    }
    fn ended_ca(params: &mut rcgen::CertificateParams) {
        is_ca(params);
        ended(params);
    }
    fn later(params: &mut rcgen::CertificateParams) {
        params.not_before = date_time_ymd(3000, 1, 1);
    }
    fn later_ca(params: &mut rcgen::CertificateParams) {
        is_ca(params);
        later(params);
    }
    let dates = [
        (ended as fn(&mut _), "expired at 2020"),
        (ended_ca, "expired at 2020"),
        (later, "before 3000"),
        (later_ca, "before 3000"),
    ];
    for own in [true, false] {
        for (change, text) in dates {
            let (_pki, fake, file) = named(&["127.0.0.1"], change, own);
            let run = one_read(&fake.addr).env("VAULT_CACERT", &file).run().expect(3);
            assert!(run.stderr.contains(text), "{run}");
        }
        for change in [is_ca as fn(&mut _), |_| {}] {
            let (_pki, fake, file) = named(&["vault.example.com"], change, own);
            let run = one_read(&fake.addr).env("VAULT_CACERT", &file).run().expect(3);
            assert!(run.stderr.contains("is not for 127.0.0.1, but for vault.example.com"), "{run}");
        }
    }
}

#[test]
fn another_certificate_of_the_same_name_is_not_the_named_one() {
    for change in [is_ca as fn(&mut _), |_| {}] {
        let (_pki, fake, _) = named(&["127.0.0.1"], change, true);
        let (_other, _, file) = named(&["127.0.0.1"], change, true);
        one_read(&fake.addr).env("VAULT_CACERT", &file).run().expect(3);
    }
}

#[test]
fn the_named_certificate_without_its_key_is_refused() {
    for change in [is_ca as fn(&mut _), |_| {}] {
        let pki = Pki::new("A test's CA");
        let (config, certificate) = without_key(&["127.0.0.1"], change);
        let fake = Fake::tls(config, |_| Reply::Vault);
        let file = pki.file("server.pem", &certificate);
        let run = one_read(&fake.addr).env("VAULT_CACERT", &file).run().expect(3);
        assert!(
            run.stderr.contains("a signature of its certificate, or of its handshake, is wrong"),
            "{run}"
        );
    }
}

#[test]
fn a_certificate_for_something_else_is_understood() {
    let pki = Pki::new("A test's CA");
    let clients = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    let fake = Fake::tls(pki.server_with(&["127.0.0.1"], clients, false), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &pki);
    assert!(stderr.contains("its certificate is not for servers (extendedKeyUsage)"), "{stderr}");
    let fake = Fake::tls(version_1(&["127.0.0.1"]), |_| Reply::Vault);
    let stderr = stderr_of(&fake, &pki);
    assert!(stderr.contains("its certificate is of X.509 version 1, which names no host"), "{stderr}");
}
