//! Certificates made, read and refused.

use p256::pkcs8::EncodePrivateKey;

use super::*;

const NOW: u64 = 1_800_000_000;

fn key_pem(certificate: &Certificate) -> String {
    SecretKey::from(&certificate.key).to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

#[test]
fn a_made_certificate_is_self_signed_and_valid_for_ten_years_either_way() {
    let made = Certificate::generate(NOW).unwrap();
    let read = X509::from_der(made.der()).unwrap();
    let tbs = read.tbs_certificate();
    assert_eq!(tbs.issuer(), tbs.subject());
    let (from, to) = (tbs.validity().not_before, tbs.validity().not_after);
    assert_eq!(from.to_unix_duration().as_secs(), NOW - VALID_SECONDS);
    assert_eq!(to.to_unix_duration().as_secs(), NOW + VALID_SECONDS);
    assert_eq!(tbs.serial_number().as_bytes().len(), SERIAL_BYTES);
    let signature = DerSignature::try_from(read.signature().as_bytes().unwrap()).unwrap();
    use p256::ecdsa::signature::Verifier;
    made.key.verifying_key().verify(&tbs.to_der().unwrap(), &signature).unwrap();
}

#[test]
fn two_certificates_differ_in_key_and_serial_number() {
    let [one, other] = [(); 2].map(|()| Certificate::generate(NOW).unwrap());
    assert_ne!(one.key.to_bytes(), other.key.to_bytes());
    assert_ne!(one.fingerprints()[2], other.fingerprints()[2]);
}

#[test]
fn pem_texts_give_the_same_certificate_back() {
    let made = Certificate::generate(NOW).unwrap();
    let certificate_pem = to_pem(made.der()).unwrap();
    let sec1 = SecretKey::from(&made.key).to_sec1_pem(LineEnding::LF).unwrap();
    let with_parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}", *sec1);
    for key in [key_pem(&made), with_parameters] {
        let read = Certificate::from_pem(&format!("a comment\n{certificate_pem}\n"), &key).unwrap();
        assert_eq!((read.der(), read.key.to_bytes()), (made.der(), made.key.to_bytes()));
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let [one, other] = [(); 2].map(|()| Certificate::generate(NOW).unwrap());
    let certificate_pem = to_pem(one.der()).unwrap();
    let refused = |certificate: &str, key: &str| Certificate::from_pem(certificate, key).unwrap_err();
    assert_eq!(refused(&certificate_pem, &key_pem(&other)), CertificateError::Mismatch);
    assert_eq!(refused(&certificate_pem, &certificate_pem), CertificateError::Key);
    assert!(matches!(refused("", &key_pem(&one)), CertificateError::Certificate(_)));
    assert!(matches!(refused(&certificate_pem[..200], &key_pem(&one)), CertificateError::Certificate(_)));
}

#[test]
fn the_key_does_not_show_in_debug_output() {
    let made = Certificate::generate(NOW).unwrap();
    let shown = format!("{made:?}");
    assert!(shown.starts_with("Certificate(sha-256 ") && shown.len() < 140, "{shown}");
}
