//! GitLab's variables of type File hold a path: it is not sent in place of what the file holds.

use std::fs;

use crate::support::{Cmd, Fake, secret};

#[test]
fn the_path_of_a_file_is_not_sent_as_a_value() {
    let server = Fake::vault();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("VAULT_SECRET_ID");
    fs::write(&file, secret()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let role_id = ("VAULT_ROLE_ID", "r");
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let table: &[Row<'_>] = &[
        (&[role_id, ("VAULT_SECRET_ID", &file)], "VAULT_SECRET_ID", "--secret-id-file takes"),
        (&[role_id, ("BAO_SECRET_ID", &file)], "BAO_SECRET_ID", "--secret-id-file takes"),
        (
            &[role_id, ("VAULT_WRAPPED_SECRET_ID", &file)],
            "VAULT_WRAPPED_SECRET_ID",
            "--wrapped-secret-id-file takes",
        ),
        (&[role_id, ("VAULT_TOKEN", &file)], "VAULT_TOKEN", "`file: false`"),
        (&[("VAULT_ROLE_ID", &file), ("VAULT_SECRET_ID", "s")], "VAULT_ROLE_ID", "`file: false`"),
        (&[("VAULT_TOKEN", &file)], "VAULT_TOKEN", "VAULT_TOKEN_PATH"),
        (&[("VAULT_ID_TOKEN", &file)], "VAULT_ID_TOKEN", "--id-token-file takes"),
        (&[("CI_CREDS_ID_TOKEN_ENV", "MINE"), ("MINE", &file)], "MINE", "--id-token-file takes"),
        (&[("CI_JOB_JWT", &file)], "CI_JOB_JWT", "--id-token-file takes"),
        (&[role_id, ("VAULT_CACERT_BYTES", &file)], "VAULT_CACERT_BYTES", "VAULT_CACERT takes"),
        (&[role_id, ("VAULT_CLIENT_KEY_BYTES", &file)], "VAULT_CLIENT_KEY_BYTES", "VAULT_CLIENT_KEY takes"),
    ];
    for (env, name, hint) in table {
        let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &server.addr).envs(env.iter().copied());
        let run = cmd.run_both().expect(3);
        let error = format!("error: {name} is the path of a file, not the value itself\n");
        assert!(run.stderr.contains(&error) && run.stderr.contains(hint), "{run}");
    }
    let revoke = Cmd::new(["revoke", "--state-file", "/nonexistent"]).env("VAULT_TOKEN", &file);
    assert!(revoke.run().expect(3).stderr.contains("VAULT_TOKEN is the path of a file"));
    let rotate = Cmd::new(["rotate", "--token-role", "r", "--approle", "a", "--project", "22"])
        .env("VAULT_ADDR", &server.addr);
    let rotate = rotate.env("VAULT_TOKEN", "t").env("CI_CREDS_GITLAB_TOKEN", &file).run().expect(3);
    assert!(rotate.stderr.contains("--gitlab-token-file takes"), "{rotate}");
    assert_eq!(server.lines(), Vec::<String>::new(), "nothing is sent");
}
