//! What a status holds that this version cannot read.
//!
//! In: a status as it is stored. Out: what of it can be read, whatever the rest holds; and the rest, which joins the next status
//! that is written. It does not know what any of it means.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// The lists whose elements have a key, and whether an element stays that this version cannot read at all. Of what was
/// observed it does not: this version observes anew.
const LISTS: [(&str, &str, bool); 5] = [
    ("conditions", "type", true),
    ("operations", "type", true),
    ("remedies", "condition", false),
    ("servers", "pod", false),
    ("keys", "id", false),
];

/// What of a status could not be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Kept(Map<String, Value>);

/// As much of a value as can be read, and what that is in JSON. What cannot is left out, and so is whatever is nothing without it.
pub(super) fn readable<T: DeserializeOwned + Serialize + Default>(stored: &Value) -> (T, Value) {
    let mut stored = Cow::Borrowed(stored);
    loop {
        let read = match serde_path_to_error::deserialize::<_, T>(stored.as_ref()) {
            Err(error) if remove(stored.to_mut(), error.path()) => continue,
            read => read.unwrap_or_default(),
        };
        let json = serde_json::to_value(&read).unwrap_or_default();
        match misread(&json, &stored) {
            Some(place) => drop(stored.to_mut().pointer_mut(&place).map(Value::take)),
            None => return (read, json),
        }
    }
}

/// The first place with a list that was read as if it were the fields of an object, one after the other, as serde does.
fn misread(read: &Value, stored: &Value) -> Option<String> {
    match (read, stored) {
        (Value::Object(_), Value::Array(_)) => Some(String::new()),
        (Value::Object(read), Value::Object(stored)) => {
            read.iter().find_map(|(name, read)| Some(format!("/{name}{}", misread(read, stored.get(name)?)?)))
        }
        (Value::Array(read), Value::Array(stored)) => {
            let pairs = read.iter().zip(stored).enumerate();
            pairs.into_iter().find_map(|(index, (read, stored))| Some(format!("/{index}{}", misread(read, stored)?)))
        }
        _ => None,
    }
}

/// Removes what is at this path, and says whether there was anything.
fn remove(value: &mut Value, path: &Path) -> bool {
    let segments = path.iter().filter(|segment| matches!(segment, Segment::Map { .. } | Segment::Seq { .. }));
    let segments: Vec<&Segment> = segments.collect();
    let Some((last, before)) = segments.split_last() else { return false };
    let within = before.iter().try_fold(value, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(*index),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    match (last, within) {
        (Segment::Map { key }, Some(Value::Object(fields))) => fields.remove(key).is_some(),
        (Segment::Seq { index }, Some(Value::Array(elements))) if *index < elements.len() => {
            elements.remove(*index);
            true
        }
        _ => false,
    }
}

impl Kept {
    /// What is stored beside what was read of it.
    pub(super) fn beside(read: &Value, stored: &Value) -> Self {
        match beside(read, stored) {
            Some(Value::Object(kept)) => Self(kept),
            _ => Self::default(),
        }
    }

    /// Whether all could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps another element of a list as well.
    pub(super) fn add(&mut self, list: &str, element: Value) {
        if let Value::Array(elements) = self.0.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
            elements.push(element);
        }
    }

    /// What of it joins a status that is written now. What was beside something that is gone by now is gone with it.
    pub(super) fn that_joins(&self, now: &Value, before: &Value) -> Self {
        match joining(&Value::Object(self.0.clone()), now, before) {
            Some(Value::Object(kept)) => Self(kept),
            _ => Self::default(),
        }
    }

    /// Only what is among these fields, in the form of `managedFields`: what somebody else wrote stays where it is without us.
    pub(super) fn retain(&mut self, fields: &[&Value]) {
        let kept = Value::Object(std::mem::take(&mut self.0));
        if let Value::Object(kept) = among(kept, fields) {
            self.0 = kept;
        }
    }

    /// A status as it is stored.
    pub(super) fn join(&self, mut written: Value) -> Value {
        join(&mut written, &Value::Object(self.0.clone()));
        written
    }
}

/// The key of the elements of a list, and whether one stays that cannot be read at all.
fn list(name: &str) -> Option<(&'static str, bool)> {
    LISTS.iter().find(|(list, ..)| *list == name).map(|(_, key, stays)| (*key, *stays))
}

fn element<'list>(elements: &'list [Value], like: &Value, key: &str) -> Option<&'list Value> {
    elements.iter().find(|element| element.get(key).is_some() && element.get(key) == like.get(key))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// What is stored and was not read.
fn beside(read: &Value, stored: &Value) -> Option<Value> {
    let (Value::Object(read), Value::Object(stored)) = (read, stored) else { return None };
    let rest = stored.iter().filter_map(|(name, stored)| {
        let rest = match (read.get(name), stored, list(name)) {
            // A list without an element that could be read is not written.
            (read, Value::Array(stored), Some((key, stays))) => {
                let none = Vec::new();
                let read = read.and_then(Value::as_array).unwrap_or(&none);
                let rest = stored.iter().filter_map(|stored| match element(read, stored, key) {
                    Some(read) => beside(read, stored).map(|rest| keyed(rest, stored, key)),
                    None => (stays && stored[key].is_string()).then(|| stored.clone()),
                });
                Value::Array(rest.collect())
            }
            (Some(read), stored, _) => beside(read, stored)?,
            (None, stored, _) => stored.clone(),
        };
        (!is_nothing(&rest)).then(|| (name.clone(), rest))
    });
    let rest: Map<String, Value> = rest.collect();
    (!rest.is_empty()).then_some(Value::Object(rest))
}

/// What is beside an element, with its key.
fn keyed(mut rest: Value, element: &Value, key: &str) -> Value {
    rest[key] = element[key].clone();
    rest
}

/// What of the rest is written again.
fn joining(rest: &Value, now: &Value, before: &Value) -> Option<Value> {
    let (Value::Object(fields), Value::Object(now), Value::Object(before)) = (rest, now, before) else { return None };
    let fields = fields.iter().filter_map(|(name, rest)| {
        let kept = match (rest, now.get(name), before.get(name), list(name)) {
            (Value::Array(rest), now, before, Some((key, _))) => {
                let none = Vec::new();
                let now = now.and_then(Value::as_array).unwrap_or(&none);
                let before = before.and_then(Value::as_array).unwrap_or(&none);
                let rest = rest.iter().filter_map(|rest| match element(before, rest, key) {
                    None => Some(rest.clone()),
                    Some(before) => joining(rest, element(now, rest, key)?, before).map(|kept| keyed(kept, rest, key)),
                });
                Value::Array(rest.collect())
            }
            (rest, _, None, _) => rest.clone(),
            (rest, Some(now), Some(before), _) => joining(rest, now, before)?,
            (_, None, Some(_), _) => return None,
        };
        (!is_nothing(&kept)).then(|| (name.clone(), kept))
    });
    Some(Value::Object(fields.collect()))
}

/// What of the rest is among these fields.
fn among(rest: Value, fields: &[&Value]) -> Value {
    let Value::Object(rest) = rest else { return rest };
    // Whoever has it as a whole has all that is in it.
    if fields.iter().any(|fields| fields.as_object().is_some_and(|fields| fields.keys().all(|field| field == "."))) {
        return Value::Object(rest);
    }
    let kept = rest.into_iter().filter_map(|(name, rest)| {
        let fields: Vec<&Value> = fields.iter().filter_map(|fields| fields.get(format!("f:{name}"))).collect();
        if fields.is_empty() {
            return None;
        }
        let kept = match (rest, list(&name)) {
            (Value::Array(rest), Some((key, _))) => {
                let of = |element: &Value| -> Vec<&Value> {
                    let of_it = |path: &str| {
                        let keys = path.strip_prefix("k:").and_then(|keys| serde_json::from_str::<Value>(keys).ok());
                        keys.is_some_and(|keys| keys[key] == element[key])
                    };
                    let elements = fields.iter().filter_map(|fields| fields.as_object()).flatten();
                    elements.filter(|(path, _)| of_it(path)).map(|(_, fields)| fields).collect()
                };
                let kept = rest.into_iter().filter_map(|element| match of(&element) {
                    fields if fields.is_empty() => None,
                    fields => Some(among(element, &fields)),
                });
                Value::Array(kept.collect())
            }
            (rest, _) => among(rest, &fields),
        };
        (!is_nothing(&kept)).then_some((name, kept))
    });
    Value::Object(kept.collect())
}

/// Adds the rest to what is written, which goes before it.
fn join(written: &mut Value, rest: &Value) {
    let (Value::Object(written), Value::Object(rest)) = (written, rest) else { return };
    for (name, rest) in rest {
        match (written.get_mut(name), rest, list(name)) {
            (None, rest, _) => drop(written.insert(name.clone(), rest.clone())),
            (Some(Value::Array(written)), Value::Array(rest), Some((key, _))) => {
                for rest in rest {
                    match written.iter_mut().find(|written| written.get(key) == rest.get(key)) {
                        Some(written) => join(written, rest),
                        None => written.push(rest.clone()),
                    }
                }
            }
            (Some(written), rest, _) => join(written, rest),
        }
    }
}
