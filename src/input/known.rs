//! Tokens and keys that show by their form what they are. It must not take the name of a role, a mount or a path for
//! one: what has no published beginning is judged by its length and its letters alone.

use super::words::{self, Before};

/// What may stand behind a beginning.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters and digits.
    Letters,
    /// Exactly that many capitals and digits.
    Capitals,
    /// Exactly that many hexadecimal digits.
    Hex,
    /// Letters, digits and `-_.=`.
    Any,
}

/// A beginning, how much is behind it at least, and what it is the beginning of. The sources are the vendors' pages on
/// their formats and gitleaks' `config/gitleaks.toml`, which collects them.
const KNOWN: &[(&str, usize, Rest, &str)] = &[
    // AWS: IAM User Guide, "Understanding unique ID prefixes".
    ("AKIA", 16, Rest::Capitals, "an AWS access key"),
    ("ASIA", 16, Rest::Capitals, "an AWS access key"),
    ("ABIA", 16, Rest::Capitals, "an AWS access key"),
    ("ACCA", 16, Rest::Capitals, "an AWS access key"),
    ("EXO", 24, Rest::Hex, "an Exoscale API key"),
    ("SCW", 17, Rest::Capitals, "a Scaleway access key"),
    ("LTAI", 20, Rest::Letters, "an Alibaba Cloud access key"),
    ("AIza", 35, Rest::Any, "a Google API key"),
    ("ya29.", 20, Rest::Any, "a Google token"),
    ("GOCSPX-", 28, Rest::Any, "a Google client secret"),
    ("dop_v1_", 64, Rest::Hex, "a DigitalOcean token"),
    ("doo_v1_", 64, Rest::Hex, "a DigitalOcean token"),
    ("dor_v1_", 64, Rest::Hex, "a DigitalOcean token"),
    // GitHub: "About authentication to GitHub", the token formats.
    ("ghp_", 36, Rest::Letters, "a GitHub token"),
    ("gho_", 36, Rest::Letters, "a GitHub token"),
    ("ghu_", 36, Rest::Letters, "a GitHub token"),
    ("ghs_", 36, Rest::Letters, "a GitHub token"),
    ("ghr_", 36, Rest::Letters, "a GitHub token"),
    ("github_pat_", 40, Rest::Any, "a GitHub token"),
    ("npm_", 36, Rest::Letters, "an npm token"),
    ("pypi-AgE", 50, Rest::Any, "a PyPI token"),
    ("dckr_pat_", 27, Rest::Any, "a Docker Hub token"),
    ("dckr_oat_", 27, Rest::Any, "a Docker Hub token"),
    ("pul-", 40, Rest::Hex, "a Pulumi token"),
    ("ATATT3", 100, Rest::Any, "an Atlassian token"),
    ("glsa_", 32, Rest::Any, "a Grafana token"),
    ("glc_", 32, Rest::Letters, "a Grafana token"),
    ("xoxb-", 20, Rest::Any, "a Slack token"),
    ("xoxp-", 20, Rest::Any, "a Slack token"),
    ("xapp-", 20, Rest::Any, "a Slack token"),
    ("sk_live_", 16, Rest::Letters, "a Stripe key"),
    ("rk_live_", 16, Rest::Letters, "a Stripe key"),
    ("sk_test_", 16, Rest::Letters, "a Stripe key"),
    ("SG.", 60, Rest::Any, "a SendGrid key"),
    ("sk-ant-", 40, Rest::Any, "an Anthropic key"),
    ("sk-proj-", 40, Rest::Any, "an OpenAI key"),
    ("hf_", 34, Rest::Letters, "a Hugging Face token"),
    ("AGE-SECRET-KEY-1", 58, Rest::Capitals, "an age key"),
];

/// What the secret that `text` begins with is, by its form.
pub(super) fn find(text: &str, before: Before) -> Option<&'static str> {
    let word = words::token(text);
    let known = KNOWN.iter().find(|(start, least, rest, _)| {
        word.strip_prefix(start).is_some_and(|behind| fits(behind, *least, *rest, before))
    });
    let named = known.map(|(.., what)| *what);
    let is_aws = || before == Before::Gap && is_aws_secret(words::base64(text));
    named.or_else(|| is_aws().then_some("an AWS secret key")).or_else(|| {
        // `ORGANIZATION.atlasv1.SECRET`
        let (before_it, behind) = word.split_once(".atlasv1.")?;
        let fits = fits(before_it, 14, Rest::Letters, before) && fits(behind, 60, Rest::Any, before);
        fits.then_some("a HCP Terraform token")
    })
}

/// In a path, people give names that begin as such keys do, but not mixed ones.
fn fits(text: &str, least: usize, rest: Rest, before: Before) -> bool {
    let is_drawn = matches!(rest, Rest::Capitals | Rest::Hex) || words::is_mixed(text);
    if before == Before::Slash && !is_drawn {
        return false;
    }
    let all = |fits: fn(u8) -> bool| text.bytes().all(fits);
    match rest {
        Rest::Letters => text.len() >= least && all(|byte| byte.is_ascii_alphanumeric()),
        Rest::Any => {
            text.len() >= least && all(|byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte))
        }
        Rest::Capitals => {
            text.len() == least && all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        }
        Rest::Hex => text.len() == least && all(|byte| byte.is_ascii_hexdigit()),
    }
}

/// Recognises nine of ten of AWS's secret keys: 40 letters of base64, mixed at random. In a name, letters of one kind
/// stand together, and digits are few.
fn is_aws_secret(text: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => Some('a'),
        b'A'..=b'Z' => Some('A'),
        b'0'..=b'9' => Some('0'),
        _ => None,
    };
    let (mut changes, mut numbers, mut last) = (0, 0, None);
    for byte in text.bytes() {
        let this = kind(byte);
        changes += usize::from(this.is_some() && last.is_some() && this != last);
        numbers += usize::from(this == Some('0') && this != last);
        last = this;
    }
    let fits = text.bytes().all(|byte| kind(byte).is_some() || b"+/".contains(&byte));
    // A commit's hash has letters of one kind.
    let fits = fits && ['a', 'A'].iter().all(|one| text.bytes().any(|byte| kind(byte) == Some(*one)));
    let is_path = text.starts_with('/') || text.matches('/').count() > 3;
    text.len() == 40 && fits && !is_path && changes >= 14 && (numbers >= 4 || text.contains('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_form() {
        let letters = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5";
        for (text, expected) in [
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "an AWS access key"),
            ("ASIAY34FZKBOKMUTVV7A".to_owned(), "an AWS access key"),
            ("h7Rk2pXz/Q9vLm4TsWc8Jd0Yb6NfGa3Ue1Hi5KoP".to_owned(), "an AWS secret key"),
            ("je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY".to_owned(), "an AWS secret key"),
            (format!("EXO{}", "0123456789abcdef01234567"), "an Exoscale API key"),
            ("SCW0123456789ABCDEFG".to_owned(), "a Scaleway access key"),
            (format!("ghp_{letters}"), "a GitHub token"),
            (format!("github_pat_{letters}_{letters}"), "a GitHub token"),
            (format!("npm_{letters}"), "an npm token"),
            (format!("xoxb-{letters}"), "a Slack token"),
            (format!("aB3dE5fG7hI9jK.atlasv1.{letters}{letters}"), "a HCP Terraform token"),
        ] {
            assert_eq!(find(&text, Before::Gap), Some(expected), "{text}");
        }
    }

    /// Roles, mounts, paths and files as they are named by people, and by programs for them.
    #[test]
    fn names_are_names() {
        for name in [
            "AKIA",
            "AKIARoleForTheWebTeam",
            "EXOSCALE_API_KEY_OF_THE_WEB_TEAM",
            "npm_publish-role-for-team-web-application-production",
            "ghp_runner",
            "hf_role_for_models_of_the_research_department",
            "xoxb-bot",
            "SCW_DEFAULT_PROJECT",
            "sk_live_payments",
            "MyStack-WebDeployRole-1OK4FQ8ZB2X9Y",
            "WebStack-ProductionDeployRole-1OK4FQ8ZB2",
            "AWSReservedSSO_AdministratorAccess_3f2a1b",
            "AWSServiceRoleForAmazonEKSNodegroup20241",
            "Secret/Data/Team1/Application/Production",
            "kv/Team1/App2/Env3/Db4/User5/Pw6/Key7890",
            "projects/22/environments/Production1/Web",
            "terraform-2024010112000000000000000001ab",
            "3f2a1b9c8d7e6f5a3f2a1b9c8d7e6f5a3f2a1b9c",
            "teams/WebApp/ProdDeployRoleForTeamAlpha2",
            "K8sEksProdEu1ReadOnlyRoleOfTheSiteTeam7A",
            "/builds/aB3dE5fG7/0/team/project.tmp/KEY",
            "aws/sts/gitlab-ci-WebApplication-Deploy1",
        ] {
            assert_eq!(find(name, Before::Gap), None, "{name}");
        }
    }
}
