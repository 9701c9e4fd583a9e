//! The key ring of a cache in a pass: what there is of it, and the writes.
//!
//! In: the settings of the ring. Out: what was seen, as values; then the writes of its plan. Which Secrets there are is read
//! from the watch, and once more from the API server before any is made: an answer that was lost, or a watch that lags behind,
//! must not lead to a second key. No Secret of a key is ever changed or deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Client;

use super::{
    context::Context,
    observe::{ObserveError, find_secret, read_error},
};
use crate::{
    api::v1alpha1::{KeyRingStatus, OperationStatus},
    condition::Finding,
    data_protection::{
        health,
        objects::COMPONENT,
        observed::Observed,
        plan::{Plan, Publication, plan},
        published::Refused,
        settings::Settings,
        standing::Standing,
    },
    kubernetes::{
        identity::{ORPHANED, Owner},
        name,
        write::{self, WriteError},
    },
};

/// The key ring of a cache, as a pass sees it.
pub struct KeyRing {
    settings: Settings,
    observed: Observed,
    /// How far it is.
    pub standing: Standing,
    /// What was put right in this pass.
    corrected: Vec<Refused>,
}

impl KeyRing {
    /// Looks at what there is.
    ///
    /// # Errors
    /// Where the API server did not answer.
    pub async fn look(
        context: &Context,
        settings: Settings,
        operations: Vec<OperationStatus>,
        now: Timestamp,
    ) -> Result<Self, ObserveError> {
        let mut observed = Observed::nothing(operations);
        if settings.rotation.is_some() {
            observed =
                observe(context, &settings, observed.operations, watched(context, &settings), Vec::new()).await?;
        }
        let mut standing = Standing::read(&settings, &observed, now);
        let lacking: Vec<String> = standing.lacking(&settings).collect();
        if standing.mint.is_some() || !lacking.is_empty() {
            let names = listed(context, &settings).await?;
            if !lacking.is_empty() || names.iter().any(|name| !observed.has(name)) {
                observed = observe(context, &settings, observed.operations, names, lacking).await?;
                standing = Standing::read(&settings, &observed, now);
            }
        }
        Ok(Self { settings, observed, standing, corrected: Vec::new() })
    }

    /// Looks again at what was written a moment ago, so that it is told as it stands.
    ///
    /// # Errors
    /// Where the API server did not answer.
    pub async fn look_again(self, context: &Context, now: Timestamp) -> Result<Self, ObserveError> {
        forget(context, &self.settings.owner);
        let names = listed(context, &self.settings).await?;
        let lacking = self.standing.lacking(&self.settings).collect();
        let observed = observe(context, &self.settings, self.observed.operations, names, lacking).await?;
        let standing = Standing::read(&self.settings, &observed, now);
        let corrected = self.standing.ring.map(|ring| ring.published.strays).unwrap_or_default();
        Ok(Self { settings: self.settings, observed, standing, corrected })
    }

    /// What is to be written.
    #[must_use]
    pub fn plan(&self) -> Plan {
        plan(&self.settings, &self.observed, &self.standing)
    }

    /// What is said of it.
    #[must_use]
    pub fn finding(&self, now: Timestamp) -> Option<Finding> {
        health::finding(&self.settings, &self.observed, &self.standing, &self.corrected, now)
    }

    /// Each key, for the status.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Option<KeyRingStatus> {
        health::status(&self.settings, &self.observed, &self.standing, now)
    }

    /// When something changes by itself.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.standing.ring.as_ref().and_then(|ring| ring.wake_at)
    }
}

/// Has the next look ask for the published ring, whatever the watch shows by then.
pub fn forget(context: &Context, owner: &Owner) {
    context.secrets.forget(&owner.namespace, &[name::keys(&owner.name)]);
}

/// Carries a plan out: the Secrets of keys come before they are published, so that no key is ever in one place only that
/// somebody may write to. The ring is written over what was seen of it, and over nothing else: so it never shrinks, also where
/// somebody else, or an answer that was lost, has added a key meanwhile. Returns how many objects were written.
///
/// # Errors
/// The first write that failed. Those before it stand; the next pass goes on from there.
pub async fn apply(client: &Client, settings: &Settings, plan: Plan) -> Result<usize, WriteError> {
    let Plan { mint, files, mut ring } = plan;
    let mut changed = 0;
    if let Some(mint) = mint
        && let Some(made) = write::mint(client, |random| mint.secret(settings, random)).await?
    {
        tracing::info!(secret = made.metadata.name, why = %mint.key.why, "a key was made");
        ring = ring.map(|ring| ring.with(&made));
        changed += 1;
    }
    for secret in files {
        changed += usize::from(write::create(client, &secret).await?.is_some());
    }
    if let Some(Publication { secret, strays }) = ring {
        if secret.metadata.uid.is_none() {
            write::create(client, &secret).await?;
        } else if strays.is_empty() {
            write::apply(client, &secret).await?;
        } else {
            write::amend(client, &secret, &strays).await?;
        }
        changed += 1;
    }
    Ok(changed)
}

/// Reads the Secrets of these names, the published one, and what stands under the names of those that are lacking.
async fn observe(
    context: &Context,
    settings: &Settings,
    operations: Vec<OperationStatus>,
    names: Vec<String>,
    lacking: Vec<String>,
) -> Result<Observed, ObserveError> {
    let owner = &settings.owner;
    let (mut files, mut taken) = (Vec::new(), BTreeMap::new());
    let lacking: Vec<String> = lacking.into_iter().filter(|name| !names.contains(name)).collect();
    let count = names.len();
    for (index, name) in names.into_iter().chain(lacking).enumerate() {
        let live = context.secrets.read(&owner.namespace, &name).await;
        let Some(secret) = live.map_err(|source| read_error::<Secret>(&name, source))? else { continue };
        if is_file(settings, &secret.metadata) {
            files.push(secret);
        } else if index >= count {
            let holder = Some(owner.holder(&secret.metadata)).filter(|holder| holder != ORPHANED);
            taken.insert(name, holder.unwrap_or_else(|| "nobody, since its labels were removed".to_owned()));
        }
    }
    let ring = find_secret(context, owner, &name::keys(&owner.name)).await?;
    Ok(Observed::new(files, ring, taken, operations))
}

/// Whether a Secret is of a key, or of a revocation, of this cache.
fn is_file(settings: &Settings, metadata: &ObjectMeta) -> bool {
    let owner = &settings.owner;
    let is_named = metadata.name.as_deref().is_some_and(|name| name::is_ring_file(&owner.name, name));
    is_named && owner.is_labelled(COMPONENT, metadata)
}

fn watched(context: &Context, settings: &Settings) -> Vec<String> {
    context.secrets.watched(&settings.owner.namespace, |metadata| is_file(settings, metadata))
}

async fn listed(context: &Context, settings: &Settings) -> Result<Vec<String>, ObserveError> {
    let owner = &settings.owner;
    let listed = context.secrets.labelled(&owner.namespace, &owner.list_selector(COMPONENT)).await;
    let listed = listed.map_err(|source| read_error::<Secret>(&name::ring_file(&owner.name, "key-*"), source))?;
    Ok(listed.into_iter().filter(|name| name::is_ring_file(&owner.name, name)).collect())
}
