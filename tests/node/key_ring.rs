//! The key ring as pods have it: what one encrypts another one reads, while keys change.

use jiff::Timestamp;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::{OperationStage, OperationType};

use crate::cluster::{PATIENCE, Scene, repository, run};
use crate::support::eventually::within;

impl Scene {
    /// Makes a pod of `examples/doctor.yaml`, under this name and with these changes to its spec.
    pub async fn make_doctor(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let example = repository().join("examples/doctor.yaml").display().to_string();
        // As kubectl reads it, to which 0440 is a number.
        let read = self.kubectl(&["create", "--dry-run=client", "--output=json", "--filename", &example]);
        let mut pod: Value = serde_json::from_str(&read).unwrap();
        let operator = self.operator().await.spec.unwrap().template.spec.unwrap();
        pod["metadata"]["name"] = name.into();
        pod["spec"]["containers"][0]["image"] = operator.containers[0].image.clone().unwrap().into();
        change(&mut pod["spec"]);
        self.pods().create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    }

    /// A pod that has the ring mounted and goes on until it is deleted: its process waits for a payload, which never comes.
    async fn make_holder(&self, name: &str) {
        self.make_doctor(name, |spec| {
            spec["terminationGracePeriodSeconds"] = 0.into();
            let container = &mut spec["containers"][0];
            container["stdin"] = true.into();
            container["args"] =
                json!(["doctor", "ring", "--dir", "/keys", "--application", "/app", "--unprotect", "-"]);
        })
        .await;
        within(PATIENCE, &format!("the pod {name} runs"), async || {
            let pod = self.pods().get(name).await.map_err(|error| error.to_string())?;
            if crate::is_ready(&pod) { Ok(()) } else { Err(format!("{:?}", pod.status)) }
        })
        .await;
    }

    /// `doctor ring` in a pod that runs; what it says where it ends well, and what it says where it does not.
    fn doctor(&self, pod: &str, more: &[&str], input: &str) -> Result<String, String> {
        let exec = ["kubectl", "--namespace", &self.namespace, "exec", "--stdin", pod, "--", "/tokencache-operator"];
        let ring = ["doctor", "ring", "--dir", "/keys", "--application", "/app"];
        let output = run(&[&exec[..], &ring, more].concat(), input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The key that encrypts, as the status tells it.
    async fn active_key(&self) -> String {
        self.caches().get("shop").await.unwrap().status.unwrap().key_ring.clone().unwrap().active.unwrap()
    }
}

#[tokio::test]
async fn what_one_pod_encrypts_another_one_reads_before_and_after_a_rotation() {
    let scene = Scene::new("ring").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.condition("KeyRingReady", "True", "Published").await;
    tokio::join!(scene.make_holder("one"), scene.make_holder("other"));
    let first = scene.active_key().await;
    let early = scene.doctor("one", &["--protect"], "").unwrap();
    let read = |pod: &str, payload: &str, key: &str| {
        let said = scene.doctor(pod, &["--unprotect", "-"], payload)?;
        if said.starts_with(&format!("the payload is read: {key}-")) { Ok(()) } else { Err(said) }
    };
    assert_eq!(read("other", &early, &first), Ok(()));

    let now = Timestamp::now().to_string();
    scene.change(json!({"metadata": {"annotations": {"tokencache.dev/rotate-key-requested": now}}})).await;
    within(PATIENCE, "another key is made", async || {
        let status = scene.caches().get("shop").await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        let of_key = status.operations.iter().find(|operation| operation.type_ == OperationType::RotateKey);
        // Both pods have read the ring before.
        let is_done = of_key.is_some_and(|operation| operation.stage == OperationStage::Published);
        if is_done { Ok(()) } else { Err(format!("{of_key:?}")) }
    })
    .await;
    let second = scene.active_key().await;
    assert_ne!(first, second);
    let late = within(PATIENCE, "the pod that encrypts has the new key, and takes it", async || {
        let payload = scene.doctor("one", &["--protect"], "")?;
        read("one", &payload, &second).map(|()| payload)
    })
    .await;
    within(PATIENCE, "the other pod has it too", async || read("other", &late, &second)).await;
    assert_eq!(read("other", &early, &first), Ok(()), "what was encrypted before is read after");
    let report = scene.doctor("other", &[], "").unwrap();
    assert!(report.contains(&format!("now encrypts with {second}-")), "{report}");
    assert!(report.contains(&format!("key {first}-")), "{report}");
}
