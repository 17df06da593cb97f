//! Rules about who may do what: policies, row security, functions that run with their owner's rights, rights of PUBLIC.

use std::ops::Range;

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use super::finding::Finding;

/// The rule for a policy that is dropped and not created again.
pub(crate) const DROP_POLICY: &str = "drop-policy";
/// The rule for a policy whose roles or expressions change.
pub(crate) const ALTER_POLICY: &str = "alter-policy";
/// The rule for `DISABLE` and `NO FORCE ROW LEVEL SECURITY`.
pub(crate) const DISABLE_ROW_SECURITY: &str = "disable-row-security";
/// The rule for a `SECURITY DEFINER` function without a search path of its own.
pub(crate) const SECURITY_DEFINER_SEARCH_PATH: &str = "security-definer-search-path";
/// The rule for rights of every role.
pub(crate) const GRANT_TO_PUBLIC: &str = "grant-to-public";

/// Rights that PUBLIC has on new objects, or that alone give access to no rows.
const HARMLESS: [&str; 5] = ["USAGE", "EXECUTE", "CONNECT", "TEMPORARY", "TEMP"];

/// The findings in a script, with their byte ranges in it.
pub(super) fn findings(script: &SyntaxNode) -> Vec<Finding> {
    [dropped_policies(script), altered_policies(script), row_security(script), security_definer(script), grants_to_public(script)].concat()
}

fn finding(rule: &str, node: &SyntaxNode, message: &str, help: &str) -> Finding {
    Finding { rule: rule.to_owned(), message: message.to_owned(), help: Some(help.to_owned()), range: range(node) }
}

fn range(node: &SyntaxNode) -> Range<usize> {
    node.text_range().start().into()..node.text_range().end().into()
}

fn all<'s, N: AstNode + 's>(script: &'s SyntaxNode) -> impl Iterator<Item = N> + 's {
    script.descendants().filter_map(N::cast)
}

/// A part of a statement as a name to compare: without white space around it.
fn text(node: Option<&impl AstNode>) -> String {
    node.map(|node| node.syntax().text().to_string().trim().to_ascii_lowercase()).unwrap_or_default()
}

fn dropped_policies(script: &SyntaxNode) -> Vec<Finding> {
    let created: Vec<((String, String), usize)> = all::<ast::CreatePolicy>(script)
        .map(|policy| ((text(policy.policy().as_ref()), text(policy.on_table().as_ref())), range(policy.syntax()).start))
        .collect();
    let is_created_again = |policy: &ast::DropPolicy| {
        let name = (text(policy.policy_ref().as_ref()), text(policy.on_table().as_ref()));
        created.iter().any(|(other, at)| *other == name && *at > range(policy.syntax()).start)
    };
    let message = "Without this policy roles see and change other rows: fewer if it is permissive, more if it is restrictive.";
    all::<ast::DropPolicy>(script)
        .filter(|policy| !is_created_again(policy))
        .map(|policy| finding(DROP_POLICY, policy.syntax(), message, "Check which other policies of the table apply to its roles."))
        .collect()
}

fn altered_policies(script: &SyntaxNode) -> Vec<Finding> {
    all::<ast::AlterPolicy>(script)
        .filter(|policy| policy.syntax().children().any(|child| ast::AlterPolicyTo::can_cast(child.kind())))
        .map(|policy| {
            let message = "Roles see and change other rows than before.";
            finding(ALTER_POLICY, policy.syntax(), message, "Compare the policy with the one that it replaces, for each of its roles.")
        })
        .collect()
}

fn row_security(script: &SyntaxNode) -> Vec<Finding> {
    let disabled = all::<ast::DisableRls>(script).map(|action| {
        let message = "Policies of the table no longer apply: each role with rights on it sees and changes all rows.";
        finding(DISABLE_ROW_SECURITY, action.syntax(), message, "Leave row security on, and change the policies instead.")
    });
    let not_forced = all::<ast::NoForceRls>(script).map(|action| {
        let message = "Policies of the table no longer apply to its owner.";
        finding(DISABLE_ROW_SECURITY, action.syntax(), message, "Leave it forced if the application connects as the owner.")
    });
    disabled.chain(not_forced).collect()
}

/// Functions whose names are resolved when they run, under the search path of the caller.
fn security_definer(script: &SyntaxNode) -> Vec<Finding> {
    let sets_search_path = |options: &SyntaxNode| {
        let parameter = |set: ast::SetFuncOption| set.set_config_param().and_then(|set| set.config_parameter_ref());
        all::<ast::SetFuncOption>(options).any(|set| text(parameter(set).as_ref()).trim_matches('"') == "search_path")
    };
    let is_resolved_at_create = |options: &SyntaxNode| {
        options.parent().is_some_and(|routine| routine.children().any(|child| ast::RoutineBody::can_cast(child.kind())))
    };
    all::<ast::FuncOptionList>(script)
        .filter(|options| all::<ast::SecurityDefinerFuncOption>(options.syntax()).next().is_some())
        .filter(|options| !sets_search_path(options.syntax()) && !is_resolved_at_create(options.syntax()))
        .filter_map(|options| options.syntax().parent())
        .map(|routine| {
            let message = "Names in a SECURITY DEFINER function are resolved under the caller's search path: a caller can put its own objects in front of them, which then run with the owner's rights.";
            finding(SECURITY_DEFINER_SEARCH_PATH, &routine, message, "Add `SET search_path = pg_catalog, pg_temp`, with the schemas that the function uses before `pg_temp`.")
        })
        .collect()
}

fn grants_to_public(script: &SyntaxNode) -> Vec<Finding> {
    let is_public = |roles: Option<ast::RoleRefList>| text(roles.as_ref()).split(',').any(|role| role.trim() == "public");
    let is_harmless = |rights: Option<ast::Privileges>| {
        text(rights.as_ref()).split(',').all(|right| HARMLESS.iter().any(|known| right.trim().eq_ignore_ascii_case(known)))
    };
    let grants = all::<ast::Grant>(script).map(|grant| (grant.syntax().clone(), grant.role_ref_list(), grant.privileges()));
    let by_default =
        all::<ast::GrantDefaultPrivileges>(script).map(|grant| (grant.syntax().clone(), grant.role_ref_list(), grant.privileges()));
    grants
        .chain(by_default)
        .filter(|(_, roles, rights)| is_public(roles.clone()) && !is_harmless(rights.clone()))
        .map(|(node, ..)| {
            let message = "Every role of the server gets these rights, also those that are created later.";
            finding(GRANT_TO_PUBLIC, &node, message, "Grant them to the roles that need them.")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use squawk_syntax::SourceFile;

    use super::*;

    fn rules(sql: &str) -> Vec<String> {
        findings(SourceFile::parse(sql).tree().syntax()).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_policy_that_goes_or_changes_is_found() {
        assert_eq!(rules("DROP POLICY p ON a;"), [DROP_POLICY]);
        assert_eq!(rules("DROP POLICY IF EXISTS p ON a;\nCREATE POLICY q ON a USING (true);"), [DROP_POLICY]);
        assert_eq!(rules("CREATE POLICY p ON a USING (true);\nDROP POLICY p ON a;"), [DROP_POLICY]);
        assert_eq!(rules("DROP POLICY p ON a;\nCREATE POLICY P ON a USING (true);"), Vec::<String>::new());
        assert_eq!(rules("ALTER POLICY p ON a USING (true);"), [ALTER_POLICY]);
        assert_eq!(rules("ALTER POLICY p ON a TO PUBLIC;"), [ALTER_POLICY]);
        assert_eq!(rules("ALTER POLICY p ON a RENAME TO q;"), Vec::<String>::new());
    }

    #[test]
    fn row_security_that_is_switched_off_is_found() {
        assert_eq!(rules("ALTER TABLE a DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;").len(), 2);
        assert_eq!(rules("ALTER TABLE a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"), Vec::<String>::new());
    }

    #[test]
    fn a_security_definer_needs_a_search_path() {
        let function = |options: &str| format!("CREATE FUNCTION f() RETURNS integer LANGUAGE sql {options};");
        assert_eq!(rules(&function("SECURITY DEFINER AS 'SELECT 1'")), [SECURITY_DEFINER_SEARCH_PATH]);
        assert_eq!(rules("CREATE OR REPLACE PROCEDURE f() LANGUAGE sql EXTERNAL SECURITY DEFINER AS $$SELECT 1$$;").len(), 1);
        assert_eq!(rules("ALTER FUNCTION f() SECURITY DEFINER;"), [SECURITY_DEFINER_SEARCH_PATH]);
        for sound in [
            function("SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1'"),
            function("SECURITY DEFINER SET search_path TO '' AS 'SELECT 1'"),
            function("SECURITY DEFINER RETURN 1"),
            function("SECURITY INVOKER AS 'SELECT 1'"),
            function("AS 'SECURITY DEFINER'"),
            "ALTER FUNCTION f() SECURITY DEFINER SET search_path = pg_temp;".to_owned(),
        ] {
            assert_eq!(rules(&sound), Vec::<String>::new(), "{sound}");
        }
    }

    #[test]
    fn rights_of_every_role_are_found() {
        for sql in [
            "GRANT SELECT ON a TO PUBLIC;",
            "GRANT ALL ON ALL TABLES IN SCHEMA s TO app, public;",
            "GRANT CREATE ON SCHEMA s TO PUBLIC;",
            "GRANT SELECT (x) ON a TO PUBLIC;",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC;",
        ] {
            assert_eq!(rules(sql), [GRANT_TO_PUBLIC], "{sql}");
        }
        for sql in [
            "GRANT SELECT ON a TO app;",
            "GRANT USAGE ON SCHEMA s TO PUBLIC;",
            "GRANT EXECUTE ON FUNCTION f() TO PUBLIC;",
            "GRANT SELECT ON a TO \"public\";",
            "REVOKE ALL ON a FROM PUBLIC;",
        ] {
            assert_eq!(rules(sql), Vec::<String>::new(), "{sql}");
        }
    }
}
