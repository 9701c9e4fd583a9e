//! From where applications are connected, on every server that there is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokencache_operator::{
    probe::{Probe, wire::Limits},
    redis::look::{Desired, Question},
};
use tokio::net::{TcpSocket, TcpStream};

use crate::scene::{admin, app_password, config, config_without, login, look, now, server_of, want};
use crate::servers::each;
use crate::support::process::own_address;
use crate::support::redis_server::{RedisServer, say};

/// A probe to which it says something who is connected to a server that was just started.
fn probe() -> Probe {
    Probe::new(Limits { reconnect: Duration::ZERO, ..Limits::default() }, now)
}

fn asking() -> Desired {
    Desired { question: Some(Question::Callers), ..want() }
}

/// A connection of the user `app` from this address.
async fn connect(redis: &RedisServer, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect((redis.address(), redis.port()).into()).await.unwrap();
    let answer = say(&mut stream, &format!("AUTH app {}", app_password().reveal())).await;
    assert_eq!(answer, "+OK\r\n");
    stream
}

async fn seen(probe: &Probe, redis: &RedisServer, want: &Desired) -> Option<BTreeSet<IpAddr>> {
    look(probe, &server_of(redis), &login(), want).await.unwrap().callers
}

#[tokio::test]
async fn the_addresses_of_applications_are_told_where_they_are_asked_for() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let probe = probe();
        let nobody = seen(&probe, &redis, &asking()).await;
        assert_eq!(nobody, Some(BTreeSet::new()), "{program}: neither the operator nor who has not logged in");
        let _stranger = TcpStream::connect((redis.address(), redis.port())).await.unwrap();
        let homes = [own_address(6379), own_address(6379)];
        let mut open = Vec::new();
        for home in [homes[0], homes[0], homes[1]] {
            open.push(connect(&redis, home).await);
        }
        assert_eq!(seen(&probe, &redis, &asking()).await, Some(homes.into()), "{program}");
        assert_eq!(seen(&probe, &redis, &want()).await, None, "{program}: nobody asked");
        assert_eq!(admin(&redis, &["ACL", "LOG"]), "", "{program}");
    }
}

#[tokio::test]
async fn of_a_server_that_was_just_started_it_is_not_known() {
    let redis = RedisServer::start(&config()).await;
    assert_eq!(seen(&crate::scene::probe(), &redis, &asking()).await, None);
}

#[tokio::test]
async fn hundreds_of_clients_are_listed_and_names_that_fill_the_list_hide_nothing_else_of_the_look() {
    let redis = RedisServer::start(&config()).await;
    let (probe, home) = (probe(), own_address(6379));
    let mut open = Vec::new();
    for _ in 0..700 {
        open.push(connect(&redis, home).await);
    }
    assert_eq!(seen(&probe, &redis, &asking()).await, Some([home].into()), "more than other answers may have");
    open.truncate(50);
    let name = "x".repeat(10_000);
    for stream in &mut open {
        assert_eq!(say(stream, &format!("CLIENT SETNAME {name}")).await, "+OK\r\n");
    }
    for _ in 0..2 {
        assert_eq!(seen(&probe, &redis, &asking()).await, None);
    }
}

#[tokio::test]
async fn an_operator_that_may_not_list_clients_does_not_know() {
    let redis = RedisServer::start(&config_without(&["client|list"])).await;
    let mut paused = asking();
    paused.correct = false;
    assert_eq!(seen(&probe(), &redis, &paused).await, None);
    assert_eq!(seen(&probe(), &redis, &asking()).await, Some(BTreeSet::new()), "it gives itself the right");
}
