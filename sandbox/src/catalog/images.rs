//! Images. That one is listed does not mean that the driver can boot it: a create from one that it cannot ends in an
//! errored action.

/// A public image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Image {
    /// Its id.
    pub id: u64,
    /// Its slug.
    pub slug: &'static str,
    /// Its name, which leaves out the distribution.
    pub name: &'static str,
    /// Whose distribution it is.
    pub distribution: &'static str,
    /// System or application.
    pub kind: ImageKind,
    /// When it was made, as RFC 3339.
    pub created_at: &'static str,
    /// The smallest disk it fits on, in GiB.
    pub min_disk_gib: u32,
    /// Its size in GiB.
    pub size_gib: f64,
}

/// What kind an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// A plain system.
    Distribution,
    /// A system with an application on it.
    Application,
}

const fn system(id: u64, slug: &'static str, (distribution, name): (&'static str, &'static str)) -> Image {
    Image {
        id,
        slug,
        name,
        distribution,
        kind: ImageKind::Distribution,
        created_at: "2026-09-14T09:20:00Z",
        min_disk_gib: 7,
        size_gib: 1.0,
    }
}

pub(super) const IMAGES: [Image; 9] = [
    system(195_932_981, "debian-12-x64", ("Debian", "12 x64")),
    system(203_423_106, "debian-13-x64", ("Debian", "13 x64")),
    system(194_667_010, "ubuntu-22-04-x64", ("Ubuntu", "22.04 (LTS) x64")),
    system(195_933_014, "ubuntu-24-04-x64", ("Ubuntu", "24.04 (LTS) x64")),
    system(214_502_117, "ubuntu-26-04-x64", ("Ubuntu", "26.04 (LTS) x64")),
    Image { min_disk_gib: 10, ..system(189_061_400, "centos-stream-9-x64", ("CentOS", "9 Stream x64")) },
    Image { min_disk_gib: 10, ..system(196_410_733, "rockylinux-9-x64", ("Rocky Linux", "9 x64")) },
    Image { min_disk_gib: 15, ..system(198_112_508, "fedora-42-x64", ("Fedora", "42 x64")) },
    Image {
        kind: ImageKind::Application,
        min_disk_gib: 25,
        size_gib: 2.4,
        ..system(187_055_902, "docker-20-04", ("Ubuntu", "Docker on Ubuntu 22.04"))
    },
];
