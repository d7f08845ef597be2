//! Prints the documentation of every SQL function as JSON, for `scripts/docs.py`; with the argument `settings` that of the settings, and
//! with `features` the features of each DuckDB release.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

/// A JSON string.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                control if control < ' ' => write!(formatter, "\\u{:04x}", u32::from(control))?,
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char('"')
    }
}

/// A JSON array of JSON values.
fn array<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

fn main() -> io::Result<()> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("settings") => settings(),
        Some("features") => features(),
        _ => functions(),
    };
    writeln!(io::stdout().lock(), "{text}")
}

fn settings() -> String {
    array(rasteret::SETTINGS.iter().map(|setting| {
        format!(
            r#"{{"name":{},"variable":{},"default":{},"description":{}}}"#,
            Text(&setting.name()),
            Text(setting.variable),
            Text(&setting.default_value()),
            Text(setting.details),
        )
    }))
}

fn features() -> String {
    array(rasteret::FEATURES.iter().map(|feature| {
        let [major, minor, patch] = feature.since;
        format!(
            r#"{{"since":"{major}.{minor}.{patch}","description":{},"before":{}}}"#,
            Text(feature.description),
            Text(feature.before),
        )
    }))
}

fn functions() -> String {
    let functions = rasteret::documentation().map(|function| {
        let optional = function.options.iter().map(|option| option.name).collect::<Vec<_>>();
        let parameters = function.all_parameters().map(|(parameter, kind)| {
            let default = parameter.default.or(optional.contains(&parameter.name).then_some("NULL"));
            format!(
                r#"{{"name":{},"type":{},"default":{},"description":{}}}"#,
                Text(parameter.name),
                Text(&kind),
                default.map_or("null".to_owned(), |default| Text(default).to_string()),
                Text(parameter.description),
            )
        });
        let examples = function
            .examples
            .iter()
            .map(|example| format!(r#"{{"sql":{},"result":{}}}"#, Text(example.sql), Text(example.result)));
        format!(
            r#"{{"name":{},"kind":{},"signatures":{},"description":{},"parameters":{},"returns":{},"examples":{}}}"#,
            Text(function.name),
            Text(function.kind.name()),
            array(function.signatures.iter().copied().map(Text)),
            Text(function.description),
            array(parameters),
            Text(function.returns),
            array(examples),
        )
    });
    array(functions)
}
