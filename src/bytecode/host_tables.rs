//! For tests: reads tables of the host from the text of its headers.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// One column of a table, by name.
pub(crate) type Table<T> = BTreeMap<String, T>;

/// Compares two tables. Fails with one line for each name on which they differ.
#[track_caller]
pub(crate) fn assert_same<T: Debug + PartialEq>(rows: &Table<T>, host: &Table<T>) {
    let mut differences: Vec<String> = rows
        .iter()
        .filter_map(|(name, found)| match host.get(name) {
            None => Some(format!("{name} has a row and is not in the host's table")),
            Some(expected) if expected != found => {
                Some(format!("{name} is {expected:?} in the host, {found:?} in its row"))
            }
            Some(_) => None,
        })
        .collect();
    differences.extend(
        host.iter()
            .filter(|(name, _)| !rows.contains_key(*name))
            .map(|(name, value)| format!("{name} is {value:?} in the host and has no row")),
    );
    assert!(differences.is_empty(), "rows differ from the host:\n{}", differences.join("\n"));
}

/// The text of one of the host's headers.
fn header(name: &str) -> String {
    let path = format!("{}/{name}", env!("REVAL_HOST_INCLUDE"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The entries `[NAME] = …` of the C array `table` in one of the host's headers.
pub(crate) fn c_table(name: &str, table: &str) -> Table<String> {
    let text = header(name);
    let start = text.rfind(&format!("{table}[")).unwrap_or_else(|| panic!("no {table} in {name}"));
    let body = &text[start..start + text[start..].find("\n};").expect("the table ends")];
    body.lines()
        .filter_map(|line| line.trim().strip_prefix('[')?.split_once("] = "))
        .map(|(name, value)| (name.to_owned(), value.trim_end_matches(',').to_owned()))
        .collect()
}

/// A number that depends on an instruction's argument.
type Formula = Box<dyn Fn(usize) -> isize>;

/// The cases `case NAME: return …;` of a C function with an argument `oparg` in one of the host's headers.
pub(crate) fn c_switch(name: &str, function: &str) -> Table<Formula> {
    let text = header(name);
    let start = text.rfind(&format!("{function}(")).unwrap_or_else(|| panic!("no {function} in {name}"));
    let body = &text[start..start + text[start..].find("\n}").expect("the function ends")];
    let cases = body.split("case ").skip(1).map(|case| {
        let (name, rest) = case.split_once(':').expect("a case");
        let formula =
            rest.trim().strip_prefix("return ").and_then(|rest| rest.split_once(';')).expect(case).0;
        let tokens = tokens(formula);
        let evaluate = move |oparg: usize| {
            let mut parser = Parser { tokens: &tokens, oparg: oparg as isize };
            let value = parser.sum();
            assert!(parser.tokens.is_empty(), "{:?} is left over", parser.tokens);
            value
        };
        (name.to_owned(), Box::new(evaluate) as Formula)
    });
    cases.collect()
}

fn tokens(formula: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for character in formula.chars() {
        let is_word = character.is_alphanumeric();
        match tokens.last_mut() {
            Some(last) if is_word && in_word || character == '>' && last == ">" => last.push(character),
            _ if !character.is_whitespace() => tokens.push(character.to_string()),
            _ => {}
        }
        in_word = is_word;
    }
    tokens
}

/// Evaluates sums and products from left to right. `&` and `>>` must be in parentheses of their own, and so
/// must a product unless it stands alone.
struct Parser<'a> {
    tokens: &'a [String],
    oparg: isize,
}

impl Parser<'_> {
    fn next_is(&mut self, token: &str) -> bool {
        let is = self.tokens.first().is_some_and(|first| first == token);
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn sum(&mut self) -> isize {
        let mut value = self.atom();
        loop {
            if self.next_is("+") {
                value += self.atom();
            } else if self.next_is("-") {
                value -= self.atom();
            } else if self.next_is("*") {
                value *= self.atom();
            } else if self.next_is("&") {
                value &= self.atom();
            } else if self.next_is(">>") {
                value >>= self.atom();
            } else {
                return value;
            }
        }
    }

    fn atom(&mut self) -> isize {
        if self.next_is("(") {
            let value = self.sum();
            assert!(self.next_is(")"), "no end of parentheses");
            return value;
        }
        let (first, rest) = self.tokens.split_first().expect("a number");
        self.tokens = rest;
        match first.as_str() {
            "oparg" => self.oparg,
            number => match number.strip_prefix("0x") {
                Some(digits) => isize::from_str_radix(digits, 16).expect(number),
                None => number.parse().expect(number),
            },
        }
    }
}

#[test]
fn formulas_are_evaluated() {
    for (formula, value) in
        [("2 + (oparg-1)", 0x205), ("1 + (oparg & 0xFF) + (oparg >> 8)", 7), ("oparg*2", 0x408)]
    {
        let tokens = tokens(formula);
        let mut parser = Parser { tokens: &tokens, oparg: 0x204 };
        assert_eq!((parser.sum(), parser.tokens.len()), (value, 0), "{formula}");
    }
}
