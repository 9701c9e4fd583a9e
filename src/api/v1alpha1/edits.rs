//! What an edit of each field of the spec leads to: the one table, from which `docs/edits.md` and the chart's warnings are made.
//!
//! In: nothing. Out: [`EDITS`]. `tests/plan/edits.rs` and `tests/api/behaviour/edits.rs` hold it to what is done.

/// What an edit leads to on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing reaches it.
    Nothing,
    /// It is changed while it runs.
    Running,
    /// Its pod is replaced.
    Restart,
    /// It is changed while it runs where its container suits that; else its pod is replaced.
    RestartUnlessItSuits,
    /// The API server refuses it.
    Refused,
}

/// An edit of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// The field's path in the spec, and all that is below it.
    pub field: &'static str,
    /// What it leads to on the server.
    pub consequence: Consequence,
    /// What else it leads to; may be empty.
    pub beside: &'static str,
}

const fn edit(field: &'static str, consequence: Consequence, beside: &'static str) -> Edit {
    Edit { field, consequence, beside }
}

/// Every field of the spec.
pub const EDITS: [Edit; 33] = {
    use Consequence::{Nothing, Refused, Restart, RestartUnlessItSuits, Running};
    [
        edit("redis.image", Restart, ""),
        edit("redis.imagePullPolicy", Restart, ""),
        edit("redis.acceptedVersion", Nothing, ""),
        edit("redis.maxMemory", RestartUnlessItSuits, "less evicts the entries that find no room any more"),
        edit("redis.evictionPolicy", Running, ""),
        edit("redis.persistence", Refused, "it can neither be added nor removed"),
        edit("redis.persistence.size", Refused, "the claim itself can be made larger"),
        edit("redis.persistence.storageClassName", Refused, ""),
        edit("redis.persistence.whenDeleted", Nothing, "with `Delete`, deleting the TokenCache deletes every entry"),
        edit(
            "redis.tls.mode",
            Restart,
            "applications have to read the connection Secret again; between `Managed` and `Secret` nothing restarts",
        ),
        edit("redis.tls.secretName", Running, "applications have to trust who signed the other certificate"),
        edit("redis.acl", Running, "a shorter list refuses clients that need a longer one"),
        edit("redis.networkPolicy", Nothing, "`Namespace` cuts off applications that connect from elsewhere"),
        edit("redis.passwordRotation.overlap", Nothing, "a shorter one ends a rotation sooner"),
        edit("redis.passwordRotation.wait", Nothing, ""),
        edit("redis.pod.resources.requests", Restart, ""),
        edit("redis.pod.resources.limits", Restart, ""),
        edit("redis.pod.nodeSelector", Restart, ""),
        edit("redis.pod.tolerations", Restart, ""),
        edit("redis.pod.affinity", Restart, ""),
        edit("redis.pod.topologySpreadConstraints", Restart, ""),
        edit("redis.pod.priorityClassName", Restart, ""),
        edit("redis.pod.imagePullSecrets", Restart, ""),
        edit("entries.instanceName", Refused, "every stored entry would be lost to applications"),
        edit("entries.encrypt", Nothing, ""),
        edit("entries.inspect", Nothing, ""),
        edit("dataProtection.mode", Nothing, "with `None`, no further key is made; what is published stays"),
        edit("dataProtection.applicationName", Nothing, ""),
        edit("dataProtection.rotation.every", Nothing, ""),
        edit("dataProtection.rotation.publishAhead", Nothing, ""),
        edit("dataProtection.certificate.secretName", Nothing, "new keys need it: applications have to mount it first"),
        edit("dataProtection.previous", Nothing, "a certificate that a key still needs stays published"),
        edit("dataProtection.import.secretName", Nothing, "what was taken over stays"),
    ]
};
