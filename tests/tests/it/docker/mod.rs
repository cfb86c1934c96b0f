//! On a real Docker daemon: the images behave as those whose names they bear, and the example as it promises. What is
//! asked is asked by Docker's own client, as a user would.

mod images;
mod shop;

use std::{
    process::Output,
    time::{Duration, Instant},
};

use tidegate_tests::docker::{Docker, Image};

/// A daemon with images loaded.
pub struct World {
    docker: Docker,
}

impl World {
    pub async fn with(images: &[Image]) -> Self {
        let docker = Docker::start().await.unwrap();
        for image in images {
            docker.load(*image).await.unwrap();
        }
        Self { docker }
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.docker.command("docker").args(words).output().unwrap()
    }

    /// What docker said, on both streams; the command has to succeed.
    #[track_caller]
    pub fn docker(&self, words: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(words);
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "docker {}: {status}\n{said}", words.join(" "));
        said
    }

    /// Repeats a command in a container until it succeeds.
    #[track_caller]
    pub fn eventually(&self, container: &str, words: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let command = [&["exec", container], words].concat();
            let Output { status, stdout, .. } = self.run(&command);
            if status.success() {
                return String::from_utf8_lossy(&stdout).into_owned();
            }
            let log = || self.docker(&["logs", container]);
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{}: not within a minute\n{}",
                words.join(" "),
                log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The container's address on a network.
    pub fn address(&self, container: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.docker(&["inspect", "--format", format, container]).trim().to_owned()
    }
}
