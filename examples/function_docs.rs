//! Prints the documentation of every SQL function as JSON, for `scripts/docs.py`.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use rasteret::{Kind, Parameter, ValueType};

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

/// A JSON array of what is already JSON.
fn array<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

fn main() -> io::Result<()> {
    let functions = rasteret::documentation().map(|function| {
        let record = |parameter: &Parameter, kind: String, default: Option<&str>| {
            format!(
                r#"{{"name":{},"type":{},"default":{},"description":{}}}"#,
                Text(parameter.name),
                Text(&kind),
                default.map_or("null".to_owned(), |default| Text(default).to_string()),
                Text(parameter.description),
            )
        };
        let positional = function
            .parameters
            .iter()
            .map(|parameter| record(parameter, parameter.value.sql().to_owned(), parameter.default));
        let options = function.options.iter().map(|option| {
            record(
                option,
                match (function.kind, option.value) {
                    (Kind::Scalar, value) => format!("option, {}", value.sql()),
                    // Named parameters are registered with these types.
                    (Kind::Table, ValueType::Integer) => "BIGINT".to_owned(),
                    (Kind::Table, ValueType::IntegerOrText) => "VARCHAR".to_owned(),
                    (Kind::Table, value) => value.sql().to_owned(),
                },
                Some(option.default.unwrap_or("NULL")),
            )
        });
        let parameters = positional.chain(options);
        let examples = function
            .examples
            .iter()
            .map(|example| format!(r#"{{"sql":{},"result":{}}}"#, Text(example.sql), Text(example.result)));
        format!(
            r#"{{"name":{},"kind":{},"signatures":{},"description":{},"parameters":{},"returns":{},"examples":{}}}"#,
            Text(function.name),
            Text(match function.kind {
                Kind::Scalar => "scalar",
                Kind::Table => "table",
            }),
            array(function.signatures.iter().copied().map(Text)),
            Text(function.description),
            array(parameters),
            Text(function.returns),
            array(examples),
        )
    });
    writeln!(io::stdout().lock(), "{}", array(functions))
}
