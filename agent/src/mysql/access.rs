//! Who may ask a server, and with which password, from what its service is told. Pure.

use std::collections::BTreeMap;

use secrecy::SecretString;

const SUPERUSER: &str = "root";
const OF_SUPERUSER: &[&str] = &["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"];
const OF_USER: &[&str] = &["MARIADB_PASSWORD", "MYSQL_PASSWORD"];

/// Who may ask, and what may be the password. A password is tried, not believed.
#[derive(Clone, Debug)]
pub struct Access {
    /// The superuser inside the container.
    pub user: String,
    /// What may be the password.
    pub passwords: Vec<SecretString>,
    /// Files in the container that may hold it.
    pub password_files: Vec<String>,
}

impl Access {
    /// The superuser that the file names, else root, with what the service's variables say of passwords.
    pub fn of(user: Option<&str>, environment: &BTreeMap<String, String>) -> Self {
        let user = user.unwrap_or(SUPERUSER);
        let (first, second) =
            if user == SUPERUSER { (OF_SUPERUSER, OF_USER) } else { (OF_USER, OF_SUPERUSER) };
        let names = || first.iter().chain(second);
        let value = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        Self {
            user: user.to_owned(),
            passwords: names().filter_map(|name| value(name)).map(SecretString::from).collect(),
            password_files: names().filter_map(|name| value(&format!("{name}_FILE"))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_password_is_that_of_who_asks() {
        let environment = [
            ("MARIADB_ROOT_PASSWORD", "root's"),
            ("MYSQL_PASSWORD", "user's"),
            ("MYSQL_ROOT_PASSWORD_FILE", "/run/secrets/root"),
        ];
        let environment = environment.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let told = |user| {
            let access = Access::of(user, &environment);
            let passwords = access.passwords.iter().map(|one| one.expose_secret().to_owned());
            (access.user.clone(), passwords.collect::<Vec<_>>())
        };
        assert_eq!(told(None), ("root".to_owned(), vec!["root's".to_owned(), "user's".to_owned()]));
        assert_eq!(told(Some("shop")), ("shop".to_owned(), vec!["user's".to_owned(), "root's".to_owned()]));
        assert_eq!(Access::of(None, &environment).password_files, ["/run/secrets/root"]);
    }
}
