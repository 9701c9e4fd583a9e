//! What is said of a server's release.

use serde_json::json;
use tokencache_operator::redis::look::{
    answer::{Answer, Product},
    fault::Fault,
};

use super::pods::running;
use super::seen::{Seen, well};

/// What is said of a cache with this spec whose server reports this release.
fn told(spec: &str, product: Product, version: &str) -> String {
    let answer = Answer { product, version: version.to_owned(), ..well() };
    let what = format!("{product} {version}, {spec}");
    Seen::pod_of(spec, &running(true)).outcome(Ok(answer)).said_of("ServerSupported", &what)
}

/// How many warnings the status counts.
fn warnings(spec: &str, version: &str) -> i32 {
    let answer = Answer { version: version.to_owned(), ..well() };
    Seen::pod_of(spec, &running(true)).outcome(Ok(answer)).warnings()
}

#[test]
fn what_is_said_of_a_release() {
    use Product::{Other, Redis, Valkey};
    let floating = "{redis: {image: 'docker.io/library/redis:8.2'}}";
    let plain = "{redis: {image: 'registry.example/redis:8.2.3', tls: {mode: Disabled}, acl: Strict}}";
    let persistent = "{redis: {image: 'registry.example/valkey:8.1.1', persistence: {size: 2Gi}}}";
    let told = [
        told("{}", Redis, "8.2.9"),
        told("{}", Redis, "8.14.0"),
        told("{}", Redis, "8.0.2"),
        told(floating, Redis, "8.2.9"),
        told(floating, Redis, "8.2.8"),
        told(floating, Redis, "8.2.1"),
        told("{redis: {image: latest}}", Redis, "7.4.2"),
        told("{redis: {image: 'registry.example/redis:7.0.15'}}", Redis, "7.0.15"),
        told(plain, Redis, "8.2.3"),
        told(persistent, Valkey, "8.1.1"),
        told("{redis: {acceptedVersion: 8.2.8}}", Redis, "8.2.8"),
        told("{redis: {acceptedVersion: 8.2.7}}", Redis, "8.2.8"),
        told("{redis: {acceptedVersion: 8.2.8}}", Redis, "8.2.9"),
        told("{redis: {acceptedVersion: 255.255.255}}", Redis, "255.255.255"),
        told("{}", Redis, "255.255.255"),
        told("{}", Redis, "unknown"),
        told("{}", Redis, "8.11.240"),
        told("{}", Other("Dragonfly"), "df-v1.27.1"),
        Seen::fault(Fault::Frozen).said_of("ServerSupported", "a server that does not answer"),
    ];
    insta::assert_snapshot!(told.join(""));
}

#[test]
fn an_old_release_is_a_warning_and_keeps_no_cache_from_being_ready() {
    assert_eq!(warnings("{}", "8.2.8"), 1);
    for (spec, version) in
        [("{}", "8.2.9"), ("{redis: {acceptedVersion: 8.2.8}}", "8.2.8"), ("{}", "255.255.255"), ("{}", "8.14.0")]
    {
        assert_eq!(warnings(spec, version), 0, "{spec} {version}");
    }
    let old = Answer { version: "7.0.15".to_owned(), ..well() };
    let ready = Seen::pod(&running(true)).outcome(Ok(old)).said_of("Ready", "");
    assert!(ready.contains("Ready=True AllVerified"), "{ready}");
}

#[test]
fn an_image_may_name_a_tag_and_a_digest() {
    let image = format!("docker.io/library/redis:8.2.9@sha256:{}", "a".repeat(64));
    let spec = json!({"redis": {"image": image}}).to_string();
    let said = told(&spec, Product::Redis, "8.2.9");
    assert!(said.contains("ServerSupported=True Supported") && !said.contains("moves"), "{said}");
}
