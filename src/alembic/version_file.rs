//! Alembic's revision files: Python under `versions/`, read as far as they are written as its template `script.py.mako` writes them.

/// The attributes of a revision file that the SQL output does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionFile {
    /// `revision`.
    pub id: String,
    /// The first line of its docstring.
    pub message: Option<String>,
    /// `Create Date`, as Alembic writes it.
    pub created: Option<String>,
    /// `depends_on`, ids or labels.
    pub depends_on: Vec<String>,
    /// `branch_labels`.
    pub labels: Vec<String>,
}

/// Reads a file under `versions/`; `None` if it has no `revision`.
pub(crate) fn parse_version_file(text: &str) -> Option<VersionFile> {
    let value = |name: &str| {
        // As in Python, the last assignment counts.
        text.lines().rev().find_map(|line| {
            let rest = line.strip_prefix(name)?;
            let rest = rest.trim_start();
            let rest = if rest.starts_with(':') { rest.split_once('=').map(|(_, value)| value)? } else { rest.strip_prefix('=')? };
            Some(rest.trim())
        })
    };
    let id = parse_strings(value("revision")?).into_iter().next()?;
    let doc = text.split_once("\"\"\"").map(|(_, rest)| rest.split("\"\"\"").next().unwrap_or("")).unwrap_or("");
    let message = doc.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
    let created = doc.lines().find_map(|line| line.trim().strip_prefix("Create Date:")).map(|date| date.trim().to_owned());
    let list = |name: &str| value(name).map(parse_strings).unwrap_or_default();
    Some(VersionFile { id, message, created, depends_on: list("depends_on"), labels: list("branch_labels") })
}

/// The quoted strings of a Python expression.
fn parse_strings(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression.split(" #").next().unwrap_or("");
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let Some(end) = rest[start + 1..].find(quote) else { break };
        found.push(rest[start + 1..start + 1 + end].to_owned());
        rest = &rest[start + end + 2..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_versions_file_is_read_as_its_template_writes_it() {
        let text = "\"\"\"Add it\n\nRevision ID: ab\nRevises: \nCreate Date: 2024-01-02 03:04:05.6\n\n\"\"\"\nrevision: str = 'ab'\ndown_revision: Union[str, None] = None\nbranch_labels = (\"x\", 'y')  # 'z'\ndepends_on = None\n";
        let found = parse_version_file(text).expect("a version");
        assert_eq!((found.id.as_str(), found.message.as_deref()), ("ab", Some("Add it")));
        assert_eq!((found.labels, found.depends_on), (vec!["x".to_owned(), "y".to_owned()], Vec::new()));
        assert_eq!(parse_version_file("print('x')"), None);
    }
}
