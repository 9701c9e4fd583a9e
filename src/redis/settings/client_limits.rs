//! What clients may take of a server: how many they are, how much memory they hold together, how long they say nothing.
//!
//! In: `maxMemory`. Out: settings, for redis.conf and for a server that runs.
//!
//! Whoever reaches the port can open connections and send half a command on each, without a password. Redis counts what it
//! keeps of them as memory in use, and evicts entries for it; what OpenSSL keeps of each it does not count at all. So both
//! are bounded: the first by closing the connections that hold most (`maxmemory-clients`), the second by the number of
//! connections.
//!
//! Redis has closed connections at wrong moments, while it served clients that waited for a key (CVE-2026-23479,
//! CVE-2026-130822 of Valkey). Here none can wait: no user may send a command that blocks (see [`crate::redis::access::acl`]).

use super::MaxMemory;

const MIB: u64 = 1 << 20;

/// Seconds after which a connection is closed on which nothing was said. StackExchange.Redis says something every minute
/// (`keepAlive`), on each of its connections.
pub const TIMEOUT: u64 = 600;

/// The setting of how many may be connected.
pub const MAX_CLIENTS: &str = "maxclients";

/// What a server has where nothing was set: `timeout`, `maxmemory-clients`, `client-query-buffer-limit`.
pub const UNSET: [&str; 3] = ["0", "0", "1073741824"];

/// As many connections as Redis allows where nothing was set.
pub const MOST_CLIENTS: u64 = 10_000;

/// What clients may take of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// How many may be connected: `maxclients`.
    pub clients: u64,
    /// Bytes that they may hold together: `maxmemory-clients`.
    pub memory: u64,
    /// Bytes that one may send before they make a command: `client-query-buffer-limit`.
    pub query_buffer: u64,
}

impl ClientLimits {
    /// The limits of a server with this `maxmemory`.
    ///
    /// A connection with TLS takes about 35 KiB beside what Redis counts, say 64 KiB with the kernel's part. The least that a
    /// container has beside `maxmemory` is a quarter of that and 64Mi; half of it is for connections. Their memory that Redis
    /// does count is a tenth of `maxmemory`: as long as less than nine tenths are used, which `MemorySufficient` watches, no
    /// entry is evicted for them. (One that is busy takes some 18 KiB of it, and 37 KiB on servers before 7.4.) A command that
    /// is larger than that is refused; 2Mi of it are there in any case.
    #[must_use]
    pub fn of(max_memory: MaxMemory) -> Self {
        let bytes = max_memory.bytes();
        let memory = (bytes / 10).max(2 * MIB);
        Self { clients: (512 + 2 * (bytes / MIB)).min(MOST_CLIENTS), memory, query_buffer: memory }
    }

    /// The lines of redis.conf.
    #[must_use]
    pub fn lines(self) -> String {
        self.settings().map(|(setting, value)| format!("{setting} {value}\n")).concat()
    }

    /// The settings by the names that Redis has for them.
    #[must_use]
    pub fn settings(self) -> [(&'static str, u64); 4] {
        [
            ("timeout", TIMEOUT),
            ("maxmemory-clients", self.memory),
            ("client-query-buffer-limit", self.query_buffer),
            (MAX_CLIENTS, self.clients),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1alpha1::Amount;

    fn of(text: &str) -> ClientLimits {
        ClientLimits::of(MaxMemory::parse(&Amount::Text(text.to_owned())).unwrap())
    }

    #[test]
    fn more_memory_allows_more_clients_up_to_what_redis_allows_by_itself() {
        let clients = ["16Mi", "256Mi", "1Gi", "4Gi", "1Ti"].map(|memory| of(memory).clients);
        assert_eq!(clients, [544, 1024, 2560, 8704, 10_000]);
    }

    #[test]
    fn clients_hold_a_tenth_of_the_memory_and_never_less_than_two_mebibytes() {
        assert_eq!(of("256Mi").memory, (256 * MIB) / 10);
        assert_eq!(of("16Mi").memory, 2 * MIB);
    }

    #[test]
    fn connections_fit_into_half_of_what_the_smallest_container_has_beside_the_entries() {
        for memory in ["16Mi", "107Mi", "256Mi", "1Gi", "64Gi"] {
            let bytes = MaxMemory::parse(&Amount::Text(memory.to_owned())).unwrap().bytes();
            assert!(of(memory).clients * (64 << 10) <= u64::midpoint(bytes / 4, 64 * MIB), "{memory}");
        }
    }

    #[test]
    fn a_connection_that_says_something_every_minute_is_far_from_being_closed() {
        const { assert!(TIMEOUT >= 5 * 60) };
    }
}
