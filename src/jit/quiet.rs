//! Objects whose end runs no Python code, so that machine code need not write its frames to memory first.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use arrayvec::ArrayVec;

use crate::bytecode::opcode;
use crate::host::dict::{Dict, InlineValues, MANAGED_DICT_OFFSET};
use crate::host::object::{is_exact, list_items, size, tuple_slice, type_flags, type_of};
use crate::host::{Frame, Owned, PyObject, ThreadState, ffi, refcount};
use crate::instrument::events::Event;
use crate::instrument::exceptions::is_watched;

/// The destructor of classes that Python code defines, or 0.
static CLASS_DEALLOC: AtomicUsize = AtomicUsize::new(0);

/// The most references that are looked at for one end.
const MAX_RELEASED: usize = 128;
/// The most places for keys of a set that are looked at.
const MAX_PLACES: usize = 512;

/// Finds out how instances of classes are destroyed.
///
/// # Safety
/// The thread is attached to `interp`, and its frames are published.
pub(super) unsafe fn prepare(interp: *mut ffi::PyInterpreterState) {
    if CLASS_DEALLOC.load(Ordering::Relaxed) != 0 {
        return;
    }
    // SAFETY: importlib's module exists while code runs. Its class for specifications is one of Python code.
    unsafe {
        let importlib = (*interp).imports.importlib;
        if importlib.is_null() {
            return;
        }
        let Some(class) = Owned::optional(ffi::PyObject_GetAttrString(importlib, c"ModuleSpec".as_ptr()))
        else {
            return ffi::PyErr_Clear();
        };
        if is_exact(class.as_ptr(), &raw mut ffi::PyType_Type) {
            let dealloc = (*class.as_ptr().cast::<ffi::PyTypeObject>()).tp_dealloc;
            CLASS_DEALLOC.store(dealloc.map_or(0, |dealloc| dealloc as usize), Ordering::Relaxed);
        }
    }
}

/// Whether the end of the object, which has no references any more, runs no Python code. What a list, tuple or set refers to has
/// begun to end then, from its last item on, as far as that runs no Python code.
///
/// # Safety
/// The thread is attached. The object is not freed yet, and nothing else uses it.
pub(super) unsafe fn begins_to_end_quietly(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet, and of the type that each branch expects (caller).
    unsafe {
        let type_ = type_of(object);
        if type_ == &raw mut ffi::PyList_Type {
            let count = size(object) as usize;
            count == 0 || release_items(core::slice::from_raw_parts_mut(list_items(object), count))
        } else if type_ == &raw mut ffi::PyTuple_Type {
            let items = (&raw mut (*object.cast::<ffi::PyTupleObject>()).ob_item).cast();
            release_items(core::slice::from_raw_parts_mut(items, size(object) as usize))
        } else if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
            release_keys(object.cast())
        } else {
            is_ended_generator(object) || Ending::is_quiet(object)
        }
    }
}

/// Releases the items of a list or tuple that ends, from the last one on. Stops at one whose end could run Python code. Returns
/// whether there is none. Those that are released are null then, which their container's destructor allows.
///
/// # Safety
/// The thread is attached. The container has no references any more.
unsafe fn release_items(items: &mut [*mut PyObject]) -> bool {
    for item in items.iter_mut().rev() {
        let object = *item;
        // SAFETY: the container has references to its items, and nothing else sees that it loses them (caller).
        unsafe {
            if object.is_null() || count(object) < 0 {
                continue;
            }
            if count(object) == 1 && !ends_quietly(object) {
                return false;
            }
            *item = core::ptr::null_mut();
            refcount::decref(object);
        }
    }
    true
}

/// The same for the keys of a set, from the first one on, if nothing is notified of its end. Those that are released are not in the
/// set any more, which its destructor would look for.
///
/// # Safety
/// The thread is attached. The set has no references any more.
unsafe fn release_keys(set: *mut ffi::PySetObject) -> bool {
    // SAFETY: the set has references to its keys, in so many places, and nothing else sees that it loses them (caller).
    unsafe {
        if !(*set).weakreflist.is_null() {
            return false;
        }
        let mut place = (*set).table;
        while (*set).used > 0 {
            let key = (*place).key;
            if is_key(&*place) {
                if count(key) == 1 && !ends_quietly(key) {
                    return false;
                }
                (*place).key = core::ptr::null_mut();
                (*set).used -= 1;
                refcount::decref(key);
            }
            place = place.add(1);
        }
        true
    }
}

/// Whether there is a key in this place of a set. What has been removed left an immortal object, with a hash that no key has.
fn is_key(place: &ffi::setentry) -> bool {
    !place.key.is_null() && place.hash != -1
}

/// Whether the end of the object, which loses its last reference, runs no Python code.
///
/// # Safety
/// The thread is attached. The object is not freed yet.
unsafe fn ends_quietly(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet, and so are all that it refers to (caller).
    unsafe { is_plain(object) || is_ended_generator(object) || Ending::is_quiet(object) }
}

/// What an end is going to release. The references are taken away for a moment: an object that has none left ends, too.
#[derive(Default)]
struct Ending(ArrayVec<*mut PyObject, MAX_RELEASED>);

impl Ending {
    /// Whether the end of the object, which has no references any more, runs no Python code.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn is_quiet(object: *mut PyObject) -> bool {
        let mut ending = Ending::default();
        // SAFETY: the contract is the same. Nothing has seen the counts meanwhile.
        unsafe {
            let result = ending.parts_end_quietly(object);
            // Not by value: that would copy all places, most of them without a reference.
            for &object in &ending.0 {
                *counter(object) += 1;
            }
            result
        }
    }

    /// Whether releasing a reference to this object, or null, runs no Python code.
    ///
    /// # Safety
    /// The thread is attached, and the object live.
    unsafe fn releases_quietly(&mut self, part: *mut PyObject) -> bool {
        // SAFETY: the object is live (caller).
        unsafe {
            // So many references cannot be lost.
            if part.is_null() || count(part) < 0 || count(part) > MAX_RELEASED as i64 || is_plain(part) {
                return true;
            }
            if self.0.try_push(part).is_err() {
                return false;
            }
            *counter(part) -= 1;
            count(part) > 0 || self.parts_end_quietly(part)
        }
    }

    /// Whether this object ends without Python code: nothing is notified of it, and what it refers to is released quietly.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn parts_end_quietly(&mut self, object: *mut PyObject) -> bool {
        // SAFETY: the object is not freed yet, and of the type that each branch expects. What it refers to is live.
        unsafe {
            let mut all = |parts: &[*mut PyObject]| parts.iter().all(|&part| self.releases_quietly(part));
            let type_ = type_of(object);
            if type_ == &raw mut ffi::PyTuple_Type {
                all(tuple_slice(object))
            } else if type_ == &raw mut ffi::PyList_Type {
                let (items, count) = (list_items(object), size(object) as usize);
                count == 0 || all(core::slice::from_raw_parts(items, count))
            } else if type_ == &raw mut ffi::PyDict_Type {
                self.dict_ends_quietly(Dict::from_object(object))
            } else if type_ == &raw mut ffi::PyListIter_Type {
                all(&[(*object.cast::<ffi::_PyListIterObject>()).it_seq.cast()])
            } else if type_ == &raw mut ffi::PyTupleIter_Type {
                all(&[(*object.cast::<ffi::_PyTupleIterObject>()).it_seq.cast()])
            } else if type_ == &raw mut ffi::PyCell_Type {
                all(&[(*object.cast::<ffi::PyCellObject>()).ob_ref])
            } else if type_ == &raw mut ffi::PySlice_Type {
                let slice = object.cast::<ffi::PySliceObject>();
                all(&[(*slice).start, (*slice).stop, (*slice).step])
            } else if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
                self.set_ends_quietly(object.cast())
            } else if type_ == &raw mut ffi::PyMethod_Type {
                let method = object.cast::<ffi::PyMethodObject>();
                (*method).im_weakreflist.is_null() && all(&[(*method).im_func, (*method).im_self])
            } else if type_ == &raw mut ffi::PyFunction_Type {
                let function = object.cast::<ffi::PyFunctionObject>();
                let is_watched = (*ThreadState::current().interp()).active_func_watchers != 0;
                (*function).func_weakreflist.is_null() && !is_watched && all(&parts_of_function(function))
            } else if type_ == &raw mut ffi::PyGen_Type {
                self.generator_ends_quietly(object.cast())
            } else if type_ == &raw mut ffi::PyCoro_Type || type_ == &raw mut ffi::PyAsyncGen_Type {
                self.coroutine_ends_quietly(object.cast())
            } else if let Some(attributes) = attributes_of_instance(object) {
                all(attributes)
            } else {
                only_releases(object) && self.visited_end_quietly(object)
            }
        }
    }

    /// Whether all that the collector finds in the object is released quietly.
    ///
    /// # Safety
    /// As for [`ends_quietly`]. At its end, the object releases what the collector finds in it, and does nothing else.
    unsafe fn visited_end_quietly(&mut self, object: *mut PyObject) -> bool {
        /// Fails at an object whose end is not quiet.
        ///
        /// # Safety
        /// As for [`Ending::releases_quietly`]. The pointer is to an [`Ending`].
        unsafe extern "C" fn visit(part: *mut PyObject, ending: *mut c_void) -> c_int {
            // SAFETY: the contract is the same.
            unsafe { (!(*ending.cast::<Ending>()).releases_quietly(part)).into() }
        }
        // SAFETY: the object is not freed yet, and what it refers to is live (caller).
        unsafe {
            let Some(traverse) = (*type_of(object)).tp_traverse else { return false };
            traverse(object, Some(visit), (&raw mut *self).cast()) == 0
        }
    }

    /// The same for a dictionary.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn dict_ends_quietly(&mut self, dict: Dict) -> bool {
        // SAFETY: the dictionary is not freed yet (caller). One that is not split has so many entries, and the keys of those in a
        // table of strings are strings.
        unsafe {
            let keys = dict.keys();
            let count = keys.entry_count();
            if dict.watchers() != 0 || count > MAX_PLACES {
                return false;
            }
            if dict.is_split() {
                return self.visited_end_quietly(dict.object());
            }
            if keys.kind() != ffi::DICT_KEYS_GENERAL {
                return (0..count)
                    .all(|index| self.releases_quietly(keys.unicode_entry(index).value().borrow()));
            }
            (0..count).all(|index| {
                let entry = keys.general_entry(index);
                self.releases_quietly((*entry).me_key) && self.releases_quietly((*entry).me_value)
            })
        }
    }

    /// The same for a set.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn set_ends_quietly(&mut self, set: *mut ffi::PySetObject) -> bool {
        // SAFETY: the set is not freed yet (caller). Its table has so many places.
        unsafe {
            let places = (*set).mask as usize + 1;
            if !(*set).weakreflist.is_null() || places > MAX_PLACES {
                return false;
            }
            let mut left = (*set).used;
            for index in 0..places {
                let entry = &*(*set).table.add(index);
                if left == 0 {
                    break;
                }
                if is_key(entry) {
                    left -= 1;
                    if !self.releases_quietly(entry.key) {
                        return false;
                    }
                }
            }
            true
        }
    }

    /// The same for a generator: one that has ended, or waits where no code of it has to run at its end.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn generator_ends_quietly(&mut self, generator: *mut ffi::PyGenObject) -> bool {
        // SAFETY: the generator is not freed yet (caller). While it waits, its frame is complete.
        unsafe {
            if !(*generator).gi_weakreflist.is_null() {
                return false;
            }
            let frame = Frame::from_ptr(&raw mut (*generator).gi_iframe);
            let code = frame.code().object();
            match i32::from((*generator).gi_frame_state) {
                // Only its code and its names are left.
                ffi::FRAME_CLEARED => self.releases_quietly(code),
                ffi::FRAME_SUSPENDED if is_outside_of_try(frame) => {
                    let (start, end) = (frame.local_slot(0), frame.stack_pointer());
                    let slots = core::slice::from_raw_parts(start, end.offset_from(start) as usize);
                    let mut counted = slots.iter().filter(|slot| !slot.is_null() && slot.is_counted());
                    self.releases_quietly(code)
                        && self.releases_quietly(frame.function().cast())
                        && counted.all(|slot| self.releases_quietly(slot.object()))
                }
                _ => false,
            }
        }
    }

    /// The same for a coroutine or an asynchronous generator: one that has ended.
    ///
    /// # Safety
    /// As for [`ends_quietly`].
    unsafe fn coroutine_ends_quietly(&mut self, coroutine: *mut ffi::PyCoroObject) -> bool {
        // SAFETY: the coroutine is not freed yet (caller). An asynchronous generator has the same fields.
        unsafe {
            // Otherwise there is a warning, or a callback.
            i32::from((*coroutine).cr_frame_state) == ffi::FRAME_CLEARED
                && (*coroutine).cr_weakreflist.is_null()
                && self.releases_quietly(Frame::from_ptr(&raw mut (*coroutine).cr_iframe).code().object())
                && self.releases_quietly((*coroutine).cr_origin_or_finalizer)
        }
    }
}

/// Whether the end of the object only releases what the collector finds in it: nothing is notified of it, and no code of its class
/// runs.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn only_releases(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller), and of the type that each branch expects.
    unsafe {
        let type_ = type_of(object);
        if type_ == &raw mut ffi::PyCFunction_Type {
            return (*object.cast::<ffi::PyCFunctionObject>()).m_weakreflist.is_null();
        }
        let iterators_and_views = [
            &raw mut ffi::PySeqIter_Type,
            &raw mut ffi::PyDictIterKey_Type,
            &raw mut ffi::PyDictIterValue_Type,
            &raw mut ffi::PyDictIterItem_Type,
            &raw mut ffi::PyDictKeys_Type,
            &raw mut ffi::PyDictValues_Type,
            &raw mut ffi::PyDictItems_Type,
            &raw mut ffi::PySetIter_Type,
            &raw mut ffi::PyUnicodeIter_Type,
            &raw mut ffi::PyEnum_Type,
            &raw mut ffi::PyZip_Type,
            &raw mut ffi::PyMap_Type,
            &raw mut ffi::PyFilter_Type,
            &raw mut ffi::PyReversed_Type,
            &raw mut ffi::PyListRevIter_Type,
        ];
        iterators_and_views.contains(&type_) || is_instance_with_slots(object)
    }
}

/// Whether the object is an instance of a class of Python code without a finalizer, weak references or a dictionary.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn is_instance_with_slots(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller). What its type says about its layout is true.
    unsafe {
        let type_ = type_of(object);
        let has_dict = type_flags(type_) & ffi::Py_TPFLAGS_MANAGED_DICT != 0 || (*type_).tp_dictoffset != 0;
        let has_items = (*type_).tp_itemsize != 0;
        !has_dict && !has_items && is_class_without_finalizer(type_) && !has_weak_references(object)
    }
}

/// Whether there are weak references to the object.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn has_weak_references(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller). What its type says about its layout is true.
    unsafe {
        let offset = (*type_of(object)).tp_weaklistoffset;
        offset != 0 && !object.byte_offset(offset).cast::<*mut PyObject>().read().is_null()
    }
}

/// All that a function refers to.
///
/// # Safety
/// The function is not freed yet.
unsafe fn parts_of_function(function: *mut ffi::PyFunctionObject) -> [*mut PyObject; 14] {
    // SAFETY: the function is not freed yet (caller).
    unsafe {
        [
            (*function).func_globals,
            (*function).func_builtins,
            (*function).func_name,
            (*function).func_qualname,
            (*function).func_code,
            (*function).func_defaults,
            (*function).func_kwdefaults,
            (*function).func_closure,
            (*function).func_doc,
            (*function).func_dict,
            (*function).func_module,
            (*function).func_annotations,
            (*function).func_annotate,
            (*function).func_typeparams,
        ]
    }
}

/// Whether a generator that is closed in this frame only releases what the frame holds: it waits at a `yield` outside of all
/// `try` blocks, no frame object shows the frame, and no tool watches it.
///
/// # Safety
/// The thread is attached. The frame is that of a suspended generator.
unsafe fn is_outside_of_try(frame: Frame) -> bool {
    // SAFETY: a suspended frame is at an instruction of its code (caller).
    unsafe {
        let (opcode, oparg) = frame.instr().decode();
        matches!(opcode, opcode::RESUME | opcode::RESUME_CHECK)
            && oparg as u32 & ffi::RESUME_OPARG_DEPTH1_MASK != 0
            && (*frame.as_ptr()).frame_obj.is_null()
            && (*frame.as_ptr()).f_locals.is_null()
            && !is_watched(ThreadState::current(), Event::PY_UNWIND)
    }
}

/// Whether the object refers to no others, and nothing is notified of its end.
///
/// # Safety
/// As for [`ends_quietly`].
pub(super) unsafe fn is_plain(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller).
    let type_ = unsafe { type_of(object) };
    type_ == &raw mut ffi::PyFloat_Type
        || type_ == &raw mut ffi::PyLong_Type
        || type_ == &raw mut ffi::PyUnicode_Type
        || type_ == &raw mut ffi::PyBytes_Type
        || type_ == &raw mut ffi::PyRangeIter_Type
}

/// Whether it is a generator, a coroutine or an asynchronous generator that has ended, and is not the last to refer to its code. Then
/// only names are left in it, and nothing is notified of its end.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn is_ended_generator(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller). All three types have the same fields.
    unsafe {
        let type_ = type_of(object);
        if type_ != &raw mut ffi::PyGen_Type
            && type_ != &raw mut ffi::PyCoro_Type
            && type_ != &raw mut ffi::PyAsyncGen_Type
        {
            return false;
        }
        let generator = object.cast::<ffi::PyGenObject>();
        i32::from((*generator).gi_frame_state) == ffi::FRAME_CLEARED
            && (*generator).gi_weakreflist.is_null()
            && (*generator).gi_origin_or_finalizer.is_null()
            && count(Frame::from_ptr(&raw mut (*generator).gi_iframe).code().object()) != 1
    }
}

/// The number of references to the object; negative if it is immortal.
///
/// # Safety
/// The object is live.
unsafe fn count(object: *mut PyObject) -> i64 {
    // SAFETY: the object is live (caller).
    unsafe { i64::from(counter(object).read() as i32) }
}

/// Where the number of references to the object is.
///
/// # Safety
/// The object is live.
unsafe fn counter(object: *mut PyObject) -> *mut u32 {
    // SAFETY: the object is live (caller).
    unsafe { &raw mut (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt }
}

/// The attributes of an instance of a class of Python code, without a finalizer, weak references, slots or a dictionary. `None`
/// for other objects.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn attributes_of_instance<'a>(object: *mut PyObject) -> Option<&'a [*mut PyObject]> {
    // SAFETY: the object is not freed yet (caller). What its type says about its layout is true.
    unsafe {
        let type_ = type_of(object);
        let has_inline_values = type_flags(type_) & ffi::Py_TPFLAGS_INLINE_VALUES != 0;
        if !has_inline_values || !is_class_without_finalizer(type_) || has_slots(type_) {
            return None;
        }
        let dict = object.byte_offset(MANAGED_DICT_OFFSET).cast::<*mut PyObject>();
        if has_weak_references(object) || !(*dict).is_null() || !InlineValues::of(object).are_valid() {
            return None;
        }
        Some(InlineValues::of(object).slots())
    }
}

/// Whether all classes that this one inherits from are classes of Python code without finalizers.
///
/// # Safety
/// The type is live.
unsafe fn is_class_without_finalizer(type_: *mut ffi::PyTypeObject) -> bool {
    let dealloc = CLASS_DEALLOC.load(Ordering::Relaxed);
    // SAFETY: the contract is the same.
    unsafe { bases(type_) }.all(|base| {
        // SAFETY: a type keeps its bases alive (caller).
        unsafe {
            let own = (*base).tp_dealloc.map_or(0, |dealloc| dealloc as usize);
            dealloc != 0 && own == dealloc && (*base).tp_finalize.is_none() && (*base).tp_del.is_none()
        }
    })
}

/// Whether one of these classes has slots.
///
/// # Safety
/// The type is live, and it and its bases are classes of Python code.
unsafe fn has_slots(type_: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: the types are live, and those of Python code are of this type (caller).
    unsafe { bases(type_).any(|base| !(*base.cast::<ffi::PyHeapTypeObject>()).ht_slots.is_null()) }
}

/// The class and those that it inherits its layout from, without `object`.
///
/// # Safety
/// The type is live, also while the result is used.
unsafe fn bases(type_: *mut ffi::PyTypeObject) -> impl Iterator<Item = *mut ffi::PyTypeObject> {
    let is_end = |type_: &*mut ffi::PyTypeObject| *type_ == &raw mut ffi::PyBaseObject_Type;
    // SAFETY: a type keeps its bases alive (caller); the last one is `object`.
    core::iter::successors(Some(type_), |&type_| unsafe { Some((*type_).tp_base) })
        .take_while(move |type_| !is_end(type_))
}
