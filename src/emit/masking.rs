//! GitLab masks what its variables hold, and nothing that ci-creds issues. A team that puts a value into a GitLab
//! variable instead, or copies one, should know whether GitLab could mask it there: pure.

use crate::credentials::Credentials;

/// The shortest value that GitLab masks.
const SHORTEST: usize = 8;

/// One sentence for each sensitive value that no GitLab variable could mask, or only one that is not expanded: by
/// the variable's name, never the value (gitlab `app/models/concerns/ci/maskable.rb`).
pub fn advice(all: &[Credentials]) -> Vec<String> {
    let variables = all.iter().flat_map(|one| &one.variables).filter(|variable| variable.sensitive);
    let advice = variables.filter_map(|variable| {
        let what = trouble(variable.value.reveal())?;
        Some(format!("{}: GitLab's own masking {what}", variable.name))
    });
    advice.collect()
}

/// Why GitLab's masking fails; `None` where a masked variable may hold the value.
fn trouble(value: &str) -> Option<&'static str> {
    // `\S` of Ruby's expressions: all but these.
    if value.contains([' ', '\t', '\r', '\n', '\x0b', '\x0c']) {
        Some("could not hide it: the value has blanks or more than one line")
    } else if value.chars().count() < SHORTEST {
        Some("could not hide it: the value has fewer than 8 characters")
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=/@:.~-".contains(&byte)) {
        Some("could hide it only in a variable with `Expand variable reference` off")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::credentials;
    use super::*;

    #[test]
    fn only_names_are_told() {
        let set = [
            ("FINE", "abc+/=@:.~-_1"),
            ("SHORT", "CANARY"),
            ("LINES", "CANARYCANARY\nCANARY"),
            ("RAW", "CANARY$CANARY"),
            ("RAW_TOO", "CANARYäCANARY"),
        ];
        let mut all = credentials(&set, &[]);
        let advice = advice(&all);
        assert_eq!(advice.len(), 4, "{advice:?}");
        assert_eq!(
            advice[0],
            "SHORT: GitLab's own masking could not hide it: the value has fewer than 8 characters"
        );
        assert!(advice.iter().all(|line| !line.contains("CANARY")));
        all[0].variables.iter_mut().for_each(|variable| variable.sensitive = false);
        assert!(super::advice(&all).is_empty());
    }
}
