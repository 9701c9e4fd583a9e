//! The operator's own login: its password, which earlier one servers may still have, and which one pods were started with.
//!
//! In: its Secret, what servers were told of the users, the `StatefulSet`, the looks, the time. Out: an [`OperatorLogin`], or the
//! order for a new one. Nothing is drawn here.
//!
//! A password that is lost or replaced is followed by another one while servers run. A connection that is held to a server
//! teaches it the new one, so that no pod is replaced; where there is none, the pod is, and starts with the new users' file.
//! The earlier hashes stay valid for the overlap, and at least for as long as kubelet may take: until it has brought the new
//! file to a pod, its readiness probe logs in with the earlier password.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{bytes, in_use, mint::in_place_of, text};
use crate::{
    capability::time::{after, whole},
    kubernetes::read::process::KUBELET_DELAY,
    redis::{
        access::{
            acl::{OPERATOR, PROBE},
            password::{Password, PasswordHash, login_mark},
        },
        live::Live,
        look::fault::Fault,
        server::objects::{self, OPERATOR_LOGIN_ANNOTATION},
        settings::Settings,
    },
};

/// The hashes of the earlier passwords, one a line: the operator's, and the probe's.
const EARLIER_KEY: &str = "earlier";
const EARLIER_PROBE_KEY: &str = "earlier-probe";
/// When the earlier one was followed.
const REPLACED_KEY: &str = "replaced";
/// The mark of the login that pods were started with, where it is an earlier one.
const STARTED_WITH_KEY: &str = "started-with";

/// The operator's own login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorLogin {
    /// Its password.
    pub password: Password,
    /// What is valid beside it.
    pub earlier: Option<EarlierLogin>,
    /// What pods say of the login that they were started with: one that says something else is replaced.
    pub mark: String,
}

/// Logins that are valid beside the current one, for the overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierLogin {
    operator: Vec<PasswordHash>,
    probe: Vec<PasswordHash>,
    replaced: Timestamp,
}

/// A login that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLogin {
    earlier: Option<EarlierLogin>,
    started_with: Option<String>,
    /// The Secret that it takes the place of.
    replaces: Option<ObjectMeta>,
}

impl OperatorLogin {
    /// Reads the Secret; `None` where there is none, or it holds no password.
    #[must_use]
    pub fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Option<Self> {
        let secret = observed.operator_login.owned()?;
        let written = Password::parse(bytes(secret, objects::PASSWORD_KEY)).ok();
        let password = written.filter(Password::may_be_generated)?;
        let told = in_use(observed, OPERATOR);
        let recorded = EarlierLogin::recorded(secret);
        let is_recorded = |recorded: &EarlierLogin| told.iter().all(|hash| recorded.operator.contains(hash));
        let is_new = !told.is_empty() && !told.contains(&password.sha256());
        let is_replaced = is_new && !recorded.as_ref().is_some_and(is_recorded);
        let earlier = if is_replaced { EarlierLogin::of(observed, now) } else { recorded };
        let is_over = |earlier: &EarlierLogin| now >= earlier.ends(settings);
        let earlier = earlier.filter(|earlier| !is_over(earlier));
        let own = login_mark(&password.sha256());
        let noted = text(secret, STARTED_WITH_KEY).filter(|mark| !mark.is_empty()).map(str::to_owned);
        let started_with = if is_replaced { started_with(observed) } else { noted };
        let is_refused = earlier.as_ref().is_some_and(|earlier| is_refused(observed, &password, earlier.replaced));
        let mark = started_with.filter(|_| !is_refused).unwrap_or(own);
        Some(Self { password, earlier, mark })
    }

    /// The hashes of the operator's passwords that are valid.
    #[must_use]
    pub fn operator_hashes(&self) -> Vec<PasswordHash> {
        with(self.password.sha256(), self.earlier.as_ref().map(|earlier| &earlier.operator))
    }

    /// The hashes of the probe's passwords that are valid.
    #[must_use]
    pub fn probe_hashes(&self) -> Vec<PasswordHash> {
        let probe = objects::probe_password(&self.password).sha256();
        with(probe, self.earlier.as_ref().map(|earlier| &earlier.probe))
    }

    /// When the earlier one ends.
    #[must_use]
    pub fn wake_at(&self, settings: &Settings) -> Option<Timestamp> {
        self.earlier.as_ref().map(|earlier| earlier.ends(settings))
    }

    /// The Secret.
    #[must_use]
    pub fn secret(&self, settings: &Settings) -> Secret {
        let started_with = Some(&self.mark).filter(|mark| **mark != login_mark(&self.password.sha256()));
        secret(settings, &self.password, self.earlier.as_ref(), started_with)
    }
}

impl NewLogin {
    /// The order for a Secret that is not there, or holds no password.
    #[must_use]
    pub fn of(observed: &Live, now: Timestamp) -> Self {
        let replaces = observed.operator_login.owned().map(|secret| secret.metadata.clone());
        let earlier = EarlierLogin::of(observed, now);
        // Where nothing is known of what a server was told, none can be taught anything.
        let started_with = earlier.as_ref().and_then(|_| started_with(observed));
        Self { earlier, started_with, replaces }
    }

    /// The Secret, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let password = Password::from_random(random)?;
        let secret = secret(settings, &password, self.earlier.as_ref(), self.started_with.as_ref());
        Some(in_place_of(self.replaces.as_ref(), secret))
    }
}

impl EarlierLogin {
    /// What servers were told last.
    fn of(observed: &Live, now: Timestamp) -> Option<Self> {
        let operator = in_use(observed, OPERATOR);
        let probe = in_use(observed, PROBE);
        (!operator.is_empty()).then(|| Self { operator, probe, replaced: whole(now) })
    }

    fn recorded(secret: &Secret) -> Option<Self> {
        let hashes = |key| -> Vec<PasswordHash> {
            let words = text(secret, key).unwrap_or_default().split_ascii_whitespace();
            words.filter_map(PasswordHash::parse).collect()
        };
        let replaced = text(secret, REPLACED_KEY)?.parse().ok()?;
        let (operator, probe) = (hashes(EARLIER_KEY), hashes(EARLIER_PROBE_KEY));
        (!operator.is_empty()).then_some(Self { operator, probe, replaced })
    }

    fn ends(&self, settings: &Settings) -> Timestamp {
        after(self.replaced, settings.rotation.overlap.max(KUBELET_DELAY))
    }
}

fn with(hash: PasswordHash, earlier: Option<&Vec<PasswordHash>>) -> Vec<PasswordHash> {
    let mut hashes: Vec<PasswordHash> = earlier.into_iter().flatten().cloned().chain([hash]).collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

fn secret(
    settings: &Settings,
    password: &Password,
    earlier: Option<&EarlierLogin>,
    started_with: Option<&String>,
) -> Secret {
    let lines = |hashes: &[PasswordHash]| hashes.iter().map(PasswordHash::as_hex).collect::<Vec<_>>().join("\n");
    let noted = earlier.into_iter().flat_map(|earlier| {
        [
            (EARLIER_KEY, lines(&earlier.operator)),
            (EARLIER_PROBE_KEY, lines(&earlier.probe)),
            (REPLACED_KEY, earlier.replaced.to_string()),
        ]
    });
    let noted = noted.chain(started_with.map(|mark| (STARTED_WITH_KEY, mark.clone())));
    let more: BTreeMap<String, ByteString> =
        noted.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect();
    let mut secret = objects::operator_login(settings, password);
    secret.data.get_or_insert_default().extend(more);
    secret
}

/// What the pods that there are were started with.
fn started_with(observed: &Live) -> Option<String> {
    let template = &observed.stateful_set.owned()?.spec.as_ref()?.template;
    template.metadata.as_ref()?.annotations.as_ref()?.get(OPERATOR_LOGIN_ANNOTATION).cloned()
}

/// Whether a server refuses this password since then: nobody could teach it.
fn is_refused(observed: &Live, password: &Password, since: Timestamp) -> bool {
    let hash = password.sha256();
    observed.samples.iter().any(|sample| {
        let asked_with = super::told(sample, OPERATOR).is_some_and(|hashes| hashes.contains(&hash));
        sample.taken >= since && asked_with && sample.outcome == Err(Fault::WrongPassword)
    })
}
