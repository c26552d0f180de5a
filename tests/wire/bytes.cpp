#include <doctest/doctest.h>

#include <array>
#include <netsync/netsync.hpp>
#include <thread>
#include <vector>

using netsync::Bytes;
using netsync::ByteView;
using netsync::SharedBytes;

TEST_CASE("shared bytes: a copy is the same piece, and equal is what has the same bytes") {
    const Bytes plain(100, std::byte{7});
    const SharedBytes one{plain}, again{ByteView{plain}};
    const std::vector<SharedBytes> others(2, one);
    CHECK(one->data() == others[1]->data());
    CHECK(one->data() != again->data());
    CHECK(one->data() != plain.data());
    CHECK(one == again);
    CHECK(one != SharedBytes{Bytes(99, std::byte{7})});
    CHECK(one.use_count() == 3);
    CHECK(again.use_count() == 1);
}

TEST_CASE("shared bytes: what is given away is not copied, and what is written is written once") {
    Bytes large(1'000'000, std::byte{1});
    const std::byte* const at = large.data();
    SharedBytes taken{std::move(large)};
    CHECK(taken->data() == at);
    CHECK(taken->size() == 1'000'000);
    const SharedBytes made = SharedBytes::make(3, [](std::byte* to) { to[0] = to[1] = to[2] = std::byte{9}; });
    CHECK(made == SharedBytes{Bytes(3, std::byte{9})});
    taken = made;
    CHECK(taken.use_count() == 2);
}

TEST_CASE("shared bytes: null is not empty") {
    const SharedBytes null, empty{Bytes{}};
    CHECK(null == nullptr);
    CHECK(empty != nullptr);
    CHECK(empty->empty());
    CHECK(null != empty);
    CHECK(null == SharedBytes{nullptr});
    CHECK(null.use_count() == 0);
    SharedBytes moved = empty;
    const SharedBytes target = std::move(moved);
    CHECK(moved == nullptr);
    CHECK(target == empty);
}

TEST_CASE("shared bytes: the last owner lets go, on whichever thread") {
    SharedBytes shared{Bytes(1000)};
    std::array<std::thread, 4> threads;
    for (std::thread& thread : threads)
        thread = std::thread{[mine = shared] {
            for (std::size_t round = 0; round < 100; ++round)
                CHECK(std::vector<SharedBytes>(round, mine).size() == round);
        }};
    const SharedBytes last = std::move(shared);
    for (std::thread& thread : threads) thread.join();
    CHECK(last.use_count() == 1);
}
