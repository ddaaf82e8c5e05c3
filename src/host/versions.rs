//! Versions, which inline caches compare: of types, of functions, of tables of keys. Source: `pycore_typeobject.h`,
//! `pycore_function.h`, `pycore_dict.h`.
//!
//! The host assigns a version when one is asked for, and takes it away when the object changes. So as long as an
//! object has the version that a cache holds, what the specializer found out about it is true. The host counts
//! the three kinds separately: the same number as a version of another kind means something else.
//!
//! A field without a version holds zero (a function also uses one). Versions run out, so a request may fail.
//! Both cases are `None`. Code that only compares asks the object, for example
//! [`Function::has_version`](super::function::Function::has_version): that needs no test for "none".

use core::num::{NonZeroU16, NonZeroU32};

use super::ffi;

macro_rules! version {
    ($(#[$doc:meta])* $name:ident, first $first:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(transparent)]
        pub(crate) struct $name(NonZeroU32);

        static_assertions::assert_eq_size!(Option<$name>, u32);

        impl $name {
            /// The version in a field of the host; `None` if the value stands for no version.
            #[inline(always)]
            pub(crate) const fn new(field: u32) -> Option<$name> {
                match NonZeroU32::new(field) {
                    Some(version) if field >= $first => Some($name(version)),
                    _ => None,
                }
            }

            /// The value that a field of the host with this version has.
            #[inline(always)]
            pub(crate) const fn get(self) -> u32 {
                self.0.get()
            }
        }
    };
}

version! {
    /// The version of a type (`tp_version_tag`).
    TypeVersion, first 1
}
version! {
    /// The version of a function (`func_version`). It changes when the code or the defaults change.
    FunctionVersion, first ffi::FUNC_VERSION_FIRST_VALID
}
version! {
    /// The version of a table of keys (`dk_version`). Tables with the same version have the same keys at the same
    /// indices.
    KeysVersion, first 1
}
/// A [`KeysVersion`] that fits into the cache of LOAD_GLOBAL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ShortKeysVersion(NonZeroU16);

impl KeysVersion {
    /// The version for a cache with 16 bits; `None` if it does not fit.
    pub(crate) fn short(self) -> Option<ShortKeysVersion> {
        NonZeroU16::try_from(self.0).ok().map(ShortKeysVersion)
    }
}

impl From<ShortKeysVersion> for KeysVersion {
    #[inline(always)]
    fn from(version: ShortKeysVersion) -> KeysVersion {
        KeysVersion(version.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_without_a_version_are_none() {
        assert_eq!(TypeVersion::new(0), None);
        assert_eq!(KeysVersion::new(0), None);
        assert_eq!(FunctionVersion::new(0), None);
        assert_eq!(FunctionVersion::new(ffi::FUNC_VERSION_CLEARED), None);
        assert_eq!(FunctionVersion::new(2).map(FunctionVersion::get), Some(2));
        assert_eq!(TypeVersion::new(1).map(TypeVersion::get), Some(1));
    }

    #[test]
    fn a_short_version_is_the_same_version_or_none() {
        let versions =
            [1, 0xFFFF, 0x1_0000, u32::MAX].map(|field| KeysVersion::new(field).expect("a version"));
        let again = versions.map(|version| version.short().map(KeysVersion::from));
        assert_eq!(again, [Some(versions[0]), Some(versions[1]), None, None]);
    }
}
