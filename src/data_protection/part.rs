//! The key ring's part of a pass.
//!
//! In: the settings, the Secrets that were seen, how far the ring is, what stored entries show. Out: what is to be written, and what
//! is said.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    findings::{
        changes::{mends, minted, renewed},
        finding, status,
    },
    operations, plan,
    ring::in_use::InUse,
    secrets::RingSecrets,
    settings::Settings,
    state::RingState,
};
use crate::{
    api::v1alpha1::{KeyRingStatus, KeyStatus},
    capability::part::{Awaited, Group, Needs, Part, StatusShare},
    condition::Reason,
    kubernetes::identity::labels::Lacking,
};

/// The name of the group of writes.
pub const GROUP: &str = "key ring";

/// What is to be written. What applications encrypt with does not wait for Redis; but none is begun for a spec that may be refused.
#[must_use]
pub fn plan(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    unmarked: Vec<(ObjectMeta, Lacking)>,
) -> Part {
    let plan::RingWrites { begins, writes } = plan::plan(settings, observed, state, unmarked);
    let mends = if writes.is_empty() { Vec::new() } else { mends(settings, observed, state) };
    let needs = if begins { Needs::AcceptedSpec } else { Needs::Nothing };
    let group = Group { name: GROUP, needs, is_chain: true, rehearsal: None, writes, unneeded: Vec::new(), mends };
    Part { groups: vec![group], ..Part::default() }
}

/// What is said of the ring. `mended` is what this pass has put right in it, `before` what the status says.
#[must_use]
pub fn assessment(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    in_use: Option<&InUse>,
    (mended, before): (&[String], Option<&KeyRingStatus>),
    now: Timestamp,
) -> Part {
    let event = |note| (Reason::KeyMinted, note);
    let key_ring =
        status::status(settings, observed, state, now).map(|status| status::with_use(status, settings, in_use, before));
    let is_unused = |key: &&KeyStatus| key.in_use == Some(false);
    let unused: Vec<&str> =
        key_ring.iter().flat_map(|ring| &ring.keys).filter(is_unused).map(|key| key.id.as_str()).collect();
    let renewed = key_ring.as_ref().and_then(|ring| renewed(ring, before));
    let renewed = renewed.map(|note| (Reason::KeyCertificateRenewed, note));
    let findings = finding(settings, observed, state, (mended, &unused), now).into_iter().collect();
    let operations = [&state.operation, &state.revoke.operation].into_iter().flatten().cloned();
    Part {
        findings,
        // That something was put right holds for this pass only.
        awaits: mended.first().map(|_| Awaited::NextPass).into_iter().collect(),
        operations: operations.map(operations::told).collect(),
        events: minted(settings, observed, state, before).into_iter().map(event).chain(renewed).collect(),
        status: StatusShare { key_ring, ..StatusShare::default() },
        wake_at: state.next_wake(now),
        ..Part::default()
    }
}
