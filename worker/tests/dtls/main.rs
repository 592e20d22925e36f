//! DTLS with peers of other makes: OpenSSL's programs over loopback, and the ClientHellos that browsers, GStreamer and
//! libwebrtc sent.

#![expect(clippy::tests_outside_test_module, reason = "a file of tests/ is a test module as a whole")]

mod hellos;
mod openssl;
