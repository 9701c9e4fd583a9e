//! The write verbs on what the operator owns: apply, amend, clear, adopt, disown, mark, mint (or create) and retire.
//!
//! In: objects that a plan wants. Out: the API server's answer. They decide nothing: whether something is to be written,
//! and whether a name is free, is settled before.

use std::fmt::Debug;

use aws_lc_rs::rand;
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{
    identity::{FIELD_MANAGER, Lacking, Owner},
    words,
};

/// Random bytes that one mint may use.
pub const RANDOM_BYTES: usize = 128;

/// There is no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random bytes")]
pub struct NoRandom;

/// Random bytes. Nothing else draws any.
///
/// # Errors
/// Where the system has none.
pub fn random<const BYTES: usize>() -> Result<Zeroizing<[u8; BYTES]>, NoRandom> {
    let mut random = Zeroizing::new([0; BYTES]);
    rand::fill(random.as_mut_slice()).map_err(|_| NoRandom)?;
    Ok(random)
}

const APPLY: &str = "apply";
const REHEARSE: &str = "rehearse";

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {object}: {}", words::of(source))]
pub struct WriteError {
    verb: &'static str,
    object: String,
    source: Box<kube::Error>,
}

/// What kind of failure it is, which decides on when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteErrorClass {
    /// The API server refuses the object itself.
    Invalid,
    /// The operator lacks a right, or a quota is used up.
    Forbidden,
    /// Somebody else wrote at the same time, or the object is not there any more.
    Conflict,
    /// Everything that may pass by itself.
    Transient,
}

impl WriteError {
    fn new<K: Resource<DynamicType = ()>>(verb: &'static str, name: &str, source: kube::Error) -> Self {
        Self { verb, object: format!("{} {name}", K::kind(&())), source: Box::new(source) }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> WriteErrorClass {
        match self.source.as_ref() {
            kube::Error::Api(status) => match status.code {
                400 | 422 => WriteErrorClass::Invalid,
                401 | 403 => WriteErrorClass::Forbidden,
                404 | 409 => WriteErrorClass::Conflict,
                // What the object's schema cannot hold; a server-side apply answers it like a fault of the server.
                500 if status.message.starts_with("failed to create typed patch object") => WriteErrorClass::Invalid,
                _ => WriteErrorClass::Transient,
            },
            _ => WriteErrorClass::Transient,
        }
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self.class(), WriteErrorClass::Conflict | WriteErrorClass::Transient)
    }

    /// Whether it was a rehearsal, so that nothing can have changed.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.verb == REHEARSE
    }

    /// Which object, such as `StatefulSet shop-redis`.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What the API server, or the way to it, answered, in words.
    #[must_use]
    pub fn words(&self) -> String {
        words::of(&self.source)
    }

    /// Whether the API server refuses the object for an element of a list that is there twice.
    fn is_of_duplicate(&self) -> bool {
        let says_so = |source: &kube::Error| matches!(source, kube::Error::Api(status) if status.message.contains("Duplicate value"));
        self.class() == WriteErrorClass::Invalid && says_so(&self.source)
    }
}

/// Applies an owned object: server-side, and with force where it is known by its UID, since nobody else has a say in it.
/// Without a UID it is thought not to exist; if it does by now, it may be somebody else's.
///
/// Returns the metadata of the object as it stands then.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn apply<K>(client: &Client, object: &K) -> Result<ObjectMeta, WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
{
    let params = PatchParams { force: object.meta().uid.is_some(), ..PatchParams::apply(FIELD_MANAGER) };
    let applied = patch(APPLY, client, object, Patch::Apply, &params).await;
    match applied {
        // Beside what others put into a list ours may be invalid, such as two ports of one name. Then ours replaces the
        // list; an object that is itself refused is refused again, and one that does not exist is not made.
        Err(refused) if refused.is_of_duplicate() => {
            let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            patch(APPLY, client, object, Patch::Merge, &params).await.map_err(|_| refused)
        }
        applied => applied,
    }
}

/// Asks what [`apply`] would answer, and changes nothing.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn rehearse<K>(client: &Client, object: &K) -> Result<(), WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
{
    patch(REHEARSE, client, object, Patch::Apply, &PatchParams::apply(FIELD_MANAGER).force().dry_run()).await.map(drop)
}

async fn patch<K>(
    verb: &'static str,
    client: &Client,
    object: &K,
    way: fn(Value) -> Patch<Value>,
    params: &PatchParams,
) -> Result<ObjectMeta, WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
{
    let name = object.name_any();
    let body = typed(object).map_err(|error| WriteError::new::<K>(verb, &name, kube::Error::SerdeError(error)))?;
    api::<K>(client, object.meta())
        .patch(&name, params, &way(body))
        .await
        .map(|answer| answer.meta().clone())
        .map_err(|error| WriteError::new::<K>(verb, &name, error))
}

/// The object as JSON with `apiVersion` and `kind`, which a server-side apply needs.
fn typed<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Result<Value, serde_json::Error> {
    let mut body = serde_json::to_value(object)?;
    body["apiVersion"] = K::api_version(&()).into_owned().into();
    body["kind"] = K::kind(&()).into_owned().into();
    Ok(body)
}

/// Creates a Secret from random bytes that are drawn at this moment. Never overwrites: where the name is taken by now,
/// that is fine, and the next pass reads what stands there. A Secret that names a version gets its new data at exactly that
/// version, and at no other. Where the builder could make nothing of the bytes, nothing is made.
///
/// Returns the Secret that was created, as the API server has it; `None` where none was.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn mint(client: &Client, build: impl FnOnce(&[u8]) -> Option<Secret>) -> Result<Option<Secret>, WriteError> {
    let no_random =
        |error: NoRandom| WriteError::new::<Secret>("mint", "", kube::Error::Service(error.to_string().into()));
    let random = random::<RANDOM_BYTES>().map_err(no_random)?;
    let Some(secret) = build(random.as_slice()) else { return Ok(None) };
    if secret.metadata.resource_version.is_some() {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        return match patch("renew", client, &secret, Patch::Merge, &params).await {
            Err(error) if error.class() == WriteErrorClass::Conflict => Ok(None),
            answer => answer.map(|_| None),
        };
    }
    create(client, &secret).await
}

/// Creates a Secret, and never overwrites one: where the name is taken by now, that is fine.
///
/// Returns the Secret that was created, as the API server has it; `None` where none was.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn create(client: &Client, secret: &Secret) -> Result<Option<Secret>, WriteError> {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api(client, &secret.metadata).create(&params, secret).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        answer => answer.map(Some).map_err(|error| WriteError::new::<Secret>("create", &secret.name_any(), error)),
    }
}

/// Puts an owned Secret right and takes keys out of its data, both in one write, so that nobody ever reads it with the one
/// and without the other. It names the version at which it was seen, and is refused at any other.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn amend(client: &Client, secret: &Secret, surplus: &[String]) -> Result<(), WriteError> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let without = |mut body: Value| {
        for key in surplus {
            body["data"][key] = Value::Null;
        }
        body
    };
    let name = secret.name_any();
    let error = |source| WriteError::new::<Secret>("amend", &name, source);
    let body = typed(secret).map(without).map_err(|source| error(kube::Error::SerdeError(source)))?;
    let amended = api::<Secret>(client, &secret.metadata).patch(&name, &params, &Patch::Merge(body)).await;
    amended.map(drop).map_err(error)
}

/// Takes keys out of the data of an owned Secret, if it still is the one that was seen. That they are gone already is fine.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn clear(client: &Client, seen: &ObjectMeta, keys: &[String]) -> Result<(), WriteError> {
    let name = seen.name.as_deref().unwrap_or_default();
    let nothing: Map<String, Value> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
    let body = json!({"metadata": {"uid": seen.uid}, "data": nothing});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let cleared = api::<Secret>(client, seen).patch_metadata(name, &params, &Patch::Merge(body)).await;
    cleared.map(drop).map_err(|error| WriteError::new::<Secret>("clear", name, error))
}

/// Gives an object that outlives its owner the labels and annotations that it lacks, if it still is the one that was seen. Of a
/// Secret that is immutable these can change too.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn mark<K>(client: &Client, seen: &ObjectMeta, lacking: &Lacking) -> Result<(), WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    let name = seen.name.as_deref().unwrap_or_default();
    let error = |source| WriteError::new::<K>("label", name, source);
    let mut metadata = serde_json::to_value(lacking).map_err(|source| error(kube::Error::SerdeError(source)))?;
    metadata["uid"] = seen.uid.clone().into();
    metadata["resourceVersion"] = seen.resource_version.clone().into();
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    api::<K>(client, seen).patch_metadata(name, &params, &patch).await.map(drop).map_err(error)
}

/// Takes the owners from a Secret that outlives them, if it still is the one that was seen.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn disown(client: &Client, seen: &ObjectMeta) -> Result<(), WriteError> {
    let name = seen.name.as_deref().unwrap_or_default();
    let metadata = json!({"uid": seen.uid, "resourceVersion": seen.resource_version, "ownerReferences": null});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let disowned = api::<Secret>(client, seen).patch_metadata(name, &params, &patch).await;
    disowned.map(drop).map_err(|error| WriteError::new::<Secret>("disown", name, error))
}

/// Makes this owner's an object that nobody owns, if it still is the one that was seen. Nothing else of it is changed.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn adopt<K>(client: &Client, seen: &ObjectMeta, owner: &Owner) -> Result<(), WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    let name = seen.name.as_deref().unwrap_or_default();
    let references = [owner.reference()];
    let metadata = json!({"uid": seen.uid, "resourceVersion": seen.resource_version, "ownerReferences": references});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let adopted = api::<K>(client, seen).patch_metadata(name, &params, &patch).await;
    adopted.map(drop).map_err(|error| WriteError::new::<K>("adopt", name, error))
}

/// Deletes an owned object, if it still is the one that was seen. That it is gone already is fine.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn retire<K>(client: &Client, seen: &ObjectMeta) -> Result<(), WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    let name = seen.name.as_deref().unwrap_or_default();
    let preconditions = Preconditions { uid: seen.uid.clone(), resource_version: seen.resource_version.clone() };
    let params = DeleteParams::background().preconditions(preconditions);
    match api::<K>(client, seen).delete(name, &params).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        answer => answer.map(drop).map_err(|error| WriteError::new::<K>("delete", name, error)),
    }
}

fn api<K>(client: &Client, metadata: &ObjectMeta) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), metadata.namespace.as_deref().unwrap_or_default())
}
