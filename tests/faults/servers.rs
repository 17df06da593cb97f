pub(crate) fn crashes() -> Vec<super::Case> { Vec::new() }
