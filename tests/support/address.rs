//! Where a server is and who logs in: all of a connection URL but the database.

/// The password of every login that the tests make. No output of the program may contain it.
pub(crate) const PASSWORD: &str = "open-sesame-4711";

/// A server and a login on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    /// `user:password`, encoded as in a URL.
    login: String,
    /// `host:port`.
    place: String,
    /// Nothing, or `?` and what follows it.
    parameters: String,
}

impl AsRef<Address> for Address {
    fn as_ref(&self) -> &Address {
        self
    }
}

impl Address {
    /// A superuser at a port of this machine.
    pub(crate) fn of_superuser(port: u16) -> Address {
        Address { login: format!("postgres:{PASSWORD}"), place: format!("127.0.0.1:{port}"), parameters: String::new() }
    }

    /// The address in a URL `postgresql://user:password@host:port/database?parameters`.
    pub(crate) fn from_url(url: &str) -> Option<Address> {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, parameters)) => (rest, format!("?{parameters}")),
            None => (rest, String::new()),
        };
        let (login, rest) = rest.rsplit_once('@')?;
        let place = rest.split('/').next().unwrap_or(rest);
        let place = if place.contains(':') { place.to_string() } else { format!("{place}:5432") };
        let known = matches!(scheme, "postgres" | "postgresql");
        known.then(|| Address { login: login.to_string(), place, parameters })
    }

    /// The URL of a database there.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://{}@{}/{database}{}", self.login, self.place, self.parameters)
    }

    /// `host:port`.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The same login, by way of another place.
    pub(crate) fn by_way_of(&self, place: &str) -> Address {
        Address { place: place.to_string(), ..self.clone() }
    }

    /// The same place for a role with the tests' password.
    pub(crate) fn for_role(&self, role: &str) -> Address {
        Address { login: format!("{role}:{PASSWORD}"), ..self.clone() }
    }
}
