//! Installing trace and profile functions. Source: `ceval.c`. The functions themselves are called
//! through monitoring events, which the host's `legacy_tracing.c` subscribes to.
