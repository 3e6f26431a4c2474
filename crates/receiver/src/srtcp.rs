//! What a viewer reports, encrypted (SRTCP: RFC 3711 with AES-CM and HMAC-SHA1, RFC 7714 with AES-GCM).

use dimpl::SrtpProfile;
use str0m::config::CryptoProvider;
use str0m_proto::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80,
    Aes128CmSha1_80Cipher, CryptoError, Sha1HmacProvider, SrtpProvider,
};

use super::keys::Keys;

/// What the derived keys are for (RFC 3711, 4.3.2).
const ENCRYPTION: u8 = 3;
const AUTHENTICATION: u8 = 4;
const SALT: u8 = 5;

/// Header and source of the first report, which are not encrypted.
const CLEAR: usize = 8;
/// The first bit of the index that follows the reports.
const IS_ENCRYPTED: u32 = 1 << 31;

const BLOCK: usize = 16;

/// Encrypts reports of one source.
pub(super) struct Srtcp {
    cipher: Cipher,
    hmac: &'static dyn Sha1HmacProvider,
    /// Of the last report.
    index: u32,
}

enum Cipher {
    Counter {
        salt: [u8; 14],
        authentication: [u8; 20],
        cipher: Box<dyn Aes128CmSha1_80Cipher>,
    },
    Gcm128 {
        salt: [u8; 12],
        cipher: Box<dyn AeadAes128GcmCipher>,
    },
    Gcm256 {
        salt: [u8; 12],
        cipher: Box<dyn AeadAes256GcmCipher>,
    },
}

impl Srtcp {
    /// For what we send; none if the profile is unknown, or its keys are not as long as it says.
    pub(super) fn new(provider: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let srtp = provider.srtp_provider;
        let cipher = match keys.profile {
            SrtpProfile::AES128_CM_SHA1_80 => {
                let master = Master::<16>::ours(keys, 14)?;
                let cipher = srtp.aes_128_cm_sha1_80();
                Cipher::Counter {
                    salt: master.derive(srtp, SALT),
                    authentication: master.derive(srtp, AUTHENTICATION),
                    cipher: cipher.create_cipher(master.derive(srtp, ENCRYPTION), true),
                }
            }
            SrtpProfile::AEAD_AES_128_GCM => {
                let master = Master::<16>::ours(keys, 12)?;
                let cipher = srtp.aead_aes_128_gcm();
                Cipher::Gcm128 {
                    salt: master.derive(srtp, SALT),
                    cipher: cipher.create_cipher(master.derive(srtp, ENCRYPTION), true),
                }
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let master = Master::<32>::ours(keys, 12)?;
                let cipher = srtp.aead_aes_256_gcm();
                Cipher::Gcm256 {
                    salt: master.derive(srtp, SALT),
                    cipher: cipher.create_cipher(master.derive(srtp, ENCRYPTION), true),
                }
            }
            _ => return None,
        };
        Some(Self {
            cipher,
            hmac: provider.sha1_hmac_provider,
            index: 0,
        })
    }

    /// Encrypts reports, which begin with a header and a source; none if they cannot be.
    pub(super) fn protect(&mut self, reports: &[u8]) -> Option<Vec<u8>> {
        let (clear, rest) = reports.split_at_checked(CLEAR)?;
        let source = u32::from_be_bytes(clear.get(4..)?.try_into().ok()?);
        self.index = (self.index + 1) % IS_ENCRYPTED;
        let word = (self.index | IS_ENCRYPTED).to_be_bytes();
        let authenticated = [clear, &word].concat();
        let sealed = |tag: usize, seal: &mut dyn FnMut(&mut [u8]) -> Result<(), CryptoError>| {
            // Some ciphers want room for a block more.
            let mut out = vec![0; reports.len() + tag.max(BLOCK)];
            out.get_mut(..CLEAR)?.copy_from_slice(clear);
            seal(out.get_mut(CLEAR..)?).ok()?;
            out.truncate(reports.len() + tag);
            out.extend_from_slice(&word);
            Some(out)
        };
        match &mut self.cipher {
            Cipher::Counter {
                salt,
                authentication,
                cipher,
            } => {
                let iv = Aes128CmSha1_80::rtp_iv(*salt, source, u64::from(self.index));
                let mut out = sealed(0, &mut |out| cipher.encrypt(&iv, rest, out))?;
                let tag = self.hmac.sha1_hmac(authentication, &[&out]);
                out.extend_from_slice(tag.get(..Aes128CmSha1_80::HMAC_TAG_LEN)?);
                Some(out)
            }
            Cipher::Gcm128 { salt, cipher } => {
                let iv = AeadAes128Gcm::rtcp_iv(*salt, source, self.index);
                sealed(AeadAes128Gcm::TAG_LEN, &mut |out| {
                    cipher.encrypt(&iv, &authenticated, rest, out)
                })
            }
            Cipher::Gcm256 { salt, cipher } => {
                let iv = AeadAes256Gcm::rtcp_iv(*salt, source, self.index);
                sealed(AeadAes256Gcm::TAG_LEN, &mut |out| {
                    cipher.encrypt(&iv, &authenticated, rest, out)
                })
            }
        }
    }

    /// How many bytes encryption adds to a packet of media.
    pub(super) fn added_to_media(&self) -> usize {
        match self.cipher {
            Cipher::Counter { .. } => Aes128CmSha1_80::HMAC_TAG_LEN,
            Cipher::Gcm128 { .. } => AeadAes128Gcm::TAG_LEN,
            Cipher::Gcm256 { .. } => AeadAes256Gcm::TAG_LEN,
        }
    }

    #[cfg(test)]
    fn index(&self) -> [u8; 4] {
        self.index.to_be_bytes()
    }
}

/// A key that others are derived from.
struct Master<const KEY: usize> {
    key: [u8; KEY],
    /// A shorter one is followed by zeros (RFC 7714, 11).
    salt: [u8; 14],
}

impl<const KEY: usize> Master<KEY> {
    fn ours(keys: &Keys, salt: usize) -> Option<Self> {
        if keys.material.len() != 2 * (KEY + salt) {
            return None;
        }
        let place = usize::from(!keys.is_client);
        let (both_keys, both_salts) = keys.material.split_at_checked(2 * KEY)?;
        let ours = both_salts.chunks_exact(salt).nth(place)?;
        let mut padded = [0; 14];
        padded.get_mut(..salt)?.copy_from_slice(ours);
        Some(Self {
            key: both_keys.chunks_exact(KEY).nth(place)?.try_into().ok()?,
            salt: padded,
        })
    }

    /// RFC 3711, 4.3.3, with a key derivation rate of 0.
    fn derive<const LENGTH: usize>(&self, srtp: &dyn SrtpProvider, label: u8) -> [u8; LENGTH] {
        let mut derived = [0; LENGTH];
        for (number, block) in derived.chunks_mut(BLOCK).enumerate() {
            let mut input = [0; BLOCK];
            input[..14].copy_from_slice(&self.salt);
            input[7] ^= label;
            input[15] = number as u8;
            // The provider may want room for padding.
            let mut output = [0; 2 * BLOCK];
            match KEY {
                16 => srtp.srtp_aes_128_ecb_round(&self.key, &input, &mut output),
                _ => srtp.srtp_aes_256_ecb_round(&self.key, &input, &mut output),
            }
            block.copy_from_slice(&output[..block.len()]);
        }
        derived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.split_whitespace().collect();
        let digits = digits.concat();
        (0..digits.len() / 2)
            .map(|place| u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).expect("hex"))
            .collect()
    }

    /// RFC 3711, B.3.
    #[test]
    fn keys_are_derived_as_the_standard_says() {
        let master = Master::<16> {
            key: bytes("E1F97A0D3E018BE0D64FA32C06DE4139")
                .try_into()
                .expect("a key"),
            salt: bytes("0EC675AD498AFEEBB6960B3AABE6")
                .try_into()
                .expect("a salt"),
        };
        let provider = wigwag_media::crypto_provider();
        let srtp = provider.srtp_provider;
        let cipher: [u8; 16] = master.derive(srtp, 0);
        assert_eq!(cipher.to_vec(), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        let salt: [u8; 14] = master.derive(srtp, 2);
        assert_eq!(salt.to_vec(), bytes("30CBBC08863D8C85D49DB34A9AE1"));
        let authentication: [u8; 20] = master.derive(srtp, 1);
        assert_eq!(
            authentication.to_vec(),
            bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
        );
    }

    #[test]
    fn every_profile_encrypts_and_counts() {
        for (profile, length, added) in [
            (SrtpProfile::AES128_CM_SHA1_80, 60, 4 + 10),
            (SrtpProfile::AEAD_AES_128_GCM, 56, 16 + 4),
            (SrtpProfile::AEAD_AES_256_GCM, 88, 16 + 4),
        ] {
            let keys = |length| Keys {
                profile,
                material: (0..length).collect(),
                is_client: true,
            };
            let provider = wigwag_media::crypto_provider();
            assert!(Srtcp::new(&provider, &keys(length - 1)).is_none());
            let mut srtcp = Srtcp::new(&provider, &keys(length)).expect("keys");
            let reports: Vec<_> = (0..32).collect();
            let first = srtcp.protect(&reports).expect("encrypted");
            assert_eq!(first.len(), reports.len() + added, "{profile:?}");
            assert_eq!(first[..CLEAR], reports[..CLEAR]);
            assert_ne!(first[CLEAR..32], reports[CLEAR..]);
            let second = srtcp.protect(&reports).expect("encrypted");
            assert_ne!(first[CLEAR..32], second[CLEAR..32]);
            assert_eq!(srtcp.index(), [0, 0, 0, 2]);
            assert_eq!(srtcp.protect(&reports[..7]), None);
        }
    }
}
