//! `doctor ring`, as a process: what it prints, and how it ends.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use tempfile::TempDir;
use tokencache_operator::data_protection::{
    certificate::{Certificate, Pair},
    key::{Key, KeyDates},
    ring::certificates,
};

use crate::{
    application::DAY,
    support::plain::assert_plain,
    vectors::{dice, files, folder, pair},
};

/// What a process left.
#[derive(Debug)]
struct End {
    code: Option<i32>,
    output: String,
    error: String,
}

fn run(arguments: &[&str], input: &str) -> End {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokencache-operator"))
        .args(["doctor", "ring"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A process that ends before it has read everything is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let end = End { code: output.status.code(), output: text(output.stdout), error: text(output.stderr) };
    assert_plain(&end.output);
    assert_plain(&end.error);
    end
}

fn doctor(dir: &Path, more: &[&str]) -> End {
    run(&[&["--dir", dir.to_str().unwrap(), "--application", "/app"], more].concat(), "")
}

/// A key that activates and expires so many days from now.
fn key(seed: u64, days: (i32, i32), certificate: Option<&Certificate>) -> Key {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let activates = now + DAY * days.0;
    let order = KeyDates { created: activates, activates, expires: now + DAY * days.1 };
    order.make(certificate, &dice::<128>(seed)).unwrap()
}

fn write(dir: &Path, keys: &[&Key]) {
    for key in keys {
        let file = key.file().unwrap();
        std::fs::write(dir.join(&file.name), &file.content).unwrap();
    }
}

/// A folder with these keys.
fn ring(keys: &[&Key]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), keys);
    dir
}

fn copy(from: &str, to: &Path) {
    for (name, bytes) in files(from) {
        std::fs::write(to.join(name), bytes).unwrap();
    }
}

#[test]
fn a_good_ring_is_told_key_by_key_and_passes_the_round_trip() {
    let (old, active, next) = (key(1, (-80, 10), None), key(2, (-1, 90), None), key(3, (80, 170), None));
    let dir = ring(&[&old, &active, &next]);
    std::fs::write(dir.path().join("other.xml"), "<other/>").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "<oops").unwrap();
    std::fs::create_dir(dir.path().join("folder.xml")).unwrap();
    let end = doctor(dir.path(), &[]);
    assert_eq!((end.code, end.error.as_str()), (Some(0), ""), "{}", end.output);
    let line = |key: &Key, state: &str| {
        format!("key {} {state}: activates {}, expires {}\n", key.id, key.activates, key.expires)
    };
    let wanted = [
        line(&old, "decrypts"),
        line(&active, "encrypts"),
        line(&next, "is pending"),
        "other.xml is passed over: it holds <other>, which is neither a key nor a revocation\n".to_owned(),
        format!("an application that reads this ring now encrypts with {}\n", active.id),
        format!("what {} encrypts for the application name \"/app\" is read again\n", active.id),
    ];
    assert_eq!(end.output, wanted.concat());
}

#[test]
fn a_secret_is_read_as_kubelet_mounts_it_and_only_its_files_count() {
    let (active, stale) = (key(1, (-1, 90), None), key(2, (-1, 90), None));
    let dir = tempfile::tempdir().unwrap();
    for (version, keys) in [("..2026_01_01_00_00_00.1", vec![&stale]), ("..2026_01_02_00_00_00.2", vec![&active])] {
        std::fs::create_dir(dir.path().join(version)).unwrap();
        write(&dir.path().join(version), &keys);
    }
    symlink("..2026_01_02_00_00_00.2", dir.path().join("..data")).unwrap();
    symlink(format!("..data/{}", active.file_name()), dir.path().join(active.file_name())).unwrap();
    let end = doctor(dir.path(), &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains(&active.id.to_string()) && !end.output.contains(&stale.id.to_string()), "{end:?}");
    // Where such a link leads nowhere, applications read nothing.
    symlink("..data/key-gone.xml", dir.path().join("key-gone.xml")).unwrap();
    let end = doctor(dir.path(), &[]);
    assert_eq!((end.code, end.output.as_str()), (Some(1), ""));
    assert!(end.error.contains("key-gone.xml: No such file") && end.error.contains("No application"), "{end:?}");
}

#[test]
fn one_pod_prints_what_another_one_reads() {
    let active = key(1, (-1, 90), None);
    let (one, other) = (ring(&[&active]), ring(&[&active, &key(2, (1, 90), None)]));
    let made = doctor(one.path(), &["--protect"]);
    assert_eq!((made.code, made.error.as_str()), (Some(0), ""));
    assert!(made.output.starts_with("CfDJ8") && made.output.lines().count() == 1, "{}", made.output);
    let payload = made.output.trim();
    let read = format!("the payload is read: {} encrypted it\n", active.id);
    let end = doctor(other.path(), &["--unprotect", payload]);
    assert_eq!((end.code, end.output.as_str()), (Some(0), read.as_str()), "{end:?}");
    // As .NET pads base64 where it is told to, and with the end of the line.
    let here = ["--dir", other.path().to_str().unwrap(), "--application", "/app", "--unprotect", "-"];
    let end = run(&here, &format!("{payload}=\n"));
    assert_eq!((end.code, end.output.as_str()), (Some(0), read.as_str()), "{end:?}");
    assert_ne!(doctor(one.path(), &["--protect"]).output, made.output, "each has random bytes of its own");
}

#[test]
fn a_payload_that_cannot_be_read_is_told_with_the_reason() {
    let dir = ring(&[&key(1, (-1, 90), None)]);
    let made = doctor(dir.path(), &["--protect"]).output;
    let payload = made.trim();
    let path = dir.path().to_str().unwrap();
    let under_another = run(&["--dir", path, "--application", "/app/", "--unprotect", payload], "");
    let other = ring(&[&key(2, (-1, 90), None)]);
    let cut = |characters: usize| &payload[..payload.len() - characters];
    for (end, why) in [
        (under_another, "it is for another application name, or was changed"),
        (doctor(other.path(), &["--unprotect", payload]), "is not in the ring. The two pods do not have the same ring"),
        // Of what is cut off in the midst of a byte the bits that are left count for nothing.
        (doctor(dir.path(), &["--unprotect", cut(1)]), "or was changed"),
        (doctor(dir.path(), &["--unprotect", cut(2)]), "this is no payload"),
        (doctor(dir.path(), &["--unprotect", cut(4)]), "or was changed"),
        (doctor(dir.path(), &["--unprotect", "CfDJ8 no"]), "this is no payload"),
        (doctor(dir.path(), &["--unprotect", "aGVsbG8"]), "this is no payload"),
        (doctor(dir.path(), &["--unprotect", "-"]), "this is no payload"),
    ] {
        assert_eq!((end.code, end.output.as_str()), (Some(1), ""), "{why}");
        assert!(end.error.contains(why) && end.error.lines().count() == 1, "{end:?}");
    }
}

#[test]
fn what_no_application_could_read_is_named_file_by_file() {
    let dir = ring(&[&key(1, (-1, 90), None)]);
    copy("data-protection/gcm", dir.path());
    std::fs::write(dir.path().join("broken.xml"), "<key").unwrap();
    std::fs::write(dir.path().join(".dot.xml"), "").unwrap();
    let (name, bytes) = files("data-protection/gcm").remove(0);
    std::fs::write(dir.path().join("twice.xml"), bytes).unwrap();
    for more in [&[][..], &["--protect"], &["--unprotect", "CfDJ8"]] {
        let end = doctor(dir.path(), more);
        assert_eq!((end.code, end.output.as_str()), (Some(1), ""), "{more:?}");
        assert!(end.error.contains("broken.xml: ") && end.error.contains(".dot.xml: "), "{end:?}");
        let id = name.trim_start_matches("key-").trim_end_matches(".xml");
        assert!(
            end.error.contains(&format!("holds key {id}, as another file does. No application can read")),
            "{end:?}"
        );
        assert_eq!(end.error.lines().count(), 3, "{end:?}");
    }
}

#[test]
fn a_ring_is_not_good_without_an_active_key_or_with_one_that_cannot_be_used() {
    let expired = [&key(1, (-90, -10), None), &key(2, (-80, -1), None)];
    let end = doctor(ring(&expired).path(), &[]);
    assert_eq!(end.code, Some(1));
    assert!(end.error.contains("is unhealthy: no key is active"), "{end:?}");
    assert!(end.output.contains(&format!("key {} decrypts", expired[0].id)), "{end:?}");
    let dir = tempfile::tempdir().unwrap();
    copy("data-protection/revoked-all", dir.path());
    for more in [&[][..], &["--protect"]] {
        let end = doctor(dir.path(), more);
        assert_eq!(end.code, Some(1));
        assert!(end.error.contains("no key can encrypt"), "{end:?}");
    }
}

#[test]
fn keys_for_a_certificate_need_it() {
    let (current, previous) = (pair("current"), pair("previous"));
    let old = key(1, (-80, 10), Some(previous.certificate()));
    let active = key(2, (-1, 90), Some(current.certificate()));
    let dir = ring(&[&old, &active]);
    let end = doctor(dir.path(), &[]);
    assert_eq!(end.code, Some(1));
    assert!(end.error.contains("no key can encrypt"), "{end:?}");
    let missing = format!("it is encrypted to the certificate {}", current.thumbprint());
    assert!(end.output.contains(&missing), "{end:?}");
    let mount = "mount Secret NAME-keys-certificates as a whole, and name its folder with --certificates";
    for more in [&[][..], &["--protect"]] {
        let end = doctor(dir.path(), more);
        assert!(end.error.contains("2 certificates that are missing") && end.error.contains(mount), "{end:?}");
    }

    let certificates = tempfile::tempdir().unwrap();
    let with = ["--certificates", certificates.path().to_str().unwrap()];
    let end = doctor(dir.path(), &with);
    assert_eq!(end.code, Some(1));
    let lacks = format!("which is not in {}: mount Secret NAME-keys-certificates there", certificates.path().display());
    assert!(end.error.contains(&lacks), "{end:?}");
    let publish = |pairs: &[_]| {
        for (name, content) in certificates::files(pairs) {
            std::fs::write(certificates.path().join(name), content).unwrap();
        }
    };
    publish(std::slice::from_ref(&current));
    let end = doctor(dir.path(), &with);
    assert_eq!(end.code, Some(1));
    assert!(end.error.contains("1 of its keys cannot be used"), "{end:?}");
    let lacks = format!("need certificate {}, which is not in ", previous.thumbprint());
    assert!(end.error.contains(&lacks), "{end:?}");
    publish(std::slice::from_ref(&previous));
    let end = doctor(dir.path(), &with);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.starts_with("certificate "), "{end:?}");
    assert!(end.output.contains(&format!("now encrypts with {}", active.id)), "{end:?}");
    let payload = doctor(dir.path(), &[&with[..], &["--protect"]].concat()).output;
    let end = doctor(dir.path(), &[&with[..], &["--unprotect", payload.trim()]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");

    // Another pod has the ring only, or not the whole of the other Secret.
    let end = doctor(dir.path(), &["--unprotect", payload.trim()]);
    assert!(end.code == Some(1) && end.error.contains(mount), "{end:?}");
    for extension in ["key", "pfx"] {
        std::fs::remove_file(certificates.path().join(format!("{}.{extension}", current.thumbprint()))).unwrap();
    }
    let end = doctor(dir.path(), &[&with[..], &["--unprotect", payload.trim()]].concat());
    let lacks = format!("which is in {} without its private key: mount", certificates.path().display());
    assert!(end.code == Some(1) && end.error.contains(&lacks) && end.error.lines().count() == 1, "{end:?}");
}

#[test]
fn the_example_works_for_a_ring_with_certificates_and_for_one_without() {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/doctor.yaml")).unwrap();
    let pod: serde_json::Value = serde_yaml::from_str(&example).unwrap();
    let container = &pod["spec"]["containers"][0];
    let pair = pair("current");
    for certificate in [None, Some(&pair)] {
        let ring = ring(&[&key(1, (-1, 90), certificate.map(Pair::certificate))]);
        let certificates = tempfile::tempdir().unwrap();
        for (name, content) in certificates::files(certificate.map_or(&[][..], std::slice::from_ref)) {
            std::fs::write(certificates.path().join(name), content).unwrap();
        }
        // As kubelet mounts them: a Secret that may be missing is an empty folder.
        let place = |path: &str| {
            let mounts = container["volumeMounts"].as_array().unwrap();
            let Some(mount) = mounts.iter().find(|mount| mount["mountPath"] == path) else { return path.to_owned() };
            let volumes = pod["spec"]["volumes"].as_array().unwrap();
            let secret = &volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap()["secret"];
            assert_eq!(secret["optional"] == true, secret["secretName"] == "shop-keys-certificates", "{secret}");
            let folder = if secret["secretName"] == "shop-keys" { ring.path() } else { certificates.path() };
            folder.display().to_string()
        };
        let arguments: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|argument| place(argument)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let end = run(arguments.strip_prefix(&["doctor", "ring"]).unwrap(), "");
        assert_eq!((end.code, end.error.as_str()), (Some(0), ""), "{end:?}");
        assert!(end.output.contains("for the application name \"/app\" is read again"), "{end:?}");
    }
}

#[test]
fn a_folder_without_a_ring_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let end = doctor(empty.path(), &[]);
    assert_eq!((end.code, end.output.as_str()), (Some(1), ""));
    assert!(end.error.contains("is the Secret with the ring mounted here, as a whole?"), "{end:?}");
    let end = doctor(&empty.path().join("missing"), &[]);
    assert_eq!(end.code, Some(1));
    assert!(end.error.contains("missing cannot be read: No such file"), "{end:?}");
}

#[test]
fn a_wrong_command_line_is_told_from_a_bad_ring() {
    let dir = folder("data-protection/gcm");
    for arguments in [&[][..], &["--dir", "/keys"], &["--application", "/app"], &["--protect", "--unprotect", "-"]] {
        assert_eq!(run(arguments, "").code, Some(2), "{arguments:?}");
    }
    assert_eq!(doctor(&dir, &["--protect", "--unprotect", "-"]).code, Some(2));
}

#[test]
fn no_secret_is_ever_printed() {
    let dir = tempfile::tempdir().unwrap();
    copy("data-protection/cbc-hmac", dir.path());
    copy("data-protection/cert-current", dir.path());
    let broken = "<masterKey><value>c2VjcmV0";
    std::fs::write(dir.path().join("a.txt"), broken).unwrap();
    let mut ends = vec![doctor(dir.path(), &[]), doctor(dir.path(), &["--protect"])];
    std::fs::write(dir.path().join("a.xml"), broken).unwrap();
    ends.push(doctor(dir.path(), &[]));
    let secrets: Vec<String> = ["data-protection/cbc-hmac", "data-protection/cert-current"]
        .iter()
        .flat_map(|ring| files(ring))
        .flat_map(|(_, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let values = text.split(['<', '>']).filter(|part| part.len() > 60 && !part.contains(' '));
            values.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(secrets.len() >= 6, "{}", secrets.len());
    for end in ends {
        let said = format!("{}{}", end.output, end.error);
        assert!(!said.is_empty() && !said.contains("c2VjcmV0"), "{said}");
        assert!(secrets.iter().all(|secret| !said.contains(secret.as_str())), "{said}");
    }
}
