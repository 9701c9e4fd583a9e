//! Certificates that somebody provides.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokencache_operator::redis::tls::issue::{self, Issued};
use tokencache_operator::redis::tls::schedule::{AUTHORITY_LIFETIME, CERTIFICATE_LIFETIME};

use crate::truth::judge::Row;
use crate::truth::stage::Stage;

/// The Secret of [`provide`].
pub const MINE: &str = "my-certificate";

/// Provides a certificate for a name that ends so much later.
pub fn secret(host: &str, ends_in: SignedDuration) -> Value {
    let now = Timestamp::now();
    let authority = authority();
    let begins = now + ends_in - CERTIFICATE_LIFETIME;
    let names = [host.to_owned()];
    let issued = issue::certificate(&names, &authority, now + AUTHORITY_LIFETIME, &[7; 128], begins).unwrap();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": MINE}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": issued.certificate, "tls.key": issued.key.reveal(), "ca.crt": authority.certificate},
    })
}

fn authority() -> Issued {
    issue::authority("somebody", &[3; 128], Timestamp::now() - CERTIFICATE_LIFETIME).unwrap()
}

pub async fn expired(stage: &Stage) -> Row {
    let provide = |ends_in| stage.apply(&secret(&stage.host(), ends_in));
    let cause = async || provide(SignedDuration::from_secs(60));
    let mend = async || provide(CERTIFICATE_LIFETIME);
    stage.fault("certificate expired", "a certificate that ends in a minute", cause, mend).await
}

/// The server keeps the one that it has: what was asked for is not there, and no application feels it.
pub async fn of_another_name(stage: &Stage) -> Row {
    let reason = "CertificateNameMismatch";
    let cause = async || stage.apply(&secret("shop.example", CERTIFICATE_LIFETIME));
    let until = async || {
        stage.scene.condition("TlsReady", "False", reason).await;
        stage.apply(&secret(&stage.host(), CERTIFICATE_LIFETIME));
    };
    stage.disturbance("certificate", "one for another name; then a right one", &[reason], cause, until).await
}
