//! Where something is done to a cache while an application uses it, and what `Ready` said is held against what the application
//! felt.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokencache_operator::redis::tls::schedule::CERTIFICATE_LIFETIME;

use super::application::Application;
use super::faults::certificates;
use super::hands::{apply, host};
use super::judge::{CONNECTION, Row, Spell, TOLERATED, judge, spells};
use super::readiness::Readiness;
use crate::cluster::{PATIENCE, Scene};
use crate::support::eventually::within;

/// By then the application feels what was done, and twice as late `Ready` has told of it, if it does.
const FELT: SignedDuration = SignedDuration::from_secs(90);

/// A cache, an application that uses it, and a watch of `Ready`.
pub struct Stage {
    pub scene: Scene,
    application: Application,
    readiness: Readiness,
    /// For how long the application is left failing at least.
    hold: SignedDuration,
}

impl Stage {
    pub async fn new(name: &str, redis: Value, hold: SignedDuration) -> Self {
        let scene = Scene::new(name).await;
        if redis["tls"]["mode"] == "Secret" {
            apply(&scene, &certificates::secret(&host(&scene), CERTIFICATE_LIFETIME));
        }
        scene.apply(redis).await;
        scene.ready().await;
        let readiness = Readiness::watch(&scene);
        let application = Application::start(&scene).await;
        Self { scene, application, readiness, hold }
    }

    /// Does something from which the application suffers, and mends it once `Ready` says so.
    pub async fn fault(&self, what: &str, done: &str, cause: impl AsyncFnOnce(), mend: impl AsyncFnOnce()) -> Row {
        self.calm().await;
        let since = Timestamp::now();
        cause().await;
        within(PATIENCE * 2, "Ready is False", async || {
            let spells = self.spells(since);
            let waited = Timestamp::now().duration_since(spells.first().map_or(since, |first| first.from));
            let enough = match spells.last() {
                None => waited > FELT,
                Some(last) if last.to.is_some() => true,
                Some(_) => self.readiness.is("False") && waited >= self.hold,
            };
            if enough || waited > FELT + TOLERATED { Ok(()) } else { Err(format!("{waited:?}")) }
        })
        .await;
        mend().await;
        self.recover(since).await;
        let mut row = self.row(since, &[]);
        if self.spells(since).is_empty() {
            row.wrong.push("the application does not feel it".to_owned());
        }
        row.named(what, done)
    }

    /// Does something that the application does not feel, and watches until that has come true. A False for one of the
    /// reasons in `asked_for` is none that anybody need feel.
    pub async fn disturbance(
        &self,
        what: &str,
        done: &str,
        asked_for: &[&str],
        cause: impl AsyncFnOnce(),
        until: impl AsyncFnOnce(),
    ) -> Row {
        self.calm().await;
        let since = Timestamp::now();
        cause().await;
        until().await;
        within(PATIENCE, "a connection later", async || {
            let waited = Timestamp::now().duration_since(since);
            if waited > TOLERATED && self.readiness.is("True") { Ok(()) } else { Err(format!("{waited:?}")) }
        })
        .await;
        let mut row = self.row(since, asked_for);
        if !self.spells(since).is_empty() {
            row.wrong.push("the application feels it".to_owned());
        }
        row.named(what, done)
    }

    /// Waits until the application works and `Ready` says so.
    async fn calm(&self) {
        within(PATIENCE, "all is well", async || {
            let last = Timestamp::now() - CONNECTION;
            let well = self.spells(last).is_empty() && self.readiness.is("True");
            if well { Ok(()) } else { Err(format!("{:?}, {:?}", self.spells(last), self.readiness.said().last())) }
        })
        .await;
    }

    /// Waits until the application works, and for as long as `Ready` may need to say so, and more.
    async fn recover(&self, since: Timestamp) {
        let works = within(PATIENCE, "the application works again", async || match self.spells(since).last() {
            None => Ok(Timestamp::now()),
            Some(last) => last.to.ok_or_else(|| format!("{last:?}")),
        })
        .await;
        within(PATIENCE, "Ready is True", async || {
            let waited = Timestamp::now().duration_since(works);
            if self.readiness.is("True") || waited > TOLERATED * 2 { Ok(()) } else { Err(format!("{waited:?}")) }
        })
        .await;
    }

    fn spells(&self, since: Timestamp) -> Vec<Spell> {
        spells(&self.application.done(), since)
    }

    fn row(&self, since: Timestamp, asked_for: &[&str]) -> Row {
        judge(since, &self.application.done(), &self.readiness.said(), asked_for)
    }
}
