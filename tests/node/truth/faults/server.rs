//! What is done to the server itself.

use serde_json::json;

use crate::truth::judge::Row;
use crate::truth::stage::Stage;

pub async fn frozen(stage: &Stage) -> Row {
    let cause = async || stage.on_the_node(&stage.signal("STOP").await).await;
    let mend = async || stage.on_the_node(&stage.signal("CONT").await).await;
    stage.fault("frozen", "SIGSTOP to redis-server", cause, mend).await
}

pub async fn writes_paused(stage: &Stage) -> Row {
    let cause = async || stage.as_anybody("CLIENT PAUSE 90000 WRITE").await;
    let mend = async || stage.as_anybody("CLIENT UNPAUSE").await;
    stage.fault("writes paused", "`CLIENT PAUSE 90000 WRITE`", cause, mend).await
}

pub async fn replica_of_nobody(stage: &Stage) -> Row {
    let cause = async || stage.as_anybody("REPLICAOF 127.0.0.1 1").await;
    let mend = async || stage.as_anybody("REPLICAOF NO ONE").await;
    stage.fault("read-only", "`REPLICAOF` by hand", cause, mend).await
}

pub async fn wants_replicas(stage: &Stage) -> Row {
    let cause = async || stage.configure("min-replicas-to-write 1").await;
    let mend = async || stage.configure("min-replicas-to-write 0").await;
    stage.fault("too few replicas", "`CONFIG SET min-replicas-to-write 1`", cause, mend).await
}

pub async fn listens_elsewhere(stage: &Stage) -> Row {
    let cause = async || stage.configure("tls-port 7000").await;
    let mend = async || {
        stage.redis_at(7000, "operator", "CONFIG SET tls-port 6380").await;
    };
    stage.fault("port", "`CONFIG SET tls-port 7000`", cause, mend).await
}

pub async fn application_is_off(stage: &Stage) -> Row {
    let cause = async || {
        stage.pause().await;
        stage.redis("operator", "ACL SETUSER app off").await;
    };
    stage.fault("user off", "paused; `ACL SETUSER app off`", cause, async || stage.unpause().await).await
}

pub async fn application_may_not_write(stage: &Stage) -> Row {
    let cause = async || {
        stage.pause().await;
        stage.redis("operator", "ACL SETUSER app -hmset").await;
    };
    stage.fault("user's rights", "paused; `ACL SETUSER app -hmset`", cause, async || stage.unpause().await).await
}

pub async fn application_is_deleted(stage: &Stage) -> Row {
    let cause = async || drop(stage.redis("operator", "ACL DELUSER app").await);
    stage.fault("user deleted", "`ACL DELUSER app`", cause, async || {}).await
}

pub async fn kept_busy(stage: &Stage) -> Row {
    let cause = async || drop(stage.redis("app", "EVAL 'while true do end' 0").await);
    stage.fault("script", "a script that never ends", cause, async || {}).await
}

/// Somebody takes each connection that becomes free.
pub async fn crowded(stage: &Stage) -> Row {
    let pod = stage.scene.pods().get("shop-redis-0").await.unwrap();
    let address = pod.status.and_then(|status| status.pod_ip).unwrap();
    let connect = format!("while :; do exec {{fd}}<>/dev/tcp/{address}/6380; sleep 0.03; done");
    let cause = async || {
        stage.pause().await;
        stage.configure("maxclients 32").await;
        stage.make_pod("crowd", &json!({}), &connect, false).await;
    };
    let mend = async || {
        stage.remove_pod("crowd");
        stage.unpause().await;
    };
    stage.fault("maxclients", "paused; `CONFIG SET maxclients 32`, and a client that takes each", cause, mend).await
}

pub async fn full(stage: &Stage) -> Row {
    // What runs already may go beyond what there is.
    let fill = "EVAL 'for i = 1, 200 do redis.call(\"HSET\", KEYS[1], i, string.rep(\"x\", 131072)) end' 1 shop:big";
    let cause = async || {
        stage.scene.change(json!({"spec": {"redis": {"evictionPolicy": "noeviction"}}})).await;
        stage.read_back("noeviction").await;
        stage.redis("app", fill).await;
    };
    let mend = async || {
        stage.redis("app", "UNLINK shop:big").await;
        stage.scene.change(json!({"spec": {"redis": {"evictionPolicy": "volatile-lru"}}})).await;
    };
    stage.fault("full", "`noeviction`; filled", cause, mend).await
}
