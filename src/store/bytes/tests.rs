//! Bytes in a bucket that lives in the test, and at places that were named later.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::super::tests::bucket::{Bucket, SECRET};
use super::*;
use crate::domain::ContentHash;
use crate::store::{StateUrl, Store, StoreError};

fn at(bucket: &Bucket, url: &str) -> BlobsUrl {
    BlobsUrl::parse(url, bucket.environment()).unwrap()
}

async fn store(folder: &Path, blobs: Option<&BlobsUrl>) -> Store {
    let url = StateUrl::Sqlite(folder.join("state.db"));
    Store::open(&url).await.unwrap().with_blobs(blobs)
}

async fn keep(store: &Store, bytes: &[u8]) -> Result<ContentHash, StoreError> {
    let mut keeping = store.keep_bytes().await?.unwrap();
    for part in bytes.chunks(1 << 20) {
        keeping.write(part).await?;
    }
    Ok(keeping.finish().await?.0)
}

async fn kept(store: &Store, hash: ContentHash) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(mut file) = store.kept_bytes(hash).await? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await.unwrap();
    Ok(Some(bytes))
}

#[tokio::test]
async fn a_bucket_keeps_bytes_once_and_gives_them_to_every_machine() {
    let (bucket, first, second) = (
        Bucket::start(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let url = at(&bucket, "s3://undo/team/a b");
    let store_of = async |folder: &tempfile::TempDir| store(folder.path(), Some(&url)).await;
    let (first, second) = (store_of(&first).await, store_of(&second).await);
    first.check_blobs().await.unwrap();
    let long: Vec<u8> = (0..20_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    for bytes in [&b"some"[..], &[][..], &long[..], &b"some"[..]] {
        let hash = keep(&first, bytes).await.unwrap();
        let read = kept(&second, hash).await.unwrap().unwrap();
        assert!(read == bytes, "{} of {}", read.len(), bytes.len());
    }
    let none = kept(&second, ContentHash::of_bytes(b"none")).await;
    assert!(none.unwrap().is_none());
    // Listed in several answers, without the object of the check.
    assert_eq!(second.kept_hashes().await.unwrap().len(), 3);
    assert_eq!(bucket.keys().len(), 4);
    assert!(bucket.keys().iter().all(|key| key.starts_with("team/a b/")));
    assert!(bucket.largest() <= 8 << 20, "{}", bucket.largest());
}

#[tokio::test]
async fn damaged_bytes_are_not_given() {
    let (bucket, folder) = (Bucket::start(), tempfile::tempdir().unwrap());
    let in_bucket = store(folder.path(), Some(&at(&bucket, "s3://undo"))).await;
    let hash = keep(&in_bucket, b"former").await.unwrap();
    bucket.damage(|_| true, |bytes| [bytes, b"!"].concat());
    let read = kept(&in_bucket, hash).await;
    let is_damaged = |read: &Result<_, StoreError>, name: &str| matches!(read, Err(StoreError::BytesDamaged { place, hash: of }) if place == name && *of == hash);
    assert!(is_damaged(&read, "s3://undo"), "{read:?}");
    in_bucket.close().await;

    let beside = store(folder.path(), None).await;
    keep(&beside, b"former").await.unwrap();
    let directory = folder.path().join("state.db.bytes");
    std::fs::write(directory.join(hash.to_string()), b"forme").unwrap();
    let read = kept(&beside, hash).await;
    assert!(
        is_damaged(&read, &directory.display().to_string()),
        "{read:?}"
    );
    let said = read.unwrap_err().with_next_step();
    assert!(said.contains("restore that file"), "{said}");
}

#[tokio::test]
async fn what_was_kept_beside_the_state_is_found_after_another_place_was_named() {
    let (bucket, folder) = (Bucket::start(), tempfile::tempdir().unwrap());
    let before = store(folder.path(), None).await;
    let hash = keep(&before, b"former").await.unwrap();
    before.close().await;
    let url = at(&bucket, "s3://undo/p/");
    let after = store(folder.path(), Some(&url)).await;
    assert_eq!(kept(&after, hash).await.unwrap().unwrap(), b"former");
    let newer = keep(&after, b"newer").await.unwrap();
    assert_eq!(bucket.keys(), [format!("p/{newer}")]);
    // A copy that keeps its bytes in the same bucket takes along what is beside the first state.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = store(elsewhere.path(), Some(&url)).await;
    let copied = after.copy_into(&copy).await.unwrap();
    assert_eq!((&*copied[0].table, copied[0].rows), ("bytes", 1));
    assert_eq!(bucket.keys().len(), 2);
    assert_eq!(kept(&copy, hash).await.unwrap().unwrap(), b"former");
    // And one that does not has all beside it.
    let alone = tempfile::tempdir().unwrap();
    let copy = store(alone.path(), None).await;
    after.copy_into(&copy).await.unwrap();
    assert_eq!(kept(&copy, newer).await.unwrap().unwrap(), b"newer");
}

/// What is wrong is named with the next step, and the secret is in none of it, though servers quote what they were sent.
#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_told_without_its_secret() {
    let (bucket, folder) = (Bucket::start(), tempfile::tempdir().unwrap());
    let changed = |name: &'static str, value: &'static str| {
        let right = bucket.environment().into_iter();
        right.map(move |(key, right)| (key, if key == name { value } else { right }))
    };
    let wrong_key = changed("AWS_ACCESS_KEY_ID", "AKIDNOBODY");
    let wrong_secret = changed(
        "AWS_SECRET_ACCESS_KEY",
        "n33dle/wrong+secret/of0123456789abcdefgh",
    );
    let nowhere = changed("AWS_ENDPOINT_URL", "http://ann:n33dle-pass-7@127.0.0.1:9");
    let cases = [
        (BlobsUrl::parse("s3://undo", wrong_key), Trouble::Refused),
        (BlobsUrl::parse("s3://undo", wrong_secret), Trouble::Refused),
        (
            BlobsUrl::parse("s3://other", bucket.environment()),
            Trouble::Missing,
        ),
        (BlobsUrl::parse("s3://undo", nowhere), Trouble::Unreachable),
    ];
    for (url, expected) in cases {
        let url = url.unwrap();
        let store = store(folder.path(), Some(&url)).await;
        for failed in [
            url.check().await.unwrap_err(),
            keep(&store, b"bytes").await.unwrap_err(),
        ] {
            let said = format!("{failed:?} {}", failed.with_next_step());
            assert!(
                matches!(failed, StoreError::Bytes { trouble, .. } if trouble == expected),
                "{said}"
            );
            assert!(!said.contains("n33dle"), "{said}");
            assert!(!said.contains(SECRET), "{said}");
            assert!(failed.hint().is_some());
        }
        store.close().await;
    }
}

#[test]
fn places_are_named_by_url_or_path() {
    let parse = |text: &str| BlobsUrl::parse(text, []).map(|url| url.to_string());
    for (text, shown) in [
        ("s3://undo", "s3://undo"),
        (" s3://undo/team/lockgate/ ", "s3://undo/team/lockgate"),
        ("file:///srv/undo", "/srv/undo"),
        ("shared/undo", "shared/undo"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
    for (text, said) in [
        ("gs://undo", "gs:// is not supported"),
        ("file://host/undo", "names no directory"),
        ("s3://", "names no bucket"),
        ("s3://undo?x=1", "names no bucket"),
        ("", "empty"),
        (
            "s3://AKID:n33dle-7-of-url@undo/p",
            "credentials do not belong",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(!error.contains("n33dle"), "{error}");
    }
    let said = crate::domain::redact("it was n33dle-7-of-url").into_owned();
    assert_eq!(said, "it was [redacted]");
}
