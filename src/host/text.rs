//! Strings, bytes and slices. Source: `unicodeobject.h`, `pycore_unicodeobject.h`.
