//! What a shell makes of a text that did not come whole.

use std::fs;

use ci_creds::testing::emit::sink::AFTER_A_CUT;

use super::shell::{FISH, POSIX_LIKE, Shell, Way};
use super::{SOAK, encode, format, hostile_directory, read};

/// A text that was cut off anywhere, with the failure statement behind it: no shell goes on, or prints a value.
#[test]
fn a_cut_text_never_passes() {
    let values = ["SeCrEt b'SeCrEt\n", "SeCrEt", "\"$x\\SeCrEt"].map(str::to_owned).to_vec();
    for shell in POSIX_LIKE.iter().chain([&FISH]) {
        let Some(binary) = shell.find() else { continue };
        let format = format(if shell.name == "fish" { "fish" } else { "sh" });
        let whole = encode(format, &values);
        let failure = format.failure.unwrap()(&["V0".to_owned(), "V1".to_owned()], 6);
        let failure = [AFTER_A_CUT, &failure].concat();
        let place = hostile_directory();
        let mut script = String::new();
        for length in 1..whole.len() {
            let text = place.path().join(format!("cut{length}"));
            fs::write(&text, [&whole[..length], failure.as_bytes()].concat()).unwrap();
            let ways = [Way::Unquoted, Way::Quoted];
            for &way in if SOAK { &ways[..] } else { &ways[length % 2..][..1] } {
                let went_on = format!("/bin/echo {length} {way:?} went on");
                script += &match (shell.name, way) {
                    ("fish", Way::Unquoted) => format!("eval (/bin/cat {}); and {went_on}\n", text.display()),
                    ("fish", Way::Quoted) => format!("/bin/cat {} | source; and {went_on}\n", text.display()),
                    _ => format!("(set -e\n{}\n{went_on})\n", read(&text, way, "")),
                };
            }
        }
        for setting in if shell.name == "fish" { Shell::plain_settings() } else { shell.settings() } {
            // A trace shows what is evaluated: see CI_DEBUG_TRACE.
            if setting.first.contains("set -x") || setting.first.contains("set -e") {
                continue;
            }
            let output = shell.run(
                &binary,
                &setting,
                &place.path().join("cwd"),
                &format!("{}\n{script}", setting.first),
            );
            let what = format!("{} {}", shell.name, setting.describe());
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{what}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            // fish shows the line with the open quote, whatever stands behind it.
            let shown = stderr.lines().find(|line| shell.name != "fish" && line.contains("SeCrEt"));
            assert!(shown.is_none(), "{what}: {shown:?}");
            if !SOAK {
                break;
            }
        }
    }
}
