//! What is said of the releases of real servers.

use serde_json::json;
use tokencache_operator::{
    api::v1alpha1::TokenCache,
    condition::{ConditionStatus, Finding, Reason},
    redis::{
        findings::release::finding,
        look::answer::{Answer, Product},
        settings::Settings,
    },
};

use crate::scene::{config, first_look, want};
use crate::servers::each;
use crate::support::redis_server::RedisServer;

/// What is said of an answer for a cache with this spec, which has TLS unless the spec says otherwise.
fn told(spec: serde_json::Value, answer: &Answer) -> Finding {
    let cache = TokenCache::new("shop", serde_json::from_value(spec).unwrap());
    finding(&Settings::parse(&cache).unwrap(), "shop-redis-0", &want(), answer)
}

#[tokio::test]
async fn each_server_is_told_by_what_it_reports() {
    let mut seen = Vec::new();
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let answer = first_look(&redis).await.unwrap();
        let said = told(json!({}), &answer);
        let line = answer.version.rsplit_once('.').unwrap().0.to_owned();
        let wanted = match (answer.product, line.as_str()) {
            (Product::Redis, "7.0" | "8.0") => (ConditionStatus::False, Reason::Unsupported),
            (Product::Valkey, "8.1") => (ConditionStatus::False, Reason::SecurityUpdate),
            (Product::Valkey, "9.1") => (ConditionStatus::True, Reason::Supported),
            other => panic!("no test knows what is to be said of {other:?}"),
        };
        assert_eq!((said.status, said.reason), wanted, "{said:?}");
        assert!(said.message.text.contains(&format!("{} {}", answer.product, answer.version)), "{said:?}");
        let accepted = told(json!({"redis": {"acceptedVersion": answer.version}}), &answer);
        assert_eq!(accepted.status, ConditionStatus::True, "{accepted:?}");
        seen.push((answer.product, line));
    }
    let lines = [(Product::Redis, "7.0"), (Product::Redis, "8.0"), (Product::Valkey, "8.1"), (Product::Valkey, "9.1")];
    assert_eq!(seen, lines.map(|(product, line)| (product, line.to_owned())));
}
