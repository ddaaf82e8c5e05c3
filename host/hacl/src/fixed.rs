//! MD5, SHA-1 and SHA-2: a state knows its algorithm, so one shape serves them all.

use digest::DynDigest;

use crate::{ErrorCode, SUCCESS, give, input, output, take_back};

type State = Box<dyn DynDigest>;

macro_rules! hash {
    ($($malloc:ident = $hash:ty),+; $update:ident, $digest:ident, $copy:ident, $free:ident) => {
        $(
            #[unsafe(no_mangle)]
            pub extern "C" fn $malloc() -> *mut State {
                give(Box::new(<$hash>::default()))
            }
        )+

        /// # Safety
        /// `state` is live, `data` points to `len` bytes.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $update(state: *mut State, data: *const u8, len: u32) -> ErrorCode {
            // SAFETY: the caller's promise.
            unsafe { (*state).update(input(data, len)) };
            SUCCESS
        }

        /// # Safety
        /// `state` is live, `digest` has room for the algorithm's digest.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $digest(state: *mut State, digest: *mut u8) {
            // SAFETY: the caller's promise.
            let (mut hash, digest) = unsafe { ((*state).clone(), output(digest, (*state).output_size())) };
            hash.finalize_into_reset(digest).expect("the buffer has the hash's own size");
        }

        /// # Safety
        /// `state` is live.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $copy(state: *mut State) -> *mut State {
            // SAFETY: the caller's promise.
            give(unsafe { (*state).clone() })
        }

        /// # Safety
        /// `state` is live and not used again.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $free(state: *mut State) {
            // SAFETY: the caller's promise.
            unsafe { take_back(state) };
        }
    };
}

hash! {
    _Py_LibHacl_Hacl_Hash_MD5_malloc = md5::Md5;
    _Py_LibHacl_Hacl_Hash_MD5_update,
    _Py_LibHacl_Hacl_Hash_MD5_digest,
    _Py_LibHacl_Hacl_Hash_MD5_copy,
    _Py_LibHacl_Hacl_Hash_MD5_free
}

hash! {
    _Py_LibHacl_Hacl_Hash_SHA1_malloc = sha1::Sha1;
    _Py_LibHacl_Hacl_Hash_SHA1_update,
    _Py_LibHacl_Hacl_Hash_SHA1_digest,
    _Py_LibHacl_Hacl_Hash_SHA1_copy,
    _Py_LibHacl_Hacl_Hash_SHA1_free
}

hash! {
    _Py_LibHacl_Hacl_Hash_SHA2_malloc_224 = sha2::Sha224,
    _Py_LibHacl_Hacl_Hash_SHA2_malloc_256 = sha2::Sha256;
    _Py_LibHacl_Hacl_Hash_SHA2_update_256,
    _Py_LibHacl_Hacl_Hash_SHA2_digest_256,
    _Py_LibHacl_Hacl_Hash_SHA2_copy_256,
    _Py_LibHacl_Hacl_Hash_SHA2_free_256
}

hash! {
    _Py_LibHacl_Hacl_Hash_SHA2_malloc_384 = sha2::Sha384,
    _Py_LibHacl_Hacl_Hash_SHA2_malloc_512 = sha2::Sha512;
    _Py_LibHacl_Hacl_Hash_SHA2_update_512,
    _Py_LibHacl_Hacl_Hash_SHA2_digest_512,
    _Py_LibHacl_Hacl_Hash_SHA2_copy_512,
    _Py_LibHacl_Hacl_Hash_SHA2_free_512
}
