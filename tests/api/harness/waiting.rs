//! Waiting ends: with an answer, or with the last thing that was seen.

use std::time::Duration;

use crate::support::eventually::{never, within};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn waiting_returns_the_answer_as_soon_as_there_is_one() {
    let mut asked = 0;
    let answer = within(Duration::from_secs(10), "three questions", async || {
        asked += 1;
        if asked == 3 { Ok("answer") } else { Err(format!("question {asked}")) }
    })
    .await;
    assert_eq!((answer, asked), ("answer", 3));
}

#[tokio::test]
#[should_panic(expected = "the moon: not within 200ms; last seen: cheese")]
async fn waiting_in_vain_tells_what_was_last_seen() {
    within(SHORT, "the moon", async || Err::<(), _>("cheese".to_owned())).await;
}

#[tokio::test]
#[should_panic(expected = "the question was still open")]
async fn a_question_without_any_answer_is_not_waited_for_without_end() {
    within(SHORT, "an answer", async || std::future::pending::<Result<(), String>>().await).await;
}

#[tokio::test]
#[should_panic(expected = "nothing falls, but this was seen: an apple")]
async fn what_must_never_happen_is_seen_when_it_does() {
    never(Duration::from_secs(10), "nothing falls", async || Some("an apple".to_owned())).await;
}

#[tokio::test]
async fn what_must_never_happen_is_watched_for_a_bounded_while() {
    never(SHORT, "nothing falls", async || None).await;
}
