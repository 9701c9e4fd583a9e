//! Names of child objects, all derived from the owner's name, which has at most 40 characters.

/// The `StatefulSet`, the client Service, the `ServiceAccount` and the binding Secret of Redis.
#[must_use]
pub fn redis(owner: &str) -> String {
    format!("{owner}-redis")
}

/// The volume that Redis writes to.
pub const DATA_VOLUME: &str = "data";

/// The claim that a `StatefulSet` makes for the data of one of its pods, and that one of the same name finds again.
#[must_use]
pub fn data_claim(pod: &str) -> String {
    format!("{DATA_VOLUME}-{pod}")
}

/// The headless Service that governs the pods.
#[must_use]
pub fn redis_headless(owner: &str) -> String {
    format!("{owner}-redis-headless")
}

/// The `ConfigMap` with redis.conf.
#[must_use]
pub fn redis_config(owner: &str) -> String {
    format!("{owner}-redis-config")
}

/// The Secret that Redis mounts: its users.
#[must_use]
pub fn redis_users(owner: &str) -> String {
    format!("{owner}-redis-users")
}

/// The Secret with the operator's own login.
#[must_use]
pub fn redis_operator(owner: &str) -> String {
    format!("{owner}-redis-operator")
}

/// The Secret with the applications' next password, while one follows another; nothing mounts it.
#[must_use]
pub fn redis_rotation(owner: &str) -> String {
    format!("{owner}-redis-rotation")
}

/// The Secret with the operator's own authority, which nothing mounts.
#[must_use]
pub fn redis_ca(owner: &str) -> String {
    format!("{owner}-redis-ca")
}

/// The Secret that Redis mounts: the certificate that the operator made.
#[must_use]
pub fn redis_tls(owner: &str) -> String {
    format!("{owner}-redis-tls")
}

/// The `ConfigMap` that applications take their settings from.
#[must_use]
pub fn settings(owner: &str) -> String {
    format!("{owner}-settings")
}

/// The Secret that applications mount: the whole key ring.
#[must_use]
pub fn keys(owner: &str) -> String {
    format!("{owner}-keys")
}

/// The Secret with the certificates that keys are encrypted to.
#[must_use]
pub fn key_certificates(owner: &str) -> String {
    format!("{owner}-keys-certificates")
}

/// The Secret of one key, or of one revocation, by what its file is called.
#[must_use]
pub fn ring_file(owner: &str, stem: &str) -> String {
    format!("{owner}-{stem}")
}

/// The Secrets that an owner has, or has had in an earlier version or under an earlier spec, but for those that outlive it.
#[must_use]
pub fn secrets(owner: &str) -> [String; 7] {
    [
        redis(owner),
        redis_users(owner),
        redis_operator(owner),
        redis_rotation(owner),
        redis_ca(owner),
        redis_tls(owner),
        keys(owner),
    ]
}

/// Whether a Secret of this name would hold a key or a revocation: see [`ring_file`]. A revocation is named by the key that it
/// is about, or by its date.
#[must_use]
pub fn is_ring_file(owner: &str, name: &str) -> bool {
    let stem = name.strip_prefix(owner).and_then(|rest| rest.strip_prefix('-'));
    stem.is_some_and(|stem| match (stem.strip_prefix("key-"), stem.strip_prefix("revocation-")) {
        (Some(id), _) => is_guid(id),
        (_, Some(of)) => is_guid(of) || is_date(of),
        (None, None) => false,
    })
}

fn is_guid(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.into_iter().all(digits)
}

/// Such as `20260101t120000z`, perhaps with fractions of the second.
fn is_date(text: &str) -> bool {
    let parts = text.strip_suffix('z').and_then(|text| text.split_once('t'));
    let digits = |part: &str, least: usize| part.len() >= least && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(date, time)| digits(date, 8) && digits(time, 6))
}

/// Whether a Secret of this name would hold what outlives its owner: a key, a revocation, certificates.
#[must_use]
pub fn outlives_its_owner(owner: &str, name: &str) -> bool {
    is_ring_file(owner, name) || name == key_certificates(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILDREN: [fn(&str) -> String; 10] = [
        redis,
        redis_headless,
        redis_config,
        redis_users,
        redis_operator,
        redis_rotation,
        redis_ca,
        redis_tls,
        settings,
        keys,
    ];

    #[test]
    fn no_two_owners_share_the_name_of_a_child() {
        let suffixes: Vec<String> = CHILDREN.iter().map(|child| child("")).collect();
        for longer in &suffixes {
            for shorter in &suffixes {
                // An owner `x` and an owner `x<rest>` would collide where `<rest><shorter>` is another suffix.
                let rest = longer.strip_suffix(shorter.as_str()).unwrap_or_default();
                assert!(rest.is_empty(), "owners x and x{rest} would share x{longer}");
            }
        }
    }

    #[test]
    fn what_outlives_its_owner_is_told_by_its_name() {
        let id = "80732141-ec8f-4b80-af9c-c4d2d1ff8901";
        let keys = [format!("shop-key-{id}"), format!("shop-revocation-{id}")];
        let dates = ["19700101t000000z", "20260101t1200005z"].map(|date| format!("shop-revocation-{date}"));
        for name in keys.iter().chain(&dates).map(String::as_str).chain(["shop-keys-certificates"]) {
            assert!(outlives_its_owner("shop", name), "{name}");
        }
        let others = ["shop2-key-", "other-key-", "shop-key-key-", "shop-key-x"].map(|start| format!("{start}{id}"));
        let short = format!("shop-key-{}", &id[1..]);
        let upper = format!("shop-key-{}", id.to_uppercase());
        let plain = [
            "shop-keys",
            "shop-redis",
            "shop",
            "shop-key-",
            "shop-key-owned",
            "shop-revocation-",
            "shop-revocation-tz",
        ];
        for name in others.iter().chain([&short, &upper]).map(String::as_str).chain(plain) {
            assert!(!outlives_its_owner("shop", name), "{name}");
        }
    }

    #[test]
    fn the_longest_owner_leaves_room_for_what_kubernetes_appends() {
        let owner = "a".repeat(40);
        for child in CHILDREN {
            // A DNS label holds 63 characters; a StatefulSet's revision label takes eleven more than its name.
            assert!(child(&owner).len() <= 63);
        }
        assert!(redis(&owner).len() + 11 <= 63);
    }
}
