//! Messages are for people who use a cache, not for those who have the source of the operator at hand: no output of `Debug`
//! stands in them.

use std::cell::RefCell;

thread_local! {
    /// What was found in messages on this thread, on which an operator and its test run.
    static FOUND: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What only `Debug` writes, or those who read the names of a library's errors.
const TELL_TALES: [&str; 8] = ["Some(", "Ok(", "Err(", "\\\"", "\\n", "\\u{", "client error (", "(os error "];

/// What libraries that the operator uses call what went wrong.
const NAMES: [&str; 24] = [
    "BadEncoding",
    "BadSignature",
    "BrokenPipe",
    "CaUsedAsEndEntity",
    "ConnectionAborted",
    "ConnectionRefused",
    "ConnectionReset",
    "EndEntityUsedAsCa",
    "HandshakeFailure",
    "HyperError",
    "InvalidCertificate",
    "InvalidData",
    "InvalidInput",
    "NotValidForName",
    "NotValidYet",
    "PeerIncompatible",
    "PeerMisbehaved",
    "SerdeError",
    "ServiceError",
    "TimedOut",
    "UnexpectedEof",
    "UnknownCA",
    "UnknownIssuer",
    "WouldBlock",
];

/// Makes sure that nothing in a message is what `Debug` writes.
pub fn assert_plain(message: &str) {
    note(message);
    assert_nothing_found();
}

/// Takes note of what `Debug` writes in a message, where a panic would only be swallowed.
pub fn note(message: &str) {
    if let Some(found) = debug_output(message) {
        note_fault(format!("{found:?} is what Debug writes, in a message: {message}"));
    }
}

/// Takes note of something else that is wrong with what is told.
pub fn note_fault(fault: String) {
    FOUND.with_borrow_mut(|all| all.push(fault));
}

/// What was found in messages on this thread since it was asked last.
pub fn found() -> Vec<String> {
    FOUND.take()
}

/// Makes sure that nothing was found in any message on this thread.
pub fn assert_nothing_found() {
    let found = found();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn debug_output(message: &str) -> Option<String> {
    if let Some(tale) = TELL_TALES.into_iter().find(|tale| message.contains(tale)) {
        return Some(tale.to_owned());
    }
    let is_of_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut before = ' ';
    let mut rest = message;
    while let Some(start) = rest.find(is_of_word) {
        before = rest[..start].chars().next_back().unwrap_or(before);
        let word = &rest[start..];
        let end = word.find(|char| !is_of_word(char)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let is_name = NAMES.contains(&word);
        // A method that an application is to call stands after a dot.
        let is_value = before != '.' && is_of_type(word) && (after.starts_with('(') || after.starts_with(" { "));
        if is_name || is_value {
            return Some(format!("{word}{}", after.chars().take(10).collect::<String>()));
        }
        (before, rest) = (word.chars().next_back().unwrap_or(' '), after);
    }
    None
}

/// Whether a type, or one of its variants, may be called so.
fn is_of_type(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_uppercase()) && word.contains(|char: char| char.is_ascii_lowercase())
}

#[test]
fn what_debug_writes_is_seen_and_what_people_read_is_not() {
    for told in [
        "read Secret a: ApiError: forbidden (Status { status: Some(Failure), code: 403 })",
        "cannot be verified: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        "scope=Namespace(\"web\")",
        "it has Quantity { format: 1 }",
        "ServiceError: client error (Connect)",
        "invalid peer certificate: UnknownIssuer",
        "it says \"a \\\"b\\\"\"",
    ] {
        assert!(debug_output(told).is_some(), "{told}");
    }
    for told in [
        "StatefulSet shop-redis (apps/v1) is not there, see RedisAvailable (InMemory)",
        "call services.AddDataProtection().SetApplicationName(\"a\") in all that use the cache",
        "services.Configure<MsalDistributedTokenCacheAdapterOptions>(configuration.GetSection(\"TokenCache\"))",
        "node(s) had a taint, {\"a\": 1}, and REDIS (7.2)",
    ] {
        assert_eq!(debug_output(told), None, "{told}");
    }
}
