//! Carries single writes out.
//!
//! In: a [`Write`]. Out: what became of it. Each verb is one request, but for what stands at [`Write::Create`]. It never decides what to write, and never tries again.

use k8s_openapi::{
    api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    api::{apps::v1::StatefulSet, networking::v1::NetworkPolicy},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Answer, Draft, Posted, RANDOM_BYTES, Write,
    error::{REHEARSE, WriteError, WriteErrorClass},
    random,
};
use crate::kubernetes::{
    identity::FIELD_MANAGER,
    object::{Kind, Namespaced, Object, Reference},
};

const APPLY: &str = "apply";
const CREATE: &str = "create";

/// Carries a write out.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn execute(client: &Client, write: &Write) -> Result<Answer, WriteError> {
    match write {
        Write::Create(object) => match object {
            Object::StatefulSet(object) => create(client, object.as_ref()).await,
            Object::Service(object) => create(client, object.as_ref()).await,
            Object::ConfigMap(object) => create(client, object.as_ref()).await,
            Object::Secret(object) => create(client, object.as_ref()).await,
            Object::ServiceAccount(object) => create(client, object.as_ref()).await,
            Object::NetworkPolicy(object) => create(client, object.as_ref()).await,
            Object::PersistentVolumeClaim(object) => create(client, object.as_ref()).await,
        },
        Write::Mint(draft) => mint(client, draft.as_ref()).await,
        Write::Apply(object) => match object {
            Object::StatefulSet(object) => apply(client, object.as_ref()).await,
            Object::Service(object) => apply(client, object.as_ref()).await,
            Object::ConfigMap(object) => apply(client, object.as_ref()).await,
            Object::Secret(object) => apply(client, object.as_ref()).await,
            Object::ServiceAccount(object) => apply(client, object.as_ref()).await,
            Object::NetworkPolicy(object) => apply(client, object.as_ref()).await,
            Object::PersistentVolumeClaim(object) => apply(client, object.as_ref()).await,
        },
        Write::TakeOver(object, posted) => match object.kind {
            Kind::StatefulSet => take_over::<StatefulSet>(client, object, posted).await,
            Kind::Service => take_over::<Service>(client, object, posted).await,
            Kind::ConfigMap => take_over::<ConfigMap>(client, object, posted).await,
            Kind::Secret => take_over::<Secret>(client, object, posted).await,
            Kind::ServiceAccount => take_over::<ServiceAccount>(client, object, posted).await,
            Kind::NetworkPolicy => take_over::<NetworkPolicy>(client, object, posted).await,
            Kind::PersistentVolumeClaim => take_over::<PersistentVolumeClaim>(client, object, posted).await,
        },
        Write::Amend { secret, without } => amend(client, secret, without).await,
        Write::Label(object, lacking) => {
            let metadata = serde_json::to_value(lacking).unwrap_or_default();
            change_metadata("label", client, object, metadata).await
        }
        Write::Disown(object) => change_metadata("disown", client, object, json!({"ownerReferences": null})).await,
        Write::Adopt(object, owner) => {
            change_metadata("adopt", client, object, json!({"ownerReferences": [owner]})).await
        }
        Write::Delete(object) => match object.kind {
            Kind::StatefulSet => delete::<StatefulSet>(client, object).await,
            Kind::Service => delete::<Service>(client, object).await,
            Kind::ConfigMap => delete::<ConfigMap>(client, object).await,
            Kind::Secret => delete::<Secret>(client, object).await,
            Kind::ServiceAccount => delete::<ServiceAccount>(client, object).await,
            Kind::NetworkPolicy => delete::<NetworkPolicy>(client, object).await,
            Kind::PersistentVolumeClaim => delete::<PersistentVolumeClaim>(client, object).await,
        },
    }
}

/// Asks what the write of an object would be answered, and changes nothing: a POST of one that is not known by its UID, an apply
/// otherwise.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn rehearse(client: &Client, object: &Object) -> Result<Answer, WriteError> {
    match object {
        Object::StatefulSet(object) => rehearse_of(client, object.as_ref()).await,
        Object::Service(object) => rehearse_of(client, object.as_ref()).await,
        Object::ConfigMap(object) => rehearse_of(client, object.as_ref()).await,
        Object::Secret(object) => rehearse_of(client, object.as_ref()).await,
        Object::ServiceAccount(object) => rehearse_of(client, object.as_ref()).await,
        Object::NetworkPolicy(object) => rehearse_of(client, object.as_ref()).await,
        Object::PersistentVolumeClaim(object) => rehearse_of(client, object.as_ref()).await,
    }
}

async fn rehearse_of<K>(client: &Client, object: &K) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    if object.meta().uid.is_none() {
        let params = PostParams { dry_run: true, ..posting() };
        return match post(REHEARSE, client, object, &params).await? {
            Answer::Taken(taken) => Ok(Answer::Taken(taken)),
            _ => Ok(Answer::Nothing),
        };
    }
    let params = PatchParams::apply(FIELD_MANAGER).force().dry_run();
    patch(REHEARSE, client, object, Patch::Apply, &params).await.map(|_| Answer::Nothing)
}

async fn create<K>(client: &Client, object: &K) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    post(CREATE, client, object, &posting()).await
}

async fn post<K>(verb: &'static str, client: &Client, object: &K, params: &PostParams) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    let api = api::<K>(client, object.meta());
    let refused = match api.create(params, object).await {
        Ok(stored) => return Ok(Answer::Stored(stored.into())),
        Err(error) => error,
    };
    let name = object.name_any();
    let error = |source| WriteError::new::<K>(verb, &name, source);
    if !matches!(&refused, kube::Error::Api(status) if status.is_already_exists()) {
        return Err(error(refused));
    }
    match api.get_opt(&name).await.map_err(error)? {
        Some(taken) => Ok(Answer::Taken(taken.into())),
        None => Err(error(refused)),
    }
}

async fn mint(client: &Client, draft: &dyn Draft) -> Result<Answer, WriteError> {
    let no_random = |error: random::NoRandom| {
        WriteError::new::<Secret>("mint", &draft.name(), kube::Error::Service(error.to_string().into()))
    };
    let random = random::random::<RANDOM_BYTES>().map_err(no_random)?;
    let Some(secret) = draft.secret(random.as_slice()) else { return Ok(Answer::Nothing) };
    if secret.metadata.resource_version.is_none() {
        return create(client, &secret).await;
    }
    match patch("renew", client, &secret, Patch::Merge, &updating()).await {
        Err(error) if error.class() == WriteErrorClass::Conflict => Ok(Answer::Nothing),
        answer => answer.map(|secret| Answer::Stored(secret.into())),
    }
}

async fn apply<K>(client: &Client, object: &K) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = patch(APPLY, client, object, Patch::Apply, &params).await;
    let applied = match applied {
        // Beside what others put into a list ours may be invalid, such as two ports of one name. Then ours replaces the
        // list; an object that is itself refused is refused again, and one that does not exist is not made.
        Err(refused) if refused.is_of_duplicate() => {
            patch(APPLY, client, object, Patch::Merge, &updating()).await.map_err(|_| refused)
        }
        applied => applied,
    };
    applied.map(|stored| Answer::Stored(stored.into()))
}

/// As `kubectl apply --server-side` does it with what was applied from the client.
async fn take_over<K>(client: &Client, object: &Reference, posted: &Posted) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    let error = |source| WriteError::new::<K>("take over", object.name(), source);
    let record = format!("/metadata/managedFields/{}", posted.index);
    let change = if posted.is_spare {
        json!({"op": "remove", "path": record})
    } else {
        json!({"op": "replace", "path": format!("{record}/operation"), "value": "Apply"})
    };
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": object.metadata.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": posted.version},
        {"op": "test", "path": format!("{record}/manager"), "value": FIELD_MANAGER},
        {"op": "test", "path": format!("{record}/operation"), "value": "Update"},
        change,
    ]);
    let operations = serde_json::from_value(operations).map_err(|source| error(kube::Error::SerdeError(source)))?;
    let patch = Patch::Json::<()>(operations);
    match api::<K>(client, &object.metadata).patch(object.name(), &updating(), &patch).await {
        // Somebody has changed the object since: a test of the patch failed.
        Err(kube::Error::Api(mut status)) if status.code == 422 => {
            status.code = 409;
            Err(error(kube::Error::Api(status)))
        }
        taken => taken.map(|stored| Answer::Stored(stored.into())).map_err(error),
    }
}

async fn amend(client: &Client, secret: &Secret, without: &[String]) -> Result<Answer, WriteError> {
    let name = secret.name_any();
    let error = |source| WriteError::new::<Secret>("amend", &name, source);
    let mut body = typed(secret).map_err(|source| error(kube::Error::SerdeError(source)))?;
    for key in without {
        body["data"][key] = Value::Null;
    }
    let amended = api::<Secret>(client, &secret.metadata).patch(&name, &updating(), &Patch::Merge(body)).await;
    amended.map(|secret| Answer::Stored(secret.into())).map_err(error)
}

async fn change_metadata(
    verb: &'static str,
    client: &Client,
    object: &Reference,
    change: Value,
) -> Result<Answer, WriteError> {
    match object.kind {
        Kind::StatefulSet => change_metadata_of::<StatefulSet>(verb, client, object, change).await,
        Kind::Service => change_metadata_of::<Service>(verb, client, object, change).await,
        Kind::ConfigMap => change_metadata_of::<ConfigMap>(verb, client, object, change).await,
        Kind::Secret => change_metadata_of::<Secret>(verb, client, object, change).await,
        Kind::ServiceAccount => change_metadata_of::<ServiceAccount>(verb, client, object, change).await,
        Kind::NetworkPolicy => change_metadata_of::<NetworkPolicy>(verb, client, object, change).await,
        Kind::PersistentVolumeClaim => change_metadata_of::<PersistentVolumeClaim>(verb, client, object, change).await,
    }
}

async fn change_metadata_of<K>(
    verb: &'static str,
    client: &Client,
    object: &Reference,
    mut metadata: Value,
) -> Result<Answer, WriteError>
where
    K: Namespaced,
    Object: From<K>,
{
    metadata["uid"] = object.metadata.uid.clone().into();
    metadata["resourceVersion"] = object.metadata.resource_version.clone().into();
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let changed = api::<K>(client, &object.metadata).patch(object.name(), &updating(), &patch).await;
    changed
        .map(|stored| Answer::Stored(stored.into()))
        .map_err(|error| WriteError::new::<K>(verb, object.name(), error))
}

async fn delete<K: Namespaced>(client: &Client, object: &Reference) -> Result<Answer, WriteError> {
    let ObjectMeta { uid, resource_version, .. } = object.metadata.clone();
    let params = DeleteParams::background().preconditions(Preconditions { uid, resource_version });
    match api::<K>(client, &object.metadata).delete(object.name(), &params).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Answer::Deleted(Box::new(object.clone()))),
        answer => answer
            .map(|_| Answer::Deleted(Box::new(object.clone())))
            .map_err(|error| WriteError::new::<K>("delete", object.name(), error)),
    }
}

async fn patch<K: Namespaced>(
    verb: &'static str,
    client: &Client,
    object: &K,
    way: fn(Value) -> Patch<Value>,
    params: &PatchParams,
) -> Result<K, WriteError> {
    let name = object.name_any();
    let body = typed(object).map_err(|error| WriteError::new::<K>(verb, &name, kube::Error::SerdeError(error)))?;
    let answer = api::<K>(client, object.meta()).patch(&name, params, &way(body)).await;
    answer.map_err(|error| WriteError::new::<K>(verb, &name, error))
}

fn posting() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn updating() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// The object as JSON with `apiVersion` and `kind`, which a server-side apply needs.
fn typed<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Result<Value, serde_json::Error> {
    let mut body = serde_json::to_value(object)?;
    body["apiVersion"] = K::api_version(&()).into_owned().into();
    body["kind"] = K::kind(&()).into_owned().into();
    Ok(body)
}

fn api<K: Namespaced>(client: &Client, metadata: &ObjectMeta) -> Api<K> {
    Api::namespaced(client.clone(), metadata.namespace.as_deref().unwrap_or_default())
}
