//! The table that a run writes.

use std::fmt;
use std::time::Duration;

/// What was measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    /// What is behind the figures, in Markdown, by title.
    sections: Vec<(String, String)>,
}

struct Row {
    figure: String,
    measured: String,
    goal: String,
    holds: Option<bool>,
}

/// What a figure may be.
#[derive(Clone, Copy)]
pub enum Goal {
    /// It is told and not judged.
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// A figure with its unit, and what it is to be.
    pub fn figure(&mut self, figure: impl Into<String>, measured: f64, unit: &str, goal: Goal) {
        let (goal, holds) = match goal {
            Goal::None => (String::new(), None),
            Goal::AtMost(most) => (format!("at most {}", Number(most)), Some(measured <= most)),
            Goal::AtLeast(least) => (format!("at least {}", Number(least)), Some(measured >= least)),
        };
        let measured = format!("{} {unit}", Number(measured)).trim_end().to_owned();
        let row = Row { figure: figure.into(), measured, goal, holds };
        eprintln!(
            "bench: {}: {} {}",
            row.figure,
            row.measured,
            if row.holds == Some(false) { "(misses its goal)" } else { "" }
        );
        self.rows.push(row);
    }

    /// What is behind a figure, in full.
    pub fn detail(&mut self, title: impl Into<String>, text: impl fmt::Display) {
        self.section(title, format!("```text\n{text}```\n"));
    }

    /// What is behind some figures, in Markdown.
    pub fn section(&mut self, title: impl Into<String>, markdown: String) {
        let title = title.into();
        eprintln!("bench: {title}\n{markdown}");
        self.sections.push((title, markdown));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | measured | goal | holds |\n|---|---|---|---|")?;
        for Row { figure, measured, goal, holds } in &self.rows {
            let holds = holds.map_or("", |holds| if holds { "yes" } else { "**no**" });
            writeln!(f, "| {figure} | {measured} | {goal} | {holds} |")?;
        }
        for (title, markdown) in &self.sections {
            write!(f, "\n## {title}\n\n{markdown}")?;
        }
        Ok(())
    }
}

/// With no more digits than it deserves.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = *self;
        match number {
            _ if number.fract() == 0.0 || number.abs() >= 1000.0 => write!(f, "{number:.0}"),
            _ if number.abs() >= 100.0 => write!(f, "{number:.1}"),
            _ if number.abs() >= 0.1 => write!(f, "{number:.2}"),
            _ => write!(f, "{number:.4}"),
        }
    }
}

/// Of a whole, for each of so many.
#[allow(clippy::cast_precision_loss)]
pub fn each(whole: usize, of: usize) -> f64 {
    whole as f64 / of as f64
}

/// Milliseconds for each of so many.
#[allow(clippy::cast_precision_loss)]
pub fn milliseconds_each(time: Duration, of: usize) -> f64 {
    time.as_secs_f64() * 1000.0 / of as f64
}

/// What the operator may hold, as its chart's limit has it: so much for itself, and so much for each cache.
pub fn memory_goal(caches: usize) -> Goal {
    Goal::AtMost(25.0 + 0.04 * each(caches, 1))
}

/// As the kernel and Kubernetes count: 1 MB is 10^6 bytes.
#[allow(clippy::cast_precision_loss)]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
