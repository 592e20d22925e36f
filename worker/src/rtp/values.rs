//! Values of header extensions that the worker makes itself, one per packet sent.
//!
//! Knows their layout. Does not know the time: it is an argument. Called by `Transport::seal_rtp`.

/// The value of abs-send-time: `ntp` (32.32 fixed point seconds) as 24 bits of 6.18 fixed point, which wrap every 64 s
/// (libwebrtc, `abs-send-time` extension).
pub const fn abs_send_time(ntp: u64) -> [u8; 3] {
    let [.., high, middle, low] = (ntp >> 14).to_be_bytes();
    [high, middle, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abs_send_time_is_six_bits_of_seconds_and_eighteen_of_their_fraction() {
        let second = 1_u64 << 32;
        assert_eq!(abs_send_time(0), [0, 0, 0]);
        assert_eq!(abs_send_time(second), [0x04, 0, 0]);
        assert_eq!(abs_send_time(63 * second + second / 2), [0xFE, 0, 0]);
        assert_eq!(abs_send_time(64 * second - 1), [0xFF, 0xFF, 0xFF]);
        assert_eq!(abs_send_time(64 * second), [0, 0, 0]);
        assert_eq!(abs_send_time(second >> 18), [0, 0, 1]);
    }
}
