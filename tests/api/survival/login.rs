//! A login as an application makes it: over TLS, trusting what the binding says. It is made in this process, and so can be
//! made often.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(5);

/// What a server at `address` answers to the user `app` with this password, if it proves to be the one of the binding: its
/// first line. The error says why there was no answer, which is no refusal.
pub async fn log_in(binding: &Secret, address: IpAddr, password: &str) -> io::Result<String> {
    let text = |key: &str| String::from_utf8(binding.data.as_ref().unwrap()[key].0.clone()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        pem::parse_many(text("ca.crt")).unwrap().into_iter().map(|block| CertificateDer::from(block.into_contents())),
    );
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let (name, port) = (ServerName::try_from(text("host")).unwrap(), text("port").parse::<u16>().unwrap());
    timeout(PATIENCE, async {
        let stream = TcpStream::connect((address, port)).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(format!("AUTH app {password}\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            answer.push(stream.read_u8().await?);
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    })
    .await?
}
