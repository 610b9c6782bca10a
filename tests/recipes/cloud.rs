//! Hetzner Cloud: any engine or KV mount whose answer has a `token` (hcloud-go reads HCLOUD_TOKEN). It must be data alone.

use super::{Effect, Field, PLAIN, Provider, ProviderOption, option};
use crate::options::Opt;

static LOCATION: Opt = option("location", "LOCATION", "LOCATION", "The location to export as HCLOUD_LOCATION");

/// `ci-creds hetzner`.
pub(super) static HETZNER: Provider = Provider {
    name: "hetzner",
    title: "Hetzner",
    about: "A Hetzner Cloud API token",
    mount: "hetzner",
    fields: &[Field::secret("token", &["token"], &["HCLOUD_TOKEN"])],
    options: &[ProviderOption { opt: &LOCATION, effect: Effect::Sets(&["HCLOUD_LOCATION"]) }],
    ..PLAIN
};

#[cfg(test)]
mod tests {
    #[test]
    fn recipe_of_a_cloud() {
        let words = ["ci-creds", "hetzner", "web", "--location", "nbg1"].map(std::ffi::OsString::from);
        assert!(crate::cli::parse(&words).is_ok());
        let settings = crate::provider::Settings { role: "web".to_owned(), ..Default::default() };
        let request = crate::provider::find("hetzner").unwrap().request(&settings);
        assert_eq!(request.read.path, "hetzner/creds/web");
    }
}
