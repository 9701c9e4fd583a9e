//! Commands over a connection, and their answers: one at a time, or several in one go.
//!
//! In: commands, and bounds of their answers. Out: values, or why there is none. It knows no command but PING, and never goes
//! on with a connection on which an answer was too long.

use std::collections::BTreeMap;

use ::redis::{Cmd, Pipeline, RedisError, Value, cmd};
use tokio::time::{error::Elapsed, timeout};

use super::{Connection, bounds};
use crate::{
    probe::wire::{bounded::Bounds, failure::Failure},
    redis::look::{
        answer::{Section, Unread},
        fault::Fault,
    },
};

const TOO_LONG: Failure = Failure::TooLong("is over the limit");

/// Bytes of a setting: a path is the longest that there is.
const LONGEST_SETTING: usize = 8 * 1024;

impl Connection {
    /// Asks for a PONG: the words of a server that refuses writes for want of a place to save its data to. It answers
    /// everything else as if nothing were wrong.
    pub(crate) async fn ping(&mut self) -> Result<Option<String>, Fault> {
        match self.send(&cmd("PING")).await {
            Ok(Value::SimpleString(pong)) if pong == "PONG" => Ok(None),
            Ok(_) => Err(Failure::Malformed("the answer is not PONG".to_owned()).of("ping")),
            Err(Failure::Refused { code, words }) if code == "MISCONF" => Ok(Some(words)),
            // A replica that lost its primary; INFO tells what it is.
            Err(Failure::Refused { code, .. }) if code == "MASTERDOWN" => Ok(None),
            Err(failure) => Err(failure.of("ping")),
        }
    }

    /// Asks for something. The name tells people which command it was.
    pub(crate) async fn ask(&mut self, name: &str, command: &Cmd) -> Result<Value, Fault> {
        self.send(command).await.map_err(|failure| failure.of(name))
    }

    /// Asks for something that a look goes on without where the answer is too long: then this is noted.
    pub(crate) async fn ask_for(
        &mut self,
        part: Section,
        command: &Cmd,
        unread: &mut BTreeMap<Section, Unread>,
    ) -> Result<Option<Value>, Fault> {
        let bounds = Bounds { each: LONGEST_SETTING, ..bounds(self.limits) };
        match self.send_within(command, bounds).await {
            Ok(answer) if !bounds.cut_any(&answer) => Ok(Some(answer)),
            Ok(_) | Err(Failure::TooLong(_)) => {
                unread.insert(part, Unread::TooLong);
                Ok(None)
            }
            Err(failure) => Err(failure.of(part.command())),
        }
    }

    /// Changes something: whether the server said OK, or its words of refusal.
    pub(crate) async fn change(&mut self, name: &str, command: &Cmd) -> Result<Result<(), String>, Fault> {
        match self.send(command).await.and_then(|answer| accepted(&answer)) {
            Ok(()) => Ok(Ok(())),
            Err(Failure::Refused { words, .. }) => Ok(Err(words)),
            Err(Failure::TooLong(how)) => Ok(Err(format!("its answer {how}"))),
            Err(failure) => Err(failure.of(name)),
        }
    }

    /// Sends one command.
    pub(crate) async fn send(&mut self, command: &Cmd) -> Result<Value, Failure> {
        self.send_within(command, bounds(self.limits)).await
    }

    /// Sends one command whose answer has bounds of its own. Strings in it may be cut.
    pub(crate) async fn send_within(&mut self, command: &Cmd, bounds: Bounds) -> Result<Value, Failure> {
        if self.is_spoilt() {
            self.replace().await?;
        }
        self.exchange(command, bounds).await
    }

    /// How many bytes the last answer had.
    pub(crate) fn came(&self) -> usize {
        self.allowance.came()
    }

    pub(super) async fn exchange(&mut self, command: &Cmd, bounds: Bounds) -> Result<Value, Failure> {
        self.allowance.renew(bounds);
        let answer = timeout(self.limits.answer, self.redis.send_packed_command(command)).await;
        match self.judge(answer)? {
            Value::ServerError(refusal) => Err(refusal.into()),
            answer if bounds.spoils(&answer) => Err(TOO_LONG),
            answer => Ok(answer),
        }
    }

    /// Sends several in one go, whose answers together have the bounds of one. A refusal stands among the answers.
    pub(crate) async fn send_all(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
        self.send_all_within(commands, bounds(self.limits)).await
    }

    /// The same with bounds of its own. Strings in the answers may be cut.
    pub(crate) async fn send_all_within(&mut self, commands: Vec<Cmd>, bounds: Bounds) -> Result<Vec<Value>, Failure> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_spoilt() {
            self.replace().await?;
        }
        self.allowance.renew(bounds);
        let mut pipeline = Pipeline::with_capacity(commands.len());
        let count = commands.len();
        for command in commands {
            pipeline.add_command(command);
        }
        let answers = timeout(self.limits.answer, self.redis.send_packed_commands(&pipeline, 0, count)).await;
        let answers = self.judge(answers)?;
        if answers.iter().any(|answer| bounds.spoils(answer)) {
            Err(TOO_LONG)
        } else if answers.len() == count {
            Ok(answers)
        } else {
            Err(Failure::Malformed("there are more answers or fewer than questions".to_owned()))
        }
    }

    fn judge<T>(&mut self, answer: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Failure> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if self.allowance.is_spent() => Err(TOO_LONG),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                self.is_spoilt = true;
                Err(if self.allowance.came() > 0 { Failure::TooLong("never ended") } else { Failure::Silent })
            }
        }
    }
}

fn accepted(answer: &Value) -> Result<(), Failure> {
    match answer {
        Value::Okay | Value::Int(_) => Ok(()),
        _ => Err(Failure::Malformed("the answer is neither OK, a number nor an error".to_owned())),
    }
}
