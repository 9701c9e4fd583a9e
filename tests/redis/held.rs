//! The connection to a server is held between looks, and given up as soon as it tells less than a new one would.

use tokencache_operator::redis::look::fault::Fault;

use crate::fake::Fake;
use crate::scene::{admin, config, login, look, other_password, probe, server_of, want};
use crate::support::eventually::eventually;
use crate::support::redis_server::RedisServer;

/// The connections of the operator's user, by the id that the server gave them.
fn connections(redis: &RedisServer) -> Vec<String> {
    let clients = admin(redis, &["CLIENT", "LIST"]);
    let of_operator = clients.lines().filter(|line| line.contains(" user=operator "));
    of_operator.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_connection_serves_many_looks() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    let held = connections(&redis);
    assert_eq!(held.len(), 1);
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    assert_eq!(connections(&redis), held);
}

#[tokio::test]
async fn a_restart_between_looks_is_no_fault() {
    let mut redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    redis.restart().await;
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable_although_it_was_held() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    redis.process().kill();
    let outcome = look(&probe, &server, &login(), &want()).await;
    assert_eq!(outcome, Err(Fault::Unreachable("connection refused".to_owned())));
}

#[tokio::test]
async fn a_password_that_was_changed_on_the_server_is_noticed_on_a_held_connection() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    let hash = other_password().sha256();
    admin(&redis, &["ACL", "SETUSER", "operator", "resetpass", &format!("#{}", hash.as_hex())]);
    assert_eq!(connections(&redis).len(), 1, "Redis leaves the connection open");
    assert_eq!(look(&probe, &server, &login(), &want()).await, Err(Fault::WrongPassword));
    let mut changed = login();
    changed.password = other_password();
    assert!(look(&probe, &server, &changed, &want()).await.is_ok());
}

#[tokio::test]
async fn another_pod_at_the_same_address_gets_a_connection_of_its_own() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    let held = connections(&redis);
    let mut successor = server.clone();
    successor.uid = "uid-2".to_owned();
    assert!(look(&probe, &successor, &login(), &want()).await.is_ok());
    probe.forget(|server| server.uid == "uid-1");
    let left = eventually("one connection is left", async || match connections(&redis) {
        left if left.len() == 1 => Ok(left),
        left => Err(format!("{left:?}")),
    })
    .await;
    assert_ne!(left, held);
}

#[tokio::test]
async fn a_connection_on_which_an_answer_is_owed_is_closed_after_the_look() {
    let fake = Fake::redis_but(|asked| asked.starts_with("INFO").then(Vec::new)).await;
    assert_eq!(look(&probe(), &fake.server, &login(), &want()).await, Err(Fault::Frozen));
    eventually("no connection is left", async || match fake.open() {
        0 => Ok(()),
        open => Err(format!("{open} are open")),
    })
    .await;
}
