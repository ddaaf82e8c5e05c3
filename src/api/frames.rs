use crate::host::{Frame, ThreadState};
pub unsafe fn clear_and_pop(_t: ThreadState, _f: Frame) {
    unimplemented!()
}
