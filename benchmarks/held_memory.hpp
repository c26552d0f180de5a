// Bytes that the allocator gave out and did not get back. Takes the place of the global operator new: for one file of a
// program.
#pragma once

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

inline std::atomic<std::size_t> held = 0, most_held = 0;

void* operator new(std::size_t size) {
    void* memory = std::malloc(size);
    if (!memory) throw std::bad_alloc{};
    const std::size_t now = held += malloc_usable_size(memory);
    for (std::size_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
    }
    return memory;
}
void operator delete(void* memory) noexcept {
    if (memory) held -= malloc_usable_size(memory);
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
