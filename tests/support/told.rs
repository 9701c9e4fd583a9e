//! What is told in a status: each message is short, and what helps stands beside it with what it costs.

use serde_json::Value;
use tokencache_operator::{api::v1alpha1::Remedy, condition::message::LONGEST};

use super::remedies::without_cost;

/// What is wrong with a message and its remedies, if anything.
pub fn fault(message: &str, remedies: &[Remedy]) -> Option<String> {
    let length = message.chars().count();
    if length > LONGEST {
        return Some(format!("{length} characters are too many: {message}"));
    }
    if message.contains("`kubectl ") {
        return Some(format!("a command stands in a message: {message}"));
    }
    let lines = remedies.iter().map(line);
    let unpaid = lines.chain([message.to_owned()]).find_map(|line| without_cost(&line));
    if let Some(unpaid) = unpaid {
        return Some(format!("it is not told what this costs: {unpaid}"));
    }
    let is_free = |remedy: &Remedy| remedy.costs.as_ref().is_some_and(|costs| costs.starts_with("nothing"));
    let costly = |remedy: &Remedy| remedy.costs.is_some() && !is_free(remedy);
    let late = |remedy: &&Remedy| is_free(remedy) && !remedy.step.starts_with("after that");
    if let Some(late) = remedies.iter().skip_while(|remedy| !costly(remedy)).find(late) {
        return Some(format!("what costs nothing comes first: {}", late.sentence()));
    }
    let first = remedies.first().map(Remedy::sentence);
    let is_told = first.is_none_or(|first| message.contains(&first));
    (!is_told).then(|| format!("the first step does not stand in the message: {message}"))
}

/// What is wrong with what a status tells.
pub fn faults(status: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let of = |told: &Value| -> Vec<Remedy> { serde_json::from_value(told["remedies"].clone()).unwrap_or_default() };
    let remedies = list(&status["remedies"]);
    let conditions = list(&status["conditions"]).into_iter().map(|told| {
        let beside = remedies.iter().find(|beside| beside["condition"] == told["type"]);
        let remedies = beside.map(of).unwrap_or_default();
        (told, remedies)
    });
    let operations = list(&status["operations"]).into_iter().map(|told| {
        let remedies = of(&told);
        (told, remedies)
    });
    conditions.chain(operations).filter_map(|(told, remedies)| fault(told["message"].as_str()?, &remedies)).collect()
}

/// Makes sure that a message and its remedies are as they should be.
pub fn assert_short(message: &str, remedies: &[Remedy]) {
    assert_eq!(fault(message, remedies), None);
}

/// A remedy in one line.
pub fn line(remedy: &Remedy) -> String {
    let command = remedy.command.as_ref().map(|command| format!(" `{command}`")).unwrap_or_default();
    let manifest = remedy.manifest.as_ref().map(|manifest| format!(" {}", manifest.replace('\n', "; ")));
    format!("{}{command}{}", remedy.sentence(), manifest.unwrap_or_default())
}

/// Remedies in a line each, as they stand in a snapshot.
pub fn lines(remedies: &[Remedy]) -> String {
    let lines: Vec<String> = remedies.iter().map(|remedy| format!("      - {}\n", line(remedy))).collect();
    lines.concat()
}

#[test]
fn what_is_wrong_in_a_status_is_seen_of_conditions_and_of_operations() {
    use serde_json::json;

    let remedy = json!({"costs": "nothing", "step": "set spec.redis.acl: Strict"});
    let told = "it is full. Costs nothing: set spec.redis.acl: Strict";
    let status = |message: &str| {
        json!({
            "conditions": [{"type": "Ready", "message": told}, {"type": "Durable", "message": message}],
            "remedies": [{"condition": "Durable", "remedies": [remedy]}],
            "operations": [{"message": message, "remedies": [remedy]}],
        })
    };
    assert_eq!(faults(&status(told)), [""; 0]);
    assert_eq!(faults(&status("it is full")).len(), 2);
    assert_eq!(faults(&Value::Null), [""; 0]);
}

#[test]
fn what_is_wrong_with_a_message_is_seen() {
    let remedy = || Remedy::free("set spec.redis.acl: Strict");
    assert_eq!(fault("it is full. Costs nothing: set spec.redis.acl: Strict", &[remedy()]), None);
    assert_eq!(fault("it is full. See its log", &[Remedy::look("see its log").command("kubectl logs a")]), None);
    for (message, remedies) in [
        ("it is full", vec![remedy()]),
        ("see `kubectl get pods`", vec![]),
        ("it is full. Set spec.redis.acl: Strict", vec![Remedy::look("set spec.redis.acl: Strict")]),
        ("it is full. Restart it", vec![Remedy::look("restart it").command("kubectl delete pod a")]),
        ("it is full. Costs all entries: restart it", vec![Remedy::costing("all entries", "restart it"), remedy()]),
        (&"x".repeat(LONGEST + 1), vec![]),
    ] {
        assert!(fault(message, &remedies).is_some(), "{message}");
    }
}
