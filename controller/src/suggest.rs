//! "Did you mean": the nearest of the names that would have been right. Pure.

/// The nearest name, when it is near enough to be meant.
pub fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let folded = wrong.to_lowercase();
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(&folded, &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score > 0.78).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Up to `most` names, nearest first, however far: for lists that the user cannot know by heart.
pub fn nearest_few<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>, most: usize) -> Vec<&'n str> {
    let folded = wrong.to_lowercase();
    let mut scored: Vec<_> =
        known.into_iter().map(|name| (strsim::jaro_winkler(&folded, &name.to_lowercase()), name)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(most).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_not() {
        assert_eq!(nearest("regoin", ["fleet", "region"]), Some("region"));
        assert_eq!(nearest("xyz", ["fleet", "region"]), None);
        assert_eq!(nearest_few("fra2", ["nyc1", "fra1", "ams3"], 2).first(), Some(&"fra1"));
    }
}
