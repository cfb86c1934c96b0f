//! Work inside a network namespace. Owns entering it on a thread that ends afterwards, so that no other thread ever sees
//! it; must not know Docker.

use std::{os::fd::AsFd, path::Path};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::DockerError;

/// Runs `work` on a new thread inside the network namespace at `path`.
///
/// # Errors
/// When the namespace cannot be entered.
pub fn run_inside<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> Result<T, DockerError> {
    let failed = |source| DockerError::Namespace { path: path.to_path_buf(), source };
    let namespace = fs_err::File::open(path).map_err(failed)?;
    let entered = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                move_into_link_name_space(namespace.file().as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok::<T, rustix::io::Errno>(work())
            })
            .join()
    });
    match entered {
        Ok(result) => result.map_err(|errno| failed(errno.into())),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
