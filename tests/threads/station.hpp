// A transport that does with its events what a replica does: takes a mutex, under which it is also called. Everything
// is kept, and can be waited for.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <netsync/lan.hpp>
#include <string>
#include <vector>

namespace {

using netsync::Bytes;
using netsync::ByteView;
using netsync::Link;

/// Far beyond what anything takes. A kernel that gives a loopback connection a window of little more than one segment
/// moves half a megabyte a second, for want of acknowledgements.
constexpr std::chrono::seconds patience{60};
constexpr auto gone = std::errc::connection_reset;

inline netsync::SharedBytes bytes(std::size_t size, unsigned seed = 0) {
    Bytes made(size);
    for (std::size_t i = 0; i < size; ++i) made[i] = std::byte((i * 31 + i / 251 + seed) & 0xff);
    return netsync::SharedBytes{std::move(made)};
}

template <class Transport = netsync::TcpTransport<>>
struct Station {
    Station() = default;
    explicit Station(Transport made) : transport(std::move(made)) {}
    ~Station() { transport.stop(); }

    std::error_code start(const netsync::Options& options = {}) {
        const std::lock_guard lock{mutex_};
        return transport.start(options, [this](const netsync::TransportEvent& event) {
            const std::lock_guard taken{mutex_};
            std::visit([this](const auto& one) { this->on(one); }, event);
            changed_.notify_all();
        });
    }
    Link dial(std::uint16_t port, const std::string& host = "127.0.0.1") {
        const std::lock_guard lock{mutex_};
        return transport.dial({host, port});
    }
    bool send(Link link, netsync::SharedBytes message) {
        const std::lock_guard lock{mutex_};
        return transport.send(link, std::move(message));
    }
    void close(Link link) {
        const std::lock_guard lock{mutex_};
        transport.close(link);
    }
    void announce(ByteView announcement) {
        const std::lock_guard lock{mutex_};
        transport.announce(announcement);
    }

    auto opened() const { return copy(opened_); }
    auto closings() const { return copy(closings_); }
    auto heard() const { return copy(heard_); }
    auto hinted() const { return copy(hinted_); }
    auto woken() const { return copy(woken_); }
    std::size_t received_count(Link link) const {
        return received(link, [](const auto& all) { return all.size(); });
    }
    std::vector<Bytes> received(Link link) const {
        return received(link, [](const auto& all) { return all; });
    }

    /// True as soon as `holds`, which reads the above; false if it never does.
    template <class Predicate>
    bool eventually(Predicate holds) const {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, holds);
    }

    /// The first link, once it is open.
    Link link() const {
        return eventually([this] { return !opened_.empty(); }) ? opened().front().link : Link{};
    }

    /// Whether a link ends, and for this reason.
    bool closed(Link link, auto reason) const {
        return eventually([&] { return closings_.contains(link); }) && closings().at(link) == reason;
    }

    /// Whether an announcement comes.
    bool hears(ByteView announcement) const {
        const auto is_it = [&](const auto& heard) { return std::ranges::equal(heard.second, announcement); };
        return eventually([&] { return std::any_of(heard_.begin(), heard_.end(), is_it); });
    }

    Transport transport;

   private:
    template <class Kept>
    Kept copy(const Kept& kept) const {
        const std::lock_guard lock{mutex_};
        return kept;
    }

    template <class Read>
    auto received(Link link, Read read) const {
        const std::lock_guard lock{mutex_};
        const auto found = received_.find(link);
        return read(found == received_.end() ? std::vector<Bytes>{} : found->second);
    }

    void on(const netsync::LinkOpened& event) { opened_.push_back(event); }
    void on(const netsync::MessageReceived& event) {
        received_[event.link].emplace_back(event.bytes.begin(), event.bytes.end());
    }
    void on(const netsync::LinkClosed& event) { closings_.emplace(event.link, event.reason); }
    void on(const netsync::AnnouncementReceived& event) {
        heard_.emplace_back(event.host, Bytes(event.bytes.begin(), event.bytes.end()));
    }
    void on(const netsync::PeerHinted& event) { hinted_.push_back(event.endpoint); }
    void on(const netsync::Woken&) { woken_.push_back(transport.now()); }

    mutable std::recursive_mutex mutex_;  // so that predicates may call what locks
    mutable std::condition_variable_any changed_;
    std::vector<netsync::LinkOpened> opened_;
    std::map<Link, std::vector<Bytes>> received_;
    std::map<Link, std::error_code> closings_;
    std::vector<std::pair<std::string, Bytes>> heard_;
    std::vector<netsync::Endpoint> hinted_;
    std::vector<netsync::Duration> woken_;
};

}  // namespace
