//! [`assert_close`]: numbers that agree.

/// Asserts that two lists agree to an absolute or a relative tolerance, whichever is wider, and names the worst place.
#[track_caller]
pub fn assert_close(what: &str, actual: &[f64], expected: &[f64], absolute: f64, relative: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    let excess = |i: usize| (actual[i] - expected[i]).abs() - absolute.max(relative * expected[i].abs());
    let bad = (0..actual.len()).filter(|&i| {
        let same = actual[i] == expected[i] || (actual[i].is_nan() && expected[i].is_nan());
        // Written so that a NaN on one side only is a failure.
        !(same || excess(i) <= 0.0)
    });
    if let Some(i) = bad.max_by(|&a, &b| excess(a).total_cmp(&excess(b))) {
        panic!(
            "{what}: value {i} is {}, expected {} within {absolute:e} or {relative:e} of it (off by {:e})",
            actual[i],
            expected[i],
            (actual[i] - expected[i]).abs()
        );
    }
}
