#include <doctest/doctest.h>

#include <netsync/netsync.hpp>
#include <thread>
#include <vector>

using netsync::Bytes;
using netsync::ByteView;
using netsync::SharedBytes;

TEST_CASE("shared bytes: a copy is the same piece, and equal is what has the same bytes") {
    const Bytes plain(100, std::byte{7});
    const SharedBytes one{plain}, other = one, again{ByteView{plain}};
    CHECK(one->data() == other->data());
    CHECK(one->data() != again->data());
    CHECK(one->data() != plain.data());
    CHECK(one == again);
    CHECK(one != SharedBytes{Bytes(99, std::byte{7})});
    CHECK(one.use_count() == 2);
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
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([mine = shared] {
            for (int round = 0; round < 1000; ++round) const SharedBytes copy = mine;
        });
    const SharedBytes last = std::move(shared);
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    CHECK(last.use_count() == 1);
}
