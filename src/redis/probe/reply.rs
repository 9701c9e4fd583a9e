//! Answers of Redis as values. Pure; what an answer held is never quoted where it does not fit, for it may hold
//! password hashes.

use ::redis::Value;

use crate::redis::sample::{Fault, Impediment, Role, Saving};

/// What `INFO` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) role: Role,
    pub(super) impediment: Option<Impediment>,
    pub(super) saving: Saving,
}

/// What `ACL GETUSER` says of a user's passwords.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passwords {
    /// There is no such user.
    NoUser,
    /// The user is switched off, whatever its passwords.
    Off,
    /// The user needs none.
    Any,
    /// Exactly these, as SHA-256 in hex.
    These(Vec<String>),
}

/// Reads `INFO`.
pub(super) fn about(answer: Value) -> Result<About, Fault> {
    let text = text(answer).ok_or_else(|| unexpected("INFO is not a text"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim_end().to_owned())
    };
    if field("loading").as_deref() == Some("1") {
        return Err(Fault::Loading);
    }
    let version = field("valkey_version").or_else(|| field("redis_version"));
    let role = field("role").ok_or_else(|| unexpected("INFO has no role"))?;
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    let full = number("connected_clients")
        .zip(number("maxclients"))
        .filter(|(connected, most)| connected >= most)
        .map(|(_, clients)| Impediment::Full { clients });
    // The line is there only where min-replicas-to-write is set.
    let lacks_replicas = number("min_slaves_good_slaves") == Some(0);
    let failed = |name: &str| field(name).as_deref() == Some("err");
    Ok(About {
        saving: Saving {
            write_failed: failed("aof_last_write_status"),
            rewrite_failed: failed("aof_last_bgrewrite_status"),
        },
        version: version.ok_or_else(|| unexpected("INFO has no redis_version"))?,
        role: match role.as_str() {
            "master" => Role::Primary,
            "slave" => Role::Replica,
            _ => return Err(Fault::Unexpected(format!("INFO has the role {role}"))),
        },
        impediment: lacks_replicas.then_some(Impediment::LacksReplicas).or(full),
    })
}

/// Reads `CONFIG GET maxmemory maxmemory-policy`.
pub(super) fn memory_settings(answer: Value) -> Result<(u64, String), Fault> {
    let mut settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let mut setting = |name: &str| {
        let found = settings.iter().position(|(key, _)| key == name)?;
        text(settings.swap_remove(found).1)
    };
    let max_memory = setting("maxmemory").ok_or_else(|| unexpected("CONFIG GET has no maxmemory"))?;
    let policy = setting("maxmemory-policy").ok_or_else(|| unexpected("CONFIG GET has no maxmemory-policy"))?;
    let bytes = max_memory.parse().map_err(|_| Fault::Unexpected(format!("CONFIG GET has maxmemory {max_memory}")))?;
    Ok((bytes, policy))
}

/// Reads `CONFIG GET appendonly appendfsync`.
pub(super) fn append_settings(answer: Value) -> Result<(String, String), Fault> {
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

/// Reads `CONFIG GET` of files: those that are set.
pub(super) fn files(answer: Value) -> Result<Vec<(String, String)>, Fault> {
    let settings = pairs(answer).ok_or_else(|| unexpected("CONFIG GET is not a list of settings"))?;
    let files = settings.into_iter().map(|(name, path)| text(path).map(|path| (name, path)));
    let files: Option<Vec<_>> = files.collect();
    let mut files = files.ok_or_else(|| unexpected("CONFIG GET has a path that is no text"))?;
    files.retain(|(_, path)| !path.is_empty());
    if files.is_empty() { Err(unexpected("CONFIG GET has no file with a certificate")) } else { Ok(files) }
}

/// Reads `ACL GETUSER`.
pub(super) fn passwords(answer: Value) -> Result<Passwords, Fault> {
    if answer == Value::Nil {
        return Ok(Passwords::NoUser);
    }
    let fields = pairs(answer).ok_or_else(|| unexpected("ACL GETUSER is not a list of fields"))?;
    let (mut flags, mut hashes) = (None, None);
    for (name, value) in fields {
        match name.as_str() {
            "flags" => flags = texts(value),
            "passwords" => hashes = texts(value),
            _ => {}
        }
    }
    let flags = flags.ok_or_else(|| unexpected("ACL GETUSER has no flags"))?;
    let hashes = hashes.ok_or_else(|| unexpected("ACL GETUSER has no passwords"))?;
    let has = |flag: &str| flags.iter().any(|other| other == flag);
    Ok(if has("off") {
        Passwords::Off
    } else if has("nopass") {
        Passwords::Any
    } else {
        Passwords::These(hashes)
    })
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

fn texts(value: Value) -> Option<Vec<String>> {
    list(value)?.into_iter().map(text).collect()
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
            about(info),
            Ok(About { version: "8.1.1".to_owned(), role: Role::Replica, impediment: None, saving })
        );
    }

    #[test]
    fn what_keeps_a_server_from_serving_is_read() {
        let impediment = |more: &str| about(bulk(&format!("redis_version:7\nrole:master\n{more}"))).unwrap().impediment;
        assert_eq!(impediment("connected_clients:9\nmaxclients:10"), None);
        assert_eq!(impediment("connected_clients:10\nmaxclients:10"), Some(Impediment::Full { clients: 10 }));
        assert_eq!(impediment("min_slaves_good_slaves:0"), Some(Impediment::LacksReplicas));
        assert_eq!(impediment("min_slaves_good_slaves:1"), None);
    }

    #[test]
    fn what_could_not_be_saved_is_read() {
        let saving = |more: &str| about(bulk(&format!("redis_version:7\nrole:master\n{more}"))).unwrap().saving;
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
        assert_eq!(about(bulk("loading:1\r\n")), Err(Fault::Loading));
        let async_loading = about(bulk("redis_version:7.0.15\nrole:master\nasync_loading:1\nloading:0"));
        assert!(async_loading.is_ok(), "it answers from the old data while it loads the new");
    }

    #[test]
    fn answers_of_the_wrong_shape_are_unexpected() {
        for value in
            [Value::Nil, Value::Int(1), bulks(&["maxmemory"]), bulks(&["maxmemory", "lots", "maxmemory-policy", "x"])]
        {
            assert!(matches!(memory_settings(value.clone()), Err(Fault::Unexpected(_))), "{value:?}");
            assert!(matches!(about(value), Err(Fault::Unexpected(_))));
        }
        for info in ["", "role:master", "redis_version:7", "role:sentinel\nredis_version:7"] {
            assert!(matches!(about(bulk(info)), Err(Fault::Unexpected(_))), "{info}");
        }
        for value in [Value::Okay, bulks(&["flags"]), bulks(&["flags", "on"]), Value::Array(vec![])] {
            assert!(matches!(passwords(value), Err(Fault::Unexpected(_))));
        }
    }

    #[test]
    fn settings_are_found_in_any_order_and_in_either_protocol() {
        let list = bulks(&["maxmemory-policy", "volatile-lru", "maxmemory", "1024"]);
        assert_eq!(memory_settings(list), Ok((1024, "volatile-lru".to_owned())));
        let map = Value::Map(vec![(bulk("maxmemory"), bulk("1")), (bulk("maxmemory-policy"), bulk("noeviction"))]);
        assert_eq!(memory_settings(map), Ok((1, "noeviction".to_owned())));
    }

    #[test]
    fn a_user_that_needs_no_password_is_not_one_without_passwords() {
        let user = |flag| Value::Array(vec![bulk("flags"), bulks(&["on", flag]), bulk("passwords"), bulks(&[])]);
        assert_eq!(passwords(user("nopass")), Ok(Passwords::Any));
        assert_eq!(passwords(user("off")), Ok(Passwords::Off));
        assert_eq!(passwords(user("sanitize-payload")), Ok(Passwords::These(vec![])));
        assert_eq!(passwords(Value::Nil), Ok(Passwords::NoUser));
    }
}
