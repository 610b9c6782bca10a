//! The fuzzers' seeds, replayed. `.ci/fuzz` looks for inputs that break the same properties.

use std::fs;
use std::path::Path;

#[path = "fuzz/state_files.rs"]
mod state_files;

#[path = "fuzz/src/lib.rs"]
mod properties;

#[test]
fn every_seed_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), properties::TARGETS.len());
    for (name, check) in properties::TARGETS {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        let seeds = fs::read_dir(folder.join("seeds").join(name)).unwrap();
        let mut count = 0;
        for seed in seeds {
            let path = seed.unwrap().path();
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| check(&input));
            assert!(outcome.is_ok(), "{} breaks {name}", path.display());
            count += 1;
        }
        assert!(count > 0, "{name} has seeds");
    }
}
