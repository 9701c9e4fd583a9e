//! `Ready` says what applications feel: one is at work through the published binding, while faults are caused one after the other.

mod application;
mod faults;
mod hands;
mod judge;
mod readiness;
mod stage;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};

use faults::{certificates, harmless, objects, pods, server};
use judge::Row;
use stage::Stage;

/// How long an application is left failing in the long run: `Ready` is to say so at more than one look.
const HOLD: SignedDuration = SignedDuration::from_secs(65);

type Act = for<'stage> fn(&'stage Stage) -> LocalBoxFuture<'stage, Row>;

/// Faults and disturbances as values.
macro_rules! acts {
    ($($act:path),* $(,)?) => { { const ACTS: &[Act] = &[$(|stage| $act(stage).boxed_local()),*]; ACTS } };
}

/// Does all of this to a cache, one after the other, and says what was wrong in the end.
async fn play(name: &str, redis: Value, hold: SignedDuration, acts: &[Act]) {
    let stage = Stage::new(name, redis, hold).await;
    let mut wrong = Vec::new();
    for act in acts {
        let row = act(&stage).await;
        wrong.extend(row.wrong.into_iter().map(|wrong| format!("{}: {wrong}", row.what)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_follows_an_application_whose_address_or_server_goes() {
    let acts = acts![objects::service_deleted, pods::deleted, objects::scaled_to_nothing];
    play("goes", json!({"maxMemory": "32Mi"}), SignedDuration::ZERO, acts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_follows_an_application_whose_user_is_off() {
    let acts = acts![server::application_is_off];
    play("off", json!({"maxMemory": "32Mi"}), SignedDuration::ZERO, acts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_follows_an_application_whose_writes_are_refused_for_want_of_memory() {
    let acts = acts![server::full];
    play("full", json!({"maxMemory": "32Mi", "acl": "Compatible"}), SignedDuration::ZERO, acts).await;
}

/// The long run, which `make truth` makes.
mod side_by_side {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn what_applications_are_given() {
        let acts = acts![
            objects::service_deleted,
            objects::service_selects_nothing,
            objects::service_leads_to_another_port,
            objects::service_becomes_a_name_elsewhere,
            harmless::objects_edited,
        ];
        play("given", json!({"maxMemory": "32Mi"}), HOLD, acts).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn secrets() {
        let acts = acts![
            objects::binding_names_another_host,
            objects::binding_has_another_password,
            harmless::binding_deleted,
            harmless::users_deleted,
            harmless::login_deleted,
        ];
        play("secrets", json!({"maxMemory": "32Mi"}), HOLD, acts).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn pods() {
        let acts = acts![
            pods::deleted,
            objects::scaled_to_nothing,
            pods::forbidden_by_a_quota,
            pods::kept_by_a_finalizer,
            pods::with_an_image_that_is_nowhere,
            pods::that_no_node_takes,
            pods::killed_again_and_again,
        ];
        play("pods", json!({"maxMemory": "32Mi"}), HOLD, acts).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn strangers() {
        play("strangers", json!({"maxMemory": "32Mi"}), HOLD, acts![pods::joined_by_strangers]).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn the_server() {
        let acts = acts![
            server::full,
            server::crowded,
            server::kept_busy,
            server::writes_paused,
            server::replica_of_nobody,
            server::wants_replicas,
            server::listens_elsewhere,
            server::frozen,
        ];
        play("server", json!({"maxMemory": "32Mi", "acl": "Compatible"}), HOLD, acts).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn users_and_settings() {
        let acts = acts![
            server::application_is_off,
            server::application_may_not_write,
            server::application_is_deleted,
            harmless::policy_changed_by_hand,
            harmless::settings_edited,
            harmless::key_rotated,
            harmless::password_rotated,
            harmless::password_edited,
        ];
        play("users", json!({"maxMemory": "32Mi"}), HOLD, acts).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: `make truth`"]
    async fn certificates_of_somebody() {
        let tls = json!({"mode": "Secret", "secretName": certificates::MINE});
        let acts = acts![certificates::expired, certificates::of_another_name];
        play("certificates", json!({"maxMemory": "32Mi", "tls": tls}), HOLD, acts).await;
    }
}

/// What concerns every cache of the cluster, and is done when no other test is at work.
mod alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes, and concerns every cache: `make truth`"]
    async fn the_cluster() {
        play("cluster", json!({"maxMemory": "32Mi"}), HOLD, acts![harmless::operator_killed]).await;
    }
}
