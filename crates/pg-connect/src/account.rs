//! The account of the process, from `/etc/passwd`: libpq's default for the user, and the folder of its files.

use std::path::Path;

use rustix::process::geteuid;

use crate::file::{self, FileContent, LARGEST_SETTING};

const ACCOUNTS: &str = "/etc/passwd";

/// A line of `/etc/passwd`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The user's name.
    pub(crate) name: String,
    /// The home folder.
    pub(crate) home: String,
}

impl Account {
    /// The account of this process; an image without `/etc/passwd` has none.
    pub(crate) fn of_process() -> Option<Self> {
        Self::of(geteuid().as_raw())
    }

    /// The account of a user id. The file is read: asynchronous code calls this in a thread for blocking work.
    pub(crate) fn of(uid: u32) -> Option<Self> {
        let accounts = file::read(Path::new(ACCOUNTS), LARGEST_SETTING).and_then(FileContent::text).ok()?;
        find(&accounts, uid)
    }
}

fn find(accounts: &str, uid: u32) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id, home) = (fields.next()?, fields.nth(1)?, fields.nth(2)?);
        (id.parse() == Ok(uid)).then(|| Account { name: name.to_owned(), home: home.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_id() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nme:x:1000:1000::/home/me:/bin/sh\n";
        assert_eq!(find(accounts, 1000), Some(Account { name: "me".into(), home: "/home/me".into() }));
        assert_eq!(find(accounts, 1), None);
    }
}
