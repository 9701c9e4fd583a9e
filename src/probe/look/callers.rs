//! From where applications are connected to a server: the addresses of the user `app` in `CLIENT LIST`.
//!
//! In: a connection. Out: addresses, each once; nothing else of that list, in which clients have put names of their own.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use ::redis::{Value, cmd};

use crate::{
    probe::wire::{bounded::Bounds, connection::Connection, failure::Failure},
    redis::access::acl::APP,
};

/// Bytes that one client takes in the list, with a long name.
const CLIENT_BYTES: u64 = 768;
/// Bytes of the longest list that is read.
const MOST_BYTES: u64 = 8 << 20;

/// Reads who is connected; `None` where that says nothing yet, since the server has not run for so long, or does not tell.
pub(crate) async fn read(
    connection: &mut Connection,
    reconnect: Duration,
) -> Result<Option<BTreeSet<IpAddr>>, Failure> {
    let mut info = cmd("INFO");
    info.arg("server").arg("clients");
    let Some(info) = text(connection.send(&info).await) else { return Ok(None) };
    let number = |name: &str| {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let (Some(runs), Some(clients)) = (number("uptime_in_seconds"), number("connected_clients")) else {
        return Ok(None);
    };
    // Some may have come since.
    let bytes = (clients + 64) * CLIENT_BYTES;
    if Duration::from_secs(runs) < reconnect || bytes > MOST_BYTES {
        return Ok(None);
    }
    let mut list = cmd("CLIENT");
    list.arg("LIST");
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let bounds = Bounds { each: bytes, kept: bytes, read: bytes, beginning: false };
    match connection.send_within(&list, bounds).await {
        Err(Failure::Refused { .. } | Failure::TooLong(_)) => Ok(None),
        Err(failure) => Err(failure),
        answer => Ok(text(answer).map(|list| addresses(&list))),
    }
}

fn text(answer: Result<Value, Failure>) -> Option<String> {
    match answer {
        Ok(Value::BulkString(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Value::VerbatimString { text, .. }) => Some(text),
        _ => None,
    }
}

/// The addresses of the user `app`. What is no address, such as a socket's path, is passed over.
fn addresses(list: &str) -> BTreeSet<IpAddr> {
    let address = |line: &str| {
        let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let (address, _port) = field("addr")?.rsplit_once(':')?;
        let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        address.parse().ok().filter(|_| field("user") == Some(APP))
    };
    list.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_applications_are_read_and_of_nobody_else() {
        let list = "id=3 addr=10.0.0.7:40000 laddr=10.0.0.9:6380 fd=8 name=web(SE.Redis) user=app resp=2\n\
                    id=4 addr=10.0.0.7:40001 laddr=10.0.0.9:6380 name= user=app\n\
                    id=5 addr=[fd00::7]:40001 laddr=[fd00::9]:6380 name=addr=10.9.9.9:1 user=app\n\
                    id=6 addr=10.0.0.2:5 laddr=10.0.0.9:6380 name=user=app user=operator\n\
                    id=7 addr=10.0.0.3:5 user=default\n\
                    id=8 addr=/tmp/redis.sock:0 user=app\n\
                    odd\n";
        let expected: BTreeSet<IpAddr> = ["10.0.0.7", "fd00::7"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(addresses(list), expected);
    }
}
