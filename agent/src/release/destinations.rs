//! The buckets that a project's backups go to: whether they are known here and can be used, before anything changes.
//!
//! A deploy brings the buckets that it names, and each is asked whether it can take backups. One that was in use before, and
//! cannot be reached at this moment, does not keep a release from being made: that is told. A rollback asks nobody and uses
//! what the newest deploy brought.

use std::collections::BTreeMap;

use futures::future::join_all;
use tidegate_compose::x_tidegate::{Destination, Extension};

use super::{DeployInput, EngineError, Failure, chain, engine::Inner, load::LoadedProject};
use crate::{
    backup::destination::{ConditionalPut, Deletes},
    buckets::{self, BucketName, Fit, Kept, KnownBucket, Unfit},
};

/// What was found out about the buckets of a project.
#[derive(Debug, Default)]
pub(super) struct Examined {
    /// Those that the request brought and that the droplet is to remember.
    pub(super) keep: Vec<Kept>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// Looks at all buckets that the project names, side by side.
///
/// # Errors
/// What stands against the release.
pub(super) async fn examine(
    inner: &Inner,
    input: &DeployInput,
    loaded: &LoadedProject,
) -> Result<Examined, EngineError> {
    let named = named(&loaded.extension);
    if named.is_empty() {
        return Ok(Examined::default());
    }
    let known = inner.buckets.of(&input.app).await.map_err(EngineError::Database)?;
    let mut examined = Examined::default();
    let mut refused = Vec::new();
    let looks = named.iter().map(|(name, place)| {
        let before = known.iter().find(|kept| kept.bucket.name.as_str() == name);
        async move { (place, look(inner, (name, input), before).await) }
    });
    for (place, looked) in join_all(looks).await {
        match looked {
            Ok(Looked { keep, note }) => {
                examined.keep.extend(keep);
                examined.notes.extend(note);
            }
            Err(failure) => refused.push(loaded.locate(failure.at(place.clone()))),
        }
    }
    if refused.is_empty() { Ok(examined) } else { Err(EngineError::Refused(refused)) }
}

/// The buckets that services name, each with the path of where that stands first.
fn named(extension: &Extension) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for (service, own) in &extension.services {
        for (index, to) in own.backup.iter().flat_map(|backup| &backup.to).enumerate() {
            if let Destination::Bucket(name) = to {
                let place = format!("services.{service}.x-tidegate.backup.to.{index}");
                named.entry(name.clone()).or_insert(place);
            }
        }
    }
    named
}

#[derive(Debug, Default)]
struct Looked {
    keep: Option<Kept>,
    note: Option<String>,
}

async fn look(
    inner: &Inner,
    (name, input): (&str, &DeployInput),
    before: Option<&Kept>,
) -> Result<Looked, Failure> {
    let sent = input.buckets.iter().find(|bucket| bucket.name.as_str() == name);
    let Some(bucket) = sent else {
        return before.map(|_| Looked::default()).ok_or_else(|| unknown(name));
    };
    let found = buckets::examine(bucket, &inner.clock).await;
    judge(bucket, found, before)
}

fn judge(bucket: &KnownBucket, found: Result<Fit, Unfit>, before: Option<&Kept>) -> Result<Looked, Failure> {
    let name = &bucket.name;
    match found {
        Ok(Fit { conditional_put, deletes }) => {
            let note = (deletes == Deletes::Forbidden).then(|| {
                format!("bucket {name}: its access key may not delete, so old backups stay there until another rule removes them")
            });
            Ok(Looked { keep: Some(Kept { bucket: bucket.clone(), conditional_put }), note })
        }
        Err(unfit) if unfit.may_pass() && is_same_place(bucket, before) => {
            let conditional_put = before.map_or(ConditionalPut::Unsupported, |kept| kept.conditional_put);
            let note = format!(
                "bucket {name} was not looked at, and backups go there once it answers again: {}",
                chain(&unfit)
            );
            Ok(Looked { keep: Some(Kept { bucket: bucket.clone(), conditional_put }), note: Some(note) })
        }
        Err(unfit) => Err(unusable(name, &unfit)),
    }
}

/// Whether a bucket was in use before, whoever may get into it now.
fn is_same_place(bucket: &KnownBucket, before: Option<&Kept>) -> bool {
    before.is_some_and(|kept| {
        let known = &kept.bucket;
        (&known.endpoint, &known.region, &known.bucket, &known.prefix, known.lock, known.versioning)
            == (
                &bucket.endpoint,
                &bucket.region,
                &bucket.bucket,
                &bucket.prefix,
                bucket.lock,
                bucket.versioning,
            )
    })
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        format!("the bucket {name} cannot take backups"),
        "nothing is known of it on this droplet, and the request did not bring it",
    )
    .hint(format!(
        "give the fleet file a [bucket.{name}], and deploy with a tidegate that is as new as this agent"
    ))
}

fn unusable(name: &BucketName, unfit: &Unfit) -> Failure {
    Failure::caused_by(format!("the bucket {name} cannot take backups"), unfit).hint(unfit.hint(name))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::{
        backup::destination::{DestinationError, ProbeError, ProbeStep},
        buckets::{LockPeriod, Versioning},
    };

    fn bucket() -> KnownBucket {
        KnownBucket {
            name: BucketName::new("backups").unwrap(),
            endpoint: "https://s3.example.com".to_owned(),
            region: "eu-1".to_owned(),
            bucket: "shop-backups".to_owned(),
            prefix: None,
            access_key_id: SecretString::from("AKIDNOBODY"),
            secret_access_key: SecretString::from("hunter2"),
            lock: None,
            versioning: Versioning::Any,
        }
    }

    fn kept(bucket: KnownBucket) -> Kept {
        Kept { bucket, conditional_put: ConditionalPut::Supported }
    }

    fn away() -> Unfit {
        let source =
            DestinationError::Unreachable { at: "bucket b".to_owned(), reason: "refused".to_owned() };
        Unfit::Away(ProbeError::Step { step: ProbeStep::List, source })
    }

    #[test]
    fn a_bucket_that_is_away_stops_no_release_where_it_was_in_use() {
        let other_key = KnownBucket { secret_access_key: SecretString::from("newer"), ..bucket() };
        let looked = judge(&other_key, Err(away()), Some(&kept(bucket()))).unwrap();
        assert_eq!(looked.keep, Some(kept(other_key)));
        assert!(looked.note.unwrap().ends_with("refused; check the endpoint and the network"));

        let failure = judge(&bucket(), Err(away()), None).unwrap_err();
        assert!(failure.hint.contains("[bucket.backups]"), "{failure:?}");
        let locked = KnownBucket {
            lock: Some(LockPeriod::new(std::time::Duration::from_hours(24)).unwrap()),
            ..bucket()
        };
        assert!(
            judge(&locked, Err(away()), Some(&kept(bucket()))).is_err(),
            "a lock is seen before it is relied on"
        );
    }

    #[test]
    fn what_a_bucket_refuses_is_refused_though_it_was_in_use() {
        let refused = || {
            let source =
                DestinationError::NoBucket { at: "bucket shop-backups at https://s3.example.com".to_owned() };
            Unfit::Refused(ProbeError::Step { step: ProbeStep::List, source })
        };
        let failure = judge(&bucket(), Err(refused()), Some(&kept(bucket()))).unwrap_err();
        assert_eq!(failure.what, "the bucket backups cannot take backups");
        assert!(failure.cause.contains("listing objects failed: there is no such bucket"), "{failure:?}");
        assert!(!format!("{failure:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_may_not_delete_is_told() {
        let fit = Fit { conditional_put: ConditionalPut::Supported, deletes: Deletes::Forbidden };
        let looked = judge(&bucket(), Ok(fit), None).unwrap();
        assert!(looked.note.unwrap().contains("may not delete") && looked.keep.is_some());
    }
}
