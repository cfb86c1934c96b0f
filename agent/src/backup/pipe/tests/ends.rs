//! The source or destinations fail.

use std::time::Duration;

use super::*;

/// Uploads are ended by tasks of their own.
async fn settled(memories: &[&Arc<Memory>]) {
    for _ in 0..1000 {
        if memories.iter().all(|memory| memory.with(|state| state.open) == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("an upload was neither finished nor aborted");
}

#[tokio::test]
async fn a_destination_that_fails_does_not_stop_the_others() {
    let world = World::new();
    let data = data(1, 3_000_000);
    for fault in [Fault::Down, Fault::FullAfter(0), Fault::FullAfter(500_000), Fault::AtFinish] {
        let (good, bad, also) =
            (Memory::new("good", Fault::Never), Memory::new("bad", fault), Memory::new("also", Fault::Never));
        let sealed = world.seal(&data, &[&good, &bad, &also]).await.unwrap();
        let went: Vec<bool> = sealed.outcomes.iter().map(|outcome| outcome.stored.is_ok()).collect();
        assert_eq!(went, [true, false, true], "{fault:?}");
        assert_eq!(sealed.outcomes[1].at, "bad");
        assert_eq!((bad.get(&name()), bad.with(|state| state.open)), (None, 0), "{fault:?}");
        let stored = also.get(&name()).unwrap();
        assert!(world.open(&part(&sealed), &stored).await.unwrap() == data);
    }
}

#[tokio::test]
async fn when_all_fail_each_says_why() {
    let world = World::new();
    let (full, down) = (Memory::new("disk one", Fault::FullAfter(100_000)), Memory::new("two", Fault::Down));
    let error = world.seal(&data(1, 3_000_000), &[&full, &down]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("disk one is full") && text.contains("two cannot be reached: cable cut"), "{text}");
    assert_eq!(full.with(|state| (state.open, state.aborted)), (0, 1));
    let error = world.seal(b"x", &[]).await.unwrap_err();
    assert!(matches!(error, SealError::NoTarget));
}

/// A source that would never end is not read on.
#[tokio::test]
async fn when_all_fail_a_silent_source_is_not_waited_for() {
    let world = World::new();
    for (fault, left) in [(Fault::Down, 0), (Fault::Down, 1_000_000), (Fault::FullAfter(0), 5_000_000)] {
        let bad = Memory::new("bad", fault);
        let source = Breaking { left, then: Then::Silence };
        let error = seal(source, &world.sealing, to(&[&bad])).await.unwrap_err();
        assert!(matches!(error, SealError::NoDestination(_)), "{error}");
    }
}

#[tokio::test]
async fn a_source_that_fails_leaves_nothing() {
    let world = World::new();
    for left in [0, 5, 300_000, 3_000_000] {
        let (one, two) = (Memory::new("one", Fault::Never), Memory::new("two", Fault::Never));
        let source = Breaking { left, then: Then::Error };
        let error = seal(source, &world.sealing, to(&[&one, &two])).await.unwrap_err();
        assert!(matches!(error, SealError::Source(_)), "{error}");
        for memory in [one, two] {
            memory.with(|state| assert_eq!((state.objects.len(), state.open), (0, 0), "{left}"));
        }
    }
}

#[tokio::test]
async fn a_source_that_is_silent_leaves_nothing() {
    let mut world = World::new();
    world.sealing.limits.silence = Duration::from_millis(100);
    let memory = Memory::new("memory", Fault::Never);
    let source = Breaking { left: 300_000, then: Then::Silence };
    let error = seal(source, &world.sealing, to(&[&memory])).await.unwrap_err();
    assert!(matches!(error, SealError::Silent { .. }), "{error}");
    memory.with(|state| assert_eq!((state.objects.len(), state.open), (0, 0)));
}

#[tokio::test]
async fn a_destination_that_hangs_is_left_behind() {
    let mut world = World::new();
    world.sealing.limits.destination = Duration::from_millis(200);
    let (good, hangs) = (Memory::new("good", Fault::Never), Memory::new("hangs", Fault::Hangs));
    let sealed = world.seal(&data(1, 5_000_000), &[&hangs, &good]).await.unwrap();
    assert!(matches!(sealed.outcomes[0].stored, Err(DestinationError::Timeout { .. })));
    assert!(sealed.outcomes[1].stored.is_ok());
    assert_eq!(hangs.with(|state| (state.open, state.aborted)), (0, 1));
}

#[tokio::test]
async fn who_gives_up_leaves_nothing() {
    let world = World::new();
    let memory = Memory::new("memory", Fault::Never);
    let source = Breaking { left: 2_000_000, then: Then::Silence };
    let sealing = seal(source, &world.sealing, to(&[&memory]));
    assert!(tokio::time::timeout(Duration::from_millis(300), sealing).await.is_err());
    settled(&[&memory]).await;
    memory.with(|state| assert_eq!((state.objects.len(), state.aborted), (0, 1)));
}

/// A destination holds its chunks, the queues theirs: a source of any length is not read ahead of them.
#[tokio::test]
async fn a_source_waits_for_the_slowest() {
    struct Counted(Arc<std::sync::atomic::AtomicUsize>);
    impl AsyncRead for Counted {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let count = self.0.fetch_add(buffer.remaining(), std::sync::atomic::Ordering::SeqCst);
            let length = buffer.remaining();
            // Does not compress, so that what goes in has to come out.
            buffer.put_slice(&data(u64::try_from(count).unwrap(), length * 2)[..length]);
            Poll::Ready(Ok(()))
        }
    }
    let world = World::new();
    let read = Arc::new(std::sync::atomic::AtomicUsize::default());
    let hangs = Memory::new("hangs", Fault::Hangs);
    let sealing = seal(Counted(Arc::clone(&read)), &world.sealing, to(&[&hangs]));
    assert!(tokio::time::timeout(Duration::from_secs(2), sealing).await.is_err());
    // Three queues, a chunk in each hand, zstd's own buffers; compressed to half at best.
    let most = 2 * (3 * QUEUE + 6) * CHUNK + 8 * 1024 * 1024;
    let read = read.load(std::sync::atomic::Ordering::SeqCst);
    assert!(read < most, "{read} bytes were read ahead, at most {most} are");
}
