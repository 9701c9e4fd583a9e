//! Every command that a message can propose is in a snapshot, from where tests of the API run it.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use tokencache_operator::{
    api::v1alpha1::{
        ANNOTATIONS, FLUSH_ANNOTATION, KeyState, ROTATE_KEY_ANNOTATION, ROTATE_PASSWORD_ANNOTATION, Remedy, Takes,
    },
    capability::operation::{self, Again},
    condition::Message,
    controller::report::events::objects,
    kubernetes::{
        object::{Kind, Reference},
        read::{
            process::{Process, Processes},
            workload::Workload,
        },
    },
};

use super::key_ring::Keys;
use super::world::{START, World, shop};
use crate::support::proposed::{commands, in_messages};
use crate::support::told::lines;

/// What is said of a request to revoke a key that says this after the time; `None` where it is followed.
fn of_revocation(ring: &Keys, value: &str) -> Message {
    let mut ring = ring.clone();
    ring.annotate("tokencache.dev/revoke-key-requested", value);
    ring.step();
    let entry = ring.revocation();
    Message { text: entry.message, remedies: entry.remedies }
}

#[test]
fn what_is_said_of_requests_that_are_not_followed_and_of_objects_with_what_to_do() {
    let owner = World::new(shop("{}")).settings().owner;
    let mut ring = Keys::begun();
    ring.now += SignedDuration::from_mins(1);
    let id = ring.status().keys.into_iter().find(|key| key.state == KeyState::Active).unwrap().id;
    let now = ring.now.to_string();
    let mut told = vec![
        ("a request of another password without a time", {
            operation::malformed(&owner, ROTATE_PASSWORD_ANNOTATION, "now", Some(&Again::default()))
        }),
        ("a request of another key without a time", {
            operation::malformed(&owner, ROTATE_KEY_ANNOTATION, "now", Some(&Again::default()))
        }),
        ("a request to flush that names something else", {
            operation::ignored(&owner, FLUSH_ANNOTATION, "it is", Some(&Again::saying("unreadable")))
        }),
        ("something was restored", operation::restored(&owner, "Secret", "shop-redis", "velero-server")),
    ];
    for (what, value) in [
        ("a key to revoke, without a key", now.clone()),
        ("a key to revoke, without a time", format!("{} remove", &id[..8])),
        ("all keys to revoke, without a time", "all".to_owned()),
        ("a key that is not there", format!("{now} ffffffff remove")),
        ("a key by too few digits", format!("{now} {}", &id[..6])),
        ("a key with another word", format!("{now} {} removed", &id[..8])),
        ("a key, an hour ago", format!("{} {}", START - SignedDuration::from_hours(2), &id[..8])),
    ] {
        told.push((what, of_revocation(&ring, &value)));
    }
    let mut bare = Keys::of("{dataProtection: {mode: None}}");
    bare.pass();
    told.push(("a key to revoke, and the operator keeps none", of_revocation(&bare, &now)));

    let mut immutable = Keys::certified();
    immutable.in_certificates(|secret| secret.immutable = Some(true));
    immutable.certify("mine", "current", "current");
    told.push(("the certificates' Secret is immutable", immutable.finding(&[]).unwrap().message));

    let metadata = owner.metadata("shop-copy".to_owned(), "redis");
    let copy = Reference { kind: Kind::Secret, metadata };
    told.push(("a copy", objects::copy(&shop("{}"), &copy)));

    let pod = |kind: &str, name: &str| {
        let workload = Workload { kind: kind.to_owned(), name: name.to_owned() };
        Process { workload, pod: format!("{name}-0"), started: Some(START), deleted: None }
    };
    let processes = Processes::Known(vec![pod("StatefulSet", "api"), pod("DaemonSet", "agent")]);
    let now = START + SignedDuration::from_hours(1);
    let restart = processes.started_before(now, now).unwrap().restart("web").unwrap();
    told.push(("pods to restart", Message::default().remedy(Remedy::free("restart them").command(restart))));

    let told =
        told.into_iter().map(|(what, message)| format!("{what}\n  {}\n{}", message.text, lines(&message.remedies)));
    insta::assert_snapshot!(told.collect::<String>().replace(&id[..8], "16a28072"));
}

/// The Rust files in a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The commands in the source, each as the texts between what is filled in.
fn patterns() -> Vec<(String, Vec<String>)> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            // A literal goes on in the next line.
            let code = code.join("\n");
            let mut lines = code.split("\\\n");
            let first = lines.next().unwrap_or_default().to_owned();
            let code = lines.fold(first, |code, line| code + line.trim_start());
            assert_eq!(
                code.matches("kubectl ").count(),
                code.matches("`kubectl ").count() + code.matches("\"kubectl ").count(),
                "{}: a command stands between backticks, or is a text of its own",
                file.display()
            );
            let quoted = code.split("`kubectl ").skip(1).map(|rest| rest.split('`').next().unwrap().to_owned());
            let whole = code.split("\"kubectl ").skip(1).map(|rest| {
                let rest = rest.replace("\\\"", "\u{3}");
                rest.split('"').next().unwrap().replace('\u{3}', "\\\"")
            });
            let templates = quoted.chain(whole);
            templates.map(|template| (template.clone(), texts(&format!("kubectl {template}")))).collect::<Vec<_>>()
        })
        .collect()
}

/// What stands between the braces of a template.
fn texts(template: &str) -> Vec<String> {
    let template = template.replace("\\\"", "\"").replace("{{", "\u{1}").replace("}}", "\u{2}");
    let parts = template.split('{').enumerate();
    let parts = parts.map(|(index, part)| if index == 0 { part } else { part.split_once('}').unwrap().1 });
    parts.map(|part| part.replace('\u{1}', "{").replace('\u{2}', "}")).collect()
}

/// Whether a command is a template that is filled in.
fn is_of(command: &str, texts: &[String]) -> bool {
    let (last, before) = texts.split_last().unwrap();
    let Some((first, between)) = before.split_first() else { return command == last };
    let Some(mut rest) = command.strip_prefix(first.as_str()) else { return false };
    for text in between {
        let Some((_, after)) = rest.split_once(text.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[test]
fn every_command_of_the_source_is_in_a_snapshot_and_so_is_every_request() {
    let shown: Vec<String> = in_messages().concat();
    let patterns = patterns();
    assert!(patterns.len() > 15, "{patterns:?}");
    for (template, texts) in patterns {
        assert!(
            shown.iter().flat_map(|line| line.split(" && ")).any(|command| is_of(command, &texts)),
            "no snapshot has a message with `kubectl {template}`"
        );
    }
    for annotation in ANNOTATIONS {
        let end = match annotation.takes() {
            Takes::Word(word) => format!("{annotation}={word}"),
            Takes::Request => format!("{annotation}="),
        };
        assert!(shown.iter().any(|command| command.contains(&end)), "no snapshot has {end}");
    }
}

#[test]
fn a_command_is_known_by_what_its_template_leaves_open() {
    let texts = texts("kubectl -n {namespace} patch {} {name} -p '[{{\\\"op\\\":1}}]'");
    assert!(is_of("kubectl -n web patch secret shop -p '[{\"op\":1}]'", &texts));
    assert!(!is_of("kubectl -n web patch secret shop -p '[{\"op\":2}]'", &texts));
    assert_eq!(commands("a `b` c `kubectl d` e `kubectl f`."), ["kubectl d", "kubectl f"]);
}
