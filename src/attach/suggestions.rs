//! Finding the name that a misspelt one stands for. Source: `suggestions.c`.
//!
//! The distance of two names is that of Levenshtein, over bytes of UTF-8: inserting, deleting or replacing a byte costs
//! [`MOVE`], changing the case of a letter costs [`CASE`].

use core::slice;

use crate::host::object::{list_items, size};
use crate::host::{PyObject, PyResult, Raised, ffi, refcount};

hidden! { _Py_CalculateSuggestions }

/// More candidates than that are not looked at.
const MAX_CANDIDATES: usize = 750;
/// Longer parts in which names differ are not compared.
const MAX_LENGTH: usize = 40;
const MOVE: usize = 2;
const CASE: usize = 1;

/// The cost of replacing one byte by another.
fn replacement(left: u8, right: u8) -> usize {
    if left == right {
        0
    } else if left.eq_ignore_ascii_case(&right) {
        CASE
    } else {
        MOVE
    }
}

/// The distance of two names, if it is at most `limit`.
fn distance(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    let (left, right) = differing_parts(left, right);
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let within_limit = |cost: usize| (cost <= limit).then_some(cost);
    if short.is_empty() {
        return within_limit(long.len() * MOVE);
    }
    if long.len() > MAX_LENGTH {
        return None;
    }
    within_limit((long.len() - short.len()) * MOVE)?;
    // One row of the table of distances between beginnings: `costs[n]` is that of the first `n` bytes of `short` and
    // the part of `long` that has been read.
    let mut row = [0; MAX_LENGTH + 1];
    let costs = &mut row[..=short.len()];
    for (length, cost) in costs.iter_mut().enumerate() {
        *cost = length * MOVE;
    }
    for &byte in long {
        let mut diagonal = costs[0];
        costs[0] += MOVE;
        for (index, &other) in short.iter().enumerate() {
            let replaced = diagonal + replacement(byte, other);
            diagonal = costs[index + 1];
            costs[index + 1] = replaced.min(diagonal.min(costs[index]) + MOVE);
        }
        // Costs only grow from row to row.
        within_limit(costs[1..].iter().copied().min().unwrap_or(0))?;
    }
    within_limit(costs[short.len()])
}

/// What is left without the common beginning and the common end.
fn differing_parts<'a>(left: &'a [u8], right: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[start..], &right[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    (&left[..left.len() - end], &right[..right.len() - end])
}

/// The number of the candidate that is most similar to `name`, the first one of several. None is too different.
fn most_similar<'a, E>(
    name: &[u8],
    candidates: impl IntoIterator<Item = Result<&'a [u8], E>>,
) -> Result<Option<usize>, E> {
    let mut best: Option<(usize, usize)> = None;
    for (index, candidate) in candidates.into_iter().enumerate() {
        let candidate = candidate?;
        if candidate == name {
            continue;
        }
        // At most a third of the bytes may have to change, and fewer than for the best one so far.
        let mut limit = (name.len() + candidate.len() + 3) * MOVE / 6;
        if let Some((_, smallest)) = best {
            let Some(smaller) = smallest.checked_sub(1) else { break };
            limit = limit.min(smaller);
        }
        if let Some(cost) = distance(name, candidate, limit) {
            best = Some((index, cost));
        }
    }
    Ok(best.map(|(index, _)| index))
}

/// Returns a new reference to the string in the list `dir` that is most similar to the string `name`. Returns null
/// without an exception if none is similar, with one if a string cannot be encoded or memory is short.
///
/// # Safety
/// The thread is attached with no exception set; `dir` is a live list of strings, `name` a live string.
#[unsafe(no_mangle)]
unsafe extern "C" fn _Py_CalculateSuggestions(dir: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: the list is live and has this many strings, which nothing changes meanwhile (caller).
    unsafe {
        let count = size(dir) as usize;
        let candidate = |index| *list_items(dir).add(index);
        if count >= MAX_CANDIDATES {
            return core::ptr::null_mut();
        }
        let found =
            utf8(name).and_then(|name| most_similar(name, (0..count).map(|index| utf8(candidate(index)))));
        match found {
            Ok(Some(index)) => refcount::new_ref(candidate(index)),
            Ok(None) | Err(Raised) => core::ptr::null_mut(),
        }
    }
}

/// The bytes of a string, which the string keeps. Fails with UnicodeEncodeError or MemoryError.
///
/// # Safety
/// The thread is attached; `string` is live for `'a`.
unsafe fn utf8<'a>(string: *mut PyObject) -> PyResult<&'a [u8]> {
    // SAFETY: `string` is live (caller), and the host returns that many bytes or null.
    unsafe {
        let mut length = 0;
        let bytes = ffi::PyUnicode_AsUTF8AndSize(string, &raw mut length);
        if bytes.is_null() { Err(Raised) } else { Ok(slice::from_raw_parts(bytes.cast(), length as usize)) }
    }
}
