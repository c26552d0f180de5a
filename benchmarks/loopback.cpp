// From `update` on one replica to the observer on another, over loopback TCP, against half a round trip of raw Asio with
// messages of the same size in the same run. Medians of batches that alternate between the two.
#include <netsync/lan.hpp>

#include <algorithm>
#include <array>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "median.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Cart = netsync::OrSet<std::uint64_t>;
using Tcp = asio::ip::tcp;

constexpr std::size_t batches = 9;
constexpr std::size_t rounds = 2'000;

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

/// Answers each message of `size` bytes with the same, on a thread and an io_context of its own.
class RawEcho {
   public:
    explicit RawEcho(std::size_t size)
        : message_(size), acceptor_(context_, Tcp::endpoint{asio::ip::address_v4::loopback(), 0}) {
        client_.connect(acceptor_.local_endpoint());
        acceptor_.accept(server_);
        for (Tcp::socket* socket : {&client_, &server_}) socket->set_option(Tcp::no_delay{true});
        answer();
        thread_ = std::thread{[this] { context_.run(); }};
    }
    ~RawEcho() {
        context_.stop();
        thread_.join();
    }

    double half_round_trip() {
        const Clock::time_point begin = Clock::now();
        for (std::size_t i = 0; i < rounds; ++i) {
            asio::write(client_, asio::buffer(message_));
            asio::async_read(client_, asio::buffer(message_), [](std::error_code, std::size_t) {});
            client_context_.restart();
            client_context_.run();
        }
        return microseconds(Clock::now() - begin) / (2.0 * rounds);
    }

   private:
    void answer() {
        asio::async_read(server_, asio::buffer(echo_.data(), message_.size()),
                         [this](std::error_code error, std::size_t) {
                             if (error) return;
                             asio::write(server_, asio::buffer(echo_.data(), message_.size()));
                             answer();
                         });
    }

    std::vector<char> message_;
    std::array<char, 4096> echo_{};
    asio::io_context context_, client_context_;
    Tcp::acceptor acceptor_;
    Tcp::socket server_{context_}, client_{client_context_};
    std::thread thread_;
};

}  // namespace

int main() {
    const std::string pool = "bench " + std::to_string(Clock::now().time_since_epoch().count());
    netsync::LanReplica<Cart> one{{.pool = pool, .discovery_port = 21999}};
    netsync::LanReplica<Cart> two{
        {.pool = pool, .discovery_port = 21999, .peers = {"127.0.0.1:" + std::to_string(one.report().port)}}};
    while (one.report().state != netsync::JoinState::ready || two.report().state != netsync::JoinState::ready)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});

    // Each replica answers a change of the other with one of its own, on the thread that told it: a ping-pong of updates.
    std::atomic<std::uint64_t> left{0};
    std::atomic<bool> done{false};
    const auto answer = [&](auto& replica, std::uint64_t base) {
        return replica.on_change([&, base](const Cart&, const netsync::ChangeInfo& info) {
            if (info.local) return;
            const std::uint64_t now = left.fetch_sub(1);
            if (now > 1)
                replica.update(netsync::add(base + now));
            else {
                done = true;
                done.notify_one();
            }
        });
    };
    const auto first = answer(one, 1'000'000'000), second = answer(two, 2'000'000'000);
    const auto batch = [&] {
        left = 2 * rounds;
        done = false;
        const Clock::time_point begin = Clock::now();
        one.update(netsync::add(left.load()));
        done.wait(false);
        return microseconds(Clock::now() - begin) / (2.0 * rounds);
    };

    static_cast<void>(batch());
    const netsync::Traffic traffic = one.report().traffic;
    const std::size_t size =
        static_cast<std::size_t>(traffic.bytes_out / std::max<std::uint64_t>(1, traffic.messages_out));
    RawEcho raw{size + 4};
    static_cast<void>(raw.half_round_trip());
    std::vector<double> ours, floor;
    for (std::size_t i = 0; i < batches; ++i) {
        floor.push_back(raw.half_round_trip());
        ours.push_back(batch());
    }
    std::printf(
        "loopback, %zu bytes: update to observer %.1f us, raw Asio half round trip %.1f us, ratio %.2f (at most 2)\n",
        size, median(ours), median(floor), median(ours) / median(floor));
}
