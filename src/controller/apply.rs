//! Carries a plan out. It decides nothing: it writes what the plan says, in the order in which the objects need each
//! other, and stops at the first write that fails.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};
use kube::Client;

use super::{key_ring, plan::Plan};
use crate::{
    data_protection,
    kubernetes::{
        child::{Child, ChildKind},
        settled::Settled,
        write::{self, WriteError},
    },
    redis::{self, settings::Settings},
};

/// A plan that was carried out. Only this can be reported as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// How many objects were written or deleted.
    pub changed: usize,
    /// How many of them were of the key ring.
    pub of_ring: usize,
    /// The Secrets whose bytes were drawn, which the next pass needs.
    pub minted: Vec<String>,
    /// What the API server made of the `StatefulSet`, where it was applied.
    pub settled: Option<Settled>,
}

/// What was done to an object as a whole, which is told also where the plan was not finished.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectChange {
    /// It was deleted.
    Deleted(Child),
    /// It was owned by nobody, and is the cache's again.
    Adopted(Child),
}

/// Carries a plan out, and notes in `changes` what is to be told of it. The key ring and the rest do not wait for each other:
/// neither is to fail because the other does.
///
/// # Errors
/// A write that failed. Those before it stand; the next pass goes on from there.
pub async fn apply(
    client: &Client,
    settings: &Settings,
    ring_settings: &data_protection::settings::Settings,
    plan: Plan,
    changes: &mut Vec<ObjectChange>,
) -> Result<Applied, WriteError> {
    // Without `..`: something that is planned and not carried out does not compile.
    let Plan { rehearsal, adoptions, ring, redis, retirees } = plan;
    let rehearsed = match rehearsal {
        Some(stateful_set) => write::rehearse(client, &stateful_set).await,
        None => Ok(()),
    };
    // A ring that is there already is kept up also where the rest of the spec is refused.
    let ring = if rehearsed.is_ok() || !ring.begins() {
        key_ring::apply(client, ring_settings, ring, changes).await
    } else {
        Ok(0)
    };
    rehearsed?;
    let adopted = adopt(client, settings, adoptions, changes).await?;
    let applied = without_ring(client, settings, redis).await?;
    let retired = retire(client, retirees, changes).await?;
    let of_ring = ring?;
    Ok(Applied { changed: adopted + applied.changed + retired + of_ring, of_ring, ..applied })
}

async fn without_ring(client: &Client, settings: &Settings, redis: redis::Plan) -> Result<Applied, WriteError> {
    let redis::Plan {
        mints,
        service_account,
        network_policy,
        config_maps,
        secrets,
        clearances,
        services,
        stateful_set,
        claim,
    } = redis;
    let minted = mints.iter().map(|mint| mint.name(settings)).collect();
    let mut changed = 0;
    for mint in mints {
        write::mint(client, |random| mint.secret(settings, random)).await?;
        changed += 1;
    }
    for secret in secrets {
        write::apply(client, &secret).await?;
        changed += 1;
    }
    for redis::Clearance { secret, keys } in clearances {
        write::clear(client, &secret, &keys).await?;
        changed += 1;
    }
    for config_map in config_maps {
        write::apply(client, &config_map).await?;
        changed += 1;
    }
    if let Some(service_account) = service_account {
        write::apply(client, &service_account).await?;
        changed += 1;
    }
    for service in services {
        write::apply(client, &service).await?;
        changed += 1;
    }
    let mut settled = None;
    if let Some(stateful_set) = stateful_set {
        let answer = write::apply(client, &stateful_set).await?;
        settled = Settled::new(&answer, &stateful_set.spec);
        changed += 1;
    }
    // Last of what is made: where a cluster's own policies forbid it, all else is there.
    if let Some(network_policy) = network_policy {
        write::apply(client, &network_policy).await?;
        changed += 1;
    }
    if let Some((seen, lacking)) = claim {
        write::mark::<PersistentVolumeClaim>(client, &seen, &lacking).await?;
        changed += 1;
    }
    Ok(Applied { changed, of_ring: 0, minted, settled })
}

/// Makes objects the cache's own again, and returns how many.
async fn adopt(
    client: &Client,
    settings: &Settings,
    adoptions: Vec<Child>,
    changes: &mut Vec<ObjectChange>,
) -> Result<usize, WriteError> {
    let (count, owner) = (adoptions.len(), &settings.owner);
    for child in adoptions {
        match child.kind {
            ChildKind::StatefulSet => write::adopt::<StatefulSet>(client, &child.metadata, owner).await?,
            ChildKind::Service => write::adopt::<Service>(client, &child.metadata, owner).await?,
            ChildKind::ConfigMap => write::adopt::<ConfigMap>(client, &child.metadata, owner).await?,
            ChildKind::Secret => write::adopt::<Secret>(client, &child.metadata, owner).await?,
            ChildKind::ServiceAccount => write::adopt::<ServiceAccount>(client, &child.metadata, owner).await?,
            ChildKind::NetworkPolicy => write::adopt::<NetworkPolicy>(client, &child.metadata, owner).await?,
        }
        changes.push(ObjectChange::Adopted(child));
    }
    Ok(count)
}

/// Deletes objects, and returns how many.
async fn retire(client: &Client, retirees: Vec<Child>, changes: &mut Vec<ObjectChange>) -> Result<usize, WriteError> {
    let count = retirees.len();
    for child in retirees {
        match child.kind {
            ChildKind::StatefulSet => write::retire::<StatefulSet>(client, &child.metadata).await?,
            ChildKind::Service => write::retire::<Service>(client, &child.metadata).await?,
            ChildKind::ConfigMap => write::retire::<ConfigMap>(client, &child.metadata).await?,
            ChildKind::Secret => write::retire::<Secret>(client, &child.metadata).await?,
            ChildKind::ServiceAccount => write::retire::<ServiceAccount>(client, &child.metadata).await?,
            ChildKind::NetworkPolicy => write::retire::<NetworkPolicy>(client, &child.metadata).await?,
        }
        changes.push(ObjectChange::Deleted(child));
    }
    Ok(count)
}
