use std::ops::Range;

use super::CoalesceConfig;

const CONFIG: CoalesceConfig = CoalesceConfig { max_gap: 10, max_size: 100 };

fn ranges(pairs: &[(u64, u64)]) -> Vec<Range<u64>> {
    pairs.iter().map(|(start, end)| *start..*end).collect()
}

#[test]
fn spans() {
    let check = |asked: &[(u64, u64)], expected: &[(u64, u64)]| {
        assert_eq!(CONFIG.spans(&ranges(asked)), ranges(expected), "{asked:?}");
    };
    check(&[], &[]);
    check(&[(5, 5)], &[]);
    check(&[(0, 10), (20, 30)], &[(0, 30)]);
    check(&[(0, 10), (21, 30)], &[(0, 10), (21, 30)]);
    check(&[(20, 30), (0, 10)], &[(0, 30)]);
    check(&[(0, 60), (60, 101)], &[(0, 60), (60, 101)]);
    check(&[(0, 60), (60, 100)], &[(0, 100)]);
    check(&[(0, 300), (100, 400)], &[(0, 400)]);
    check(&[(0, 50), (10, 20), (55, 60)], &[(0, 60)]);
}

#[test]
fn requests_cover_their_span() {
    let check = |(start, end): (u64, u64), expected: &[(u64, u64)]| {
        assert_eq!(CONFIG.requests(&(start..end)).collect::<Vec<_>>(), ranges(expected));
    };
    check((0, 100), &[(0, 100)]);
    check((5, 250), &[(5, 105), (105, 205), (205, 250)]);
    check((u64::MAX - 10, u64::MAX), &[(u64::MAX - 10, u64::MAX)]);
}

#[test]
fn ranges_are_counted_in_the_request_that_contains_their_start() {
    let check = |asked: &[(u64, u64)], expected: &[((u64, u64), usize)]| {
        let expected: Vec<_> = expected.iter().map(|((start, end), count)| (*start..*end, *count)).collect();
        assert_eq!(CONFIG.serve(&ranges(asked)), expected, "{asked:?}");
    };
    check(&[(0, 10), (20, 30), (0, 10), (500, 510)], &[((0, 30), 2), ((500, 510), 1)]);
    check(&[(0, 250), (240, 260)], &[((0, 100), 1), ((100, 200), 0), ((200, 260), 1)]);
}
