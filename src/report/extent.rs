//! How much a proof checked, as text.

use crate::escape;
use crate::model::prove::extent::ProofExtent;

/// The objects by kind, and the tables with rows.
pub(crate) fn extent_text(extent: &ProofExtent) -> String {
    let objects: Vec<String> = extent.objects.iter().map(|(kind, count)| counted(kind, *count)).collect();
    let mut text = if objects.is_empty() { String::new() } else { format!("compared: {}\n", objects.join(", ")) };
    if extent.tables > 0 {
        text += &format!(
            "run with rows in {} of {} that {}\n",
            extent.tables_with_rows,
            counted("table", extent.tables),
            if extent.tables == 1 { "changes" } else { "change" }
        );
    }
    for without in &extent.without_rows {
        text += &format!("  no rows in {}: {}\n", escape::line(&without.table), escape::line(&without.why));
    }
    for removed in &extent.rows_removed {
        text +=
            &format!("  rows removed from {}, where a statement may fail: {}\n", escape::line(&removed.table), escape::line(&removed.why));
    }
    text
}

/// A number of objects of a kind.
fn counted(kind: &str, count: usize) -> String {
    let kind = if kind == "default of" { "default" } else { kind };
    match (count, kind) {
        (1, "statistics") => "1 statistics object".to_owned(),
        (1, _) => format!("1 {kind}"),
        (_, "statistics") => format!("{count} statistics objects"),
        (_, "policy") => format!("{count} policies"),
        (_, "index") => format!("{count} indexes"),
        _ => format!("{count} {kind}s"),
    }
}
