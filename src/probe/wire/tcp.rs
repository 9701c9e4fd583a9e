//! How a connection comes up.
//!
//! In: an address. Out: a stream, or the fault that it failed with.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::redis::{
    look::{Server, fault::Fault},
    tls::certificate,
};

/// Opens a connection to the server's address.
pub(crate) async fn connect(server: &Server, limit: Duration) -> Result<TcpStream, Fault> {
    let address = (server.address, server.port);
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Fault::Unreachable(why(&error))),
        Err(_) => {
            Err(Fault::Unreachable(format!("no answer to the connection request within {} s", limit.as_secs_f64())))
        }
    }
}

/// What went wrong with a connection. What the system or a library prints holds numbers, and names of its own types.
pub(crate) fn why(error: &io::Error) -> String {
    match error.get_ref().and_then(|within| within.downcast_ref()) {
        Some(error) => certificate::refusal(error),
        None => error.kind().to_string(),
    }
}
