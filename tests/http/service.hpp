// A rendezvous server on a thread of its own, and what tests ask of it.
#pragma once

#include <netsync/http.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "client.hpp"

class Service {
   public:
    explicit Service(netsync::http::Options options = {}, netsync::rendezvous::ExchangeLimits limits = {})
        : server_(context_, std::move(options)), routes_(server_, context_, limits) {
        REQUIRE(!server_.start());
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Service() {
        asio::post(context_, [this] {
            server_.stop();
            context_.stop();
        });
        thread_.join();
    }

    void stop() {
        asio::post(context_, [this] { server_.stop(); });
    }
    std::uint16_t port() const { return server_.port(); }
    Answer get(std::string_view target, std::string_view body = {}, std::string_view method = {}) const {
        Client client{port()};
        client.ask(target, body, method);
        return client.answer();
    }
    std::string stats() const { return get("/stats").body; }

    /// Asks until it is so; a minute is more than enough for whatever else the machine does.
    template <class Condition>
    static bool becomes(Condition&& condition) {
        const auto over = std::chrono::steady_clock::now() + std::chrono::minutes{1};
        while (!condition()) {
            if (std::chrono::steady_clock::now() > over) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        return true;
    }
    bool becomes_idle() const {
        return becomes([&] { return stats() == "{}\n"; });
    }
    /// Until so many requests wait.
    void wait_for(std::size_t waiting) const {
        const std::string line = "\nnetsync_rendezvous_waiting " + std::to_string(waiting) + '\n';
        REQUIRE(becomes([&] { return get("/metrics").body.find(line) != std::string::npos; }));
    }
    netsync::http::Statistics statistics() {
        std::promise<netsync::http::Statistics> promise;
        asio::post(context_, [&] { promise.set_value(server_.statistics()); });
        return promise.get_future().get();
    }

   private:
    asio::io_context context_{1};
    netsync::http::Server server_;
    netsync::http::RendezvousRoutes routes_;
    std::thread thread_;
};
