//! One Rust source file, read just far enough: comments and strings told from code, tests told from the product,
//! and the paths that start at the package's root.

use std::collections::HashSet;

/// A file of the product.
pub struct Source {
    /// From the package's root, with slashes.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// The same length, with comments and strings blanked.
    code: Vec<char>,
    /// Line and content of each string.
    strings: Vec<(usize, String)>,
    /// For each character, whether only tests compile it.
    tests: Vec<bool>,
}

/// Reads files, leaving out those that only tests compile: `mod` lines under `#[cfg(test)]` name them.
pub fn product(files: Vec<(String, String)>) -> Vec<Source> {
    let all: Vec<Source> = files.into_iter().map(|(path, text)| Source::read(path, text)).collect();
    let mut tests: HashSet<String> = HashSet::new();
    for source in &all {
        for name in source.test_modules() {
            let folder = source.module().iter().map(|part| format!("/{part}")).collect::<String>();
            tests.insert(format!("src{folder}/{name}.rs"));
            tests.insert(format!("src{folder}/{name}/"));
        }
    }
    let within = |path: &str, test: &String| path == test || (test.ends_with('/') && path.starts_with(test));
    let is_test = |path: &str| path.ends_with("/tests.rs") || tests.iter().any(|test| within(path, test));
    all.into_iter().filter(|source| !is_test(&source.path)).collect()
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    /// `::`
    Path,
    Other(char),
}

impl Source {
    pub fn read(path: String, text: String) -> Self {
        let (code, strings) = blank(&text);
        let tests = tests(&code);
        Self { path, text, code, strings, tests }
    }

    /// The first folder below `src`, or the file's own name there.
    pub fn room(&self) -> &str {
        let inner = self.path.trim_start_matches("src/");
        inner.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Where the file stands in the tree of modules.
    fn module(&self) -> Vec<&str> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<&str> = inner.split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "main" | "lib"))) {
            parts.pop();
        }
        parts
    }

    /// How many lines the product has in it.
    pub fn lines(&self) -> usize {
        self.code.iter().zip(&self.tests).filter(|(c, test)| **c == '\n' && !**test).count()
    }

    /// The product's lines as code, comments and strings blanked, counted from one.
    pub fn code_lines(&self) -> Vec<(usize, String)> {
        let kept = self.code.iter().zip(&self.tests);
        let kept: String = kept.map(|(c, test)| if *test && *c != '\n' { ' ' } else { *c }).collect();
        (1..).zip(kept.lines().map(str::to_owned)).collect()
    }

    /// The product's strings.
    pub fn strings(&self) -> Vec<(usize, String)> {
        let mut line = 1;
        let mut test_lines = HashSet::new();
        for (c, test) in self.code.iter().zip(&self.tests) {
            if *test {
                test_lines.insert(line);
            }
            line += usize::from(*c == '\n');
        }
        self.strings.iter().filter(|(line, _)| !test_lines.contains(line)).cloned().collect()
    }

    /// Everything but comments.
    pub fn spoken(&self) -> Vec<(usize, String)> {
        let mut all = self.code_lines();
        all.extend(self.strings());
        all
    }

    fn tokens(&self) -> Vec<(usize, Token)> {
        let mut tokens = Vec::new();
        for (line, text) in self.code_lines() {
            let mut rest = text.chars().peekable();
            while let Some(c) = rest.next() {
                if c.is_alphanumeric() || c == '_' {
                    let mut word = String::from(c);
                    while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                        word.push(next);
                    }
                    tokens.push((line, Token::Word(word)));
                } else if c == ':' && rest.next_if_eq(&':').is_some() {
                    tokens.push((line, Token::Path));
                } else if !c.is_whitespace() {
                    tokens.push((line, Token::Other(c)));
                }
            }
        }
        tokens
    }

    /// Every path from the package's root that the product writes, groups spread out: `crate::…`, `vestibule::…`
    /// and `super::…` resolved against the file's own module.
    pub fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (at, (_, token)) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let inside = at > 0 && tokens[at - 1].1 == Token::Path;
            if inside || !is(&tokens, at + 1, &Token::Path) {
                continue;
            }
            match word.as_str() {
                "crate" | "vestibule" => {
                    spread(&tokens, at + 1, &[], &mut found);
                }
                "super" => {
                    let (mut next, mut ups) = (at + 1, 1);
                    while is(&tokens, next + 1, &Token::Word("super".to_owned()))
                        && is(&tokens, next + 2, &Token::Path)
                    {
                        next += 2;
                        ups += 1;
                    }
                    let module = self.module();
                    let above = &module[..module.len().saturating_sub(ups)];
                    let base: Vec<String> = above.iter().map(|part| (*part).to_owned()).collect();
                    spread(&tokens, next, &base, &mut found);
                }
                _ => {}
            }
        }
        found
    }

    /// The modules that are declared for tests only.
    fn test_modules(&self) -> Vec<String> {
        let code = self.code.iter().zip(&self.tests).filter(|(_, test)| **test);
        let code: String = code.map(|(c, _)| c).collect();
        let mut words = code.split(|c: char| c.is_whitespace() || c == ']');
        let mut names = Vec::new();
        while let Some(word) = words.next() {
            if word == "mod"
                && let Some(name) = words.next().and_then(|name| name.strip_suffix(';'))
            {
                names.push(name.to_owned());
            }
        }
        names
    }
}

fn is(tokens: &[(usize, Token)], at: usize, wanted: &Token) -> bool {
    tokens.get(at).is_some_and(|(_, token)| token == wanted)
}

/// Follows a path from the `::` at `at`; gives where it ends.
fn spread(
    tokens: &[(usize, Token)],
    mut at: usize,
    base: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = base.to_vec();
    let mut line = tokens[at].0;
    while is(tokens, at, &Token::Path) {
        match tokens.get(at + 1) {
            Some((here, Token::Word(word))) => {
                line = *here;
                path.push(word.clone());
                at += 2;
            }
            Some((_, Token::Other('{'))) => {
                at += 2;
                while let Some((here, token)) = tokens.get(at) {
                    match token {
                        Token::Other('}') => return at + 1,
                        Token::Word(word) if word != "as" && word != "self" => {
                            let mut branch = path.clone();
                            branch.push(word.clone());
                            if is(tokens, at + 1, &Token::Path) {
                                at = spread(tokens, at + 1, &branch, found);
                            } else {
                                found.push((*here, branch));
                                at += 1;
                            }
                        }
                        _ => at += 1,
                    }
                }
                return at;
            }
            _ => {
                at += 1;
                break;
            }
        }
    }
    if !path.is_empty() {
        found.push((line, path));
    }
    at
}

/// Blanks comments and strings; gives the strings with their lines.
fn blank(text: &str) -> (Vec<char>, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = chars.clone();
    let mut strings = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => until(&chars, at, |c| c == '\n'),
            ('/', Some('*')) => block(&chars, at),
            ('"', _) => {
                let hashes = chars[..at].iter().rev().take_while(|c| **c == '#').count();
                let raw = at > hashes && chars[at - hashes - 1] == 'r';
                let end = string(&chars, at, raw.then_some(hashes));
                strings.push((line, chars[at + 1..end.saturating_sub(1).max(at + 1)].iter().collect()));
                end
            }
            ('\'', Some('\\')) => until(&chars, at + 3, |c| c == '\'') + 1,
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => {
                line += usize::from(chars[at] == '\n');
                at += 1;
                continue;
            }
        };
        let end = end.min(chars.len());
        for c in &mut code[at..end] {
            line += usize::from(*c == '\n');
            if *c != '\n' {
                *c = ' ';
            }
        }
        at = end;
    }
    (code, strings)
}

fn until(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|at| stop(chars[*at])).unwrap_or(chars.len())
}

fn block(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// The end of the string that opens at `from`; a raw one closes with its number of `#`.
fn string(chars: &[char], from: usize, raw: Option<usize>) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        let closed = |hashes| chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        match (chars[at], raw) {
            ('\\', None) => at += 2,
            ('"', None) => return at + 1,
            ('"', Some(hashes)) if closed(hashes) => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Marks each item that stands under `#[cfg(test)]`, to the end of its last line.
fn tests(code: &[char]) -> Vec<bool> {
    let mut tests = vec![false; code.len()];
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut at = 0;
    while at < code.len() {
        if !code[at..].starts_with(&mark) {
            at += 1;
            continue;
        }
        let mut depth = 0usize;
        let mut end = until(code, at + mark.len(), |c| matches!(c, '{' | ';'));
        while end < code.len() {
            match code[end] {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            end += 1;
            if depth == 0 {
                break;
            }
        }
        end += usize::from(code.get(end) == Some(&'\n'));
        tests[at..end].fill(true);
        at = end;
    }
    tests
}
