//! Whether the pod is the one that the spec asks for, and what is said of one that is on its way.
//!
//! In: the settings, what was observed, which passwords hold. Out: sentences.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::v1alpha1::{ImagePullPolicy, Remedy},
    capability::cost::NOTHING_MORE,
    condition::Message,
    kubernetes::{name, write::subset},
    redis::{
        credentials::{Credentials, tls::replacement},
        live::Live,
        restart::Restart,
        server::{
            objects::{self, OPERATOR_LOGIN_ANNOTATION, RESTARTED_ANNOTATION, TEMPLATE_ANNOTATION},
            pod::Template,
            pods::{self, has_ended},
        },
        settings::Settings,
    },
};

/// What helps where a pod does not come.
const IF_IT_LASTS: &str = "if this lasts, see the events";

/// The label with which the `StatefulSet` controller says which revision of the template a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// Why the pod is not the one that the spec asks for; `None` where it is. A spec that is not carried out, because it is
/// refused or the cache is paused, asks for nothing.
#[must_use]
pub fn pending(
    settings: &Settings,
    observed: &Live,
    pod: &Pod,
    credentials: &Credentials,
    carried_out: bool,
) -> Option<Message> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let (namespace, set_name) = (&settings.owner.namespace, name::redis(&settings.owner.name));
    let events =
        || Remedy::look(IF_IT_LASTS).command(format!("kubectl -n {namespace} describe statefulset {set_name}"));
    let set = observed.stateful_set.owned();
    let seen = set.is_some_and(|set| has_been_seen(set));
    // What was written a moment ago has not reached the StatefulSet's controller, which alone tells whether its template changed.
    let is_known = || cause(settings, pod).is_some() || restarted_for(set, pod).is_some();
    if carried_out && (!is_written(settings, observed, credentials) || !seen && is_known())
        || set.is_some_and(|set| is_outdated(set, pod))
    {
        let why = restarted_for(set, pod).unwrap_or_else(|| because(settings, pod));
        let leads_to = Restart::seen(settings, observed).leads_to();
        let message = Message::from(format!("pod {name} is about to be replaced{why}; {leads_to}"));
        return Some(message.remedy(events()));
    }
    let unseen =
        || Message::from(format!("the latest change of StatefulSet {set_name} has not reached its controller yet"));
    (!seen).then(|| unseen().remedy(events()))
}

/// The `StatefulSet` that is wanted. While nothing makes its pod be replaced, it stays as it is made: its server's container
/// keeps the memory that it has, where that suits the spec, so that another `maxMemory` reaches the running server; and it
/// keeps the [`Template`] that an earlier version of the operator made it from. No entry is lost for either. Else it gets
/// [what a new one gets](Settings::container). The same live object and the same spec give the same result, and so does the
/// result itself as the live object.
#[must_use]
pub fn wanted(settings: &Settings, observed: &Live, credentials: Option<&Credentials>) -> StatefulSet {
    let login = credentials.and_then(|it| it.operator.as_ref()).map(|operator| operator.mark.as_str());
    let due = credentials.and_then(|it| it.tls.replacement.as_ref()).filter(|replacement| replacement.is_due);
    let restarted = due.map(|replacement| replacement.at.to_string());
    let restarted = restarted.or_else(|| replacement::restarted(observed).map(str::to_owned));
    let with = |memory, template| {
        let set = objects::stateful_set(settings, memory, template, login);
        marked(restarted_at(set, restarted.as_deref()))
    };
    let live = observed.stateful_set.owned();
    let memory =
        |live: &StatefulSet| crate::redis::server::pods::memory_limit(live.spec.as_ref()?.template.spec.as_ref()?);
    let before = live.and_then(|live| memory(live));
    let anew = || with(settings.container(before), Template::NEWEST);
    let Some(live) = live else { return anew() };
    let kept = before.filter(|memory| settings.suits(*memory));
    let is_asked_for = |one: &StatefulSet| mark(one).is_some_and(|asked| mark(live) == Some(asked));
    let is_settled =
        |one: &StatefulSet| observed.admitted.as_ref().is_some_and(|it| it.holds(&live.metadata, &one.spec));
    let stays = kept.and_then(|memory| {
        // One after the other: nearly always it is the first one.
        let as_they_were = || Template::ALL.into_iter().map(|template| with(memory, template));
        let asked = as_they_were().find(is_asked_for).or_else(|| as_they_were().find(is_settled));
        asked.or_else(|| as_they_were().find(|one| has_template(live, one)))
    });
    match stays {
        Some(stays) => stays,
        // From before it was told what was asked for, and changed by an admission policy since. What changes the pod now
        // cannot be told from that, so nothing is changed beside.
        None if mark(live).is_none() => with(kept.unwrap_or_else(|| settings.container(before)), Template::Original),
        None => anew(),
    }
}

/// With the time at which the pod was replaced last for the certificate that it served, which replaces it where it is another.
fn restarted_at(mut set: StatefulSet, at: Option<&str>) -> StatefulSet {
    let template = set.spec.as_mut().and_then(|spec| spec.template.metadata.as_mut());
    if let (Some(template), Some(at)) = (template, at) {
        template.annotations.get_or_insert_default().insert(RESTARTED_ANNOTATION.to_owned(), at.to_owned());
    }
    set
}

/// With a mark of the pod template that it asks for. One that is never written needs none.
fn marked(mut set: StatefulSet) -> StatefulSet {
    let template = set.spec.as_ref().map(|spec| &spec.template);
    let login = template.and_then(|it| it.metadata.as_ref()?.annotations.as_ref()?.get(OPERATOR_LOGIN_ANNOTATION));
    if let (Some(template), Some(_)) = (template, login)
        && let Ok(text) = serde_json::to_vec(template)
    {
        let mark = hex::encode(&digest(&SHA256, &text).as_ref()[..8]);
        set.metadata.annotations.get_or_insert_default().insert(TEMPLATE_ANNOTATION.to_owned(), mark);
    }
    set
}

fn mark(set: &StatefulSet) -> Option<&str> {
    set.metadata.annotations.as_ref()?.get(TEMPLATE_ANNOTATION).map(String::as_str)
}

/// Whether the `StatefulSet` asks for what the spec wants: its template is the wanted one, or what the API server made of
/// that.
#[must_use]
pub fn is_written(settings: &Settings, observed: &Live, credentials: &Credentials) -> bool {
    let Some(set) = observed.stateful_set.owned() else { return false };
    if credentials.operator_password().is_none() {
        return true;
    }
    let wanted = wanted(settings, observed, Some(credentials));
    has_template(set, &wanted)
        || observed.admitted.as_ref().is_some_and(|admitted| admitted.holds(&set.metadata, &wanted.spec))
}

fn has_template(live: &StatefulSet, wanted: &StatefulSet) -> bool {
    let template = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.template.clone());
    subset::holds(&template(live), &template(wanted))
}

/// Whether two states of a `StatefulSet` are the same in all that is read of one: its metadata, its spec, of which each has a
/// generation of its own, and what its controller has seen and made of that.
#[must_use]
pub fn tells_the_same(one: &StatefulSet, other: &StatefulSet) -> bool {
    let told = |set: &StatefulSet| {
        let of = &set.metadata;
        let metadata = ObjectMeta {
            uid: of.uid.clone(),
            generation: of.generation,
            labels: of.labels.clone(),
            annotations: of.annotations.clone(),
            owner_references: of.owner_references.clone(),
            finalizers: of.finalizers.clone(),
            deletion_timestamp: of.deletion_timestamp.clone(),
            ..ObjectMeta::default()
        };
        let status = set.status.as_ref();
        (metadata, status.map(|status| (status.observed_generation, status.update_revision.clone())))
    };
    one.metadata.generation.is_some() && told(one) == told(other)
}

/// Whether the `StatefulSet`'s controller has seen its latest change.
fn has_been_seen(set: &StatefulSet) -> bool {
    set.status.as_ref().is_some_and(|status| status.observed_generation >= set.metadata.generation)
}

/// Whether the pod was made from another template than the `StatefulSet`'s controller would make one from.
fn is_outdated(set: &StatefulSet, pod: &Pod) -> bool {
    let made_from = pod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION_LABEL));
    has_been_seen(set) && set.status.as_ref().and_then(|status| status.update_revision.as_ref()) != made_from
}

/// What is said of a pod that has no address yet, or that is over.
#[must_use]
pub fn on_its_way(settings: &Settings, pod: &Pod, restart: Restart) -> Message {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = &settings.owner.namespace;
    let leads_to = restart.leads_to();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("none");
    if let Some(since) = &pod.metadata.deletion_timestamp {
        return Message::from(format!(
            "pod {name} is being replaced{}; {leads_to}. It has until {} to end",
            because(settings, pod),
            since.0
        ))
        .remedy(
            Remedy::costing(NOTHING_MORE, format!("if node {node} is down, delete pod {name} by force"))
                .command(format!("kubectl -n {namespace} delete pod {name} --force")),
        );
    }
    let status = pod.status.as_ref();
    let words =
        [status.and_then(|status| status.reason.as_deref()), status.and_then(|status| status.message.as_deref())];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    let words = words.join(": ");
    let why = if words.is_empty() { String::new() } else { format!(": {}", words.trim_end_matches('.')) };
    if has_ended(pod) {
        let message = Message::from(format!("pod {name} is being replaced; {leads_to}. It ended{why}"));
        return message
            .remedy(Remedy::look(IF_IT_LASTS).command(format!("kubectl -n {namespace} describe pod {name}")));
    }
    being_started(settings, name, &why)
}

/// That a pod is being started, or is about to be made.
#[must_use]
pub fn being_started(settings: &Settings, pod: &str, why: &str) -> Message {
    let (namespace, set) = (&settings.owner.namespace, name::redis(&settings.owner.name));
    Message::from(format!("pod {pod} is being started{why}")).remedy(
        Remedy::look(IF_IT_LASTS).command(format!("kubectl -n {namespace} describe statefulset/{set} pod/{pod}")),
    )
}

fn because(settings: &Settings, pod: &Pod) -> String {
    cause(settings, pod).map_or_else(String::new, |field| format!(" because {field} changed"))
}

/// That a pod is replaced for the certificate that it serves, if it is.
fn restarted_for(set: Option<&Arc<StatefulSet>>, pod: &Pod) -> Option<String> {
    let wanted = set?.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()?.get(RESTARTED_ANNOTATION)?;
    let has = pod.metadata.annotations.as_ref().and_then(|marks| marks.get(RESTARTED_ANNOTATION));
    (has != Some(wanted)).then(|| " because it served a certificate that no application trusts".to_owned())
}

/// The field of the spec that a pod is replaced for, as far as its container tells.
fn cause(settings: &Settings, pod: &Pod) -> Option<&'static str> {
    let pod = pod.spec.as_ref()?;
    if !settings.suits(crate::redis::server::pods::memory_limit(pod)?) {
        return Some("spec.redis.maxMemory");
    }
    let server = crate::redis::server::pods::container(pod)?;
    let ports: Vec<i32> = server.ports.iter().flatten().map(|port| port.container_port).collect();
    if !ports.is_empty() && ports != [i32::from(settings.port())] {
        return Some("spec.redis.tls");
    }
    if server.image.as_ref() != Some(&settings.image) {
        return Some("spec.redis.image");
    }
    let pulled = settings.image_pull_policy.map(ImagePullPolicy::as_str);
    (pulled.is_some() && server.image_pull_policy.as_deref() != pulled).then_some("spec.redis.imagePullPolicy")
}

/// What a pod is replaced for where this takes the place of the live `StatefulSet`, in words; nothing where its template stays.
#[must_use]
pub fn replaces_pod_for(live: &StatefulSet, wanted: &StatefulSet) -> Vec<&'static str> {
    if mark(live) == mark(wanted) {
        return Vec::new();
    }
    let template = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.template.clone());
    let annotation = |set: &StatefulSet, key: &str| {
        template(set).and_then(|template| template.metadata?.annotations?.get(key).cloned())
    };
    let server = |set: &StatefulSet| template(set).and_then(|template| template.spec?.containers.into_iter().next());
    let memory = |set: &StatefulSet| template(set).and_then(|template| pods::memory_limit(&template.spec?));
    let image = |set: &StatefulSet| server(set).and_then(|server| server.image);
    let ports = |set: &StatefulSet| server(set).and_then(|server| server.ports);
    let differ: [(bool, &str); 5] = [
        (image(live) != image(wanted), "spec.redis.image"),
        (memory(live) != memory(wanted), "spec.redis.maxMemory"),
        (ports(live) != ports(wanted), "spec.redis.tls"),
        (
            annotation(live, OPERATOR_LOGIN_ANNOTATION) != annotation(wanted, OPERATOR_LOGIN_ANNOTATION),
            "the operator's password",
        ),
        (
            annotation(live, RESTARTED_ANNOTATION) != annotation(wanted, RESTARTED_ANNOTATION),
            "the certificate that it serves",
        ),
    ];
    let causes: Vec<&str> = differ.into_iter().filter_map(|(differs, cause)| differs.then_some(cause)).collect();
    if causes.is_empty() { vec!["the pod template"] } else { causes }
}

/// What is said while a pod restarts because the operator has another password than it was started with.
#[must_use]
pub fn new_password(pod: &Pod, restart: Restart) -> String {
    format!(
        "{} restarts to load a new operator password, because its Secret was lost or changed; {}",
        pod.metadata.name.as_deref().unwrap_or_default(),
        restart.leads_to()
    )
}

/// Whether the pod was started with another operator password than the one that holds now.
#[must_use]
pub fn restarts_for_password(pod: &Pod, credentials: &Credentials) -> bool {
    let started_with = pod.metadata.annotations.as_ref().and_then(|marks| marks.get(OPERATOR_LOGIN_ANNOTATION));
    credentials.operator.as_ref().is_some_and(|login| started_with != Some(&login.mark))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn of_a_stateful_set_its_spec_and_what_its_controller_made_of_it_tell_something_and_how_many_pods_it_counts_does_not()
     {
        let of = |change: fn(&mut Value)| -> StatefulSet {
            let mut set = json!({
                "metadata": {"name": "shop-redis", "uid": "1", "generation": 2, "resourceVersion": "7", "labels": {"a": "b"}},
                "status": {"replicas": 0, "observedGeneration": 2, "updateRevision": "a"},
            });
            change(&mut set);
            serde_json::from_value(set).unwrap()
        };
        let same = |change| tells_the_same(&of(|_| ()), &of(change));
        assert!(same(|set| set["metadata"]["resourceVersion"] = "8".into()));
        assert!(same(|set| set["status"]["replicas"] = 1.into()));
        for change in [
            (|set| set["metadata"]["uid"] = "2".into()) as fn(&mut Value),
            |set| set["metadata"]["generation"] = 3.into(),
            |set| set["metadata"]["labels"]["a"] = "c".into(),
            |set| set["metadata"]["annotations"] = json!({"a": "b"}),
            |set| {
                set["metadata"]["ownerReferences"] =
                    json!([{"apiVersion": "v1", "kind": "A", "name": "a", "uid": "1"}]);
            },
            |set| set["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            |set| set["status"]["observedGeneration"] = 1.into(),
            |set| set["status"]["updateRevision"] = "b".into(),
            |set| set["status"] = Value::Null,
        ] {
            assert!(!same(change), "{:?}", of(change));
        }
        let unknown = || of(|set| set["metadata"]["generation"] = Value::Null);
        assert!(!tells_the_same(&unknown(), &unknown()));
    }
}
