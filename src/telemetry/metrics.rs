//! What Prometheus asks: `/metrics`.
//!
//! In: at each question, what was counted of every cache. Out: text. Nothing is kept from one question to the next, so that
//! the series of a cache go with it. Labels have few values: classes are a closed list, and keys those of a ring and a few
//! others.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::body::Bytes;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    capability::token_cache::TokenCacheRef, data_protection::key::id::KeyId, entries::look::payloads::Counted,
};

/// The form that the text has.
const FORM: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// What the name of every metric begins with.
const PREFIX: &str = "tokencache";

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics(Mutex<Registry>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Mutex::new(Registry::with_prefix(PREFIX)))
    }
}

impl Metrics {
    /// Tells of entries from now on what this counts at each question.
    pub fn of_entries(&self, counted: impl Fn() -> Vec<Counted> + Send + Sync + 'static) {
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(Entries(counted)));
    }

    /// The answer to a path.
    #[must_use]
    pub fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let (status, body) = match (path, self.text()) {
            ("/metrics", Ok(text)) => (StatusCode::OK, text),
            ("/metrics", Err(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "metrics\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        if status == StatusCode::OK {
            response.headers_mut().insert(CONTENT_TYPE, FORM);
        }
        response
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// What is told of entries.
struct Entries<F>(F);

impl<F> fmt::Debug for Entries<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entries")
    }
}

impl<F: Fn() -> Vec<Counted> + Send + Sync + 'static> Collector for Entries<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let caches = (self.0)();
        let gauge = MetricType::Gauge;
        let help = "Entries with the cache's prefix, as the last complete way through the keys found them";
        let mut family = encoder.encode_descriptor("entries", help, None, gauge)?;
        for Counted { of: TokenCacheRef { namespace, name }, counts } in &caches {
            let labels = [("namespace", namespace.as_str()), ("name", name.as_str())];
            ConstGauge::new(number(counts.entries)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Entries that were looked into in the last window, by what they are and by their key";
        let mut family = encoder.encode_descriptor("entries_sampled", help, None, gauge)?;
        let inspected = || caches.iter().filter(|counted| counted.counts.is_inspected);
        for Counted { of: TokenCacheRef { namespace, name }, counts } in inspected() {
            for ((class, key), count) in &counts.payloads {
                let key = key.map(KeyId::short).unwrap_or_default();
                let labels = [
                    ("namespace", namespace.as_str()),
                    ("name", name.as_str()),
                    ("class", class.as_str()),
                    ("key", key.as_str()),
                ];
                ConstGauge::new(number(*count)).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Entries that are too big to be looked into, in the last window";
        let mut family = encoder.encode_descriptor("entries_passed_over", help, None, gauge)?;
        for Counted { of: TokenCacheRef { namespace, name }, counts } in inspected() {
            let labels = [("namespace", namespace.as_str()), ("name", name.as_str())];
            ConstGauge::new(number(counts.passed_over)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entries::{entry::class::Class, look::payloads::Counts};

    fn counted(name: &str) -> Counted {
        let key = KeyId::parse("80732141-ec8f-4b80-af9c-c4d2d1ff8901");
        let payloads = [((Class::Readable, key), 7), ((Class::Plain, None), 2)].into();
        let counts = Counts { entries: 12, is_inspected: true, payloads, passed_over: 1, ..Counts::default() };
        Counted { of: TokenCacheRef { namespace: "web".to_owned(), name: name.to_owned() }, counts }
    }

    #[test]
    fn what_was_counted_of_each_cache_is_told_and_goes_with_it() {
        let metrics = Metrics::default();
        let caches = std::sync::Arc::new(Mutex::new(vec![counted("shop"), counted("desk")]));
        let source = std::sync::Arc::clone(&caches);
        metrics.of_entries(move || source.lock().unwrap().clone());
        let text = metrics.text().unwrap();
        for line in [
            "# TYPE tokencache_entries_sampled gauge",
            "tokencache_entries{namespace=\"web\",name=\"shop\"} 12",
            "tokencache_entries_sampled{namespace=\"web\",name=\"shop\",class=\"readable\",key=\"80732141\"} 7",
            "tokencache_entries_sampled{namespace=\"web\",name=\"desk\",class=\"plain\",key=\"\"} 2",
            "tokencache_entries_passed_over{namespace=\"web\",name=\"shop\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        caches.lock().unwrap().pop();
        assert!(!metrics.text().unwrap().contains("desk"));
    }

    #[test]
    fn of_a_cache_whose_entries_are_not_looked_into_only_their_number_is_told() {
        let metrics = Metrics::default();
        let mut cache = counted("shop");
        cache.counts.is_inspected = false;
        metrics.of_entries(move || vec![cache.clone()]);
        let text = metrics.text().unwrap();
        let told: Vec<&str> = text.lines().filter(|line| line.contains("name=\"shop\"")).collect();
        assert_eq!(told, ["tokencache_entries{namespace=\"web\",name=\"shop\"} 12"]);
    }

    #[test]
    fn another_path_is_not_found() {
        let metrics = Metrics::default();
        assert_eq!(metrics.answer("/metrics").status(), StatusCode::OK);
        assert_eq!(metrics.answer("/").status(), StatusCode::NOT_FOUND);
    }
}
