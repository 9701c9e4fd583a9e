//! Finds out whether a port speaks TLS: it is sent a `ClientHello`, and answers one with a handshake or an alert.
//! Nothing is verified, since nothing is said over that connection.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Limits;
use crate::redis::look::{Server, fault::Fault};

const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// Whether the server answers as TLS does, on a connection of its own.
///
/// # Errors
/// Where it cannot be reached any more.
pub(crate) async fn is_spoken(server: &Server, limits: Limits) -> Result<bool, Fault> {
    let mut stream = crate::probe::wire::tcp::connect(server, limits.connect).await?;
    let hello = client_hello(server.address)
        .map_err(|_| Fault::Unexpected("whether the port speaks TLS could not be asked".to_owned()))?;
    Ok(timeout(limits.answer, answers(&mut stream, &hello)).await.unwrap_or(false))
}

async fn answers(stream: &mut TcpStream, hello: &[u8]) -> bool {
    let mut record = [0; 2];
    stream.write_all(hello).await.is_ok()
        && stream.read_exact(&mut record).await.is_ok()
        && matches!(record, [ALERT | HANDSHAKE, 0x03])
}

fn client_hello(address: IpAddr) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::IpAddress(address.into()))?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    Ok(hello)
}
