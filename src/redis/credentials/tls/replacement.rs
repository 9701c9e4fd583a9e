//! A server that serves a certificate which nobody trusts: when its pod is replaced for that.
//!
//! It can only have got one that the operator neither made nor checked: its Secret was overwritten and its pod, which names no
//! file after its certificate yet, restarted; or somebody used CONFIG SET. Where the operator holds a connection from before,
//! on which that server proved who it is, it has the right certificate loaded over that one, within a look, and nothing is lost.
//! It never opens a connection for it to a server that proves nothing: that would give its password, and every entry, to
//! whoever answers at the pod's address. So what is left is to replace the pod. No application can connect to it meanwhile, but
//! some may be connected from before: so it is said first, and waited for a while, longer where entries are lost with the pod.
//!
//! In: the settings, what was observed, what is known of the certificate, the time. Out: when. It is never because of what time
//! alone does to a certificate, nor of one that any trusted authority signed for this name; not while the cache is paused, since
//! then nothing is written; and at most once an hour, should the next pod serve such a one too.

use jiff::{SignedDuration, Timestamp};

use super::Tls;
use crate::{
    capability::time::whole,
    redis::{
        live::Live,
        look::fault::{Fault, Untrusted},
        server::{objects::RESTARTED_ANNOTATION, pods::server_in},
        settings::Settings,
        tls::certificate::{Distrust, Fingerprint},
    },
};

/// How long is waited where a restart brings every entry back: as long as kubelet may take to bring a Secret to a pod.
pub const WAIT: SignedDuration = SignedDuration::from_mins(2);
/// How long is waited where a restart loses them.
pub const LONG_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// How long is waited where the pod has been replaced for it already.
pub const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How old a look may be that is gone by.
const RECENT: SignedDuration = SignedDuration::from_mins(2);

/// A pod that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// When.
    pub at: Timestamp,
    /// When it was replaced for it before.
    pub before: Option<Timestamp>,
    /// Whether that time has come.
    pub is_due: bool,
}

/// When the pod is to be replaced; `None` where nothing is the matter.
#[must_use]
pub fn replacement(settings: &Settings, observed: &Live, tls: &Tls, now: Timestamp) -> Option<Replacement> {
    // With nothing to start with, another pod would not come.
    let wanted = &tls.identity().filter(|_| tls.lets_start())?.certificate;
    let running = server_in(settings, observed.pods.first()?)?;
    let sample = observed.samples.iter().find(|sample| sample.server == running)?;
    let Err(Fault::Certificate(untrusted)) = &sample.outcome else { return None };
    if now.duration_since(sample.taken) > RECENT {
        return None;
    }
    let since = foreign_since(untrusted, wanted)?;
    let wait = if settings.persistence.is_some() { WAIT } else { LONG_WAIT };
    let before = restarted(observed).and_then(|at| at.parse().ok());
    let at = whole(before.map_or(since + wait, |before: Timestamp| (since + wait).max(before + AGAIN)));
    Some(Replacement { at, before, is_due: now >= at })
}

/// Since when a certificate is shown that is none of the cache's; `None` where it may be one.
fn foreign_since(untrusted: &Untrusted, wanted: &Fingerprint) -> Option<Timestamp> {
    let shown = untrusted.shown.as_ref()?;
    let is_a_matter_of_time = matches!(untrusted.why, Distrust::Expired | Distrust::NotYetValid);
    untrusted.since.filter(|_| !is_a_matter_of_time && shown.fingerprint != *wanted)
}

/// When the pod that the `StatefulSet` asks for was last replaced for this.
#[must_use]
pub fn restarted(observed: &Live) -> Option<&str> {
    let template = &observed.stateful_set.owned()?.spec.as_ref()?.template;
    template.metadata.as_ref()?.annotations.as_ref()?.get(RESTARTED_ANNOTATION).map(String::as_str)
}
