//! Answers of Redis as values. Pure; what an answer held is never quoted where it does not fit, for it may hold
//! password hashes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ::redis::Value;

use super::bounded::Bounds;
use crate::redis::{
    access::rules::{self, Rules},
    look::{
        REFUSED_NOW_FOR,
        answer::{Impediment, MemorySettings, Product, Refusal, Role, Saving},
        fault::Fault,
    },
};

/// What `INFO` says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) product: Product,
    pub(crate) version: String,
    pub(crate) is_preview: bool,
    /// `None` where the answer is cut before it.
    pub(crate) role: Option<Role>,
    pub(crate) impediment: Option<Impediment>,
    /// How many clients are connected, the one that asks among them.
    pub(crate) clients: u64,
    pub(crate) saving: Saving,
}

/// Servers that speak the protocol, and are neither Redis nor Valkey: each says a version of its own.
const OTHERS: [&str; 4] = ["Dragonfly", "Garnet", "Kvrocks", "Redict"];

fn own_version(product: &str) -> String {
    format!("{}_version", product.to_ascii_lowercase())
}

/// The lines of `INFO` that are whole, and whether some may be missing at its end.
pub(crate) fn info(answer: Value, bounds: Bounds) -> Option<(String, bool)> {
    let is_cut = bounds.cut_any(&answer);
    let text = match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } => text,
        _ => return None,
    };
    let whole = if is_cut { text.rsplit_once('\n').map_or("", |(whole, _)| whole) } else { &text };
    Some((whole.to_owned(), is_cut))
}

/// Reads `INFO`, of which the end may be missing.
pub(crate) fn about(answer: Value, bounds: Bounds) -> Result<About, Fault> {
    let (text, is_cut) = info(answer, bounds).ok_or_else(|| unexpected("INFO is not a text"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim_end().to_owned())
    };
    if field("loading").as_deref() == Some("1") {
        return Err(Fault::Loading);
    }
    let own = OTHERS.into_iter().find_map(|name| Some((Product::Other(name), field(&own_version(name))?)));
    let valkey = field("valkey_version").map(|version| (Product::Valkey, version));
    // Every other says it too, as the version of Redis that its commands are those of.
    let said = own.or(valkey).or_else(|| field("redis_version").map(|version| (Product::Redis, version)));
    let (product, version) = said.ok_or_else(|| unexpected("INFO has no redis_version"))?;
    let is_preview = field("valkey_release_stage").is_some_and(|stage| stage != "ga");
    let role = match field("role").as_deref() {
        Some("master") => Some(Role::Primary),
        Some("slave") => Some(Role::Replica),
        _ if is_cut => None,
        Some(role) => return Err(Fault::Unexpected(format!("INFO has the role {role}"))),
        None => return Err(unexpected("INFO has no role")),
    };
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    let full = number("connected_clients")
        .zip(number("maxclients"))
        .filter(|(connected, most)| connected >= most)
        .map(|(_, clients)| Impediment::Full { clients });
    // The line is there only where min-replicas-to-write is set.
    let lacks_replicas = number("min_slaves_good_slaves") == Some(0);
    let failed = |name: &str| field(name).as_deref() == Some("err");
    Ok(About {
        clients: number("connected_clients").unwrap_or_default(),
        saving: Saving {
            write_failed: failed("aof_last_write_status"),
            rewrite_failed: failed("aof_last_bgrewrite_status"),
        },
        product,
        version,
        is_preview,
        role,
        impediment: lacks_replicas.then_some(Impediment::LacksReplicas).or(full),
    })
}

/// Reads `CONFIG GET maxmemory maxmemory-policy`.
pub(crate) fn memory_settings(answer: Value) -> Result<MemorySettings, Fault> {
    let mut settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let mut setting = |name: &str| {
        let found = settings.iter().position(|(key, _)| key == name)?;
        text(settings.swap_remove(found).1)
    };
    let max_memory = setting("maxmemory").ok_or_else(|| unexpected("CONFIG GET has no maxmemory"))?;
    let policy = setting("maxmemory-policy").ok_or_else(|| unexpected("CONFIG GET has no maxmemory-policy"))?;
    let bytes = max_memory.parse().map_err(|_| Fault::Unexpected(format!("CONFIG GET has maxmemory {max_memory}")))?;
    Ok(MemorySettings { max_memory: bytes, eviction_policy: policy })
}

/// Reads `CONFIG GET appendonly appendfsync`.
pub(crate) fn append_settings(answer: Value) -> Result<(String, String), Fault> {
    let settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let (mut append_only, mut append_fsync) = (None, None);
    for (name, value) in settings {
        match name.as_str() {
            "appendonly" => append_only = text(value),
            "appendfsync" => append_fsync = text(value),
            _ => {}
        }
    }
    let append_only = append_only.ok_or_else(|| unexpected("CONFIG GET has no appendonly"))?;
    Ok((append_only, append_fsync.ok_or_else(|| unexpected("CONFIG GET has no appendfsync"))?))
}

/// Reads `CONFIG GET` of numbers: those that the server knows.
pub(crate) fn numbers(answer: Value) -> Result<Vec<(String, String)>, Fault> {
    let settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let settings = settings.into_iter().map(|(name, value)| Some((name, text(value)?))).collect::<Option<_>>();
    settings.ok_or_else(|| unexpected("CONFIG GET has a number that is no text"))
}

/// Reads `CONFIG GET port`.
pub(crate) fn plain_port(answer: Value) -> Result<String, Fault> {
    let settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let port = settings.into_iter().find(|(name, _)| name == "port").and_then(|(_, port)| text(port));
    port.ok_or_else(|| unexpected("CONFIG GET has no port"))
}

/// Reads `CONFIG GET` of files: each setting with its path, which is empty where none is set.
pub(crate) fn files(answer: Value) -> Result<Vec<(String, String)>, Fault> {
    let settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let files = settings.into_iter().map(|(name, path)| text(path).map(|path| (name, path)));
    let files: Option<Vec<_>> = files.collect();
    files.ok_or_else(|| unexpected("CONFIG GET has a path that is no text"))
}

/// Reads `ACL LIST`, in which lines may be cut.
pub(crate) fn users(answer: Value, bounds: Bounds) -> Result<Vec<(String, Rules)>, Fault> {
    let lines = list(answer).ok_or_else(|| unexpected("ACL LIST is not a list"))?;
    let user = |line| match line {
        Value::BulkString(bytes) => {
            let line = String::from_utf8_lossy(&bytes);
            if bounds.cut(&bytes) { rules::read_beginning(&line) } else { rules::read(&line) }
        }
        other => rules::read(&text(other)?),
    };
    lines.into_iter().map(|line| user(line).ok_or_else(|| unexpected("ACL LIST holds what is no user"))).collect()
}

/// What a user was refused of late.
pub(crate) struct Refused {
    /// Each kind once.
    pub what: Vec<Refusal>,
    /// Whether the log holds no more of it.
    pub is_all: bool,
    /// Whether a login was refused a moment ago.
    pub refuses_logins: bool,
}

/// Reads `ACL LOG`, of which so many entries were asked for: what it refused a user within this time, each kind once, and
/// whether that is all. What it says of keys is passed over.
///
/// # Errors
/// What is wrong with the answer.
pub(crate) fn refusals(answer: Value, user: &str, within: Duration, asked: usize) -> Result<Refused, String> {
    let entries = list(answer).ok_or("ACL LOG is not a list")?;
    let (mut refusals, mut refuses_logins) = (BTreeSet::new(), false);
    // The latest comes first.
    let mut is_all = entries.len() < asked;
    for entry in entries {
        let fields = pairs(entry).ok_or("ACL LOG holds what is no entry")?;
        let mut fields: HashMap<String, Value> = fields.into_iter().collect();
        let mut field = |name: &str| fields.remove(name).and_then(text);
        let age = field("age-seconds").and_then(|age| age.parse::<f64>().ok());
        is_all |= age.is_some_and(|age| age >= within.as_secs_f64());
        if field("username").as_deref() != Some(user) || !age.is_some_and(|age| age < within.as_secs_f64()) {
            continue;
        }
        let client = field("client-info").unwrap_or_default();
        let command = client.split(' ').find_map(|word| word.strip_prefix("cmd=")).unwrap_or("unknown");
        refusals.extend(match field("reason").as_deref() {
            Some("auth") => {
                refuses_logins |= age.is_some_and(|age| age < REFUSED_NOW_FOR.as_secs_f64());
                Some(Refusal::Password)
            }
            Some("command") => Some(Refusal::Command(field("object").unwrap_or_default())),
            Some("key") => Some(Refusal::Key(command.to_owned())),
            Some("channel") => Some(Refusal::Channel),
            _ => None,
        });
    }
    Ok(Refused { what: refusals.into_iter().collect(), is_all, refuses_logins })
}

fn unexpected(what: &str) -> Fault {
    Fault::Unexpected(what.to_owned())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

/// Names and values, as RESP2 lists them one after the other. Names that are not texts are nobody's.
fn pairs(value: Value) -> Option<Vec<(String, Value)>> {
    if let Value::Map(pairs) = value {
        return pairs.into_iter().map(|(name, value)| Some((text(name)?, value))).collect();
    }
    let mut items = list(value)?.into_iter();
    let mut pairs = Vec::new();
    while let Some(name) = items.next() {
        pairs.push((text(name)?, items.next()?));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { each: 1000, kept: 1000, read: 1000, beginning: true };

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn bulks(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| bulk(text)).collect())
    }

    #[test]
    fn valkey_says_its_own_version() {
        let info = bulk("# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.1\r\n\r\nrole:slave\r\nloading:0\r\n");
        let saving = Saving::default();
        assert_eq!(
            about(info, BOUNDS),
            Ok(About {
                product: Product::Valkey,
                version: "8.1.1".to_owned(),
                is_preview: false,
                role: Some(Role::Replica),
                impediment: None,
                clients: 0,
                saving
            })
        );
    }

    #[test]
    fn whose_server_it_is_and_whether_it_is_a_release_is_read() {
        let told = |info: &str| {
            let About { product, version, is_preview, .. } =
                about(bulk(&format!("{info}\r\nrole:master\r\n")), BOUNDS).unwrap();
            (product, version, is_preview)
        };
        let is = |product, version: &str, is_preview| (product, version.to_owned(), is_preview);
        assert_eq!(told("redis_version:8.2.9"), is(Product::Redis, "8.2.9", false));
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nvalkey_release_stage:";
        assert_eq!(told(&format!("{valkey}ga")), is(Product::Valkey, "9.1.2", false));
        assert_eq!(told(&format!("{valkey}rc1")), is(Product::Valkey, "9.1.2", true));
        let other = told("redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1");
        assert_eq!(other, is(Product::Other("Dragonfly"), "df-v1.27.1", false));
    }

    #[test]
    fn what_keeps_a_server_from_serving_is_read() {
        let impediment =
            |more: &str| about(bulk(&format!("redis_version:7\nrole:master\n{more}")), BOUNDS).unwrap().impediment;
        assert_eq!(impediment("connected_clients:9\nmaxclients:10"), None);
        assert_eq!(impediment("connected_clients:10\nmaxclients:10"), Some(Impediment::Full { clients: 10 }));
        assert_eq!(impediment("min_slaves_good_slaves:0"), Some(Impediment::LacksReplicas));
        assert_eq!(impediment("min_slaves_good_slaves:1"), None);
    }

    #[test]
    fn what_could_not_be_saved_is_read() {
        let saving = |more: &str| about(bulk(&format!("redis_version:7\nrole:master\n{more}")), BOUNDS).unwrap().saving;
        assert_eq!(saving("aof_last_write_status:ok\naof_last_bgrewrite_status:ok"), Saving::default());
        assert!(saving("aof_last_write_status:err\r\naof_last_bgrewrite_status:ok\r\n").write_failed);
        assert!(saving("aof_last_write_status:ok\r\naof_last_bgrewrite_status:err\r\n").rewrite_failed);
    }

    #[test]
    fn how_writes_are_saved_is_read() {
        let list = bulks(&["appendfsync", "everysec", "appendonly", "yes"]);
        assert_eq!(append_settings(list), Ok(("yes".to_owned(), "everysec".to_owned())));
        for value in [Value::Nil, bulks(&["appendonly", "yes"]), bulks(&["appendfsync", "no"]), bulks(&["appendonly"])]
        {
            assert!(matches!(append_settings(value), Err(Fault::Unexpected(_))));
        }
    }

    #[test]
    fn a_server_that_is_loading_is_told_apart_before_anything_else() {
        assert_eq!(about(bulk("loading:1\r\n"), BOUNDS), Err(Fault::Loading));
        let async_loading = about(bulk("redis_version:7.0.15\nrole:master\nasync_loading:1\nloading:0"), BOUNDS);
        assert!(async_loading.is_ok(), "it answers from the old data while it loads the new");
    }

    #[test]
    fn answers_of_the_wrong_shape_are_unexpected() {
        for value in
            [Value::Nil, Value::Int(1), bulks(&["maxmemory"]), bulks(&["maxmemory", "lots", "maxmemory-policy", "x"])]
        {
            assert!(matches!(memory_settings(value.clone()), Err(Fault::Unexpected(_))), "{value:?}");
            assert!(matches!(about(value, BOUNDS), Err(Fault::Unexpected(_))));
        }
        for info in ["", "role:master", "redis_version:7", "role:sentinel\nredis_version:7"] {
            assert!(matches!(about(bulk(info), BOUNDS), Err(Fault::Unexpected(_))), "{info}");
        }
        for value in [Value::Okay, Value::Nil, bulks(&["app on"]), Value::Array(vec![Value::Int(1)])] {
            assert!(matches!(users(value, BOUNDS), Err(Fault::Unexpected(_))));
        }
        for value in [Value::Okay, Value::Nil, bulks(&["reason"])] {
            assert!(refusals(value, "app", Duration::MAX, 9).is_err());
        }
    }

    #[test]
    fn settings_are_found_in_any_order_and_in_either_protocol() {
        let list = bulks(&["maxmemory-policy", "volatile-lru", "maxmemory", "1024"]);
        assert_eq!(
            memory_settings(list),
            Ok(MemorySettings { max_memory: 1024, eviction_policy: "volatile-lru".to_owned() })
        );
        let map = Value::Map(vec![(bulk("maxmemory"), bulk("1")), (bulk("maxmemory-policy"), bulk("noeviction"))]);
        assert_eq!(
            memory_settings(map),
            Ok(MemorySettings { max_memory: 1, eviction_policy: "noeviction".to_owned() })
        );
    }

    fn entry(reason: &str, object: &str, user: &str, age: &str) -> Value {
        let info = "id=3 addr=127.0.0.1:1 name=cmd=x db=0 cmd=hmget user=app";
        bulks(&[
            "count",
            "1",
            "reason",
            reason,
            "context",
            "toplevel",
            "object",
            object,
            "username",
            user,
            "age-seconds",
            age,
            "client-info",
            info,
        ])
    }

    fn of_app(entries: Vec<Value>) -> Vec<Refusal> {
        refusals(Value::Array(entries), "app", Duration::from_mins(10), 9).unwrap().what
    }

    #[test]
    fn a_login_that_was_refused_a_moment_ago_is_told_from_an_earlier_one_and_from_those_of_others() {
        let refuses = |reason, user, age| {
            let log = Value::Array(vec![entry(reason, "AUTH", user, age)]);
            refusals(log, "app", Duration::from_mins(10), 9).unwrap().refuses_logins
        };
        assert!(refuses("auth", "app", "2.5"));
        assert!(!refuses("auth", "app", "60") && !refuses("auth", "probe", "2.5") && !refuses("key", "app", "2.5"));
    }

    #[test]
    fn entries_that_were_not_asked_for_are_all_too_old_or_may_say_more() {
        let is_all = |ages: &[&str], asked| {
            let log = ages.iter().map(|age| entry("auth", "AUTH", "default", age)).collect();
            refusals(Value::Array(log), "app", Duration::from_mins(10), asked).unwrap().is_all
        };
        assert!(is_all(&[], 1) && is_all(&["1"], 2), "the log has no more");
        assert!(!is_all(&["1"], 1) && !is_all(&["1", "599"], 2), "it may have more");
        assert!(is_all(&["1", "600"], 2), "what comes after that is older still");
    }

    #[test]
    fn of_a_cut_info_what_is_there_counts() {
        let bounds = Bounds { each: 40, ..BOUNDS };
        let said = about(bulk("redis_version:8.0.2\r\nloading:0\r\nrole:mas"), bounds);
        assert_eq!(said.unwrap().role, None);
        assert!(about(bulk("loading:0\r\nrole:master\r\nmaxclients:100001\r\n"), bounds).is_err(), "what is it?");
    }

    #[test]
    fn each_kind_of_refusal_is_told_once_and_a_key_only_by_its_command() {
        let log = vec![
            entry("key", "shop2:22222222-2222.aaaa", "app", "1.5"),
            entry("key", "shop2:33333333-3333.bbbb", "app", "0"),
            entry("command", "flushall", "app", "599.9"),
            entry("channel", "news", "app", "3"),
            entry("auth", "AUTH", "app", "0.001"),
        ];
        let told = [
            Refusal::Password,
            Refusal::Command("flushall".to_owned()),
            Refusal::Key("hmget".to_owned()),
            Refusal::Channel,
        ];
        assert_eq!(of_app(log), told);
    }

    #[test]
    fn what_is_old_or_of_another_user_is_passed_over() {
        let log = vec![
            entry("command", "flushall", "app", "600"),
            entry("command", "keys", "mallory", "1"),
            entry("auth", "AUTH", "default", "1"),
            entry("command", "keys", "app", "no number"),
        ];
        assert_eq!(of_app(log), []);
    }

    #[test]
    fn a_key_that_is_no_text_hides_no_refusal() {
        let Value::Array(mut fields) = entry("key", "", "app", "1") else { unreachable!() };
        fields[7] = Value::BulkString(vec![0xff, 0xfe]);
        assert_eq!(of_app(vec![Value::Array(fields)]), [Refusal::Key("hmget".to_owned())]);
    }
}
