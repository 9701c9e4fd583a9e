//! `spec.dataProtection`, and what the status says of the key ring.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key ring of ASP.NET Core Data Protection, which all servers of an application share.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "self.mode != 'None' || (!has(self.certificate) && !has(self.previous) && !has(self.__import__))"
    ).message(
        "dataProtection.certificate, previous and import say nothing with dataProtection.mode None: set mode to Managed, or remove them"
    ),
    validation = Rule::new(
        "!has(self.certificate) || !self.rotation.every.matches('^[0-9]{1,9}(d|h|m|s)$') || int(self.rotation.every.substring(0, self.rotation.every.size() - 1)) * (self.rotation.every.endsWith('d') ? 86400 : self.rotation.every.endsWith('h') ? 3600 : self.rotation.every.endsWith('m') ? 60 : 1) >= 2592000"
    ).message(
        "with dataProtection.certificate, rotation.every must be at least 30d, such as 90d: encrypted keys take four times the room, and none is ever removed"
    )
)]
pub struct DataProtectionSpec {
    /// Who makes the keys. `Managed`: the operator makes them and publishes them in Secret `<name>-keys`, which
    /// applications mount whole. `None`: nobody; keys and Secrets that exist already stay as they are.
    #[serde(default)]
    pub mode: DataProtectionMode,
    /// The name under which applications encrypt, by which the operator reads stored entries: what they give to
    /// `SetApplicationName`, or else the folder that they run in (the content root), such as /app. If unset, it is found out
    /// from stored entries, where it is /app, /app/ or the name of the `TokenCache`. It changes nothing in applications: all
    /// that are to read each other's entries need the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(
        validation = Rule::new("self.size() > 0").message(
            "applicationName is empty: write what applications give to SetApplicationName, or remove the field"
        )
    )]
    pub application_name: Option<String>,
    /// How often another key follows. It restarts nothing, and no key is ever removed.
    #[serde(default)]
    pub rotation: KeyRotationSpec,
    /// The certificate that new keys are encrypted to; without one they are plain. Its Secret is of type
    /// `kubernetes.io/tls`, with `tls.crt` and `tls.key`, as cert-manager writes it, and has an RSA key of at least 2048
    /// bits. Applications find it in Secret `<name>-keys-certificates`, with every earlier one that a key still needs. A
    /// renewed certificate is used once every process that uses the ring has started after it was published. Keys that exist
    /// already stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<NamedSecret>,
    /// Certificates of the same form that keys are encrypted to which exist already, such as those of a ring that is
    /// imported. They are published too. A certificate that `certificate` named earlier is kept without being named here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["secretName".into()]))]
    pub previous: Vec<NamedSecret>,
    /// A ring that exists already, to be taken over: its Secret holds key files (`*.xml`), or the one file that
    /// `PersistKeysToAzureBlobStorage` writes. Its keys go on as they are, and others follow them. Until it was read, no first
    /// key is made. Once its keys are taken over, the Secret and this field may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<NamedSecret>,
}

/// A Secret of this namespace, which the operator reads and never changes.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NamedSecret {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message(
            "secretName must be the name of a Secret: lower-case letters, digits, '-' and '.'"
        )
    )]
    pub secret_name: String,
}

/// Who makes the keys.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DataProtectionMode {
    /// The operator.
    #[default]
    Managed,
    /// Nobody.
    None,
}

/// How often another key follows. Each key is published `publishAhead` before it encrypts, so that every server knows it by
/// then, and decrypts for ever.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!self.every.matches('^[0-9]{1,9}(d|h|m|s)$') || !self.publishAhead.matches('^[0-9]{1,9}(d|h|m|s)$') || int(self.publishAhead.substring(0, self.publishAhead.size() - 1)) * (self.publishAhead.endsWith('d') ? 86400 : self.publishAhead.endsWith('h') ? 3600 : self.publishAhead.endsWith('m') ? 60 : 1) <= int(self.every.substring(0, self.every.size() - 1)) * (self.every.endsWith('d') ? 86400 : self.every.endsWith('h') ? 3600 : self.every.endsWith('m') ? 60 : 1)"
    ).message(
        "rotation.publishAhead must not be longer than rotation.every: shorten the one, or lengthen the other"
    )
)]
pub struct KeyRotationSpec {
    /// The time from the first use of a key to the first use of the next one: a whole number with one of the suffixes
    /// s, m, h, d, from 7d to 3650d.
    #[serde(default = "default_every")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^[0-9]{1,9}(d|h|m|s)$') && int(self.substring(0, self.size() - 1)) * (self.endsWith('d') ? 86400 : self.endsWith('h') ? 3600 : self.endsWith('m') ? 60 : 1) >= 604800 && int(self.substring(0, self.size() - 1)) * (self.endsWith('d') ? 86400 : self.endsWith('h') ? 3600 : self.endsWith('m') ? 60 : 1) <= 315360000"
        ).message(
            "rotation.every must be a whole number with the suffix s, m, h or d, from 7d to 3650d, such as 90d"
        )
    )]
    pub every: String,
    /// How long before its first use a key is published: a whole number with one of the suffixes s, m, h, d, at least 48h,
    /// since applications read the ring once a day and one read may fail, and at most `every`.
    #[serde(default = "default_publish_ahead")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^[0-9]{1,9}(d|h|m|s)$') && int(self.substring(0, self.size() - 1)) * (self.endsWith('d') ? 86400 : self.endsWith('h') ? 3600 : self.endsWith('m') ? 60 : 1) >= 172800"
        ).message(
            "rotation.publishAhead must be a whole number with the suffix s, m, h or d, at least 48h, such as 72h: applications read the ring once a day"
        )
    )]
    pub publish_ahead: String,
}

impl Default for KeyRotationSpec {
    fn default() -> Self {
        Self { every: default_every(), publish_ahead: default_publish_ahead() }
    }
}

fn default_every() -> String {
    "90d".to_owned()
}

fn default_publish_ahead() -> String {
    "72h".to_owned()
}

/// The key ring, as it is published.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeyRingStatus {
    /// The Secret that applications mount, whole.
    pub secret: String,
    /// The key that encrypts, by the first digits of its id; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// The thumbprint of the certificate that new keys are encrypted to; absent where they are plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// When the next key is published; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<Time>,
    /// The name under which applications encrypt: as the spec has it, or as it was found out from stored entries; absent
    /// where it is not known, or where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// Every key, in the order of their first use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub keys: Vec<KeyStatus>,
}

/// One key of the ring.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// Its id.
    pub id: String,
    /// What it is good for now.
    pub state: KeyState,
    /// When the operator made it, or took it over.
    pub created: Time,
    /// The date of creation that stands in the key, as applications read it. It is earlier than `created` where the key encrypts
    /// at once: of a younger one, .NET 9 and later suppose that other servers do not have it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<Time>,
    /// From when on it encrypts.
    pub activates: Time,
    /// Until when it could encrypt. It decrypts for ever.
    pub expires: Time,
    /// Whether stored entries are encrypted with it; absent while that is not known. Cookies are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
}

/// What a key is good for.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is published, and its time to encrypt has not come.
    Pending,
    /// It encrypts and decrypts.
    Active,
    /// It decrypts: a newer one encrypts.
    Superseded,
    /// It decrypts: its time to encrypt is over.
    Expired,
    /// It was revoked: what it encrypted cannot be read any more.
    Revoked,
    /// What it holds cannot be read.
    Unreadable,
}
