//! Prints the documentation of every SQL function as JSON, for `scripts/docs.py`.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use rasteret::Kind;

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
    let functions = rasteret::documentation().into_iter().map(|function| {
        let parameters = function.parameters.iter().map(|parameter| {
            format!(
                r#"{{"name":{},"type":{},"default":{},"description":{}}}"#,
                Text(parameter.name),
                Text(parameter.kind),
                parameter.default.map_or("null".to_owned(), |default| Text(default).to_string()),
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
