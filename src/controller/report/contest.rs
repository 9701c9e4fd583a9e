//! Fights over objects, in a pass: who is to blame, and what is said of it.
//!
//! In: writes that wait, the brake of the cache, and the objects as they are. Out: findings and events that name the object, the
//! fields, and whoever changes them. It writes nothing, and shows no content.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::events::event;
use crate::{
    api::v1alpha1::Remedy,
    condition::{ConditionStatus, ConditionType, Finding, Message, Reason},
    controller::brake::{Brake, Change, Contest, Subject},
    kubernetes::{
        event::Event,
        identity::{labels::OWNER_LABEL, managed_fields::changer},
        name,
        object::{Kind, Object},
        write::{Write, subset::differences},
    },
};

/// How many fields a message names.
const NAMED: usize = 2;

/// Notes who is to blame for each write that waits. `live` has the object that one is about.
pub fn blame(brake: &mut Brake, held: &[Write], live: impl Fn(&Subject) -> Option<Object>) {
    for write in held {
        let target = Subject::of(write);
        let (change, manager) = done(write, live(&target).as_ref());
        brake.blame(&target, change, manager);
    }
}

/// What others have done, so that this is to be written; and who, as far as it is recorded.
fn done(write: &Write, live: Option<&Object>) -> (Change, Option<String>) {
    let fields = |metadata: &ObjectMeta, fields: Vec<String>| {
        (Change::Fields(fields.into_iter().collect()), changer(metadata).map(str::to_owned))
    };
    match (write, live) {
        (Write::Create(_) | Write::Mint(_) | Write::Apply(_) | Write::Amend { .. }, None) => (Change::Deleted, None),
        (Write::Create(wanted) | Write::Apply(wanted), Some(live)) => {
            fields(live.metadata(), differences(&json(live), &json(wanted)))
        }
        (Write::Mint(_), Some(live)) => fields(live.metadata(), vec!["data".to_owned()]),
        (Write::Amend { secret, without }, Some(live)) => {
            let strays = without.iter().map(|key| format!("data[{key}]"));
            let changed = differences(&json(live), &json(&Object::from(secret.clone())));
            fields(live.metadata(), changed.into_iter().chain(strays).collect())
        }
        (Write::Label(seen, lacking), _) => {
            let changed = differences(&json!({"metadata": seen.metadata}), &json!({"metadata": lacking}));
            fields(&seen.metadata, changed)
        }
        (Write::Disown(seen) | Write::Adopt(seen, _) | Write::TakeOver(seen, _), _) => {
            fields(&seen.metadata, vec!["metadata.ownerReferences".to_owned()])
        }
        (Write::Delete(seen), _) => (Change::Made, changer(&seen.metadata).map(str::to_owned)),
    }
}

fn json(object: &Object) -> Value {
    let value = match object {
        Object::StatefulSet(object) => serde_json::to_value(object.as_ref()),
        Object::Service(object) => serde_json::to_value(object.as_ref()),
        Object::ConfigMap(object) => serde_json::to_value(object.as_ref()),
        Object::Secret(object) => serde_json::to_value(object.as_ref()),
        Object::ServiceAccount(object) => serde_json::to_value(object.as_ref()),
        Object::NetworkPolicy(object) => serde_json::to_value(object.as_ref()),
        Object::PersistentVolumeClaim(object) => serde_json::to_value(object.as_ref()),
    };
    value.unwrap_or_default()
}

/// Tells of fights in the findings that they concern. Where only labels and the like are fought over, what was found still holds.
pub fn tell<'a>(findings: impl Iterator<Item = &'a mut Finding>, contests: &[Contest], cache: &str) {
    let mut findings: Vec<&mut Finding> = findings.collect();
    for contest in contests {
        // What is said in the status is fought over itself.
        if contest.target == Subject::Status {
            continue;
        }
        let mut concerned = [condition(&contest.target, cache), ConditionType::RedisAvailable].into_iter();
        let found = concerned.find_map(|it| findings.iter().position(|finding| finding.condition == it));
        let Some(finding) = found.map(|index| &mut *findings[index]) else { continue };
        let fight = message(contest, cache);
        let contested = match finding.condition {
            ConditionType::NetworkRestricted => Reason::NetworkPolicyContested,
            _ => Reason::Contested,
        };
        if finding.status != ConditionStatus::True || finding.reason == contested {
            let before = std::mem::take(&mut finding.message);
            finding.message = beside(fight, before);
        } else {
            finding.message = fight;
            finding.reason = contested;
        }
        if finding.reason == contested && !contest.change.is_of_metadata() {
            finding.status = ConditionStatus::False;
        }
    }
}

/// A fight, and what is told beside it. The fight stands first: it keeps the rest from being put right, and is never cut.
fn beside(fight: Message, other: Message) -> Message {
    Message::from(format!("{}. Besides: {}", fight.text, other.text)).remedies(fight.remedies).remedies(other.remedies)
}

/// One event about each fight.
#[must_use]
pub fn events(contests: &[Contest], cache: &str) -> Vec<Event> {
    contests.iter().map(|contest| event(Reason::Contested, message(contest, cache).told())).collect()
}

/// The condition that an object of a cache concerns.
fn condition(target: &Subject, cache: &str) -> ConditionType {
    match target {
        Subject::Object(Kind::NetworkPolicy, _) => ConditionType::NetworkRestricted,
        Subject::Object(Kind::PersistentVolumeClaim, _) => ConditionType::Durable,
        Subject::Object(Kind::Secret, secret) if *secret == name::keys(cache) => ConditionType::KeyRingReady,
        Subject::Object(Kind::Secret, secret) if name::outlives_its_owner(cache, secret) => ConditionType::KeyRingReady,
        Subject::Object(Kind::Secret, secret) if [name::redis_tls(cache), name::redis_ca(cache)].contains(secret) => {
            ConditionType::TlsReady
        }
        Subject::Object(..) | Subject::Status => ConditionType::RedisAvailable,
    }
}

fn message(Contest { target, change, manager }: &Contest, cache: &str) -> Message {
    let target = match target {
        Subject::Object(kind, name) => format!("{} {name}", kind.as_str()),
        Subject::Status => format!("TokenCache {cache}"),
    };
    let who =
        manager.as_deref().map_or_else(|| "somebody".to_owned(), |manager| format!("the field manager {manager}"));
    let fact = match change {
        // What lacks the label is not watched, and looks the same.
        Change::Deleted => format!("{who} keeps deleting {target}, or its label {OWNER_LABEL}"),
        Change::Made => format!("{who} keeps making {target} again"),
        Change::Fields(fields) => format!("{who} keeps changing {} of {target}", told(fields)),
    };
    let remedy = match manager {
        Some(manager) => format!("have {manager} leave it alone, and change TokenCache {cache} instead"),
        None => "look into the API server's audit log for who does it".to_owned(),
    };
    Message::from(format!("{fact}. The operator now waits up to 5 minutes before it corrects that"))
        .remedy(Remedy::look(remedy))
}

/// The first two of these, and how many more there are.
fn told(fields: &BTreeSet<String>) -> String {
    let named: Vec<&str> = fields.iter().take(NAMED).map(String::as_str).collect();
    match fields.len().saturating_sub(NAMED) {
        0 => named.join(" and "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};

    use super::*;
    use crate::condition::message::LONGEST;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn secret(name: &str, data: &Value, records: &Value) -> Object {
        let metadata = json!({"name": name, "managedFields": records});
        Object::from(serde_json::from_value::<Secret>(json!({"metadata": metadata, "data": data})).unwrap())
    }

    fn apply(object: &Object) -> Write {
        Write::Apply(object.clone())
    }

    /// A brake that does not let this be written.
    fn pulled(write: &Write) -> Brake {
        let mut brake = Brake::default();
        (0..6).for_each(|_| brake.wrote(write, now()));
        brake
    }

    /// What is said of an object of which this stands there.
    fn told(wanted: &Object, live: Option<&Object>) -> (Finding, String) {
        let mut brake = pulled(&apply(wanted));
        blame(&mut brake, &[apply(wanted)], |_| live.cloned());
        let contests = brake.contests(now());
        let mut findings = [ConditionType::RedisAvailable, ConditionType::KeyRingReady]
            .map(|condition| Finding::holds(condition, Reason::Available, "all is well"));
        tell(findings.iter_mut(), &contests, "shop");
        let [event] = events(&contests, "shop").try_into().unwrap();
        let changed = findings.into_iter().filter(|finding| finding.reason == Reason::Contested);
        let [finding] = changed.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((event.reason, &event.note), ("Contested", &finding.message.told()));
        (finding, event.note)
    }

    #[test]
    fn object_fields_and_field_manager_are_named_and_no_content_is() {
        let records = json!([
            {"manager": "tokencache-operator", "time": "2026-01-01T00:00:00Z"},
            {"manager": "kubectl-edit", "time": "2026-01-01T00:00:01Z"},
        ]);
        let wanted = secret("shop-redis", &json!({"password": "c2VjcmV0", "host": "YQ=="}), &Value::Null);
        let live = secret("shop-redis", &json!({"password": "Zm9yZWlnbg==", "host": "YQ=="}), &records);
        let (finding, message) = told(&wanted, Some(&live));
        assert_eq!((finding.condition, finding.status), (ConditionType::RedisAvailable, ConditionStatus::False));
        assert_eq!(
            message,
            "the field manager kubectl-edit keeps changing data.password of Secret shop-redis. The operator now waits up to 5 \
             minutes before it corrects that. Have kubectl-edit leave it alone, and change TokenCache shop instead"
        );
    }

    #[test]
    fn who_deletes_is_not_known_and_a_secret_of_the_ring_concerns_the_ring() {
        let (finding, message) = told(&secret("shop-keys", &json!({}), &json!([])), None);
        assert_eq!((finding.condition, finding.status), (ConditionType::KeyRingReady, ConditionStatus::False));
        assert!(
            message.starts_with("somebody keeps deleting Secret shop-keys, or its label tokencache.dev/cache. "),
            "{message}"
        );
        assert!(message.ends_with(". Look into the API server's audit log for who does it"), "{message}");
    }

    #[test]
    fn a_fight_over_labels_alone_is_told_and_fails_nothing() {
        let of = |label: &str| {
            let metadata = json!({"name": "shop-settings", "labels": {"tokencache.dev/cache": label}});
            Object::from(serde_json::from_value::<ConfigMap>(json!({ "metadata": metadata })).unwrap())
        };
        let (finding, message) = told(&of("shop"), Some(&of("other")));
        assert_eq!((finding.condition, finding.status), (ConditionType::RedisAvailable, ConditionStatus::True));
        assert!(
            message.contains(" changing metadata.labels[tokencache.dev/cache] of ConfigMap shop-settings. "),
            "{message}"
        );
    }

    #[test]
    fn what_fails_already_goes_on_failing_for_its_own_reason_with_the_fight_beside_it() {
        let write = apply(&secret("shop-redis", &json!({}), &json!([])));
        let mut brake = pulled(&write);
        blame(&mut brake, &[write], |_| None);
        let message = Message::from("nobody answers").remedy(Remedy::free("wait"));
        let mut finding = Finding::fails(ConditionType::RedisAvailable, Reason::Unreachable, message);
        tell(std::iter::once(&mut finding), &brake.contests(now()), "shop");
        assert_eq!(finding.reason, Reason::Unreachable);
        let told = finding.message.told();
        assert!(told.starts_with("somebody keeps deleting Secret shop-redis, "), "{told}");
        assert!(told.contains(". Besides: nobody answers. Look into "), "{told}");
        assert_eq!(finding.message.remedies.len(), 2);
    }

    #[test]
    fn of_a_long_message_beside_a_fight_what_is_beside_is_cut() {
        let contest = |name: &str| Contest {
            target: Subject::Object(Kind::Secret, name.to_owned()),
            change: Change::Fields(["data.a".to_owned(), "data.b".to_owned(), "data.c".to_owned()].into()),
            manager: Some("vandal".to_owned()),
        };
        let mut finding = Finding::fails(ConditionType::RedisAvailable, Reason::Unreachable, "x".repeat(250));
        tell(std::iter::once(&mut finding), &[contest("shop-redis")], "shop");
        let told = finding.message.told();
        assert!(told.chars().count() <= LONGEST, "{told}");
        assert!(
            told.starts_with("the field manager vandal keeps changing data.a, data.b and 1 more of Secret "),
            "{told}"
        );
        assert!(told.ends_with("x…. Have vandal leave it alone, and change TokenCache shop instead"), "{told}");
    }
}
