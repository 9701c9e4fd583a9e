//! A message that proposes an edit or a command says first what it costs: `Costs nothing: spec.redis.acl: Compatible`.

use tokencache_operator::api::v1alpha1::{Consequence, EDITS};

/// Commands of kubectl that change nothing.
const LOOKS: [&str; 3] = ["describe", "get", "logs"];

/// What follows a field or an annotation that is only told of.
const FACTS: [&str; 12] =
    ["is", "says", "names", "has", "accepts", "denies", "changed", "lets", "keeps", "moves", "must", "does"];

/// What a restart of the server may cost, in the words of `redis::restart`; of one that does not run, nothing more.
const RESTART: [&str; 5] = [
    "Costs all ",
    "Costs the only entry",
    "Costs seconds of outage",
    "Costs nothing more",
    "Costs nothing: make a second TokenCache",
];

/// What is proposed in a message without its cost, if anything.
pub fn without_cost(message: &str) -> Option<String> {
    let is_paid = |at: usize, field: Option<&str>| {
        let cost = cost_before(message, at);
        cost.is_some_and(|cost| field.is_none_or(|field| pays_for(cost, field, &message[at..])))
    };
    let commands = message.match_indices("`kubectl ").filter(|(at, _)| changes(&message[*at..]) && !is_paid(*at, None));
    let annotations =
        message.match_indices("tokencache.dev/").filter(|(at, _)| is_request(message, *at) && !is_paid(*at, None));
    let fields = message.match_indices("spec.").filter(|(at, _)| {
        let field = field_at(&message[at + "spec.".len()..]);
        let before = message[..*at].chars().next_back();
        let is_word = before.is_none_or(|before| before.is_whitespace() || before == '(');
        field.is_some_and(|field| is_word && !is_fact(message, *at, field) && !is_paid(*at, Some(field)))
    });
    let mut found = commands.chain(annotations).chain(fields);
    found.next().map(|(at, _)| message[at..].chars().take(60).collect())
}

/// The words of a cost in the same sentence before what it is for.
fn cost_before(message: &str, at: usize) -> Option<&str> {
    let before = &message[..at];
    let begins = before.rfind(". ").map_or(0, |end| end + 2);
    before[begins..].rfind("Costs ").map(|cost| &message[begins + cost..])
}

fn pays_for(cost: &str, field: &str, proposal: &str) -> bool {
    let edit = EDITS.iter().find(|edit| edit.field == field);
    let restarts = edit.map_or(field == "redis.pod", |edit| edit.consequence == Consequence::Restart);
    let is_of_restart = RESTART.iter().any(|words| cost.starts_with(words));
    let is_amount = field == "redis.maxMemory" && proposal.contains("maxMemory: ");
    // Of an amount of memory, whoever proposes it knows whether the container suits it.
    if is_amount {
        true
    } else if restarts || field == "redis.maxMemory" {
        is_of_restart
    } else {
        true
    }
}

/// Whether a command changes anything.
fn changes(command: &str) -> bool {
    let words = command.trim_start_matches('`').split_ascii_whitespace().skip(1);
    let verb = words.filter(|word| !word.starts_with('-')).find(|word| !is_namespace(command, word));
    verb.is_none_or(|verb| !LOOKS.contains(&verb))
}

/// Whether a word is what follows `-n`.
fn is_namespace(command: &str, word: &str) -> bool {
    command.contains(&format!("-n {word} "))
}

/// Whether an annotation that asks for something is named, and not only told of.
fn is_request(message: &str, at: usize) -> bool {
    let name: String = message[at..].chars().take_while(|char| !char.is_whitespace() && *char != '=').collect();
    let asks = name.ends_with("-requested") || name.ends_with("/reconcile") || name.ends_with("/adopt");
    let in_command = message[..at].matches('`').count() % 2 == 1;
    asks && !in_command && !tells(&message[at + name.len()..])
}

/// The field of the spec that a text begins with, as the table of edits has it.
fn field_at(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '.').unwrap_or(text.len());
    let path = text[..end].trim_end_matches('.');
    EDITS.iter().any(|edit| edit.field == path || edit.field.starts_with(&format!("{path}."))).then_some(path)
}

/// Whether a field is only told of.
fn is_fact(message: &str, at: usize, field: &str) -> bool {
    tells(&message[at + "spec.".len() + field.len()..])
}

/// Whether a text after a name, and after its value, goes on with what is so.
fn tells(after: &str) -> bool {
    let after = after.trim_start();
    let after = match after.strip_prefix('(') {
        Some(inside) => inside.split_once(')').map_or("", |(_, after)| after),
        None => after.strip_prefix(": ").map_or(after, |value| value.split_once(' ').map_or("", |(_, after)| after)),
    };
    FACTS.iter().any(|fact| after.trim_start().starts_with(fact))
}

#[test]
fn a_proposal_without_its_cost_is_seen_and_what_is_only_told_is_none() {
    for told in [
        "it is full. Set spec.redis.maxMemory: 512Mi",
        "Costs nothing. Set spec.redis.acl: Strict",
        "Costs nothing: set spec.redis.image to another",
        "Costs nothing: raise spec.redis.maxMemory",
        "`kubectl -n web delete pod shop-redis-0` restarts it",
        "it is full (`kubectl -n web edit pvc data-shop-redis-0` makes it larger)",
        "or ask for one with the annotation tokencache.dev/rotate-key-requested",
        "check spec.redis.pod",
    ] {
        assert!(without_cost(told).is_some(), "{told}");
    }
    for told in [
        "Costs all entries (users sign in again): set spec.redis.image to 8.2.9",
        "Costs nothing: spec.redis.maxMemory: 307Mi (may not suffice). Costs all entries: 512Mi (suffices)",
        "Costs seconds of outage and no entry: `kubectl -n web delete pod shop-redis-0` restarts it",
        "`kubectl -n web logs shop-redis-0` tells why, and `kubectl -n get describe pod a` more",
        "it is left alone while the annotation tokencache.dev/reconcile says paused",
        "because spec.redis.image changed, spec.redis.acl is Strict, as spec.entries.encrypt: false says",
        "StatefulSet shop-redis.spec.template.spec.nodeSelector: null",
    ] {
        assert_eq!(without_cost(told), None, "{told}");
    }
}
