//! `[environment.NAME]` laid over the base: tables merge, everything else replaces. Places stay those of the file.

use toml::de::{DeTable, DeValue};

/// Lays `over` on `base`.
pub(super) fn merge<'i>(base: &mut DeTable<'i>, over: &DeTable<'i>) {
    for (key, value) in over {
        let name: &str = key.get_ref();
        if let (Some(DeValue::Table(below)), DeValue::Table(above)) =
            (base.get_mut(name).map(toml::Spanned::get_mut), value.get_ref())
        {
            merge(below, above);
            continue;
        }
        // Removed first, so that the key's place is the override's too.
        base.remove(name);
        base.insert(key.clone(), value.clone());
    }
}
