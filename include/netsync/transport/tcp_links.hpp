// netsync: all connections of a TcpTransport and the listener that accepts them: who is dialed and who dials becomes a
// TcpLink here, found by its Link until it ends.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <netsync/detail/asio.hpp>
#include <netsync/options.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/transport/tcp_link.hpp>
#include <netsync/wire/bytes.hpp>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace netsync::detail {

/// dial(), send() and close() come from any thread and never wait for an event; the rest runs on the executor.
class TcpLinks {
   public:
    using tcp = asio::ip::tcp;

    TcpLinks(const asio::any_io_executor& executor, const Options& options, TransportEvents events)
        : host_{executor, options.limits, options.answer_timeout, std::move(events), [this](Link id) { forget(id); }},
          acceptor_(executor), pause_(executor) {}

    /// Accepts on `port` of every address of this machine; 0: on a free one.
    std::error_code listen(std::uint16_t port) {
        std::error_code error = listen_on(tcp::v6(), port);
        if (error && error != std::errc::address_in_use && error != std::errc::permission_denied)
            error = listen_on(tcp::v4(), port);
        if (error) return error;
        port_ = acceptor_.local_endpoint().port();
        accept();
        return {};
    }

    void stop() {
        std::error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        std::unordered_map<Link, std::shared_ptr<TcpLink>> links;
        {
            const std::lock_guard lock{mutex_};
            links.swap(links_);
        }
        for (const auto& [id, link] : links) link->abandon();
    }

    std::uint16_t port() const noexcept { return port_; }

    Link dial(const Endpoint& endpoint) {
        const Link id = next_id();
        const auto link = std::make_shared<TcpLink>(host_, id);
        remember(id, link);
        asio::post(host_.executor, [link, endpoint] { link->dial(endpoint); });
        return id;
    }

    bool send(Link id, SharedBytes message) {
        const auto link = find(id);
        return !link || link->send(std::move(message));
    }

    void close(Link id) {
        if (const auto link = find(id)) link->close();
    }

   private:
    static constexpr auto pause_after_error = std::chrono::milliseconds{100};

    /// Never the same in one process, so that no restart of a transport can confuse two links.
    static Link next_id() {
        static std::atomic<std::uint64_t> last{0};
        return Link{++last};
    }

    std::error_code listen_on(const tcp& protocol, std::uint16_t port) {
        std::error_code error;
        std::error_code ignored;
        acceptor_.close(ignored);
        acceptor_.open(protocol, error);
        if (error) return without_asio(error);
        if (protocol == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(false), error);
#ifndef _WIN32  // there it would let two programs listen on one port; here it only passes over links that have closed
        acceptor_.set_option(tcp::acceptor::reuse_address(true), ignored);
#endif
        if (!error) acceptor_.bind({protocol, port}, error);
        if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
        return without_asio(error);
    }

    void accept() {
        acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (error && error != asio::error::connection_aborted) return accept_later();
            if (!error) accepted(std::move(socket));
            accept();
        });
    }

    /// Out of descriptors or memory: others may give some back.
    void accept_later() {
        pause_.expires_after(pause_after_error);
        pause_.async_wait([this](std::error_code error) {
            if (!error) accept();
        });
    }

    void accepted(tcp::socket socket) {
        std::error_code gone;
        const tcp::endpoint peer = socket.remote_endpoint(gone);
        if (gone || open_links() >= host_.limits.links) return;
        asio::ip::address address = peer.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped())
            address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        const Link id = next_id();
        const auto link = std::make_shared<TcpLink>(host_, id, std::move(socket));
        remember(id, link);
        link->open(false, {address.to_string(), peer.port()});
    }

    std::size_t open_links() const {
        const std::lock_guard lock{mutex_};
        return links_.size();
    }
    std::shared_ptr<TcpLink> find(Link id) const {
        const std::lock_guard lock{mutex_};
        const auto found = links_.find(id);
        return found == links_.end() ? nullptr : found->second;
    }
    void remember(Link id, std::shared_ptr<TcpLink> link) {
        const std::lock_guard lock{mutex_};
        links_.emplace(id, std::move(link));
    }
    void forget(Link id) {
        const std::lock_guard lock{mutex_};
        links_.erase(id);
    }

    TcpLinkHost host_;
    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::unordered_map<Link, std::shared_ptr<TcpLink>> links_;
};

}  // namespace netsync::detail
