//! Local files that match a pattern.
//!
//! A walk of its own, because the iterator of the `glob` crate returns matches only: it walks a whole disk before it can be interrupted, and
//! returns a file below a link to a parent folder 40 times.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf, is_separator};
use std::rc::Rc;

use glob::{MatchOptions, Pattern};

/// A star stops at a slash, as in every shell; a leading dot is a character like others, as in object stores.
pub(super) const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// One part of a pattern, between slashes.
#[derive(Clone)]
pub(super) enum Segment {
    Name(String),
    Glob(Pattern),
    /// `**`
    AnyDirectories,
}

impl Segment {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "**" => Ok(Self::AnyDirectories),
            _ if !is_glob(text) => Ok(Self::Name(text.to_owned())),
            _ => Pattern::new(text).map(Self::Glob).map_err(|error| format!("not a glob: {}", error.msg)),
        }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Glob(pattern) => pattern.matches_with(name, MATCH),
            Self::AnyDirectories => true,
        }
    }

    /// The entries `.` and `..`, which folders do not list: a pattern matches them if it begins with a dot.
    fn special(&self) -> impl Iterator<Item = &'static str> {
        let is_dotted = matches!(self, Self::Glob(pattern) if pattern.as_str().starts_with('.'));
        [".", ".."].into_iter().filter(move |name| is_dotted && self.matches(name))
    }
}

pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Why files are not listed.
#[derive(Debug)]
pub(super) enum GlobFault<E> {
    /// Not a pattern.
    Pattern(String),
    /// A folder cannot be read.
    Folder(PathBuf, io::Error),
    /// The error of the caller's check.
    Caller(E),
}

/// The files that match a pattern, links to files included. At the end of a pattern `**` matches all files below. `check` is called with the
/// bytes of the files found so far, once for each entry of a folder.
pub(super) fn files<E>(pattern: &str, check: impl Fn(u64) -> Result<(), E>) -> Result<BTreeSet<PathBuf>, GlobFault<E>> {
    let (root, rest) = rooted(pattern);
    let mut segments = Vec::new();
    for text in rest.split(is_separator).filter(|text| !text.is_empty()) {
        segments.push(Segment::parse(text).map_err(GlobFault::Pattern)?);
    }
    if matches!(segments.last(), Some(Segment::AnyDirectories)) {
        segments.push(Segment::parse("*").map_err(GlobFault::Pattern)?);
    }
    segments.dedup_by(|one, other| matches!((one, other), (Segment::AnyDirectories, Segment::AnyDirectories)));
    let mut walk = Walk { segments, check, found: BTreeSet::new(), bytes: 0 };
    // Only folders match a pattern that ends with a slash.
    if !pattern.ends_with(is_separator) {
        walk.run(root)?;
    }
    Ok(walk.found)
}

/// The root of a pattern, empty for the working directory, and the rest.
fn rooted(pattern: &str) -> (PathBuf, &str) {
    let mut components = Path::new(pattern).components();
    let mut root = PathBuf::new();
    while let Some(component @ (Component::Prefix(_) | Component::RootDir)) = components.clone().next() {
        root.push(component);
        components.next();
    }
    match root.as_os_str().is_empty() {
        true => (root, pattern),
        false => (root, components.as_path().to_str().unwrap_or_default()),
    }
}

/// A folder that is walked.
struct Folder {
    path: PathBuf,
    /// The segment that its entries are matched with.
    segment: usize,
    /// Links that lead here.
    links: Option<Rc<Link>>,
}

/// The canonical path of a folder with a link, and the links that lead there.
struct Link {
    from: PathBuf,
    before: Option<Rc<Link>>,
}

struct Walk<C> {
    segments: Vec<Segment>,
    check: C,
    found: BTreeSet<PathBuf>,
    bytes: u64,
}

impl<E, C: Fn(u64) -> Result<(), E>> Walk<C> {
    fn run(&mut self, root: PathBuf) -> Result<(), GlobFault<E>> {
        let mut left = vec![Folder { path: root, segment: 0, links: None }];
        while let Some(folder) = left.pop() {
            (self.check)(self.bytes).map_err(GlobFault::Caller)?;
            let at = folder.segment;
            match self.segments.get(at) {
                None => {}
                Some(Segment::Name(name)) => {
                    let path = if name == "." && folder.path.as_os_str().is_empty() {
                        folder.path.clone()
                    } else {
                        folder.path.join(name)
                    };
                    match at + 1 == self.segments.len() {
                        true if path.symlink_metadata().is_ok() => self.keep(path),
                        true => {}
                        false => left.push(Folder { path, segment: at + 1, ..folder }),
                    }
                }
                Some(Segment::Glob(_) | Segment::AnyDirectories) => self.entries(&folder, &mut left)?,
            }
        }
        Ok(())
    }

    /// Matches the entries of a folder.
    fn entries(&mut self, folder: &Folder, left: &mut Vec<Folder>) -> Result<(), GlobFault<E>> {
        let path = if folder.path.as_os_str().is_empty() { Path::new(".") } else { folder.path.as_path() };
        if !path.is_dir() {
            return Ok(());
        }
        let fault = |error| GlobFault::Folder(path.to_owned(), error);
        let is_recursive = matches!(self.segments.get(folder.segment), Some(Segment::AnyDirectories));
        let at = folder.segment + usize::from(is_recursive);
        let Some(segment) = self.segments.get(at).cloned() else { return Ok(()) };
        let is_last = at + 1 == self.segments.len();
        for entry in fs::read_dir(path).map_err(fault)? {
            (self.check)(self.bytes).map_err(GlobFault::Caller)?;
            let entry = entry.map_err(fault)?;
            let (name, path) = (entry.file_name(), folder.path.join(entry.file_name()));
            let kind = entry.file_type().ok();
            let is_link = kind.is_some_and(|kind| kind.is_symlink());
            let is_folder = if is_link { path.is_dir() } else { kind.is_some_and(|kind| kind.is_dir()) };
            // Names that are not UTF-8 match no pattern.
            let matches = name.to_str().is_some_and(|name| segment.matches(name));
            if matches && is_last && !is_folder {
                self.keep(path);
                continue;
            }
            if !is_folder || !(is_recursive || (matches && !is_last)) {
                continue;
            }
            let links = match is_link {
                true => match followed(folder, &path) {
                    Some(links) => Some(links),
                    None => continue,
                },
                false => folder.links.clone(),
            };
            if is_recursive {
                left.push(Folder { path: path.clone(), segment: folder.segment, links: links.clone() });
            }
            if matches && !is_last {
                left.push(Folder { path, segment: at + 1, links });
            }
        }
        if !is_recursive && !is_last {
            for name in segment.special() {
                left.push(Folder { path: folder.path.join(name), segment: at + 1, links: folder.links.clone() });
            }
        }
        Ok(())
    }

    /// Keeps a path, unless it is a folder.
    fn keep(&mut self, path: PathBuf) {
        if !path.is_dir() {
            self.bytes += path.as_os_str().len() as u64;
            self.found.insert(path);
        }
    }
}

/// The links that lead to the target of a link in a folder; None for a link to a folder that contains the link, or one of those.
fn followed(folder: &Folder, link: &Path) -> Option<Rc<Link>> {
    let target = link.canonicalize().ok()?;
    let from = link.parent().map_or_else(|| Path::new(".").to_owned(), Path::to_owned);
    let from = if from.as_os_str().is_empty() { Path::new(".").canonicalize() } else { from.canonicalize() }.ok()?;
    let mut before = folder.links.as_ref();
    let mut contains = from.starts_with(&target);
    while let Some(link) = before {
        contains |= link.from.starts_with(&target);
        before = link.before.as_ref();
    }
    (!contains).then(|| Rc::new(Link { from, before: folder.links.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test; removed by `Scratch`.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn scratch(name: &str) -> Scratch {
        let scratch = std::env::temp_dir().join(format!("rasteret-glob-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&scratch);
        let path = scratch.join("root");
        for file in ["a.tif", "b.tif", "x/a.tif", "x/.h.tif", "x/y/a.tif", "x/y/z/c.tiff", ".d/e.tif", "x y/[1].tif"] {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, b"").unwrap();
        }
        Scratch(scratch)
    }

    fn found(pattern: &str) -> Vec<String> {
        let files = files(pattern, |_| Ok::<_, ()>(())).unwrap();
        let mut files: Vec<_> = files.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        files.sort();
        files
    }

    #[test]
    fn files_are_those_of_the_glob_crate() {
        let scratch = scratch("same");
        let root = scratch.0.join("root");
        let root = root.to_str().unwrap();
        for pattern in [
            "*.tif",
            "*",
            "**/*.tif",
            "**/a.tif",
            "x/**/*",
            "**/y/*",
            "**/y/**/c*",
            "x/**/y/a.tif",
            "*/*/*",
            "?.tif",
            "x/*",
            "[ab].tif",
            "[!a].tif",
            "x*/[[]*",
            ".*/*.tif",
            ".*/a.tif",
            "**/**/a.tif",
            "x/y/../*",
            "./*.tif",
            "x/./*.tif",
            "*/",
            "x//*.tif",
            "nothing/*",
            "a.tif/*",
            "**/.*",
            "x/*/a.tif",
            "*/y/a.tif",
        ] {
            let pattern = format!("{root}/{pattern}");
            let expected = glob::glob_with(&pattern, MATCH).unwrap().map(Result::unwrap).filter(|path| !path.is_dir());
            let mut expected: Vec<_> = expected.map(|path| path.to_str().unwrap().to_owned()).collect();
            expected.sort();
            expected.dedup();
            assert_eq!(found(&pattern), expected, "{pattern}");
        }
        assert_eq!(found(&format!("{root}/x/**")).len(), 4);
    }

    #[test]
    fn paths_are_relative_to_the_working_directory() {
        assert_eq!(found("Cargo.tom?"), ["Cargo.toml"]);
        assert_eq!(found("./src/li*.rs"), ["src/lib.rs"]);
        assert_eq!(found("../*/Cargo.toml"), glob_of("../*/Cargo.toml"));
        assert!(matches!(files("a/***/b", |_| Ok::<_, ()>(())), Err(GlobFault::Pattern(_))));
    }

    fn glob_of(pattern: &str) -> Vec<String> {
        glob::glob(pattern).unwrap().map(|path| path.unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[cfg(unix)]
    #[test]
    fn links_to_parents_are_not_followed() {
        use std::os::unix::fs::symlink;

        let scratch = scratch("links");
        let root = scratch.0.join("root");
        let x = root.join("x");
        symlink(&root, x.join("up")).unwrap();
        symlink("../.d", x.join("aside")).unwrap();
        symlink("../x", root.join(".d/back")).unwrap();
        symlink("missing", root.join("broken.tif")).unwrap();
        let pattern = format!("{}/**/*.tif", root.display());
        let names: Vec<_> =
            found(&pattern).iter().map(|path| path[root.to_str().unwrap().len() + 1..].to_owned()).collect();
        let expected = [
            ".d/back/.h.tif",
            ".d/back/a.tif",
            ".d/back/y/a.tif",
            ".d/e.tif",
            "a.tif",
            "b.tif",
            "broken.tif",
            "x y/[1].tif",
            "x/.h.tif",
            "x/a.tif",
            "x/aside/e.tif",
            "x/y/a.tif",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_check_ends_a_walk_without_matches() {
        let scratch = scratch("check");
        let calls = std::cell::Cell::new(0);
        let outcome = files(&format!("{}/**/nothing", scratch.0.display()), |_| {
            calls.set(calls.get() + 1);
            if calls.get() < 5 { Ok(()) } else { Err("interrupted") }
        });
        assert!(matches!(outcome, Err(GlobFault::Caller("interrupted"))));
        assert_eq!(calls.get(), 5);
    }
}
