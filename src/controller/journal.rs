//! What the log names at `info`: what the operator did that changes the world, and what others fight over. Each line says of
//! which cache, which request it answers where there is one, and why.
//!
//! In: what was done. Out: lines of the log. That a pass was made is for debugging.

use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::ObjectReference},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::watch::GuardedRef;
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType},
    capability::part::Operation,
    condition::Reason,
    kubernetes::{
        event::Event,
        object::Object,
        write::{Answer, Write},
    },
    redis,
};

/// A stage that an operation has reached.
pub type Stage = (OperationType, Option<Time>, OperationStage);

/// Logs the stages that operations have reached in the rounds of a pass. `logged` are those that were since this process
/// started: the status may not say so yet.
pub fn operations(
    key: &GuardedRef,
    rounds: &[Vec<Operation>],
    previous: &[OperationStatus],
    mut logged: Vec<Stage>,
) -> Vec<Stage> {
    let stage = |entry: &OperationStatus| (entry.type_, entry.requested.clone(), entry.stage);
    let before: Vec<Stage> = previous.iter().map(stage).collect();
    for operation in rounds.iter().flatten() {
        let entry = &operation.entry;
        if before.contains(&stage(entry)) || logged.contains(&stage(entry)) {
            continue;
        }
        // Of a request nothing is left to be logged once another one has come.
        logged.retain(|(type_, requested, _)| *type_ != entry.type_ || *requested == entry.requested);
        logged.push(stage(entry));
        let requested = entry.requested.as_ref().map(|requested| requested.0.to_string());
        tracing::info!(
            cache = key.name,
            namespace = key.namespace,
            operation = ?entry.type_,
            requested,
            stage = ?entry.stage,
            "{}",
            entry.message
        );
    }
    logged
}

/// Logs an event that tells of a deed or a fight. Those about operations are told by [`operations`].
pub fn event(of: &ObjectReference, event: &Event) {
    let is_told = Reason::named(event.reason).is_some_and(is_deed);
    if is_told {
        tracing::info!(cache = of.name, namespace = of.namespace, reason = event.reason, "{}", event.note);
    }
}

fn is_deed(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Contested
            | Reason::NetworkPolicyContested
            | Reason::NameTaken
            | Reason::NetworkPolicyNameTaken
            | Reason::DriftCorrected
            | Reason::ScriptEnded
            | Reason::PasswordEditUndone
            | Reason::NewPassword
            | Reason::KeyMinted
            | Reason::KeyCertificateRenewed
            | Reason::CertificateServed
            | Reason::ObjectsAdopted
            | Reason::ObjectDeleted
            | Reason::ObjectLeftAlone
    )
}

/// Logs a write that made a Secret with random bytes, made a server, or replaces its pod. `live` is the `StatefulSet` as it was.
pub fn change(key: &GuardedRef, write: &Write, answer: &Answer, live: Option<&StatefulSet>) {
    let Answer::Stored(stored) = answer else { return };
    match write {
        Write::Mint(_) => {
            tracing::info!(cache = key.name, namespace = key.namespace, secret = stored.name(), "a Secret was made");
        }
        Write::Create(Object::StatefulSet(_)) => {
            tracing::info!(cache = key.name, namespace = key.namespace, "a Redis server is being made");
        }
        Write::Apply(Object::StatefulSet(wanted)) => {
            let causes = live.map(|live| redis::replaces_pod_for(live, wanted)).unwrap_or_default();
            if !causes.is_empty() {
                let cause = causes.join(", ");
                tracing::info!(cache = key.name, namespace = key.namespace, cause, "the Redis pod is being replaced");
            }
        }
        _ => {}
    }
}
