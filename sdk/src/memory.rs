//! What an Interlinker allocates from: memory that its instance begins with, and only behind that more.
//!
//! Rust's own allocator asks for memory at the first allocation of every instance, and an instance is made for every call: each
//! has the operating system change what the instance may reach, and change it back behind it, which with several threads has the
//! others interrupted. The allocator here is the same, dlmalloc, with another source of pages. An Interlinker that brings its own
//! turns the feature `allocator` off.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use dlmalloc::{Allocator, Dlmalloc};

/// What an instance begins with: more than most calls allocate, and as much as dlmalloc asks for at a time.
const ROOM_BYTES: usize = 64 << 10;
/// What memory grows by.
const PAGE_BYTES: usize = 64 << 10;

#[repr(align(16))]
struct Room(UnsafeCell<[u8; ROOM_BYTES]>);

// SAFETY: a component has one thread.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; ROOM_BYTES]));

/// The room first, if what is asked for fits into it, and memory of the instance otherwise.
struct Pages {
    is_room_taken: Cell<bool>,
}

// SAFETY: the room is handed out once, and what memory grows by is nobody's.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= ROOM_BYTES && !self.is_room_taken.replace(true) {
            return (ROOM.0.get().cast(), ROOM_BYTES, 0);
        }
        let pages = size.div_ceil(PAGE_BYTES);
        match wasm32::memory_grow(0, pages) {
            usize::MAX => (ptr::null_mut(), 0, 0),
            before => (ptr::without_provenance_mut(before * PAGE_BYTES), pages * PAGE_BYTES, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}

struct Memory(UnsafeCell<Dlmalloc<Pages>>);

// SAFETY: a component has one thread, and no call of an allocator runs within another.
unsafe impl Sync for Memory {}

#[global_allocator]
static MEMORY: Memory =
    Memory(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages { is_room_taken: Cell::new(false) })));

// SAFETY: dlmalloc keeps to what is asked of an allocator.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(at, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { (*self.0.get()).realloc(at, layout.size(), layout.align(), size) }
    }
}
