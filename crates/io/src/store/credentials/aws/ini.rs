//! The format of AWS profile files: sections of names and values. An indented line below a name without a value is a nested setting.
//!
//! ```text
//! [profile work]
//! region = eu-west-1
//! s3 =
//!     addressing_style = virtual     -> "s3.addressing_style"
//! ```

use std::collections::HashMap;

/// Sections by name, settings by lower-case name.
#[derive(Default)]
pub(super) struct Ini(HashMap<String, HashMap<String, String>>);

impl Ini {
    /// Lines that are none of a file's forms are skipped, as in the tools of AWS.
    pub(super) fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let (mut section, mut parent) = (None::<String>, None::<String>);
        for line in text.trim_start_matches('\u{feff}').lines() {
            let is_indented = line.starts_with([' ', '\t']);
            let line = without_comment(line).trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                let name = section_name(name.0);
                ini.0.entry(name.clone()).or_default();
                (section, parent) = (Some(name), None);
                continue;
            }
            let Some((section, (name, value))) = section.as_ref().zip(line.split_once('=')) else {
                continue;
            };
            let (mut name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match &parent {
                Some(parent) if is_indented => name = format!("{parent}.{name}"),
                _ => parent = value.is_empty().then(|| name.clone()),
            }
            ini.0.entry(section.clone()).or_default().insert(name, value.to_owned());
        }
        ini
    }

    pub(super) fn section(&self, name: &str) -> Option<&HashMap<String, String>> {
        self.0.get(name)
    }
}

/// `profile  "my work"` as `profile my work`: the AWS CLI quotes names with spaces.
fn section_name(text: &str) -> String {
    let text = text.trim();
    let (kind, name) = text.split_once(char::is_whitespace).unwrap_or(("", text));
    let name = name.trim();
    let quoted = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('"').or_else(|| quoted('\'')).unwrap_or(name);
    if kind.is_empty() { name.to_owned() } else { format!("{kind} {name}") }
}

/// A comment after a value begins with white space and `#` or `;`.
fn without_comment(line: &str) -> &str {
    let starts = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| line.find(mark));
    starts.min().map_or(line, |start| &line[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_settings() {
        let ini = Ini::parse(
            "x = 1\n[default]\nRegion=eu-west-1 # here\n; no\n\n[ profile  work ]\naws_secret_access_key = a#b=c\ns3 =\n  endpoint_url = http://h\n\
             \taddressing_style=path\noutput = json\n[broken\n=\n[empty]\n",
        );
        let get = |section: &str, name: &str| {
            ini.section(section).and_then(|settings| settings.get(name)).map(String::as_str)
        };
        assert_eq!(get("default", "region"), Some("eu-west-1"));
        assert_eq!(get("profile work", "aws_secret_access_key"), Some("a#b=c"));
        assert_eq!(get("profile work", "s3.endpoint_url"), Some("http://h"));
        assert_eq!(get("profile work", "s3.addressing_style"), Some("path"));
        assert_eq!(get("profile work", "output"), Some("json"));
        assert!(ini.section("empty").is_some() && ini.section("none").is_none());
        let ini = Ini::parse(
            "\u{feff}[default]\r\n[profile 'my work']\n[profile\t\"a b\"]\n[sso-session 's']\n[profile it's]\n",
        );
        for name in ["default", "profile my work", "profile a b", "sso-session s", "profile it's"] {
            assert!(ini.section(name).is_some(), "{name}");
        }
    }
}
