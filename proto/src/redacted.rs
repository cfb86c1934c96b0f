//! `Debug` of messages that hold secrets. Owns what of them may be shown.

use std::fmt;

use crate::v1::BackupBucket;

impl fmt::Debug for BackupBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, endpoint, region, bucket, prefix, lock, versioning, .. } = self;
        f.debug_struct("BackupBucket")
            .field("name", name)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("bucket", bucket)
            .field("prefix", prefix)
            .field("lock", lock)
            .field("versioning", versioning)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::v1::{BackupBucket, DeployRequest};

    #[test]
    fn a_deploy_shows_no_credentials_of_buckets() {
        let bucket = BackupBucket {
            name: "backups".to_owned(),
            access_key_id: "AKIDNOBODY".to_owned(),
            secret_access_key: "hunter2".to_owned(),
            ..BackupBucket::default()
        };
        let shown = format!("{:?}", DeployRequest { buckets: vec![bucket], ..DeployRequest::default() });
        assert!(shown.contains("backups"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("AKIDNOBODY"), "{shown}");
    }
}
