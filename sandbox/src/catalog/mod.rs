//! What there is to choose from: regions, sizes with their prices, images. Fixed tables, as the real account shows them;
//! the account's state never changes them.

mod images;
mod sizes;

pub use images::{Image, ImageKind};
pub use sizes::Size;

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its slug.
    pub slug: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// What every region can do, as the API names it.
pub const REGION_FEATURES: [&str; 6] =
    ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"];

const fn region(slug: &'static str, name: &'static str) -> Region {
    Region { slug, name }
}

const REGIONS: [Region; 10] = [
    region("ams3", "Amsterdam 3"),
    region("blr1", "Bangalore 1"),
    region("fra1", "Frankfurt 1"),
    region("lon1", "London 1"),
    region("nyc1", "New York 1"),
    region("nyc3", "New York 3"),
    region("sfo3", "San Francisco 3"),
    region("sgp1", "Singapore 1"),
    region("syd1", "Sydney 1"),
    region("tor1", "Toronto 1"),
];

/// All regions.
pub fn regions() -> &'static [Region] {
    &REGIONS
}

/// The region of this slug, in any case.
pub fn region_by_slug(slug: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.slug.eq_ignore_ascii_case(slug))
}

/// All sizes, smallest first.
pub fn sizes() -> &'static [Size] {
    &sizes::SIZES
}

/// The size of this slug, in any case.
pub fn size_by_slug(slug: &str) -> Option<&'static Size> {
    sizes::SIZES.iter().find(|size| size.slug.eq_ignore_ascii_case(slug))
}

/// All images.
pub fn images() -> &'static [Image] {
    &images::IMAGES
}

/// The image of this slug.
pub fn image_by_slug(slug: &str) -> Option<&'static Image> {
    images::IMAGES.iter().find(|image| image.slug.eq_ignore_ascii_case(slug))
}

/// The image of this id.
pub fn image_by_id(id: u64) -> Option<&'static Image> {
    images::IMAGES.iter().find(|image| image.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn slugs_and_ids_are_unique() {
        let slugs: BTreeSet<_> = images().iter().map(|image| image.slug).collect();
        let ids: BTreeSet<_> = images().iter().map(|image| image.id).collect();
        assert_eq!((slugs.len(), ids.len()), (images().len(), images().len()));
        let sizes_seen: BTreeSet<_> = sizes().iter().map(|size| size.slug).collect();
        assert_eq!(sizes_seen.len(), sizes().len());
    }

    #[test]
    fn every_region_has_the_usual_size() {
        let size = size_by_slug("S-2vcpu-4gb").unwrap();
        assert!(regions().iter().all(|region| size.is_offered_in(region.slug)));
        assert!(!size_by_slug("s-1vcpu-512mb-10gb").unwrap().is_offered_in("tor1"));
    }
}
