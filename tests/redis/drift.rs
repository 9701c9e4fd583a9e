//! What is not as wanted is set right, read back, and told with what came of it.

use tokencache_operator::redis::look::{
    Desired,
    answer::{Answer, MemorySettings},
    drift::{Correction, Drift, Parameter},
};

use crate::fake::Fake;
use crate::scene::{admin, config, config_without, first_look, login, look, probe, server_of, want};
use crate::support::redis_server::RedisServer;

fn drift(parameter: Parameter, found: &str, correction: Correction) -> Vec<Drift> {
    vec![Drift { parameter, found: found.to_owned(), correction, corrected_at: None }]
}

fn memory(answer: &Answer) -> &MemorySettings {
    answer.memory.as_ref().unwrap()
}

async fn look_for(redis: &RedisServer, want: &Desired) -> Answer {
    look(&probe(), &server_of(redis), &login(), want).await.unwrap()
}

#[tokio::test]
async fn another_policy_is_corrected_and_read_back() {
    let redis = RedisServer::start(&config()).await;
    admin(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let answer = first_look(&redis).await.unwrap();
    assert_eq!(answer.drift, drift(Parameter::EvictionPolicy, "noeviction", Correction::Corrected));
    assert_eq!(memory(&answer).eviction_policy, "volatile-lru");
    assert_eq!(admin(&redis, &["CONFIG", "GET", "maxmemory-policy"]), "maxmemory-policy\nvolatile-lru");
    assert_eq!(first_look(&redis).await.unwrap().drift, vec![], "told once");
}

#[tokio::test]
async fn another_memory_limit_is_corrected_and_read_back() {
    let redis = RedisServer::start(&config()).await;
    admin(&redis, &["CONFIG", "SET", "maxmemory", "0"]);
    let answer = first_look(&redis).await.unwrap();
    assert_eq!(answer.drift, drift(Parameter::MaxMemory, "0", Correction::Corrected));
    assert_eq!(memory(&answer).max_memory, 256 << 20);
    assert_eq!(admin(&redis, &["CONFIG", "GET", "maxmemory"]), "maxmemory\n268435456");
}

#[tokio::test]
async fn memory_that_the_container_has_no_room_for_is_left_alone() {
    let redis = RedisServer::start(&config()).await;
    let mut more = want();
    (more.max_memory, more.has_room, more.eviction_policy) = (4 << 30, false, "allkeys-lru".to_owned());
    let answer = look_for(&redis, &more).await;
    let expected = [
        drift(Parameter::EvictionPolicy, "volatile-lru", Correction::Corrected),
        drift(Parameter::MaxMemory, "268435456", Correction::NoRoom),
    ];
    assert_eq!(answer.drift, expected.concat());
    assert_eq!(admin(&redis, &["CONFIG", "GET", "maxmemory"]), "maxmemory\n268435456");
}

#[tokio::test]
async fn several_drifts_are_corrected_in_one_look() {
    let redis = RedisServer::start(&config()).await;
    admin(&redis, &["CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-random"]);
    admin(&redis, &["ACL", "SETUSER", "app", "nopass"]);
    let told: Vec<_> = first_look(&redis).await.unwrap().drift.into_iter().map(|drift| drift.correction).collect();
    assert_eq!(told, vec![Correction::Corrected; 3]);
}

#[tokio::test]
async fn a_wanted_value_that_changes_reaches_a_server_that_runs() {
    let redis = RedisServer::start(&config()).await;
    let mut want = want();
    (want.max_memory, want.eviction_policy) = (512 << 20, "allkeys-lfu".to_owned());
    let answer = look_for(&redis, &want).await;
    assert_eq!((memory(&answer).max_memory, memory(&answer).eviction_policy.as_str()), (512 << 20, "allkeys-lfu"));
}

#[tokio::test]
async fn a_user_without_the_right_to_correct_is_quoted_and_the_values_are_still_told() {
    let redis = RedisServer::start(&config_without(&["config|set", "acl|setuser"])).await;
    admin(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    admin(&redis, &["ACL", "SETUSER", "app", "nopass"]);
    let answer = first_look(&redis).await.unwrap();
    assert_eq!(memory(&answer).eviction_policy, "noeviction");
    let told: Vec<_> = answer.drift.iter().map(|drift| drift.parameter).collect();
    assert_eq!(told, [Parameter::EvictionPolicy, Parameter::AppPassword, Parameter::Rights("operator")]);
    for Drift { correction, .. } in answer.drift {
        assert!(matches!(&correction, Correction::Refused(words) if words.starts_with("NOPERM ")), "{correction:?}");
    }
}

#[tokio::test]
async fn a_value_that_the_server_does_not_know_is_refused_in_its_words() {
    let redis = RedisServer::start(&config()).await;
    let mut odd = want();
    odd.eviction_policy = "volatile-lrm".to_owned();
    let answer = look_for(&redis, &odd).await;
    assert_eq!(memory(&answer).eviction_policy, "volatile-lru");
    match answer.drift.as_slice() {
        [Drift { correction: Correction::Refused(words), .. }] => assert!(words.starts_with("ERR "), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_ok_that_changed_nothing_is_ineffective() {
    let liar = Fake::redis_but(|_| None).await;
    let mut memory_only = want();
    memory_only.users.clear();
    let answer = look(&probe(), &liar.server, &login(), &memory_only).await.unwrap();
    let ineffective = Correction::Ineffective("noeviction".to_owned());
    assert_eq!(answer.drift, drift(Parameter::EvictionPolicy, "noeviction", ineffective));
    assert_eq!(memory(&answer).eviction_policy, "noeviction");
}

#[tokio::test]
async fn while_paused_nothing_is_changed() {
    let redis = RedisServer::start(&config()).await;
    admin(&redis, &["CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "noeviction"]);
    admin(&redis, &["ACL", "SETUSER", "app", "nopass"]);
    let values = || admin(&redis, &["CONFIG", "GET", "maxmemory*"]) + &admin(&redis, &["ACL", "LIST"]);
    let before = values();
    let mut paused = want();
    paused.correct = false;
    let answer = look_for(&redis, &paused).await;
    assert_eq!((memory(&answer).max_memory, memory(&answer).eviction_policy.as_str()), (1 << 30, "noeviction"));
    let told: Vec<_> = answer.drift.into_iter().map(|drift| (drift.parameter, drift.correction)).collect();
    let parameters = [Parameter::EvictionPolicy, Parameter::MaxMemory, Parameter::AppPassword];
    assert_eq!(told, parameters.map(|parameter| (parameter, Correction::Withheld)));
    assert_eq!(values(), before);
}
