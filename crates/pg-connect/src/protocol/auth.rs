//! Authentication methods, and which of them are answered.

use std::fmt;

use crate::conninfo::error::ConninfoError;
use crate::environment::Program;

/// An authentication method, as `require_auth` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// The password itself.
    Password,
    /// Its MD5 hash.
    Md5,
    /// GSSAPI.
    Gss,
    /// SSPI.
    Sspi,
    /// SCRAM-SHA-256, with or without channel binding.
    Scram,
    /// OAuth.
    Oauth,
    /// No authentication (`trust`).
    Nothing,
}

impl AuthMethod {
    const WORDS: [(&'static str, Self); 7] = [
        ("password", Self::Password),
        ("md5", Self::Md5),
        ("gss", Self::Gss),
        ("sspi", Self::Sspi),
        ("scram-sha-256", Self::Scram),
        ("oauth", Self::Oauth),
        ("none", Self::Nothing),
    ];
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, method)| method == self).map_or("", |(word, _)| word))
    }
}

/// `require_auth`: the methods that the server may request; if empty, any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthMethods {
    listed: Vec<AuthMethod>,
    /// The list names the methods that the server may not request.
    negated: bool,
}

impl AuthMethods {
    /// Reads `scram-sha-256,none` or `!password,!md5`.
    pub fn parse(text: &str) -> Result<Self, ConninfoError> {
        let mut methods = Self::default();
        for (number, word) in text.split(',').enumerate().filter(|_| !text.is_empty()) {
            let negated = word.starts_with('!');
            let found = AuthMethod::WORDS.iter().find(|(known, _)| *known == word.trim_start_matches('!'));
            match found {
                Some((_, method)) if number == 0 || negated == methods.negated => methods.listed.push(*method),
                _ => {
                    return Err(ConninfoError::Value {
                        keyword: "require_auth",
                        value: text.to_owned(),
                        expected:
                            "write password, md5, gss, sspi, scram-sha-256, oauth or none, comma separated, all or none of them with `!`"
                                .into(),
                    });
                }
            }
            methods.negated = negated;
        }
        Ok(methods)
    }

    pub(super) fn allow(&self, method: AuthMethod) -> bool {
        self.listed.is_empty() || self.listed.contains(&method) != self.negated
    }
}

/// Which authentication requests are answered.
#[derive(Clone, Debug)]
pub struct AuthPolicy {
    /// `require_auth`.
    pub methods: AuthMethods,
    /// Whether there is a password.
    pub has_password: bool,
    /// `channel_binding=require`.
    pub bound: bool,
    /// The program's name, for messages.
    pub program: &'static str,
}

impl Default for AuthPolicy {
    fn default() -> Self {
        Self { methods: AuthMethods::default(), has_password: false, bound: false, program: Program::default().name }
    }
}
