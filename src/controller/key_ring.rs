//! The key ring of a cache in a pass: what there is of it, and the writes.
//!
//! In: the settings of the ring. Out: what was seen, as values; then the writes of its plan. Which Secrets there are is read
//! from the watch, and once more from the API server before any is made: an answer that was lost, or a watch that lags behind,
//! must not lead to a second key. No Secret of a key is ever changed or deleted, but that an owner is taken from it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Client;

use super::{
    Key,
    context::Context,
    observe::{ObserveError, find_secret, read_error},
};
use crate::{
    api::v1alpha1::KeyRingStatus,
    condition::Finding,
    data_protection::{
        health,
        in_use::{self, InUse},
        news::{self, Corrected},
        objects::COMPONENT,
        observed::{Beside, Inputs, Observed},
        plan::{Plan, Publication, plan},
        reader::Reader,
        settings::Settings,
        standing::Standing,
    },
    kubernetes::{
        identity::{Found, ORPHANED, Owner},
        name,
        workload::{Consumers, Source},
        write::{self, WriteError},
    },
    redis::{
        self,
        flush::{self, Flush},
    },
};

/// The key ring of a cache, as a pass sees it.
pub struct KeyRing {
    settings: Settings,
    observed: Observed,
    /// How far it is.
    pub standing: Standing,
    /// What reads stored entries; `None` where there is no key.
    pub reader: Option<Arc<Reader>>,
    /// What was put right in this pass.
    corrected: Corrected,
}

impl KeyRing {
    /// Looks at what there is.
    ///
    /// # Errors
    /// Where the API server did not answer.
    pub async fn look(
        context: &Context,
        key: &Key,
        settings: Settings,
        beside: Beside,
        now: Timestamp,
    ) -> Result<Self, ObserveError> {
        let mut observed = Observed::nothing(beside);
        if settings.rotation.is_some() {
            observed = observe(context, &settings, observed.beside, watched(context, &settings), Vec::new()).await?;
        }
        let (mut observed, mut standing) = read(context, key, &settings, observed, now).await;
        let lacking: Vec<String> = standing.lacking(&settings).collect();
        if standing.mint.is_some() || !lacking.is_empty() {
            let names = listed(context, &settings).await?;
            if !lacking.is_empty() || names.iter().any(|name| !observed.has(name)) {
                let again = observe(context, &settings, observed.beside, names, lacking).await?;
                (observed, standing) = read(context, key, &settings, again, now).await;
            }
        }
        Ok(Self { reader: reader(&settings, &standing), settings, observed, standing, corrected: Corrected::default() })
    }

    /// Looks again at what was written a moment ago, so that it is told as it stands.
    ///
    /// # Errors
    /// Where the API server did not answer.
    pub async fn look_again(self, context: &Context, key: &Key, now: Timestamp) -> Result<Self, ObserveError> {
        let owner = &self.settings.owner;
        let disowned: Vec<String> = self.observed.owned().filter_map(|secret| secret.metadata.name.clone()).collect();
        forget(context, owner);
        context.secrets.forget(&owner.namespace, &disowned);
        let names = listed(context, &self.settings).await?;
        let lacking = self.standing.lacking(&self.settings).collect();
        let corrected = news::corrected(&self.settings, &self.observed, &self.standing);
        let observed = observe(context, &self.settings, self.observed.beside, names, lacking).await?;
        let (observed, standing) = read(context, key, &self.settings, observed, now).await;
        let reader = reader(&self.settings, &standing);
        Ok(Self { settings: self.settings, observed, standing, reader, corrected })
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

    /// Each key, for the status, and what stored entries show to be in use.
    #[must_use]
    pub fn status(
        &self,
        seen: Option<&InUse>,
        previous: Option<&KeyRingStatus>,
        now: Timestamp,
    ) -> Option<KeyRingStatus> {
        let status = health::status(&self.settings, &self.observed, &self.standing, now)?;
        Some(in_use::told(status, &self.settings, seen, previous))
    }

    /// How far the removal of entries is, which the ring tells apart.
    #[must_use]
    pub fn flush(&self, redis: &redis::settings::Settings, beside: &Beside, now: Timestamp) -> Flush {
        let is_revoking = self.standing.revoke.sweep.is_some();
        let obstacle = is_revoking.then_some("a key is being revoked first");
        flush::read(&flush::Input {
            owner: &self.settings.owner,
            prefix: redis.instance_name.as_str(),
            wish: &redis.flush,
            encrypt: redis.encrypt,
            reader: self.reader.as_ref(),
            is_named: self.settings.application_name.is_some(),
            operations: &beside.operations,
            progress: beside.sweep.as_ref(),
            obstacle: obstacle.or(beside.obstacle.as_deref()),
            consumers: &beside.consumers,
            now,
        })
    }

    /// What is told of keys that the status does not have yet.
    #[must_use]
    pub fn minted(&self, before: Option<&KeyRingStatus>) -> Vec<String> {
        news::minted(&self.settings, &self.observed, &self.standing, before)
    }

    /// When something changes by itself.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.standing.ring.as_ref().and_then(|ring| ring.wake_at)
    }
}

fn reader(settings: &Settings, standing: &Standing) -> Option<Arc<Reader>> {
    let ring = standing.ring.as_ref().filter(|ring| !ring.ring.members().is_empty())?;
    Some(Arc::new(Reader::new(ring.key_ring.clone(), settings.names())))
}

/// Has the next look ask for what is published, whatever the watch shows by then.
pub fn forget(context: &Context, owner: &Owner) {
    context.secrets.forget(&owner.namespace, &[name::keys(&owner.name), name::key_certificates(&owner.name)]);
}

/// Carries a plan out: the Secrets of keys come before they are published, so that no key is ever in one place only that
/// somebody may write to; and certificates come before the keys that need them. The ring is written over what was seen of it,
/// and over nothing else: so it never shrinks, also where somebody else, or an answer that was lost, has added a key
/// meanwhile. Returns how many objects were written.
///
/// # Errors
/// The first write that failed. Those before it stand; the next pass goes on from there.
pub async fn apply(client: &Client, settings: &Settings, plan: Plan) -> Result<usize, WriteError> {
    let Plan { owned, certificates, mint, files, mut ring } = plan;
    let mut changed = owned.len();
    for metadata in owned {
        write::disown(client, &metadata).await?;
    }
    if let Some(Publication { secret, strays }) = certificates {
        if secret.metadata.uid.is_some() {
            write::amend(client, &secret, &strays).await?;
        } else if write::create(client, &secret).await?.is_none() {
            // Somebody's, or one that was not seen yet. No key is published without its certificate.
            return Ok(changed);
        }
        changed += 1;
    }
    if let Some(mint) = mint {
        // Without the key that takes its place, none may be revoked.
        let Some(made) = write::mint(client, |random| mint.secret(settings, random)).await? else { return Ok(changed) };
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

/// How far the ring is, by what was observed. Only where it depends on them, the processes that use it are asked for: while it
/// cannot be found out, they are taken for older than anything that is published.
async fn read(
    context: &Context,
    key: &Key,
    settings: &Settings,
    observed: Observed,
    now: Timestamp,
) -> (Observed, Standing) {
    let earlier = context.opened(key);
    let mut standing = Standing::read(settings, &observed, &earlier, now);
    let mut observed = observed;
    if standing.ring.as_ref().is_some_and(|ring| ring.depends_on_processes) {
        let name = &settings.owner.name;
        let published = [name::keys(name), name::key_certificates(name)].map(Source::Secret);
        let oldest = match context.consumers.consumers(key, &published, now).await {
            Consumers::Unknown => Some(Timestamp::MIN),
            known @ Consumers::Known(_) => known.oldest_start(),
        };
        observed = observed.since(oldest);
        standing = Standing::read(settings, &observed, &earlier, now);
    }
    context.open(key, standing.ring.as_ref().map(|ring| &ring.key_ring));
    (observed, standing)
}

/// Reads the Secrets of these names, the published one, and what stands under the names of those that are lacking.
async fn observe(
    context: &Context,
    settings: &Settings,
    beside: Beside,
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
            taken.insert(name, holder(settings, &secret.metadata));
        }
    }
    let ring = find_secret(context, owner, &name::keys(&owner.name)).await?;
    let inputs = Inputs {
        provided: provided(context, settings).await?,
        certificates: certificates(context, settings).await?,
        oldest_process: None,
    };
    Ok(Observed::new(files, ring, taken, beside).with(inputs))
}

/// The Secrets that the user provides. They have no label of ours, and so are in no cache: they are read at every pass, of
/// which each change of them makes one.
async fn provided(context: &Context, settings: &Settings) -> Result<BTreeMap<String, Arc<Secret>>, ObserveError> {
    let mut provided = BTreeMap::new();
    for name in settings.named() {
        let live = context.secrets.read(&settings.owner.namespace, name).await;
        if let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? {
            provided.insert(name.to_owned(), secret);
        }
    }
    Ok(provided)
}

/// The Secret with the certificates. Most rings have none: it is asked for only where the watch shows it, or where one is
/// expected.
async fn certificates(context: &Context, settings: &Settings) -> Result<Found<Arc<Secret>>, ObserveError> {
    let owner = &settings.owner;
    let name = name::key_certificates(&owner.name);
    let is_expected = settings.certificate.is_some() || !settings.previous.is_empty();
    let watched = context.caches.secrets.get(&owner.namespace, &name).is_some();
    if !watched && !is_expected {
        return Ok(Found::Nothing);
    }
    let live = context.secrets.read(&owner.namespace, &name).await;
    let Some(secret) = live.map_err(|source| read_error::<Secret>(&name, source))? else { return Ok(Found::Nothing) };
    if owner.is_labelled(COMPONENT, &secret.metadata) {
        return Ok(Found::Ours(secret));
    }
    Ok(Found::Foreign(holder(settings, &secret.metadata)))
}

/// Who has a Secret that lacks the labels which tell that it is of this cache, in words.
fn holder(settings: &Settings, metadata: &ObjectMeta) -> String {
    let holder = Some(settings.owner.holder(metadata)).filter(|holder| holder != ORPHANED);
    holder.unwrap_or_else(|| "nobody, since its labels were removed".to_owned())
}

/// Whether a Secret is of a key, or of a revocation, of this cache.
fn is_file(settings: &Settings, metadata: &ObjectMeta) -> bool {
    let owner = &settings.owner;
    let is_named = metadata.name.as_deref().is_some_and(|name| name::is_ring_file(&owner.name, name));
    is_named && owner.is_labelled(COMPONENT, metadata)
}

fn watched(context: &Context, settings: &Settings) -> Vec<String> {
    let owner = &settings.owner;
    context.secrets.watched(&owner.namespace, &owner.name, |metadata| is_file(settings, metadata))
}

async fn listed(context: &Context, settings: &Settings) -> Result<Vec<String>, ObserveError> {
    let owner = &settings.owner;
    let listed = context.secrets.labelled(&owner.namespace, &owner.list_selector(COMPONENT)).await;
    let listed = listed.map_err(|source| read_error::<Secret>(&name::ring_file(&owner.name, "key-*"), source))?;
    Ok(listed.into_iter().filter(|name| name::is_ring_file(&owner.name, name)).collect())
}
