use std::os::unix::fs::{PermissionsExt as _, symlink};

use reqwest::Url;

use super::*;

fn owner() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    std::fs::write(folder.path().join(NAME), text).unwrap();
    set_mode(&folder.path().join(NAME), 0o644);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn no_folder_and_no_file_allow_everything() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        assert!(!read_in(&path, owner()).unwrap().is_there());
    }
}

#[test]
fn what_others_can_write_is_an_error() {
    let fault = |change: &dyn Fn(&Path), owner| {
        let folder = folder("forbid = [\"show\"]");
        change(folder.path());
        read_in(folder.path(), owner).map(|_| ()).unwrap_err().to_string()
    };
    let file = |path: &Path| path.join(NAME);
    for mode in [0o664, 0o646, 0o622] {
        let seen = fault(&|path| set_mode(&file(path), mode), owner());
        assert_eq!(seen, format!("{FILE} can't be trusted: others than root can write it"));
    }
    for mode in [0o775, 0o1777] {
        let seen = fault(&|path| set_mode(path, mode), owner());
        assert_eq!(seen, format!("{FOLDER} can't be trusted: others than root can write it"));
        // The file may have been there until somebody took it away.
        let seen =
            fault(&|path| (std::fs::remove_file(file(path)).unwrap(), set_mode(path, mode)).1, owner());
        assert_eq!(seen, format!("{FOLDER} can't be trusted: others than root can write it"));
    }
    let seen = fault(&|_| {}, owner() + 1);
    assert_eq!(seen, format!("{FOLDER} can't be trusted: its owner is not root"));
    let link = |path: &Path| {
        std::fs::rename(file(path), path.join("other")).unwrap();
        symlink("other", file(path)).unwrap();
    };
    assert!(fault(&link, owner()).contains("can't be read"));
    let other = |path: &Path| {
        std::fs::remove_file(file(path)).unwrap();
        std::fs::create_dir(file(path)).unwrap();
    };
    assert!(fault(&other, owner()).contains("can't be read"));
}

#[test]
fn what_is_not_understood_is_an_error() {
    for (text, seen) in [
        ("adresses = []", "line 1: unknown field"),
        ("forbid = [\"show\"]\nauth = \"jwt\"", "line 2: invalid type"),
        ("addresses = [", "line 1: "),
        ("addresses = []", "addresses is an empty list"),
        ("auth = []", "auth is an empty list"),
        ("forbid = [\"Show\"]", "`Show` in forbid"),
        ("addresses = [\"vault.example.com\"]", "`vault.example.com` in addresses"),
        ("addresses = [\"https://vault.example.com/a\"]", "in addresses"),
        ("addresses = [\"https://a@vault.example.com\"]", "in addresses"),
        ("addresses = [\"unix://a\"]", "in addresses"),
    ] {
        let error = read_in(folder(text).path(), owner()).unwrap_err();
        assert!(error.to_string().contains(seen), "{text}: {error}");
        assert!(error.to_string().contains(FILE) && !error.hints().is_empty(), "{error}");
    }
}

#[test]
fn addresses_are_compared_by_scheme_host_and_port() {
    let policy =
        parse("addresses = [\"https://Vault.example.com\", \"https://[2001:db8::1]:8200\"]").unwrap();
    let allows = |text: &str| policy.allows(&Url::parse(text).unwrap(), None);
    for text in
        ["https://vault.example.com:443/a", "HTTPS://VAULT.example.com", "https://[2001:db8:0::1]:8200/"]
    {
        assert!(allows(text), "{text}");
    }
    for text in [
        "http://vault.example.com",
        "http://vault.example.com:443",
        "https://vault.example.com:8200",
        "https://vault.example.com.evil.example",
        "https://vault.example.com@evil.example",
        "https://evil.example/vault.example.com",
        "https://vault.example.com%2eevil.example",
    ] {
        assert!(!allows(text), "{text}");
    }
    let socket =
        |path| policy.allows(&Url::parse("https://vault.example.com").unwrap(), Some(Path::new(path)));
    assert!(!socket("/run/evil.sock"));
    assert!(policy.check_host("vault.EXAMPLE.com:443", "--redirect-host").is_ok());
    assert!(policy.check_host("evil.example", "--redirect-host").is_err());
}
