//! `INFO`, the slow log and keys as values. Pure; of the slow log nothing but a command's name is taken, since its arguments
//! may hold payloads.

use ::redis::Value;

use crate::redis::look::load::{Calls, Reading, latency::SlowCommand};

/// Longest name of a command that is told.
const LONGEST_NAME: usize = 32;

/// Reads `INFO`; `None` where it lacks what a server always says.
pub(crate) fn reading(info: &str) -> Option<Reading> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    let seconds = |name: &str| field(name).and_then(micros).unwrap_or_default();
    let calls = |names: [&str; 2]| {
        names
            .iter()
            .filter_map(|name| field(&format!("cmdstat_{name}")))
            .map(calls)
            .fold(Calls::default(), |sum, one| Calls { count: sum.count + one.count, spent: sum.spent + one.spent })
    };
    let databases: Vec<(u32, u64, u64)> = info.lines().filter_map(database).collect();
    let first = databases.iter().find(|(index, ..)| *index == 0);
    Some(Reading {
        run: field("run_id")?.to_owned(),
        time: number("server_time_usec")?,
        used_memory: number("used_memory")?,
        dataset: number("used_memory_dataset").unwrap_or_default(),
        max_memory: number("maxmemory")?,
        evicted: number("evicted_keys")?,
        refused: field("errorstat_OOM").and_then(|stat| part(stat, "count")).unwrap_or_default(),
        processor: seconds("used_cpu_user") + seconds("used_cpu_sys"),
        reads: calls(["hmget", "hget"]),
        writes: calls(["hmset", "hset"]),
        keys: databases.iter().map(|(_, keys, _)| keys).sum(),
        database: first.map_or((0, 0), |&(_, keys, expiring)| (keys, expiring)),
        other_database: databases.iter().map(|(index, ..)| *index).find(|&index| index != 0),
    })
}

fn calls(stat: &str) -> Calls {
    let count = part(stat, "calls").unwrap_or_default();
    Calls {
        count: count.saturating_sub(part(stat, "failed_calls").unwrap_or_default()),
        spent: part(stat, "usec").unwrap_or_default(),
    }
}

/// `db0:keys=1,expires=0,avg_ttl=0`.
fn database(line: &str) -> Option<(u32, u64, u64)> {
    let (index, stat) = line.strip_prefix("db")?.split_once(':')?;
    Some((index.parse().ok()?, part(stat, "keys")?, part(stat, "expires")?))
}

/// One of the numbers in `calls=1,usec=10`.
fn part(stat: &str, name: &str) -> Option<u64> {
    stat.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// Seconds with a fraction, as microseconds.
fn micros(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
    Some(whole.parse::<u64>().ok()?.saturating_mul(1_000_000) + fraction.parse::<u64>().ok()?)
}

/// The slowest command in `SLOWLOG GET` that began at this time of the server or later, in microseconds.
pub(crate) fn slowest(answer: Value, since: u64) -> Option<SlowCommand> {
    let Value::Array(entries) = answer else { return None };
    entries.into_iter().filter_map(|entry| slow_command(entry, since)).max_by_key(|command| command.spent)
}

fn slow_command(entry: Value, since: u64) -> Option<SlowCommand> {
    let Value::Array(fields) = entry else { return None };
    let mut fields = fields.into_iter().skip(1);
    let (began, spent, words) = (fields.next()?, fields.next()?, fields.next()?);
    let (Value::Int(began), Value::Int(spent), Value::Array(words)) = (began, spent, words) else { return None };
    let (began, spent) = (u64::try_from(began).ok()?, u64::try_from(spent).ok()?);
    let Value::BulkString(name) = words.into_iter().next()? else { return None };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let name: Vec<u8> = name.into_iter().take_while(is_name).take(LONGEST_NAME).collect();
    // It counts in whole seconds.
    let is_recent = began >= since / 1_000_000 && !name.is_empty();
    is_recent.then(|| SlowCommand { name: String::from_utf8_lossy(&name).to_ascii_uppercase(), spent })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nrun_id:61605aed\r\nserver_time_usec:1795614055420946\r\n# Memory\r\n\
        used_memory:941656\r\nused_memory_dataset:65344\r\nmaxmemory:268435456\r\n# Stats\r\nevicted_keys:3\r\n# CPU\r\n\
        used_cpu_sys:0.000981\r\nused_cpu_user:2.5\r\n# Commandstats\r\n\
        cmdstat_hmset:calls=5,usec=10,usec_per_call=2.00,rejected_calls=0,failed_calls=1\r\n\
        cmdstat_hset:calls=1,usec=7,usec_per_call=7.00,rejected_calls=0,failed_calls=0\r\n# Errorstats\r\n\
        errorstat_OOM:count=4\r\n# Keyspace\r\ndb0:keys=5,expires=2,avg_ttl=0\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n";

    #[test]
    fn what_a_server_says_of_itself_is_read() {
        let wanted = Reading {
            run: "61605aed".to_owned(),
            time: 1_795_614_055_420_946,
            used_memory: 941_656,
            dataset: 65_344,
            max_memory: 256 << 20,
            evicted: 3,
            refused: 4,
            processor: 2_500_981,
            reads: Calls::default(),
            writes: Calls { count: 5, spent: 17 },
            keys: 6,
            database: (5, 2),
            other_database: Some(3),
        };
        assert_eq!(reading(INFO), Some(wanted));
        for line in ["run_id", "server_time_usec", "used_memory", "maxmemory", "evicted_keys"] {
            assert_eq!(reading(&INFO.replace(&format!("{line}:"), "x:")), None, "without {line}");
        }
    }

    fn entry(began: i64, spent: i64, words: &[&str]) -> Value {
        let words = words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect();
        Value::Array(vec![Value::Int(1), Value::Int(began), Value::Int(spent), Value::Array(words)])
    }

    #[test]
    fn of_the_slow_log_the_slowest_name_since_a_time_is_taken() {
        let log = Value::Array(vec![
            entry(20, 50_000, &["keys", "secret*"]),
            entry(19, 40_000, &["EVAL", "return 1"]),
            entry(10, 90_000, &["FLUSHALL"]),
            Value::Nil,
        ]);
        assert_eq!(slowest(log, 15_500_000), Some(SlowCommand { name: "KEYS".to_owned(), spent: 50_000 }));
        let odd = Value::Array(vec![entry(20, 50_000, &["{\"secret"])]);
        assert_eq!(slowest(odd, 0), None);
    }
}
