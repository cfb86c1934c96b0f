//! Uploads in parts that nobody finished: a listing does not show them, and a store keeps and bills them.
//!
//! Owns finding and ending them. Must not know whose they were: a folder and a time say which are meant.

use http::Method;
use jiff::Timestamp;
use object_store::{multipart::MultipartStore as _, path::Path};
use serde::Deserialize;

use super::{requests::Requests, signed::Question};
use crate::backup::{ObjectName, destination::DestinationError};

/// How many pages of a thousand are looked at: the next time goes on.
const MOST_PAGES: usize = 20;

/// A page, as S3 lists uploads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Unfinished>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unfinished {
    key: String,
    upload_id: String,
    initiated: Timestamp,
}

impl Requests {
    /// Ends the uploads below a folder that were begun before a time; how many there were.
    pub(super) async fn end_unfinished(
        &self,
        folder: &ObjectName,
        before: Timestamp,
    ) -> Result<usize, DestinationError> {
        let prefix = format!("{}/", self.path(folder)?);
        let mut ended = 0_usize;
        let mut from = (String::new(), String::new());
        for _ in 0..MOST_PAGES {
            let page = self.page(&prefix, &from).await?;
            let old = page.uploads.iter().filter(|upload| {
                // A store that does not look at the prefix would show those of others.
                upload.key.starts_with(&prefix) && upload.initiated < before
            });
            for Unfinished { key, upload_id, .. } in old {
                let aborted = self.writes.abort_multipart(&Path::from(key.as_str()), upload_id).await;
                match aborted.map_err(|error| self.told(Some(folder), &error)) {
                    Ok(()) => ended = ended.saturating_add(1),
                    // Somebody else did.
                    Err(DestinationError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if !page.is_truncated || page.next_key_marker.is_empty() {
                break;
            }
            from = (page.next_key_marker, page.next_upload_id_marker);
        }
        Ok(ended)
    }

    async fn page(&self, prefix: &str, (key, id): &(String, String)) -> Result<Page, DestinationError> {
        let mut query = vec![("uploads", ""), ("prefix", prefix)];
        if !key.is_empty() {
            query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
        }
        let answer = self.ask(Question::of(Method::GET, &Path::default(), &query)).await?;
        if !answer.status.is_success() {
            return Err(self.refused(None, &answer));
        }
        quick_xml::de::from_str(&answer.text).map_err(|_| DestinationError::Refused {
            at: self.title.clone(),
            said: "a list of unfinished uploads that cannot be read".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uploads_is_read() {
        let text = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>a/c</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>\
            <MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated>\
            <Upload><Key>a/b</Key><UploadId>1</UploadId><Initiator><ID>x</ID></Initiator>\
            <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>\
            <Upload><Key>a/c</Key><UploadId>2</UploadId><Initiated>2010-11-10T20:48:34.000Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let page: Page = quick_xml::de::from_str(text).unwrap();
        assert_eq!((page.is_truncated, page.next_key_marker.as_str()), (true, "a/c"));
        let ids: Vec<&str> = page.uploads.iter().map(|upload| upload.upload_id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        let none: Page = quick_xml::de::from_str("<ListMultipartUploadsResult/>").unwrap();
        assert!(none.uploads.is_empty() && !none.is_truncated);
        assert!(quick_xml::de::from_str::<Page>("<html><p>").is_err());
    }
}
