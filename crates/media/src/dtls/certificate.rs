//! Self-signed certificates for DTLS.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509NameBuilder};
use str0m_proto::crypto::dtls::DtlsCert;

const VALID_DAYS: u32 = 365;

/// RFC 5280 (4.1.2.2) allows 20 octets; 64 bits are plenty for a certificate nobody looks up.
const SERIAL_BITS: i32 = 64;

/// A new key on P-256, which every WebRTC peer must know (RFC 8827, 6.5), and its certificate.
pub(super) fn generate() -> Result<DtlsCert, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;

    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "WebRTC")?;
    let name = name.build();

    let mut serial = BigNum::new()?;
    serial.rand(SERIAL_BITS, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;

    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&serial)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    // Since yesterday: the peer's clock may be behind.
    let yesterday = Asn1Time::from_unix(unix_time() - 24 * 3600)?;
    let end = Asn1Time::days_from_now(VALID_DAYS)?;
    certificate.set_not_before(&yesterday)?;
    certificate.set_not_after(&end)?;
    certificate.set_pubkey(&key)?;
    certificate.sign(&key, MessageDigest::sha256())?;

    Ok(DtlsCert {
        certificate: certificate.build().to_der()?,
        private_key: key.private_key_to_pkcs8()?,
    })
}

fn unix_time() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
