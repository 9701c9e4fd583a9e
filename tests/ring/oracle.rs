//! ASP.NET Core itself reads what is made here, where the environment variable `DP_ORACLE` names a program that can ask it:
//! `$DP_ORACLE check RING APPLICATION --purpose P --pfx FILE:PASSWORD --unprotect BASE64 --readonly`.

use std::{path::Path, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use tokencache_operator::{
    data_protection::{
        certificate::Pair,
        key::{Key, revocation::Revocation},
        objects::{certificates_secret, ring_secret},
        payload::Purposes,
        ring::{
            certificates,
            rotation::RotationPolicy,
            schedule::{at_once, schedule},
        },
    },
    kubernetes::identity::Owner,
};

use crate::vectors::{dice, open, pair, pairs};
use crate::whole::{Cluster, encrypted};

const APPLICATION: &str = "/app";

fn asked() -> Option<String> {
    let oracle = std::env::var("DP_ORACLE").ok();
    if oracle.is_none() {
        eprintln!("ASP.NET Core was not asked: DP_ORACLE is not set");
    }
    oracle
}

/// A ring that has rotated, and whose keys are encrypted to these certificates in turn.
fn rotated(certificates: &[Option<&str>]) -> Vec<Key> {
    let mut now = Timestamp::now() - jiff::SignedDuration::from_hours(24 * 100);
    let mut keys: Vec<Key> = Vec::new();
    for (seed, certificate) in (1..).zip(certificates) {
        let order = loop {
            let due = schedule(&open(&keys, &[], &pairs()).dates(), RotationPolicy::default(), now);
            match due.order {
                Some((_, order)) => break order,
                None => now = due.wake_at.unwrap(),
            }
        };
        let pair = certificate.map(pair);
        keys.push(order.make(pair.as_ref().map(Pair::certificate), &dice::<128>(seed)).unwrap());
    }
    keys
}

fn write(folder: &Path, keys: &[Key], revocations: &[Revocation]) {
    for file in keys.iter().filter_map(Key::file).chain(revocations.iter().map(Revocation::file)) {
        std::fs::write(folder.join(file.name), file.content.as_slice()).unwrap();
    }
}

/// What ASP.NET Core says of a ring and these payloads.
fn ask(oracle: &str, ring: &Path, payloads: &[Vec<u8>]) -> (bool, String) {
    let mut command = Command::new(oracle);
    command.arg("check").arg(ring).args([APPLICATION, "--purpose", "msal_cache", "--readonly"]);
    // The certificates as they are published.
    let published = tempfile::tempdir().unwrap();
    for (name, content) in certificates::files(&pairs()) {
        let path = published.path().join(&name);
        std::fs::write(&path, content.as_slice()).unwrap();
        if name.ends_with("pfx") {
            command.arg("--pfx").arg(format!("{}:", path.display()));
        }
    }
    for payload in payloads {
        command.arg("--unprotect").arg(STANDARD.encode(payload));
    }
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[test]
fn asp_net_core_reads_rings_and_payloads_that_are_made_here_and_the_other_way_round() {
    let Some(oracle) = asked() else { return };
    for certificates in
        [&[None, None, None][..], &[Some("previous"), Some("current"), Some("rsa4096")], &[None, Some("current")]]
    {
        let keys = rotated(certificates);
        assert!(keys.len() >= 2);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &keys, &[]);
        let ring = open(&keys, &[], &pairs());
        let purposes = Purposes::token_cache(APPLICATION);
        let payloads: Vec<Vec<u8>> = (10..)
            .zip(&keys)
            .map(|(seed, key)| ring.protector(key.id).unwrap().protect(&purposes, b"{}", &dice(seed)).unwrap())
            .collect();
        let (is_well, said) = ask(&oracle, folder.path(), &payloads);
        assert!(is_well, "{said}");
        assert_eq!(said.matches("unprotected e30=").count(), payloads.len(), "{said}");
        let members = open(&keys, &[], &pairs()).dates();
        let active = members.active(Timestamp::now()).unwrap().id;
        let line = said.lines().find(|line| line.starts_with("protected-with")).unwrap();
        assert!(line.contains(&active.to_string()), "{active} in {said}");
        let payload = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
        assert_eq!(ring.unprotect(&purposes, &payload).unwrap().as_slice(), b"hello");
    }
}

#[test]
fn a_web_application_that_only_its_environment_tells_of_the_ring_reads_it_as_a_volume_has_it() {
    let Some(oracle) = asked() else { return };
    let keys = rotated(&[Some("current"), Some("current")]);
    // As kubelet lays out a Secret: links to links.
    let volume = tempfile::tempdir().unwrap();
    let data = volume.path().join("..2026");
    std::fs::create_dir(&data).unwrap();
    write(&data, &keys, &[]);
    std::os::unix::fs::symlink("..2026", volume.path().join("..data")).unwrap();
    for file in keys.iter().filter_map(Key::file) {
        let target = std::path::Path::new("..data").join(&file.name);
        std::os::unix::fs::symlink(target, volume.path().join(&file.name)).unwrap();
    }
    let current = pair("current");
    let certificates = certificates::files(std::slice::from_ref(&current));
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in &certificates {
        std::fs::write(folder.path().join(name), content.as_slice()).unwrap();
    }
    let file =
        |extension: &str| folder.path().join(format!("{}.{extension}", current.thumbprint())).display().to_string();
    let ring = open(&keys, &[], &pairs());
    let protector = ring.protector(keys[1].id).unwrap();
    let payload = protector.protect(&Purposes::token_cache(APPLICATION), b"{}", &dice(60)).unwrap();
    let output = Command::new(oracle)
        .env("DOTNET_ReadOnlyDataProtectionKeyDirectory", volume.path())
        .args(["env", "--app", APPLICATION, "--purpose", "msal_cache"])
        .args(["--pem", &format!("{}:{}", file("crt"), file("key")), "--unprotect", &STANDARD.encode(payload)])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("unprotected e30="), "{said}");
}

#[test]
fn a_web_application_reads_what_is_published_before_and_after_a_renewal_by_pfx_and_by_pem() {
    let Some(oracle) = asked() else { return };
    let day = jiff::SignedDuration::from_hours(24);
    let begin = Timestamp::now() - day * 100;
    let mut cluster = Cluster::new(encrypted(&pair("previous")));
    cluster.pass(begin);
    cluster.protection = encrypted(&pair("current"));
    for since in 1..=100 {
        cluster.pass(begin + day * since);
    }
    let read = cluster.read(Timestamp::now());
    let owner = Owner {
        api_version: String::new(),
        kind: String::new(),
        namespace: String::new(),
        name: "shop".to_owned(),
        uid: String::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let [ring, certificates] = ["ring", "certificates"].map(|name| folder.path().join(name));
    let published = certificates_secret(&owner, &read.certificates, &read.certificates_since);
    for (folder, secret) in [(&ring, ring_secret(&owner, &read.published)), (&certificates, published)] {
        std::fs::create_dir(folder).unwrap();
        for (name, content) in secret.data.unwrap() {
            std::fs::write(folder.join(name), content.0).unwrap();
        }
    }
    let purposes = Purposes::token_cache(APPLICATION);
    let payload = |(seed, key): (u64, &Key)| {
        read.key_ring.protector(key.id).unwrap().protect(&purposes, b"{}", &dice(seed)).unwrap()
    };
    let payloads: Vec<Vec<u8>> = (70..).zip(read.published.keys()).map(payload).collect();
    assert_eq!((payloads.len(), read.certificates.pairs.len()), (2, 2));
    let file = |pair: &Pair, extension: &str| {
        certificates.join(format!("{}.{extension}", pair.thumbprint())).display().to_string()
    };
    let by_pfx = |pair: &Pair| ["--pfx".to_owned(), format!("{}:", file(pair, "pfx"))];
    let by_pem = |pair: &Pair| ["--pem".to_owned(), [file(pair, "crt"), file(pair, "key")].join(":")];
    for way in [&by_pfx as &dyn Fn(&Pair) -> [String; 2], &by_pem] {
        let output = Command::new(&oracle)
            .env("DOTNET_ReadOnlyDataProtectionKeyDirectory", &ring)
            .args(["env", "--app", APPLICATION, "--purpose", "msal_cache"])
            .args(read.certificates.pairs.iter().flat_map(way))
            .args(payloads.iter().flat_map(|payload| ["--unprotect".to_owned(), STANDARD.encode(payload)]))
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("unprotected e30=").count(), payloads.len(), "{said}");
    }
}

#[test]
fn asp_net_core_encrypts_with_the_key_of_an_emergency_at_once_and_reads_nothing_of_the_revoked_one() {
    let Some(oracle) = asked() else { return };
    let mut keys = rotated(&[None, None]);
    let now = Timestamp::now();
    let lost = open(&keys, &[], &[]).dates().active(now).unwrap().id;
    let order = at_once(&open(&keys, &[], &[]).dates(), RotationPolicy::default(), now);
    keys.push(order.make(None, &dice::<128>(50)).unwrap());
    let revocations = [Revocation::of(lost, now, "leaked & <lost>")];
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &keys, &revocations);
    let ring = open(&keys, &[], &[]);
    let payload = ring.protector(lost).unwrap().protect(&Purposes::token_cache(APPLICATION), b"{}", &dice(51)).unwrap();
    let (is_well, said) = ask(&oracle, folder.path(), &[payload]);
    assert!(!is_well, "{said}");
    let (is_well, said) = ask(&oracle, folder.path(), &[]);
    assert!(is_well, "{said}");
    let line = said.lines().find(|line| line.starts_with("protected-with")).unwrap();
    assert!(line.contains(&keys.last().unwrap().id.to_string()), "{said}");
}
