//! What there is to choose from: regions, sizes with their prices, images. Fixed tables, as the real account shows them.

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its slug.
    pub slug: &'static str,
    /// Its name.
    pub name: &'static str,
}

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
