//! The commands that messages propose: what stands between backticks and begins with `kubectl`.

use std::path::Path;

/// The commands in a message, in their order.
pub fn commands(message: &str) -> Vec<String> {
    let quoted = message.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| quoted.starts_with("kubectl ")).map(str::to_owned).collect()
}

/// Those of every message that is held by a snapshot, or by the CRD; each message once.
pub fn in_messages() -> Vec<Vec<String>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshots = std::fs::read_dir(repository.join("tests/plan/snapshots")).unwrap();
    let files = snapshots.map(|entry| entry.unwrap().path()).chain([repository.join("crds/tokencaches.yaml")]);
    let mut found: Vec<Vec<String>> = files
        .flat_map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            // Of what a snapshot calls otherwise, an object has the digits.
            let text = (1..=3).fold(text, |text, key| text.replace(&format!("<key {key}>"), "16a28072"));
            text.lines().map(commands).filter(|commands| !commands.is_empty()).collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
