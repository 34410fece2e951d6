use std::string::String;
use std::vec;

use super::*;

fn digest<K: Key>(key: &K) -> u64 {
    K::digest(key.view())
}

#[test]
fn digests_and_groups_follow_the_golden_vectors() {
    // Also in docs/format.md 2.4. Groups of 1, 7, 128, 1000 and 32768.
    let text = |text: &str| digest(&String::from(text));
    let golden = [
        (digest(&0u64), 0xd07b_4b0d_d779_4163, [0, 1, 30, 240, 7890]),
        (digest(&1u8), 0xaa57_b2b7_cc35_8dcc, [0, 1, 21, 171, 5612]),
        (digest(&-1i8), 0x7943_cc03_6408_ed4e, [0, 4, 80, 632, 20723]),
        (digest(&u64::MAX), 0x7943_cc03_6408_ed4e, [0, 4, 80, 632, 20723]),
        (digest(&42i32), 0x65fc_d247_10dc_3583, [0, 6, 127, 993, 32564]),
        (digest(&'a'), 0xd7dc_e778_78be_3722, [0, 6, 119, 931, 30521]),
        (digest(&true), 0xaa57_b2b7_cc35_8dcc, [0, 1, 21, 171, 5612]),
        (digest(&(1u128 << 64)), 0x94ff_1ac1_2fa3_ef63, [0, 3, 63, 498, 16326]),
        (text(""), 0xc44b_dff4_074e_ecdb, [0, 1, 18, 148, 4855]),
        (text("SFO"), 0x4c98_e55a_1314_7d53, [0, 2, 38, 298, 9785]),
        (text(&"x".repeat(1000)), 0xad6c_c431_9db4_8958, [0, 4, 91, 712, 23345]),
        (digest(&(7u16, String::from("a"))), 0xcf5b_8bff_3b2c_cca4, [0, 4, 86, 678, 22242]),
    ];
    for (index, (found, digest, groups)) in golden.into_iter().enumerate() {
        assert_eq!((found, group_row(found)), (digest, groups), "vector {index}");
    }
}

fn group_row(digest: u64) -> [u16; 5] {
    [1, 7, 128, 1000, 32_768].map(|total| KeyGroup::of(digest, total).index())
}

#[test]
fn a_widened_integer_stays_in_its_group() {
    for n in [i8::MIN, -1, 0, 1, i8::MAX] {
        assert_eq!(digest(&n), digest(&i16::from(n)));
        assert_eq!(digest(&n), digest(&i32::from(n)));
        assert_eq!(digest(&n), digest(&i64::from(n)));
    }
    for n in [0u8, 1, 200, 255] {
        assert_eq!(digest(&n), digest(&u64::from(n)));
        assert_eq!(digest(&n), digest(&u32::from(n)));
    }
}

#[test]
fn shares_are_disjoint_cover_all_groups_and_agree_with_the_owner() {
    for (total, tasks) in [(1, 1), (128, 3), (128, 128), (1000, 7), (32_768, 32_767)] {
        let mut next = 0;
        for index in 0..tasks {
            let share = KeyGroups::share(total, tasks, index);
            assert_eq!(share.first(), next);
            assert!(share.count() >= usize::from(total / tasks));
            assert!(share.iter().all(|group| KeyGroups::owner(group, total, tasks) == index));
            next = share.end();
        }
        assert_eq!(next, total);
    }
}

#[test]
fn sequential_integers_and_texts_spread_evenly() {
    for total in [7u16, 128, 1000] {
        let mut counts = vec![[0u32; 2]; usize::from(total)];
        let keys = u64::from(total) * 1000;
        for n in 0..keys {
            let text = std::format!("key-{n}");
            counts[usize::from(KeyGroup::of(digest(&n), total).index())][0] += 1;
            counts[usize::from(KeyGroup::of(digest(&text), total).index())][1] += 1;
        }
        // 1000 a group with a standard deviation of 32: six of them.
        assert!(counts.iter().flatten().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}

#[test]
fn a_window_routes_by_its_key_and_is_found_without_hashing_the_key_again() {
    let groups = KeyGroups::all(128);
    let key = String::from("SFO");
    let at = groups.locate::<String>(key.as_str());
    let owned = In { key: key.clone(), window: 7i64 };
    let direct = groups.locate::<In<String, i64>>(owned.view());
    let within = at.within(7i64);
    assert_eq!((within.slot(), within.group()), (direct.slot(), at.group()));
    assert_ne!(within.slot(), at.within(8i64).slot());
    assert!(owned.is(within.view()));
}

#[test]
fn a_long_key_has_the_digest_of_its_bytes_in_one_piece() {
    for length in [0, 1, 126, 127, 128, 129, 5000] {
        let key: String = "x".repeat(length);
        let bytes = postcard::to_allocvec(&key).unwrap();
        assert_eq!(digest(&key), xxhash_rust::xxh3::xxh3_64(&bytes), "{length}");
    }
}
