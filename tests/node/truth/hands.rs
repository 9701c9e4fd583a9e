//! What somebody with every right does to a cache: with kubectl, in Redis, on the node.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::Api;
use serde_json::{Value, json};

use super::stage::Stage;
use crate::cluster::{PATIENCE, Scene, cluster, run};
use crate::support::eventually::within;

impl Stage {
    pub async fn pause(&self) {
        self.scene.change(crate::pause(&"paused".into())).await;
    }

    pub async fn unpause(&self) {
        self.scene.change(crate::pause(&Value::Null)).await;
    }

    /// Requests something by an annotation.
    pub async fn request(&self, what: &str) {
        let second = Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string();
        self.scene.change(json!({"metadata": {"annotations": {format!("tokencache.dev/{what}"): second}}})).await;
    }

    /// Waits until these words are in what was read back of the settings.
    pub async fn read_back(&self, words: &str) {
        within(PATIENCE, &format!("{words} is read back"), async || {
            let read = self.scene.condition("EvictionPolicyVerified", "True", "Verified").await;
            if read.contains(words) { Ok(()) } else { Err(read) }
        })
        .await;
    }

    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.scene.client.clone(), &self.scene.namespace)
    }

    pub fn host(&self) -> String {
        host(&self.scene)
    }

    pub fn apply(&self, object: &Value) {
        apply(&self.scene, object);
    }

    /// Waits until there is an object.
    pub async fn there_is(&self, kind: &str, name: &str) {
        within(PATIENCE * 2, &format!("there is {kind} {name}"), async || {
            let found = self.scene.kubectl(&["get", kind, name, "--ignore-not-found", "--output", "name"]);
            if found.is_empty() { Err("it is gone".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    pub fn delete_pod(&self) {
        self.scene.kubectl(&["delete", "pod", "shop-redis-0", "--wait=false"]);
    }

    pub fn remove_pod(&self, name: &str) {
        self.scene.kubectl(&["delete", "pod", name, "--grace-period=0", "--force"]);
    }

    /// A pod that runs a script of bash; one with every right, where it is to act on the node.
    pub async fn make_pod(&self, name: &str, labels: &Value, script: &str, on_the_node: bool) {
        let rights = if on_the_node { json!({"privileged": true, "runAsUser": 0}) } else { json!({}) };
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {
                "hostPID": on_the_node,
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "ports": [{"name": "redis", "containerPort": 6380}],
                    "name": name, "image": "docker.io/library/redis:8.2.9", "command": ["bash", "-c", script],
                    "securityContext": rights,
                }],
            },
        }));
        within(PATIENCE, &format!("pod {name} runs"), async || {
            let pod = self.scene.pods().get(name).await.map_err(|error| error.to_string())?;
            if crate::is_ready(&pod) { Ok(()) } else { Err(format!("{:?}", pod.status)) }
        })
        .await;
    }

    /// A script that sends redis-server a signal from outside of its container, where it is no init process.
    pub async fn signal(&self, signal: &str) -> String {
        let pod = self.scene.pods().get("shop-redis-0").await.unwrap().uid().unwrap();
        format!(
            "for process in /proc/[0-9]*; do \
             if [ \"$(cat $process/comm)\" = redis-server ] && grep -Eq '{pod}|{}' $process/cgroup; \
             then kill -{signal} ${{process#/proc/}}; fi; done",
            pod.replace('-', "_")
        )
    }

    /// Runs a script with every right on the node.
    pub async fn on_the_node(&self, script: &str) {
        if self.scene.pods().get_opt("hand").await.unwrap().is_none() {
            self.make_pod("hand", &json!({}), "sleep infinity", true).await;
        }
        self.scene.kubectl(&["exec", "hand", "--", "bash", "-c", script]);
    }

    /// What Redis answers to commands, one a line, of a user whose password is known. What takes long is not waited for.
    pub async fn redis(&self, user: &str, commands: &str) -> String {
        self.redis_at(6380, user, commands).await
    }

    pub async fn redis_at(&self, port: u16, user: &str, commands: &str) -> String {
        let secret = if user == "operator" { "shop-redis-operator" } else { "shop-redis" };
        let password = self.scene.secret(secret, "password").await;
        let script = format!(
            "read -r REDISCLI_AUTH; export REDISCLI_AUTH; \
             timeout 5 redis-cli --tls --insecure -h \"$POD_IP\" -p {port} --user {user}"
        );
        let exec =
            ["kubectl", "--namespace", &self.scene.namespace, "exec", "-i", "shop-redis-0", "--", "sh", "-c", &script];
        let output = run(&exec, &format!("{password}\n{commands}\n"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// CONFIG SET of a parameter.
    pub async fn configure(&self, setting: &str) {
        let answer = self.redis("operator", &format!("CONFIG SET {setting}")).await;
        assert_eq!(answer, "OK", "{setting}");
    }

    /// A command that no user of the cache's may give: whoever has the operator's login makes one that may.
    pub async fn as_anybody(&self, command: &str) {
        let made = "ACL SETUSER anybody on >anybody allcommands allkeys";
        let answers = self.redis("operator", &format!("{made}\nAUTH anybody anybody\n{command}")).await;
        assert_eq!(answers, "OK\nOK\nOK", "{command}");
    }
}

/// What applications connect to.
pub fn host(scene: &Scene) -> String {
    format!("shop-redis.{}.svc", scene.namespace)
}

pub fn apply(scene: &Scene, object: &Value) {
    cluster(&["kubectl", "--namespace", &scene.namespace, "apply", "--filename", "-"], &object.to_string());
}
