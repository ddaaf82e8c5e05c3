//! BLAKE2b and BLAKE2s. Callers choose the vectorized forms by the processor; the crates underneath do
//! so themselves, so both names of a function lead to the same place.

use crate::{ErrorCode, SUCCESS, give, input, output, take_back};

/// `Hacl_Hash_Blake2b_blake2_params`, which BLAKE2s shares.
#[repr(C)]
pub struct Params {
    digest_length: u8,
    key_length: u8,
    fanout: u8,
    depth: u8,
    leaf_length: u32,
    node_offset: u64,
    node_depth: u8,
    inner_length: u8,
    salt: *const u8,
    personal: *const u8,
}

/// `Hacl_Hash_Blake2b_index`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Index {
    key_length: u8,
    digest_length: u8,
    last_node: bool,
}

macro_rules! blake2 {
    ($name:ident, $library:ident;
     $($malloc:ident, $update:ident, $digest:ident, $info:ident, $copy:ident, $free:ident);+) => {
        pub mod $name {
            use super::*;

            #[derive(Clone)]
            pub struct State {
                hash: $library::State,
                index: Index,
            }

            $(
                /// # Safety
                /// The salt and the personalization have the algorithm's length, `key` the given one.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $malloc(
                    params: *const Params,
                    last_node: bool,
                    key: *const u8,
                ) -> *mut State {
                    // SAFETY: the caller's promise.
                    let (params, key, salt, personal) = unsafe {
                        let params = &*params;
                        (
                            params,
                            input(key, params.key_length.into()),
                            input(params.salt, $library::SALTBYTES as u32),
                            input(params.personal, $library::PERSONALBYTES as u32),
                        )
                    };
                    let hash = $library::Params::new()
                        .hash_length(params.digest_length.into())
                        .key(key)
                        .salt(salt)
                        .personal(personal)
                        .fanout(params.fanout)
                        .max_depth(params.depth)
                        .max_leaf_length(params.leaf_length)
                        .node_offset(params.node_offset)
                        .node_depth(params.node_depth)
                        .inner_hash_length(params.inner_length.into())
                        .last_node(last_node)
                        .to_state();
                    let index = Index {
                        key_length: params.key_length,
                        digest_length: params.digest_length,
                        last_node,
                    };
                    give(State { hash, index })
                }

                /// # Safety
                /// `state` is live, `data` points to `len` bytes.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $update(state: *mut State, data: *const u8, len: u32) -> ErrorCode {
                    // SAFETY: the caller's promise.
                    unsafe { (*state).hash.update(input(data, len)) };
                    SUCCESS
                }

                /// # Safety
                /// `state` is live, `digest` has room for its digest.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $digest(state: *mut State, digest: *mut u8) -> u8 {
                    // SAFETY: the caller's promise.
                    let (hash, len) = unsafe { ((*state).hash.finalize(), (*state).index.digest_length) };
                    // SAFETY: the caller's promise.
                    unsafe { output(digest, len.into()) }.copy_from_slice(hash.as_bytes());
                    len
                }

                /// # Safety
                /// `state` is live.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $info(state: *mut State) -> Index {
                    // SAFETY: the caller's promise.
                    unsafe { (*state).index }
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
            )+
        }
    };
}

blake2! {
    blake2b, blake2b_simd;
    _Py_LibHacl_Hacl_Hash_Blake2b_malloc_with_params_and_key,
    _Py_LibHacl_Hacl_Hash_Blake2b_update,
    _Py_LibHacl_Hacl_Hash_Blake2b_digest,
    _Py_LibHacl_Hacl_Hash_Blake2b_info,
    _Py_LibHacl_Hacl_Hash_Blake2b_copy,
    _Py_LibHacl_Hacl_Hash_Blake2b_free;
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_malloc_with_params_and_key,
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_update,
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_digest,
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_info,
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_copy,
    _Py_LibHacl_Hacl_Hash_Blake2b_Simd256_free
}

blake2! {
    blake2s, blake2s_simd;
    _Py_LibHacl_Hacl_Hash_Blake2s_malloc_with_params_and_key,
    _Py_LibHacl_Hacl_Hash_Blake2s_update,
    _Py_LibHacl_Hacl_Hash_Blake2s_digest,
    _Py_LibHacl_Hacl_Hash_Blake2s_info,
    _Py_LibHacl_Hacl_Hash_Blake2s_copy,
    _Py_LibHacl_Hacl_Hash_Blake2s_free;
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_malloc_with_params_and_key,
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_update,
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_digest,
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_info,
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_copy,
    _Py_LibHacl_Hacl_Hash_Blake2s_Simd128_free
}
