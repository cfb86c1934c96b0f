//! What a test finds at the start: nothing but loaded images. Owns emptying a daemon; must not start or stop it.

use bollard::{
    Docker,
    query_parameters::{
        ListContainersOptions, ListImagesOptions, ListNetworksOptions, ListVolumesOptions,
        RemoveContainerOptions, RemoveImageOptions, RemoveVolumeOptions,
    },
};

use super::{
    DockerError,
    daemon::Slot,
    images::{Record, read_record, write_record},
};

/// Networks that Docker itself makes.
const OWN_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

/// Removes what earlier tests left, the images in the slot's record excepted.
pub(super) async fn empty(client: &Docker, slot: &Slot) -> Result<(), DockerError> {
    containers(client).await?;
    networks(client).await?;
    volumes(client).await?;
    images(client, slot).await?;
    match fs_err::remove_dir_all(&slot.scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(DockerError::Io(error)),
        _ => {}
    }
    fs_err::create_dir_all(&slot.scratch).map_err(DockerError::Io)
}

async fn containers(client: &Docker) -> Result<(), DockerError> {
    let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let list = client.list_containers(Some(all)).await.map_err(DockerError::api("list containers"))?;
    for id in list.into_iter().filter_map(|container| container.id) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let removed = client.remove_container(&id, Some(options)).await;
        removed.map_err(DockerError::api(format!("remove container {id}")))?;
    }
    Ok(())
}

async fn networks(client: &Docker) -> Result<(), DockerError> {
    let list = client.list_networks(None::<ListNetworksOptions>).await;
    let names =
        list.map_err(DockerError::api("list networks"))?.into_iter().filter_map(|network| network.name);
    for name in names.filter(|name| !OWN_NETWORKS.contains(&name.as_str())) {
        let removed = client.remove_network(&name).await;
        removed.map_err(DockerError::api(format!("remove network {name}")))?;
    }
    Ok(())
}

async fn volumes(client: &Docker) -> Result<(), DockerError> {
    let list =
        client.list_volumes(None::<ListVolumesOptions>).await.map_err(DockerError::api("list volumes"))?;
    for volume in list.volumes.unwrap_or_default() {
        let removed = client.remove_volume(&volume.name, Some(RemoveVolumeOptions { force: true })).await;
        removed.map_err(DockerError::api(format!("remove volume {}", volume.name)))?;
    }
    Ok(())
}

/// Removes every reference to an image that is not in the record, and from the record what is not there any more.
async fn images(client: &Docker, slot: &Slot) -> Result<(), DockerError> {
    let record = read_record(slot);
    let list =
        client.list_images(Some(ListImagesOptions { all: false, ..ListImagesOptions::default() })).await;
    let mut found = Record::new();
    for image in list.map_err(DockerError::api("list images"))? {
        let mut kept = false;
        let mut references = Vec::new();
        for tag in image.repo_tags {
            match record.get(&tag).filter(|loaded| loaded.id == image.id) {
                Some(loaded) => {
                    kept = true;
                    found.insert(tag, loaded.clone());
                }
                None => references.push(tag),
            }
        }
        references.extend(image.repo_digests);
        references.retain(|reference| !reference.starts_with("<none>"));
        if !kept {
            references = vec![image.id];
        }
        for reference in references {
            let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
            let removed = client.remove_image(&reference, Some(options), None).await;
            // A name with a digest goes together with the last tag of its repository.
            if let Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) = removed {
                continue;
            }
            removed.map_err(DockerError::api(format!("remove image {reference}")))?;
        }
    }
    write_record(slot, &found)
}
