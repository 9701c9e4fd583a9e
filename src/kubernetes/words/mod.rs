//! What Kubernetes says of trouble, in words for a message: the same trouble in the same words each time, at no great length.
//!
//! In: an error of the client, or a text of the API server's or kubelet's. Out: a text without what is another each time: the
//! order of causes, local ports, the time of day, the ids of requests. A status that holds it settles. And without what only
//! those understand who have the source of the client at hand.

pub mod handshake;

use std::{collections::BTreeSet, error::Error, io, net::SocketAddr};

use jiff::Timestamp;
use kube::core::Status;
use uuid::Uuid;

/// How many causes are named.
const NAMED: usize = 3;
/// The digits of a container's id.
const CONTAINER_ID: usize = 64;
/// The longest cause, in characters.
const LONGEST_CAUSE: usize = 200;
/// The longest text, in characters. A message cuts it further.
const LONGEST: usize = 640;

/// What the API server, or the way to it, answered: what is at the bottom of an error, since what is above says less of it, or
/// prints all that there is.
#[must_use]
pub fn of(error: &(dyn Error + 'static)) -> String {
    let mut way = "";
    let mut error = error;
    loop {
        if let Some(answer) = answer(error) {
            return of_answer(answer);
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return format!("{way}{}", handshake::words(error));
        }
        if matches!(error.downcast_ref(), Some(kube::Error::Service(_) | kube::Error::HyperError(_))) {
            way = "no answer from the API server: ";
        }
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match within.map(|within| within as &(dyn Error + 'static)).or_else(|| error.source()) {
            Some(source) => error = source,
            None => return format!("{way}{}", steady(without_number(&error.to_string()))),
        }
    }
}

/// The answer that an error is, if it is one.
fn answer<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error Status> {
    if let Some(kube::Error::Api(answer)) = error.downcast_ref() {
        return Some(answer);
    }
    error.downcast_ref::<Status>().or_else(|| error.downcast_ref::<Box<Status>>().map(AsRef::as_ref))
}

/// What the system says, without the number that it has for it.
fn without_number(text: &str) -> &str {
    text.split_once(" (os error ").map_or(text, |(text, _)| text)
}

/// What the API server answered. It lists causes in any order.
fn of_answer(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: BTreeSet<String> = causes
        .map(|cause| match (cause.field.as_str(), cause.message.as_str()) {
            ("", message) => steady(message),
            (field, message) => steady(&format!("{field}: {message}")),
        })
        .filter(|cause| !cause.is_empty())
        .collect();
    if causes.len() > 1 {
        return cut(&named(&causes), LONGEST);
    }
    match status.message.split_once('\n') {
        // One cause a line: so answers a server-side apply.
        Some((what, causes)) => {
            let causes = causes.lines().map(steady).filter(|cause| !cause.is_empty()).collect();
            cut(&format!("{} {}", steady(what), named(&causes)), LONGEST)
        }
        None if status.message.is_empty() => steady(&status.reason),
        None => steady(&status.message),
    }
}

/// The first causes, and how many there are.
fn named(causes: &BTreeSet<String>) -> String {
    let first: Vec<String> = causes.iter().take(NAMED).map(|cause| cut(cause, LONGEST_CAUSE)).collect();
    match causes.len().checked_sub(NAMED) {
        None | Some(0) => first.join("; "),
        Some(_) => format!("{} causes, of which the first are: {}", causes.len(), first.join("; ")),
    }
}

/// A text in one line, without what is another each time.
#[must_use]
pub fn steady(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_time_of_day = words.ends_with(&["current".to_owned(), "time".to_owned()]);
        if is_time_of_day && word.parse::<Timestamp>().is_ok() {
            continue;
        }
        words.push(without_id(without_local_port(word)));
    }
    cut(&words.join(" "), LONGEST)
}

/// The far end of a connection, of one that is told as `10.0.0.7:40000->10.0.0.1:443`.
fn without_local_port(word: &str) -> &str {
    match word.split_once("->") {
        Some((near, far)) if near.parse::<SocketAddr>().is_ok() => far,
        _ => word,
    }
}

/// The word without the id of a request or a container, which webhooks and kubelet put into what they say. The digest of an
/// image stays.
fn without_id(word: &str) -> String {
    let is_of_id = |char: char| char.is_ascii_hexdigit() || char == '-';
    let mut told = word.to_owned();
    for part in word.split(|char| !is_of_id(char)) {
        let is_request = part.len() == 36 && Uuid::try_parse(part).is_ok();
        let is_container = part.len() == CONTAINER_ID && !word.contains(&format!("sha256:{part}"));
        if is_request || is_container {
            told = told.replace(part, "…");
        }
    }
    told
}

/// The text, or as much of it as these characters hold.
#[must_use]
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    kept + "…"
}

/// Why the API server refused something, without which object that was: for a message that names it.
#[must_use]
pub fn why(answer: &str) -> &str {
    let named = [" is forbidden: ", " is invalid: "].iter().find_map(|middle| answer.split_once(middle));
    named.filter(|(object, _)| object.ends_with('"')).map_or(answer, |(_, why)| why)
}

/// The text, or as much of its beginning and its end as these characters hold.
#[must_use]
pub fn cut_within(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let beginning = longest / 3;
    let end = longest.saturating_sub(beginning + 1);
    text.chars().take(beginning).chain(['…']).chain(text.chars().skip(length - end)).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::json;

    use super::*;

    fn refused(message: &str, causes: &[(&str, &str)]) -> String {
        let causes: Vec<_> =
            causes.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
        let status = json!({"code": 422, "message": message, "reason": "Invalid", "details": {"causes": causes}});
        of(&kube::Error::Api(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn why_the_api_server_refused_something_is_told_without_the_object() {
        let policy = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not before Christmas";
        let answer = format!("statefulsets.apps \"shop-redis\" is forbidden: {policy}");
        assert_eq!(why(&answer), policy);
        assert_eq!(why("StatefulSet.apps \"a\" is invalid: spec.replicas: no"), "spec.replicas: no");
        assert_eq!(why("it is forbidden: all of it"), "it is forbidden: all of it");
    }

    #[test]
    fn a_text_that_is_cut_within_keeps_its_beginning_and_its_end() {
        assert_eq!(cut_within("no change", 9), "no change");
        let short = cut_within("ValidatingAdmissionPolicy 'p' denied request: not before Christmas", 40);
        assert!(short.starts_with("Validating") && short.ends_with("not before Christmas"), "{short}");
        assert_eq!(short.chars().count(), 40);
    }

    #[test]
    fn causes_read_the_same_in_whatever_order_they_come_and_three_are_named() {
        let causes = [("spec.b", "no"), ("spec.a", "no"), ("spec.d", "no"), ("spec.c", "no"), ("spec.a", "no")];
        let mut turned = causes;
        turned.reverse();
        let told = refused("in any order", &causes);
        assert_eq!(told, "4 causes, of which the first are: spec.a: no; spec.b: no; spec.c: no");
        assert_eq!(refused("in another one", &turned), told);
        assert_eq!(refused("two", &[("b", "no"), ("a", "no")]), "a: no; b: no");
        assert_eq!(refused("X is invalid: a: no", &[("a", "no")]), "X is invalid: a: no");
    }

    #[test]
    fn causes_that_are_lines_are_told_like_causes() {
        let lines = "failed to create typed patch object (web/shop; apps/v1): errors:\n  .spec.b: no\n  .spec.a: no\n";
        let turned = "failed to create typed patch object (web/shop; apps/v1): errors:\n  .spec.a: no\n  .spec.b: no";
        let told = "failed to create typed patch object (web/shop; apps/v1): errors: .spec.a: no; .spec.b: no";
        assert_eq!([refused(lines, &[]), refused(turned, &[])], [told, told]);
    }

    #[test]
    fn what_is_another_each_time_is_left_out() {
        let id = "0123456789abcdef".repeat(4);
        for (text, told) in [
            ("read tcp 10.0.0.7:41234->10.0.0.1:443: i/o timeout", "read tcp 10.0.0.1:443: i/o timeout"),
            ("read udp [fd00::7]:41234->[fd00::1]:53: timeout", "read udp [fd00::1]:53: timeout"),
            (
                "certificate has expired: current time 2026-07-03T10:00:01Z is after 2026-07-01T00:00:00Z",
                "certificate has expired: current time is after 2026-07-01T00:00:00Z",
            ),
            ("denied (request: 1b4e28ba-2fa1-41d2-883f-0016d3cca427).", "denied (request: …)."),
            ("a->b, and\n 10.0.0.1:443", "a->b, and 10.0.0.1:443"),
            (&format!("name is reserved for \"{id}\": /run/{id}/rootfs"), "name is reserved for \"…\": /run/…/rootfs"),
            (&format!("redis@sha256:{id} was not found"), &format!("redis@sha256:{id} was not found")),
        ] {
            assert_eq!(steady(text), told);
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        let causes: Vec<(String, String)> = (0..9).map(|index| (format!("f{index}"), "ü".repeat(5000))).collect();
        let causes: Vec<(&str, &str)> = causes.iter().map(|(field, message)| (&**field, &**message)).collect();
        let told = refused("", &causes);
        assert!(told.chars().count() <= LONGEST && told.contains("f0") && told.contains("f2"), "{told}");
        assert_eq!(refused(&"ü".repeat(5000), &[]).chars().count(), LONGEST);
    }

    #[test]
    fn of_the_way_to_the_api_server_the_cause_is_told() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused");
        let above = kube::Error::Service(io::Error::other(refused).into());
        assert_eq!(of(&above), "no answer from the API server: Connection refused");
        let watch = kube::runtime::watcher::Error::WatchFailed(above);
        assert_eq!(of(&watch), "no answer from the API server: Connection refused");
        let system = kube::Error::Service(io::Error::from_raw_os_error(111).into());
        assert_eq!(of(&system), "no answer from the API server: Connection refused");
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let untrusted = kube::Error::Service(io::Error::other(untrusted).into());
        let wanted = "the certificate is not accepted: no trusted CA signed it";
        assert_eq!(of(&untrusted), format!("no answer from the API server: {wanted}"));
    }

    #[test]
    fn an_answer_is_told_whatever_it_is_wrapped_in() {
        let status = || Status::failure("it may not", "Forbidden").boxed();
        let watch = kube::runtime::watcher::Error::WatchError(status());
        let queue = kube::runtime::watcher::Error::InitialListFailed(kube::Error::Api(status()));
        assert_eq!([of(&watch), of(&queue), of(&*status())], ["it may not"; 3]);
    }
}
