//! Dictionaries, their keys and values, and instance attributes. Source: `pycore_dict.h`, `pycore_object.h`.
