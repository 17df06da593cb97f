//! The two spellings of a connection string: URL and key=value (PostgreSQL manual, 34.1.1). Read as libpq's
//! `conninfo_uri_parse_options` and `conninfo_parse` do, and stricter only where libpq would take a part of a password for a host.

use crate::conninfo::error::ConninfoError;
use crate::conninfo::keyword::Keyword;

/// Keywords and values in their order.
pub(super) type Pairs = Vec<Pair>;

/// A keyword and its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) keyword: String,
    pub(super) value: String,
    /// Whether the keyword may be printed: it stands where no password can.
    pub(super) is_printable: bool,
}

impl Pair {
    /// A pair whose keyword may be printed.
    pub(super) fn new(keyword: impl Into<String>, value: String) -> Self {
        Self { keyword: keyword.into(), value, is_printable: true }
    }
}

/// Reads either spelling.
pub(super) fn read(text: &str) -> Result<Pairs, ConninfoError> {
    let text = text.trim_matches(is_space);
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['=', ' ', '\'']) => url(scheme, rest),
        _ if text.contains('=') => key_values(text),
        _ => Err(ConninfoError::Form),
    }
}

/// `[user[:password]@][host[:port][,…]][/dbname][?keyword=value&…]`, percent-encoded.
fn url(scheme: &str, rest: &str) -> Result<Pairs, ConninfoError> {
    // SQLAlchemy's `dialect+driver`: the driver has no meaning here.
    if !matches!(scheme.split_once('+').map_or(scheme, |(dialect, _)| dialect), "postgres" | "postgresql") {
        return Err(ConninfoError::Scheme(scheme.chars().take(20).collect()));
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if userinfo.contains('@') || dbname.contains('@') {
        return Err(ConninfoError::At);
    }
    let mut pairs = Vec::new();
    // An empty part leaves the keyword unset; in the query it sets it to nothing.
    let mut part = |keyword: &str, value: &str| -> Result<(), ConninfoError> {
        if !value.is_empty() {
            pairs.push(Pair::new(keyword, decode(keyword, value)?));
        }
        Ok(())
    };
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    part("user", user)?;
    part("password", password)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(bracketed) => {
                let (address, after) = bracketed.split_once(']').ok_or(ConninfoError::Bracket)?;
                match (address, after.strip_prefix(':')) {
                    ("", _) => return Err(ConninfoError::Bracket),
                    (address, Some(port)) => (address, port),
                    (address, None) if after.is_empty() => (address, ""),
                    _ => return Err(ConninfoError::Bracket),
                }
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'%') {
            // It may be the first half of a password with a `/` or `?` in it: checked before any message shows the rest.
            return Err(ConninfoError::UrlPort);
        }
        names.push(name);
        ports.push(port);
    }
    part("host", &names.join(","))?;
    part("port", &ports.join(","))?;
    part("dbname", dbname)?;
    let query = query.strip_suffix('&').unwrap_or(query);
    // In postgres://me:12?34=5@host/d the query is a part of a password.
    let is_printable = !userinfo.is_empty() || !query.contains('@');
    for (number, pair) in query.split('&').enumerate().filter(|_| !query.is_empty()) {
        // libpq refuses a second `=`; other clients take it for a part of the value, and it can mean nothing else.
        let (keyword, value) = pair.split_once('=').ok_or(ConninfoError::NoEquals(number + 1))?;
        let keyword = decode("a keyword", keyword)?;
        let value = decode(&keyword, value)?;
        pairs.push(Pair { keyword, value, is_printable });
    }
    Ok(pairs)
}

fn decode(keyword: &str, text: &str) -> Result<String, ConninfoError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let [high, low, after @ ..] = after else { return Err(ConninfoError::Percent) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(ConninfoError::Percent);
        let value = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| ConninfoError::Percent)?;
        if value == 0 {
            return Err(ConninfoError::Nul(keyword.to_owned()));
        }
        bytes.push(value);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| ConninfoError::NotUtf8(keyword.to_owned()))
}

/// White space as C's `isspace` has it: a no-break space belongs to a password.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// `keyword = value keyword='quoted \' value' …`
fn key_values(text: &str) -> Result<Pairs, ConninfoError> {
    let mut pairs: Pairs = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or(ConninfoError::NoEquals(pairs.len() + 1))?;
        let keyword = keyword.trim_end_matches(is_space);
        if keyword.is_empty() || keyword.contains(is_space) {
            return Err(ConninfoError::NoEquals(pairs.len() + 1));
        }
        let mut characters = after.trim_start_matches(is_space).chars();
        let quoted = characters.as_str().starts_with('\'');
        if quoted {
            characters.next();
        }
        let mut value = String::new();
        loop {
            match characters.next() {
                Some('\\') => value.extend(characters.next()),
                Some('\'') if quoted => break,
                None if quoted => return Err(ConninfoError::Quote),
                None => break,
                Some(c) if !quoted && is_space(c) => break,
                Some(c) => value.push(c),
            }
        }
        pairs.push(Pair::new(keyword, value));
        rest = characters.as_str().trim_start_matches(is_space);
    }
    // A secret such as `aHVudGVyMg==` looks like a keyword, and so does a part of a password behind a blank in it.
    let is_conninfo = pairs.iter().any(|pair| Keyword::find(&pair.keyword).is_some());
    let mut is_behind_password = false;
    for pair in &mut pairs {
        pair.is_printable = is_conninfo && !is_behind_password;
        is_behind_password = pair.keyword == "password" || (is_behind_password && Keyword::find(&pair.keyword).is_none());
    }
    Ok(pairs)
}
