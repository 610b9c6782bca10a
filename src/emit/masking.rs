//! The CI system masks what its own variables hold, and nothing that ci-creds issues. A team that puts a value into
//! such a variable instead should know whether the system could mask it there. It must not mask anything.

use crate::ci;
use crate::credentials::Credentials;

/// One sentence for each sensitive value that the CI system could not mask, or not in every variable of its own. It has
/// the variable's name, never the value.
pub(crate) fn advice(all: &[Credentials]) -> Vec<String> {
    let system = ci::current();
    let variables = all.iter().flat_map(|one| &one.variables).filter(|variable| variable.sensitive);
    let advice = variables.filter_map(|variable| {
        let what = (system.masking_trouble)(variable.value.reveal())?;
        Some(format!("{}: {}'s own masking {what}", variable.name, system.name))
    });
    advice.collect()
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
