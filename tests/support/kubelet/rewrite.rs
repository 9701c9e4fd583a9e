//! Paths and addresses of a pod, put where its processes really find them: these run on the host, without a root file
//! system or a network of their own.

/// Words to replace. All are replaced in one pass, so that what was put in is not replaced again.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    words: Vec<(String, String)>,
}

impl Rewrite {
    /// Adds a word; the longest that fits wins.
    pub fn add(&mut self, from: &str, to: &str) {
        let from = from.trim_end_matches('/');
        if !from.is_empty() {
            self.words.push((from.to_owned(), to.to_owned()));
            self.words.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        }
    }

    /// Replaces whole words only: `/data` is not found in `/database`, nor in `/var/data`.
    pub fn apply(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let inside = result.ends_with(|before: char| before.is_ascii_alphanumeric() || "_-./".contains(before));
            let hit = self.words.iter().find(|(from, _)| {
                let after = rest.strip_prefix(from.as_str());
                !inside
                    && after.is_some_and(|after| {
                        !after.starts_with(|next: char| next.is_ascii_alphanumeric() || "_-".contains(next))
                    })
            });
            if let Some((from, to)) = hit {
                result.push_str(to);
                rest = &rest[from.len()..];
            } else {
                result.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::Rewrite;

    #[test]
    fn only_whole_words_are_replaced_the_longest_first_and_only_once() {
        let mut words = Rewrite::default();
        words.add("/data", "/tmp/data");
        words.add("/etc/redis", "/tmp/a");
        words.add("/etc/redis/users/", "/tmp/b");
        words.add("/tmp", "/tmp/c");
        let text = "dir /data/x /database /var/data \"/etc/redis/users/users.acl\" /etc/redis/redis.conf:/tmp é";
        let expected = "dir /tmp/data/x /database /var/data \"/tmp/b/users.acl\" /tmp/a/redis.conf:/tmp/c é";
        assert_eq!(words.apply(text), expected);
    }
}
