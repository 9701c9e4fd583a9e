//! Statuses that another version of the operator may have written: whatever they hold, the spec can be read, what was done is not
//! done again, and what this version does not know is kept.

use jiff::{SignedDuration, Timestamp};
use kube::core::DeserializeGuard;
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::{OperationType, Remedy, StoredStatus, TokenCache, TokenCacheStatus, crd},
    capability::operation::Request,
    condition::ConditionType,
    entries::{
        flush::{Input, Reads, read},
        settings::{FlushRequest, What},
    },
};

use super::world::{START, World, shop};

const FLUSH: &str = "2026-01-01T12:00:00Z";

/// A status with every field that there is.
fn whole() -> Value {
    let at = "2026-01-01T12:00:00Z";
    let condition = |type_: &str| {
        json!({"type": type_, "status": "True", "reason": "AllVerified", "message": "it is well", "observedGeneration": 3,
               "lastTransitionTime": at})
    };
    let remedy =
        json!({"costs": "nothing", "step": "restart it", "command": "kubectl get pods", "manifest": "kind: Pod"});
    let operation = |type_: &str, stage: &str| {
        json!({"type": type_, "requested": FLUSH, "stage": stage, "started": at, "published": at, "endsAt": at,
               "finished": "2026-01-01T12:00:10Z", "queued": at, "entries": 7, "affected": 6, "removed": 5, "seconds": 4,
               "message": "it is done", "remedies": [remedy]})
    };
    json!({
        "observedGeneration": 3,
        "warnings": 1,
        "warned": "InUse",
        "conditions": [condition("Ready"), condition("InUse")],
        "remedies": [{"condition": "InUse", "remedies": [remedy]}],
        "redis": {"endpoint": "shop-redis.web.svc:6380", "servers": [{
            "pod": "shop-redis-0", "role": "primary", "version": "8.2.9", "maxMemory": "256Mi", "evictionPolicy": "volatile-lru",
            "memoryLimit": "448Mi",
        }]},
        "binding": {"name": "shop-redis"},
        "keyRing": {
            "secret": "shop-keys", "active": "16a28072", "certificate": "0123456789ABCDEF0123456789ABCDEF01234567",
            "nextRotation": at, "applicationName": "/app",
            "keys": [{"id": "16a28072-2fa1-41d2-883f-0016d3cca427", "state": "Active", "created": at, "creationDate": at, "activates": at,
                      "expires": at, "inUse": true}],
        },
        "operations": [operation("RotateKey", "Completed"), operation("Flush", "Completed")],
        "lastOperation": "Flush Completed",
    })
}

fn cache(status: &Value) -> Value {
    let mut cache = serde_json::to_value(shop("redis: {maxMemory: 64Mi}")).unwrap();
    cache["status"] = status.clone();
    cache
}

fn stored(status: &Value) -> StoredStatus {
    let cache: DeserializeGuard<TokenCache> = serde_json::from_value(cache(status)).unwrap();
    let cache = cache.0.unwrap_or_else(|error| panic!("{}: {status}", error.error));
    assert_eq!(cache.spec.redis.max_memory.to_string(), "64Mi");
    cache.status.unwrap_or_default()
}

/// Every place in a value, as a JSON pointer; the whole of it is the first.
fn places(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(fields) => {
            found.extend(fields.iter().flat_map(|(name, value)| places(value, &format!("{at}/{name}"))));
        }
        Value::Array(elements) => {
            found
                .extend(elements.iter().enumerate().flat_map(|(index, value)| places(value, &format!("{at}/{index}"))));
        }
        _ => {}
    }
    found
}

/// The status with something else at a place, for everything else that JSON has; and the place.
fn mutants() -> Vec<(String, Value)> {
    let others = [
        Value::Null,
        true.into(),
        (-7).into(),
        1.5.into(),
        "OfALaterVersion".into(),
        json!([]),
        json!(["a", 1]),
        json!({}),
        json!({"a": 1}),
    ];
    let place = |place: String| {
        let mutant = |other: &Value| {
            let mut status = whole();
            *status.pointer_mut(&place).unwrap() = other.clone();
            (place.clone(), status)
        };
        others.iter().map(mutant).collect::<Vec<_>>()
    };
    places(&whole(), "").into_iter().flat_map(place).collect()
}

#[test]
fn the_status_that_is_mutated_has_every_field_of_the_schema() {
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
    assert_has_all(&whole(), schema, "");
}

fn assert_has_all(value: &Value, schema: &Value, at: &str) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let field = &value[name];
        assert!(!field.is_null(), "{at}/{name} is missing");
        assert_has_all(field, schema, &format!("{at}/{name}"));
    }
    if let Some(first) = value.as_array().and_then(|elements| elements.first()) {
        assert_has_all(first, &schema["items"], &format!("{at}/0"));
    }
}

/// What is at a place of another status: of a list's elements the one with the key of the element that was there.
fn at<'status>(mut status: &'status Value, place: &str) -> Option<&'status Value> {
    let whole = whole();
    let mut model = &whole;
    for step in place.split('/').skip(1) {
        if let Value::Array(elements) = model {
            model = &elements[step.parse::<usize>().unwrap()];
            let key = ["type", "pod", "id", "condition"].into_iter().find(|key| !model[key].is_null());
            let elements = status.as_array()?;
            status = match key {
                Some(key) => elements.iter().find(|element| element[key] == model[key])?,
                None => elements.get(step.parse::<usize>().unwrap())?,
            };
        } else {
            (model, status) = (&model[step], status.get(step)?);
        }
    }
    Some(status)
}

/// The smallest part of a status that says nothing where something in it cannot be read.
fn part(place: &str) -> &str {
    let element = |list: &str| place.strip_prefix(list).map(|rest| list.len() + rest.find('/').unwrap_or(rest.len()));
    let required = ["/redis/endpoint", "/binding/name", "/keyRing/secret"];
    let lists = ["/conditions/", "/redis/servers/", "/keyRing/keys/"];
    let remedy = place.rfind("/remedies/").map(|at| &place[..at + "/remedies/0".len()]);
    if required.contains(&place) {
        &place[..place.rfind('/').unwrap()]
    } else if let Some(remedy) = remedy {
        remedy
    } else {
        &place[..lists.into_iter().find_map(element).unwrap_or(place.len())]
    }
}

#[test]
fn no_value_in_a_status_makes_the_object_unreadable_and_every_other_one_is_read() {
    let whole = whole();
    for (place, status) in mutants() {
        let read = serde_json::to_value(&*stored(&status)).unwrap();
        for other in places(&whole, "") {
            let value = whole.pointer(&other).unwrap();
            let is_leaf = !value.is_object() && !value.is_array();
            // Where its type is another, nobody knows of what it is.
            let is_of_it = other.starts_with(part(&place)) || other.starts_with(place.trim_end_matches("/type"));
            if is_leaf && !is_of_it {
                assert_eq!(at(&read, &other), Some(value), "{other} beside {place} in {status}: {read}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_written_again_as_it_is() {
    for (place, status) in mutants() {
        let value = status.pointer(&place).unwrap();
        let says_nothing = value.is_null() || *value == json!([]) || *value == json!({});
        // These are looked at anew: the numbers have defaults, and an element of a list is one by its key.
        let anew = ["/conditions/", "/redis/servers/", "/keyRing/keys/"].iter().any(|list| place.starts_with(list))
            || place.contains("/remedies");
        let has_default = ["", "/observedGeneration", "/warnings"].contains(&place.as_str());
        let is_element = ["/operations/0", "/operations/1"].contains(&place.trim_end_matches("/type"));
        let is_list = ["/conditions", "/operations", "/redis/servers", "/keyRing/keys"].contains(&place.as_str());
        if says_nothing || anew || has_default || is_list && value.is_array() || is_element && !value.is_string() {
            continue;
        }
        let stored = stored(&status);
        let again = serde_json::to_value(stored.followed_by(TokenCacheStatus::clone(&stored))).unwrap();
        let is_there = places(&again, "").iter().any(|other| again.pointer(other) == Some(value));
        assert!(is_there || is_element && !place.ends_with("/type"), "{value} at {place}: {again}");
    }
}

/// Whether a flush, which was requested when the last one was, is made again.
fn is_done_again(status: &Value) -> bool {
    let stored = stored(status);
    let owner = World::new(shop("{}")).settings().owner;
    let value = format!("{FLUSH} all");
    let wish = FlushRequest {
        request: Some(Request::parse(&value)),
        what: What::parse(&value),
        created: Some(START),
        held: false,
    };
    let flush = read(&Input {
        owner: &owner,
        prefix: "shop:",
        wish: &wish,
        encrypt: true,
        reads: Reads::NoRing,
        operations: &stored.operations,
        progress: None,
        obstacle: None,
        restart: Remedy::free("restart Deployment web"),
        now: FLUSH.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(60),
    });
    flush.sweep.is_some()
}

#[test]
fn whatever_is_said_of_a_flush_that_was_done_it_is_not_done_again() {
    assert!(is_done_again(&json!({})), "here it can be told");
    assert!(!is_done_again(&whole()));
    // What is not said to be of a flush is of none.
    let names_it = ["", "/operations", "/operations/1", "/operations/1/type"];
    for (place, status) in mutants() {
        assert!(names_it.contains(&place.as_str()) || !is_done_again(&status), "{place}: {status}");
    }
}

#[test]
fn what_a_later_version_added_is_kept_and_goes_with_what_it_is_beside() {
    let mut status = whole();
    status["sqlCleanup"] = json!({"lastRun": FLUSH});
    status["operations"][1]["stage"] = "Verifying".into();
    status["operations"][1]["verified"] = 5.into();
    let later = json!({"type": "SqlCleanup", "requested": FLUSH, "stage": "Completed", "message": "it is done"});
    status["operations"].as_array_mut().unwrap().push(later.clone());
    status["redis"]["servers"][0]["zone"] = "a".into();
    status["redis"]["proxy"] = "envoy".into();
    let before = stored(&status);
    let flush = before.operations.iter().find(|operation| operation.type_ == OperationType::Flush).unwrap();
    assert_eq!(flush.entries, Some(7));

    let again = serde_json::to_value(before.followed_by(TokenCacheStatus::clone(&before))).unwrap();
    assert_eq!(again, status);

    let bare = TokenCacheStatus { observed_generation: 4, ..TokenCacheStatus::default() };
    let again = serde_json::to_value(before.followed_by(bare)).unwrap();
    let wanted = json!({
        "observedGeneration": 4, "warnings": 0, "remedies": [], "sqlCleanup": {"lastRun": FLUSH}, "operations": [later],
    });
    assert_eq!(again, wanted, "what was said of servers and of a flush is gone with them");
}

#[test]
fn what_others_wrote_into_the_status_is_left_to_them() {
    let mut status = whole();
    let condition = |type_: &str| json!({"type": type_, "status": "True", "reason": "a", "message": "a", "lastTransitionTime": FLUSH});
    status["conditions"] = json!([condition("Ready"), condition("SqlClean"), condition("example.com/Paused")]);
    status["sqlCleanup"] = json!({"lastRun": FLUSH});
    status["example"] = "somebody else's".into();
    let ours = json!({
        "f:conditions": {
            "k:{\"type\":\"Ready\"}": {".": {}, "f:type": {}},
            "k:{\"type\":\"SqlClean\"}": {".": {}, "f:type": {}, "f:status": {}, "f:reason": {}, "f:message": {},
                                          "f:lastTransitionTime": {}},
        },
        "f:sqlCleanup": {},
    });
    let left = |fields: &[&Value]| {
        let mut stored = stored(&status);
        stored.leave(ConditionType::is_known, fields);
        assert_eq!(stored.conditions.len(), 1, "{:?}", stored.conditions);
        serde_json::to_value(stored).unwrap()
    };
    let mut wanted = status.clone();
    wanted["conditions"] = json!([condition("Ready"), condition("SqlClean")]);
    wanted.as_object_mut().unwrap().remove("example");
    assert_eq!(left(&[&ours]), wanted);

    wanted["conditions"] = json!([condition("Ready")]);
    wanted.as_object_mut().unwrap().remove("sqlCleanup");
    assert_eq!(left(&[]), wanted);
}
