//! Proposes a known word for a mistyped one.

/// Lowest similarity of a proposal: one wrong, missing or doubled letter in a word of four.
const LEAST: f64 = 0.7;

/// Returns a hint with the known word that is most similar to `word`, as `, did you mean "pod"?`;
/// empty if none is similar.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similar = known
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(word, known), known))
        .filter(|(similarity, _)| *similarity >= LEAST)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    similar.map_or_else(String::new, |(_, known)| {
        format!(", did you mean {known:?}?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_word_is_proposed() {
        let known = ["churn", "burst", "steady"];
        assert_eq!(hint("chrun", known), ", did you mean \"churn\"?");
        assert_eq!(hint("stead", known), ", did you mean \"steady\"?");
        assert_eq!(hint("else", known), "");
        assert_eq!(hint("", known), "");
    }
}
