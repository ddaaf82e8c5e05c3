//! SHA-3 and SHAKE.

use digest::{DynDigest, ExtendableOutput, Update, XofReader};

use crate::{ErrorCode, INVALID_ALGORITHM, INVALID_LENGTH, SUCCESS, give, input, output, take_back};

#[derive(Clone)]
pub enum State {
    Fixed { hash: Box<dyn DynDigest>, block_len: u32 },
    Shake128(shake::Shake128),
    Shake256(shake::Shake256),
}

fn fixed<H>() -> State
where
    H: DynDigest + Default + digest::common::BlockSizeUser + 'static,
{
    State::Fixed { hash: Box::new(H::default()), block_len: H::block_size() as u32 }
}

/// `algorithm` is a `Spec_Hash_Definitions_hash_alg`.
#[unsafe(no_mangle)]
pub extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_malloc(algorithm: u8) -> *mut State {
    give(match algorithm {
        8 => fixed::<sha3::Sha3_256>(),
        9 => fixed::<sha3::Sha3_224>(),
        10 => fixed::<sha3::Sha3_384>(),
        11 => fixed::<sha3::Sha3_512>(),
        12 => State::Shake128(Default::default()),
        13 => State::Shake256(Default::default()),
        _ => panic!("hash algorithm {algorithm} is not of the SHA-3 family"),
    })
}

/// # Safety
/// `state` is live, `data` points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_update(
    state: *mut State,
    data: *const u8,
    len: u32,
) -> ErrorCode {
    // SAFETY: the caller's promise.
    let (state, data) = unsafe { (&mut *state, input(data, len)) };
    match state {
        State::Fixed { hash, .. } => hash.update(data),
        State::Shake128(shake) => shake.update(data),
        State::Shake256(shake) => shake.update(data),
    }
    SUCCESS
}

/// # Safety
/// `state` is live, `digest` has room for the algorithm's digest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_digest(state: *mut State, digest: *mut u8) -> ErrorCode {
    // SAFETY: the caller's promise.
    let State::Fixed { hash, .. } = (unsafe { &*state }) else {
        return INVALID_ALGORITHM;
    };
    // SAFETY: the caller's promise.
    let digest = unsafe { output(digest, hash.output_size()) };
    hash.clone().finalize_into_reset(digest).expect("the buffer has the hash's own size");
    SUCCESS
}

/// # Safety
/// `state` is live, `digest` has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_squeeze(
    state: *mut State,
    digest: *mut u8,
    len: u32,
) -> ErrorCode {
    if len == 0 {
        return INVALID_LENGTH;
    }
    // SAFETY: the caller's promise.
    let (state, digest) = unsafe { (&*state, output(digest, len as usize)) };
    match state {
        State::Fixed { .. } => return INVALID_ALGORITHM,
        State::Shake128(shake) => shake.clone().finalize_xof().read(digest),
        State::Shake256(shake) => shake.clone().finalize_xof().read(digest),
    }
    SUCCESS
}

/// # Safety
/// `state` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_block_len(state: *mut State) -> u32 {
    // SAFETY: the caller's promise.
    match unsafe { &*state } {
        State::Fixed { block_len, .. } => *block_len,
        State::Shake128(_) => 168,
        State::Shake256(_) => 136,
    }
}

/// # Safety
/// `state` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_hash_len(state: *mut State) -> u32 {
    // SAFETY: the caller's promise.
    match unsafe { &*state } {
        State::Fixed { hash, .. } => hash.output_size() as u32,
        State::Shake128(_) | State::Shake256(_) => 0,
    }
}

/// # Safety
/// `state` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_is_shake(state: *mut State) -> bool {
    // SAFETY: the caller's promise.
    !matches!(unsafe { &*state }, State::Fixed { .. })
}

/// # Safety
/// `state` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_copy(state: *mut State) -> *mut State {
    // SAFETY: the caller's promise.
    give(unsafe { (*state).clone() })
}

/// # Safety
/// `state` is live and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LibHacl_Hacl_Hash_SHA3_free(state: *mut State) {
    // SAFETY: the caller's promise.
    unsafe { take_back(state) };
}
