//! Opening a device does not change the allocator of the process: freed memory is given back to the system.
//!
//! The test is alone in its program, since it measures the memory of the process. It fails if the system's allocator is told to keep
//! freed memory, such as by `GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=2000000000`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

/// More than the threshold from which glibc maps a block of its own, and less than the largest heap of a thread.
const BYTES: usize = 32 << 20;

/// The resident memory of the process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn memory_that_is_freed_after_a_device_was_opened_is_given_back() {
    let hosts = ["flex", "libtorch"].into_iter().filter(|name| dph_core::known_devices().contains(name));
    for name in hosts {
        drop(black_box(dph_core::device(name).unwrap()));
        let before = resident();
        let memory = black_box(vec![1_u8; BYTES]);
        let during = resident();
        drop(memory);
        let after = resident();
        assert!(during >= before + BYTES * 9 / 10, "{name}: {before}, then {during} bytes");
        assert!(after <= during - BYTES * 9 / 10, "{name}: of {during} bytes, {after} are left");
    }
}
