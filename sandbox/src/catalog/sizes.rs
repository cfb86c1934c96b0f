//! Sizes and their prices in US dollars.

/// A size of droplet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Its slug.
    pub slug: &'static str,
    /// Its family.
    pub description: &'static str,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Virtual processors.
    pub vcpus: u32,
    /// Disk in GiB.
    pub disk_gib: u32,
    /// Transfer in TiB a month.
    pub transfer_tib: f64,
    /// Price a month.
    pub price_monthly: f64,
    /// Price an hour.
    pub price_hourly: f64,
    /// Regions that do not offer it.
    pub missing_in: &'static [&'static str],
}

impl Size {
    /// Whether a region offers it.
    pub fn is_offered_in(&self, region: &str) -> bool {
        !self.missing_in.contains(&region)
    }
}

const NOWHERE: &[&str] = &[];

const fn basic(
    slug: &'static str,
    (vcpus, memory_mib, disk_gib): (u32, u32, u32),
    money: (f64, f64, f64),
) -> Size {
    let (transfer_tib, price_monthly, price_hourly) = money;
    Size {
        slug,
        description: "Basic",
        memory_mib,
        vcpus,
        disk_gib,
        transfer_tib,
        price_monthly,
        price_hourly,
        missing_in: NOWHERE,
    }
}

pub(super) const SIZES: [Size; 9] = [
    Size {
        missing_in: &["blr1", "lon1", "nyc3", "tor1"],
        ..basic("s-1vcpu-512mb-10gb", (1, 512, 10), (0.5, 4.0, 0.005_95))
    },
    basic("s-1vcpu-1gb", (1, 1024, 25), (1.0, 6.0, 0.008_93)),
    basic("s-1vcpu-2gb", (1, 2048, 50), (2.0, 12.0, 0.017_86)),
    basic("s-2vcpu-2gb", (2, 2048, 60), (3.0, 18.0, 0.026_79)),
    basic("s-2vcpu-4gb", (2, 4096, 80), (4.0, 24.0, 0.035_71)),
    Size {
        description: "CPU-Optimized",
        missing_in: &["syd1"],
        ..basic("c-2", (2, 4096, 25), (4.0, 42.0, 0.0625))
    },
    basic("s-4vcpu-8gb", (4, 8192, 160), (5.0, 48.0, 0.071_43)),
    Size { description: "General Purpose", ..basic("g-2vcpu-8gb", (2, 8192, 25), (4.0, 63.0, 0.093_75)) },
    basic("s-8vcpu-16gb", (8, 16384, 320), (6.0, 96.0, 0.142_86)),
];
