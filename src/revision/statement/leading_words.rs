//! The words that a statement begins with.

/// Whether `words` begin with these, in any case. `A|B` stands for either word.
pub(super) fn begins_with(words: &[&str], with: &[&str]) -> bool {
    let is_one = |(found, known): (&&str, &&str)| known.split('|').any(|known| found.eq_ignore_ascii_case(known));
    words.len() >= with.len() && words.iter().zip(with).all(is_one)
}
