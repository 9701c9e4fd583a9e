//! What is written on a `TokenCache` for the operator, and means nothing to it. Pure.
//!
//! In: its annotations and labels. Out: a sentence about each that looks as if it were meant for the operator, with the nearest that
//! exists. It never speaks of those of others (kubectl, Helm, Argo CD).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use strsim::{damerau_levenshtein, normalized_damerau_levenshtein};

use crate::{
    api::v1alpha1::{ANNOTATION_PREFIX, ANNOTATIONS, Annotation, Takes},
    kubernetes::words,
};

/// How many letters of a key may be others, for it to be mistyped where it has not the operator's prefix, or is a label.
const SLIP: usize = 2;

/// How alike two words are, from 0 to 1, for one to be meant by the other.
const ALIKE: f64 = 0.5;

/// What the keys of requests end with.
const REQUESTED: &str = "-requested";

/// How much is told, in characters: what there is beside the first one is counted, where it would be more.
const LONGEST: usize = 240;

/// How much of a value is told, in characters.
const LONGEST_VALUE: usize = 20;

/// What is said of all that means nothing; `None` where there is nothing like that.
#[must_use]
pub fn sentences(metadata: &ObjectMeta) -> Option<String> {
    let of = |pairs: &Option<BTreeMap<String, String>>| pairs.clone().unwrap_or_default().into_iter();
    let annotations = of(&metadata.annotations).filter_map(|(key, value)| of_annotation(&key, &value));
    let labels = of(&metadata.labels).filter_map(|(key, _)| of_label(&key));
    let all: Vec<String> = annotations.chain(labels).collect();
    let (first, others) = all.split_first()?;
    let (mut told, mut more) = (first.clone(), 0);
    for other in others {
        let with = format!("{told}. {other}");
        if with.chars().count() <= LONGEST {
            told = with;
        } else {
            more += 1;
        }
    }
    match more {
        0 => Some(told),
        more => Some(format!("{told}. {more} more of this kind")),
    }
}

fn of_annotation(key: &str, value: &str) -> Option<String> {
    if let Some(known) = ANNOTATIONS.iter().find(|known| known.key() == key) {
        return match known.takes() {
            // Who empties it wants nothing.
            Takes::Word(word) if value != word && !value.is_empty() => Some(format!(
                "Annotation {known} does nothing: it says {:?}, not {word:?}",
                words::cut(value, LONGEST_VALUE)
            )),
            Takes::Word(_) | Takes::Request => None,
        };
    }
    let Some(name) = key.strip_prefix(ANNOTATION_PREFIX) else {
        let meant = by_slip(key)?;
        return Some(format!("Annotation {key} does nothing: most likely {meant} is meant"));
    };
    let known = || {
        let names: Vec<&str> = ANNOTATIONS.iter().copied().map(own_name).collect();
        format!("{ANNOTATION_PREFIX} has {}", names.join(", "))
    };
    let remedy = nearest(name).map_or_else(known, |meant| format!("most likely {} is meant", spelt(meant)));
    Some(format!("Annotation {key} is unknown and does nothing: {remedy}"))
}

fn of_label(key: &str) -> Option<String> {
    let meant = by_slip(key)?;
    Some(format!("Label {key} does nothing: {} is an annotation", spelt(meant)))
}

/// An annotation, as it is to be written.
fn spelt(annotation: Annotation) -> String {
    match annotation.takes() {
        Takes::Word(word) => format!("{annotation}={word}"),
        Takes::Request => annotation.to_string(),
    }
}

/// The annotation that has this key, but for a slip.
fn by_slip(key: &str) -> Option<Annotation> {
    ANNOTATIONS.iter().copied().find(|known| damerau_levenshtein(&key.to_ascii_lowercase(), known.key()) <= SLIP)
}

/// The annotation that is meant by a name under the prefix, most likely.
fn nearest(name: &str) -> Option<Annotation> {
    // All requests end like this: it tells none from another.
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches(REQUESTED);
    let likeness = |known: Annotation| {
        let own = own_name(known).trim_end_matches(REQUESTED);
        let word = match known.takes() {
            Takes::Word(word) => word,
            Takes::Request => own,
        };
        let likeness = |written: &str| {
            let in_order = normalized_damerau_levenshtein(name, written);
            in_order.max(normalized_damerau_levenshtein(&in_any_order(name), &in_any_order(written)))
        };
        likeness(own).max(likeness(word))
    };
    let likely = ANNOTATIONS.iter().map(|known| (likeness(*known), *known)).filter(|(likeness, _)| *likeness >= ALIKE);
    likely.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

/// Its words, whichever comes first.
fn in_any_order(name: &str) -> String {
    let mut words: Vec<&str> = name.split('-').collect();
    words.sort_unstable();
    words.join("-")
}

/// The key without the prefix.
fn own_name(annotation: Annotation) -> &'static str {
    annotation.key().trim_start_matches(ANNOTATION_PREFIX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(metadata: Value) -> String {
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        sentences(&metadata).unwrap_or_default()
    }

    fn of(key: &str, value: &str) -> String {
        said(json!({"annotations": {key: value}}))
    }

    #[test]
    fn what_is_mistyped_is_told_with_the_nearest_that_exists() {
        for (written, meant) in [
            ("rotate-password", "rotate-password-requested"),
            ("rotate-passwords-requested", "rotate-password-requested"),
            ("password-rotate", "rotate-password-requested"),
            ("rotate-key", "rotate-key-requested"),
            ("key-rotation-requested", "rotate-key-requested"),
            ("revoke-key", "revoke-key-requested"),
            ("revoke", "revoke-key-requested"),
            ("Flush-Requested", "flush-requested"),
            ("flush", "flush-requested"),
            ("reconciled", "reconcile=paused"),
            ("pause", "reconcile=paused"),
            ("restore", "adopt=restored"),
            ("adopted", "adopt=restored"),
        ] {
            let key = format!("tokencache.dev/{written}");
            let wanted =
                format!("Annotation {key} is unknown and does nothing: most likely tokencache.dev/{meant} is meant");
            assert_eq!(of(&key, "x"), wanted);
        }
        assert_eq!(
            of("tokencache.dev/owner", "ann"),
            "Annotation tokencache.dev/owner is unknown and does nothing: tokencache.dev/ has reconcile, adopt, \
             rotate-password-requested, rotate-key-requested, revoke-key-requested, flush-requested"
        );
    }

    #[test]
    fn a_value_that_is_none_is_told_where_a_word_is_wanted() {
        for value in ["pause", "Paused", "paused ", "true"] {
            let wanted = format!("Annotation tokencache.dev/reconcile does nothing: it says {value:?}, not \"paused\"");
            assert_eq!(of("tokencache.dev/reconcile", value), wanted);
        }
        assert!(of("tokencache.dev/adopt", "yes").ends_with("it says \"yes\", not \"restored\""));
        for (key, value) in
            [("reconcile", "paused"), ("reconcile", ""), ("adopt", "restored"), ("flush-requested", "now")]
        {
            assert_eq!(of(&format!("tokencache.dev/{key}"), value), "");
        }
    }

    #[test]
    fn a_slip_in_the_prefix_and_a_label_in_place_of_an_annotation_are_told() {
        assert_eq!(
            of("tokencaches.dev/flush-requested", "x"),
            "Annotation tokencaches.dev/flush-requested does nothing: most likely tokencache.dev/flush-requested is meant"
        );
        assert_eq!(
            said(json!({"labels": {"tokencache.dev/reconcile": "paused"}})),
            "Label tokencache.dev/reconcile does nothing: tokencache.dev/reconcile=paused is an annotation"
        );
    }

    #[test]
    fn what_others_write_is_left_to_them() {
        let annotations = json!({
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "meta.helm.sh/release-name": "shop",
            "argocd.argoproj.io/tracking-id": "shop:tokencache.dev/TokenCache:web/shop",
            "argocd.argoproj.io/sync-options": "Prune=false",
            "example.com/reconcile": "pause",
            "reconcile": "pause",
        });
        let labels = json!({"tokencache.dev/made-by": "demo", "tokencache.dev/cache": "shop", "app.kubernetes.io/instance": "a"});
        assert_eq!(said(json!({"annotations": annotations, "labels": labels})), "");
    }

    #[test]
    fn however_many_there_are_as_many_are_told_as_a_message_holds() {
        let key = |index: usize| format!("tokencache.dev/{index}{}", "x".repeat(62));
        let annotations: BTreeMap<String, String> = (0..5).map(|index| (key(index), "y".repeat(1000))).collect();
        let told = said(json!({"annotations": annotations}));
        assert!(told.ends_with(". 4 more of this kind") && told.chars().count() < 265, "{told}");
        let two = json!({"tokencache.dev/flush": "x", "tokencache.dev/reconcile": "pause"});
        let told = said(json!({"annotations": two}));
        assert!(told.contains("flush-requested is meant") && told.contains("not \"paused\""), "{told}");
        assert!(told.chars().count() < LONGEST, "{told}");
        let told = said(json!({"annotations": {"tokencache.dev/reconcile": "z".repeat(1000)}}));
        assert!(told.chars().count() < 150, "{told}");
    }
}
