//! The key ring of a cache in a pass: what there is of it, and the writes.
//!
//! In: the settings of the ring. Out: what was seen, as values; then the writes of its plan. Which Secrets there are is read
//! from the watch, and once more from the API server before any is made: an answer that was lost, or a watch that lags behind,
//! must not lead to a second key. No Secret of a key is ever changed or deleted, but that an owner is taken from it, and that it
//! is labelled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Client;

use super::{
    apply::ObjectChange,
    context::Context,
    observe::{ObserveError, find_secret, read_error},
    watch::Key,
};
use crate::{
    api::v1alpha1::{Inspect, KeyRingStatus},
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
        child::{Child, ChildKind},
        identity::{Found, Lacking, ORPHANED, Owner, UNLABELLED_SELECTOR, Wanted},
        name,
        workload::{Consumers, Source},
        write::{self, WriteError},
    },
    redis::{
        self, fit,
        flush::{self, Flush, Reads},
        objects::SECRET_TYPE,
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
    /// What is not labelled as what outlives its owner is.
    unmarked: Vec<(ObjectMeta, Lacking)>,
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
            let names = Names { known: watched(context, &settings), ..Names::default() };
            observed = observe(context, &settings, observed.beside, names).await?;
        }
        let (mut observed, mut standing) = read(context, key, &settings, observed, now).await;
        let lacking: Vec<String> = standing.lacking(&settings).collect();
        let lacks_certificate = is_sealed(&standing) && observed.inputs().certificates == Found::Nothing;
        // Before a key is made, or the ring is made again from its keys, whatever is there by its name counts, whichever labels it
        // has lost.
        let begins = standing.mint.is_some() || settings.rotation.is_some() && observed.ring == Found::Nothing;
        if begins || !lacking.is_empty() || lacks_certificate {
            let known = if begins {
                listed(context, &settings, &[&settings.owner.own_selector(), UNLABELLED_SELECTOR]).await?
            } else {
                watched(context, &settings)
            };
            if !lacking.is_empty() || lacks_certificate || known.iter().any(|name| !observed.has(name)) {
                let names = Names { known, lacking, lacks_certificate };
                let again = observe(context, &settings, observed.beside, names).await?;
                (observed, standing) = read(context, key, &settings, again, now).await;
            }
        }
        let unmarked = unmarked(context, key, &settings, &observed);
        let reader = reader(&settings, &standing);
        Ok(Self { settings, observed, standing, reader, corrected: Corrected::default(), unmarked })
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
        let names = Names {
            known: listed(context, &self.settings, &[&owner.own_selector()]).await?,
            lacking: self.standing.lacking(&self.settings).collect(),
            lacks_certificate: is_sealed(&self.standing),
        };
        let corrected = news::corrected(&self.settings, &self.observed, &self.standing);
        let observed = observe(context, &self.settings, self.observed.beside, names).await?;
        let (observed, standing) = read(context, key, &self.settings, observed, now).await;
        let reader = reader(&self.settings, &standing);
        let unmarked = unmarked(context, key, &self.settings, &observed);
        Ok(Self { settings: self.settings, observed, standing, reader, corrected, unmarked })
    }

    /// What is to be written.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let plan = plan(&self.settings, &self.observed, &self.standing);
        let certificates = name::key_certificates(&self.settings.owner.name);
        let is_of_certificates = |metadata: &ObjectMeta| metadata.name.as_ref() == Some(&certificates);
        let mut unmarked = self.unmarked.clone();
        unmarked.retain(|(seen, _)| !plan.owned.iter().any(|owned| owned.name == seen.name));
        if self.settings.held {
            return plan;
        }
        // Of two writes at the version that was seen the second one is refused.
        if plan.certificates.is_some() && unmarked.iter().any(|(seen, _)| is_of_certificates(seen)) {
            unmarked.retain(|(seen, _)| is_of_certificates(seen));
            return Plan { unmarked, ..Plan::default() };
        }
        Plan { unmarked, ..plan }
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
            reads: self.reads(redis.inspect),
            operations: &beside.operations,
            progress: beside.sweep.as_ref(),
            obstacle: obstacle.or(beside.obstacle.as_deref()),
            consumers: &beside.consumers,
            now,
        })
    }

    /// What entries are read with, as the ring is now.
    fn reads(&self, inspect: Inspect) -> Reads<'_> {
        if self.settings.rotation.is_none() {
            return Reads::NoRing;
        }
        if inspect == Inspect::Metadata {
            return Reads::NotAtAll;
        }
        let gap = self.standing.gap(&self.settings, &self.observed);
        match (gap, &self.reader) {
            (None, Some(reader)) => Reads::With(reader),
            (gap, _) => {
                let why = gap.unwrap_or_else(|| "there is no key yet".to_owned());
                Reads::NotYet(format!(
                    "the key ring may lack keys that entries were encrypted with, see KeyRingReady: {why}"
                ))
            }
        }
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

/// Whether there are keys whose certificate nobody has.
fn is_sealed(standing: &Standing) -> bool {
    standing.ring.as_ref().is_some_and(|ring| ring.sealed().next().is_some())
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
pub async fn apply(
    client: &Client,
    settings: &Settings,
    plan: Plan,
    changes: &mut Vec<ObjectChange>,
) -> Result<usize, WriteError> {
    let Plan { adopted, unmarked, owned, certificates, mint, files, mut ring } = plan;
    let mut written = owned.len() + unmarked.len() + usize::from(adopted.is_some());
    if let Some(metadata) = adopted {
        write::adopt::<Secret>(client, &metadata, &settings.owner).await?;
        changes.push(ObjectChange::Adopted(Child { kind: ChildKind::Secret, metadata }));
    }
    for metadata in owned {
        write::disown(client, &metadata).await?;
    }
    for (metadata, lacking) in unmarked {
        write::mark::<Secret>(client, &metadata, &lacking).await?;
    }
    if let Some(Publication { secret, strays }) = certificates {
        if secret.metadata.uid.is_some() {
            write::amend(client, &secret, &strays).await?;
        } else if write::create(client, &secret).await?.is_none() {
            // Somebody's, or one that was not seen yet. No key is published without its certificate.
            return Ok(written);
        }
        written += 1;
    }
    if let Some(mint) = mint {
        // Without the key that takes its place, none may be revoked.
        let Some(made) = write::mint(client, |random| mint.secret(settings, random)).await? else { return Ok(written) };
        tracing::info!(secret = made.metadata.name, why = %mint.key.why, "a key was made");
        ring = ring.map(|ring| ring.with(&made));
        written += 1;
    }
    for secret in files {
        written += usize::from(write::create(client, &secret).await?.is_some());
    }
    if let Some(Publication { secret, strays }) = ring {
        if secret.metadata.uid.is_none() {
            write::create(client, &secret).await?;
        } else if strays.is_empty() {
            write::apply(client, &secret).await?;
        } else {
            write::amend(client, &secret, &strays).await?;
        }
        written += 1;
    }
    Ok(written)
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
        let oldest = match context.consumers.consumers(&settings.owner.namespace, &published, now).await {
            Consumers::Unknown => Some(Timestamp::MIN),
            known @ Consumers::Known(_) => known.oldest_start(),
        };
        observed = observed.since(oldest);
        standing = Standing::read(settings, &observed, &earlier, now);
    }
    context.open(key, standing.ring.as_ref().map(|ring| &ring.key_ring));
    (observed, standing)
}

/// Which Secrets to read, beside the published one.
#[derive(Default)]
struct Names {
    /// Those that are there.
    known: Vec<String>,
    /// Those that keys lack.
    lacking: Vec<String>,
    /// Whether there are keys whose certificate nobody has.
    lacks_certificate: bool,
}

/// Reads Secrets. One that lacks the labels of a key's counts by its name where nothing says that it is somebody else's, and
/// where it holds the file of that name.
async fn observe(
    context: &Context,
    settings: &Settings,
    beside: Beside,
    names: Names,
) -> Result<Observed, ObserveError> {
    let owner = &settings.owner;
    let (mut files, mut taken) = (Vec::new(), BTreeMap::new());
    let Names { known, lacking, lacks_certificate } = names;
    let lacking: Vec<String> = lacking.into_iter().filter(|name| !known.contains(name)).collect();
    for name in known.iter().chain(&lacking) {
        let live = context.secrets.read(&owner.namespace, name).await;
        let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? else { continue };
        if is_file(settings, &secret.metadata) || is_unlabelled_file(settings, &secret) {
            files.push(secret);
        } else if lacking.contains(name) {
            taken.insert(name.clone(), holder(settings, &secret.metadata));
        }
    }
    let wanted = Wanted {
        component: COMPONENT,
        fits: &|live: &Secret| fit::secret(live, SECRET_TYPE),
        is_restored: settings.is_restored,
    };
    let ring = find_secret(context, owner, &name::keys(&owner.name), &wanted).await?;
    let inputs = Inputs {
        provided: provided(context, settings).await?,
        certificates: certificates(context, settings, lacks_certificate).await?,
        oldest_process: None,
    };
    Ok(Observed::new(files, ring, taken, beside).with(inputs))
}

/// The Secrets that the user provides.
async fn provided(context: &Context, settings: &Settings) -> Result<BTreeMap<String, Arc<Secret>>, ObserveError> {
    let mut provided = BTreeMap::new();
    for name in settings.named() {
        let live = context.provided(&settings.owner.namespace, name).await;
        if let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? {
            provided.insert(name.to_owned(), secret);
        }
    }
    Ok(provided)
}

/// The Secret with the certificates. Most rings have none: it is asked for only where the watch shows it, or where one is
/// expected.
async fn certificates(
    context: &Context,
    settings: &Settings,
    is_lacking: bool,
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let owner = &settings.owner;
    let name = name::key_certificates(&owner.name);
    let is_expected = is_lacking || settings.certificate.is_some() || !settings.previous.is_empty();
    if !is_expected && !context.secrets.is_watched(&owner.namespace, &name) {
        return Ok(Found::Nothing);
    }
    let live = context.secrets.read(&owner.namespace, &name).await;
    let Some(secret) = live.map_err(|source| read_error::<Secret>(&name, source))? else { return Ok(Found::Nothing) };
    if owner.is_labelled(COMPONENT, &secret.metadata) || owner.may_have_lost_labels(&secret.metadata) {
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

/// Whether a Secret that lacks the labels of a key's is one all the same: it has the name, holds the file of that name, and
/// nothing says that it is somebody else's.
fn is_unlabelled_file(settings: &Settings, secret: &Secret) -> bool {
    let owner = &settings.owner;
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let is_of_name = |file: &String| {
        let stem = file.strip_suffix(".xml").map(str::to_ascii_lowercase);
        stem.is_some_and(|stem| name::ring_file(&owner.name, &stem) == name)
    };
    name::is_ring_file(&owner.name, name)
        && owner.may_have_lost_labels(&secret.metadata)
        && secret.data.iter().flat_map(BTreeMap::keys).any(is_of_name)
}

fn watched(context: &Context, settings: &Settings) -> Vec<String> {
    let owner = &settings.owner;
    let watched = context.secrets.watched(&owner.namespace, &owner.name).into_iter();
    let of_ring = watched.filter(|secret| is_file(settings, &secret.metadata));
    // While one is labelled anew, both watches may show it.
    let names: BTreeSet<String> = of_ring.filter_map(|secret| secret.metadata.name.clone()).collect();
    names.into_iter().collect()
}

/// The names of the Secrets that would hold a key or a revocation, as they are at this moment: those with these labels, and
/// those that a watch shows.
async fn listed(context: &Context, settings: &Settings, selectors: &[&str]) -> Result<Vec<String>, ObserveError> {
    let owner = &settings.owner;
    let mut names = BTreeSet::from_iter(watched(context, settings));
    for selector in selectors {
        let listed = context.secrets.labelled(&owner.namespace, selector).await;
        let listed = listed.map_err(|source| read_error::<Secret>(&name::ring_file(&owner.name, "key-*"), source))?;
        names.extend(listed.into_iter().filter(|name| name::is_ring_file(&owner.name, name)));
    }
    Ok(names.into_iter().collect())
}

/// The Secrets that outlive the cache and lack what says so: those that an earlier version of the operator made, and those
/// whose labels somebody took away. Also where no ring is wanted any more.
fn unmarked(context: &Context, key: &Key, settings: &Settings, observed: &Observed) -> Vec<(ObjectMeta, Lacking)> {
    let owner = &settings.owner;
    let mut unmarked = unmarked_of(context, owner);
    for seen in observed.lasting().map(|secret| &secret.metadata) {
        unmarked.retain(|(watched, _)| watched.name != seen.name);
        unmarked.extend(owner.lacking(COMPONENT, seen).map(|lacking| (seen.clone(), lacking)));
    }
    unmarked.retain(|(seen, _)| !context.is_marked_in_vain(key, seen));
    unmarked
}

/// Those that a watch shows.
pub fn unmarked_of(context: &Context, owner: &Owner) -> Vec<(ObjectMeta, Lacking)> {
    let watched = context.secrets.watched(&owner.namespace, &owner.name).into_iter();
    let of_ring = watched.filter(|secret| {
        let name = secret.metadata.name.as_deref();
        name.is_some_and(|name| name::outlives_its_owner(&owner.name, name))
            && owner.is_labelled(COMPONENT, &secret.metadata)
    });
    of_ring.filter_map(|secret| Some((secret.metadata.clone(), owner.lacking(COMPONENT, &secret.metadata)?))).collect()
}
